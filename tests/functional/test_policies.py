# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies accept and reject what containers/image accepts and rejects."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image import reference as references
from ansible_collections.drayage.registry.plugins.module_utils._image.signing_key import load_private
from ansible_collections.drayage.registry.plugins.module_utils._operations.sign import SignOptions, sign
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.evidence import NotVerified
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.rules import PolicyRule, Used
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.transports import LocalImages
from ansible_collections.drayage.registry.plugins.module_utils._registry.session import Policy as SessionPolicy
from ansible_collections.drayage.registry.plugins.module_utils._run import Run
from devtools import images, peers, policy_cases
from devtools.policy_cases import STATES, Case
from devtools.signing import Key

FIXTURE = Path(__file__).parent / "fixtures" / "policies.json"
INDEX = images.index(("linux/amd64",), seed="policies")
CHILD = next(digest for digest in INDEX.manifests if digest != INDEX.digest)


class Table:
    """Images that are signed in every way, and the policies of the cases."""

    def __init__(self, registry, root):
        self.keys = Key(), Key("Ed25519")
        self.root = root
        self._repositories = {
            state: f"{registry.host}/policies/{number}" for number, state in enumerate(policy_cases.STATES)
        }
        run = Run(lambda *_arguments: (1, "", ""), 4)
        self.stores = Stores([], None, SessionPolicy(60, 0, 4, 0), run, LocalImages)
        for state in STATES:
            self._prepare(registry, state)

    def _prepare(self, registry, state):
        repository = self._repositories[state]
        images.push(INDEX, registry.host, repository.partition("/")[2], "1")
        where, formats, key, identity = STATES[state]
        if not formats:
            return
        pair = self.keys[0] if key == "right" else self.keys[1]
        private = load_private(pair.private, None, "key")
        pinned = {"index": INDEX.digest, "child": CHILD, "both": INDEX.digest}[where]
        name = identity.format(repository=repository)
        options = SignOptions(f"{repository}@{pinned}", private, formats, where == "both", name)
        assert sign(options, self.stores).manifests

    def question(self, case: Case, number: int) -> dict:
        """Write the policy of a case, and return what the judge is asked."""
        repository = self._repositories[case.state]
        path = self.root / f"policy-{number}.json"
        path.write_text(json.dumps(policy_cases.document(case, repository, *self.keys)))
        image = f"{repository}:1" if case.image == "index" else f"{repository}@{CHILD}"
        configuration = policy_cases.registries_d(self.root / "registries.d")
        return {"policy": str(path), "registriesd": str(configuration), "image": f"docker://{image}"}

    def accepts(self, question: dict) -> bool:
        """Return what we say."""
        image = references.parse(question["image"])
        store = self.stores.open(image)
        rule = PolicyRule.from_options(
            question["policy"], question["registriesd"], self.stores.run.run_command, self.stores.read_url
        )
        try:
            rule.check(image, _one(store, image))
        except NotVerified:
            return False
        return True


def _one(store, image):
    """The manifest alone, without its children, as the judge is asked about it."""
    manifest = store.manifest(image.name)
    return Used(store, manifest.digest, only=manifest.digest)


@pytest.fixture
def table(registry, tmp_path):
    made = Table(registry, tmp_path)
    with made.stores:
        yield made


def test_every_case_is_decided_as_it_was_by_containers_image(table):
    cases = list(policy_cases.cases())
    accepted = set(json.loads(FIXTURE.read_text())["accepted"])
    assert len(cases) >= 200
    assert accepted < {str(case) for case in cases}
    wrong = []
    for number, case in enumerate(cases):
        decided = table.accepts(table.question(case, number))
        if decided != (str(case) in accepted):
            wrong.append((str(case), decided))
    assert not wrong


def test_containers_image_decides_so_today(table):
    program = peers.find_policy_judge()
    if not program:
        pytest.skip("the judge of policies is not built: set DRAYAGE_BUILD_PEERS, which takes minutes")
    cases = list(policy_cases.cases())
    answers = policy_cases.judge(program, [table.question(case, number) for number, case in enumerate(cases)])
    accepted = [str(case) for case, answer in zip(cases, answers) if answer["allowed"]]
    if os.environ.get("DRAYAGE_RECORD_POLICIES"):
        FIXTURE.parent.mkdir(exist_ok=True)
        FIXTURE.write_text(json.dumps({"accepted": accepted}, indent=2) + "\n")
    assert accepted == json.loads(FIXTURE.read_text())["accepted"]


INVALID = [
    "{}",
    "[]",
    '{"default": []}',
    '{"default": [{"type": "unknown"}]}',
    '{"default": [{"type": "reject", "more": 1}]}',
    '{"default": [{"type": "insecureAcceptAnything"}], "more": 1}',
    '{"default": [{"type": "insecureAcceptAnything", "type": "reject"}]}',
    '{"default": [{"type": "sigstoreSigned"}]}',
    '{"default": [{"type": "sigstoreSigned", "keyPath": "/a", "keyData": "YQ=="}]}',
    '{"default": [{"type": "sigstoreSigned", "keyPath": "/absent"}]}',
    '{"default": [{"type": "sigstoreSigned", "keyData": "YQ=="}]}',
    '{"default": [{"type": "sigstoreSigned", "keyPaths": []}]}',
    '{"default": [{"type": "sigstoreSigned", "keyPath": "/a", "signedIdentity": {"type": "x"}}]}',
    '{"default": [{"type": "sigstoreSigned", "keyPath": "/a", "signedIdentity": null}]}',
    '{"default": [{"type": "signedBy", "keyType": "x", "keyPath": "/a"}]}',
    '{"default": [{"type": "signedBy", "keyPath": "/a"}]}',
    '{"default": [{"type": "signedBaseLayer", "baseLayerIdentity": {"type": "matchExact"}}]}',
    '{"default": [{"type": "insecureAcceptAnything"}], "transports": {"dir": {"relative": [{"type": "reject"}]}}}',
    '{"default": [{"type": "insecureAcceptAnything"}], "transports": {"docker": {"": []}}}',
    '{"default": [{"type": "insecureAcceptAnything"}], "transports": []}',
    '{"default": [{"type": "insecureAcceptAnything"}]',
]


def test_invalid_policies_accept_nothing_here_or_there(table, tmp_path):
    questions = []
    for number, text in enumerate(INVALID):
        path = tmp_path / f"invalid-{number}.json"
        path.write_text(text)
        question = table.question(Case("accept", "default", "both", "index"), 0)
        questions.append({**question, "policy": str(path)})
        with pytest.raises(ImageError):
            image = references.parse(question["image"])
            store = table.stores.open(image)
            rule = PolicyRule.from_options(
                str(path), question["registriesd"], table.stores.run.run_command, table.stores.read_url
            )
            rule.check(image, _one(store, image))
    program = peers.find_policy_judge()
    if program:
        assert not [answer for answer in policy_cases.judge(program, questions) if answer["allowed"]]
