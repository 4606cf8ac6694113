# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The truth table of signature policies: which images a policy accepts, as containers/image decides it.

A case is a policy, a scope for it, and an image that is signed in some way. ``policyjudge`` (devtools/go_policy) decides;
tests/functional/fixtures/policies.json holds what it said.
"""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from devtools.signing import Key

# How an image is signed: at the index, at its child or at both, in which formats, by which key, for which name.
STATES: dict[str, tuple[str, tuple[str, ...], str, str]] = {
    "unsigned": ("", (), "", ""),
    "index": ("index", ("tag",), "right", ""),
    "child": ("child", ("tag",), "right", ""),
    "both": ("both", ("tag",), "right", ""),
    "both, bundles": ("both", ("bundle",), "right", ""),
    "both, two formats": ("both", ("tag", "bundle"), "right", ""),
    "both, wrong key": ("both", ("tag",), "wrong", ""),
    "both, with a tag": ("both", ("tag",), "right", "{repository}:1"),
    "both, other name": ("both", ("tag",), "right", "mirror.example/app"),
}

SCOPES: dict[str, Callable[[str, dict], dict]] = {
    "default": lambda _repository, rules: {"default": rules},
    "repository": lambda repository, rules: _scoped({repository: rules}),
    "host": lambda repository, rules: _scoped({repository.partition("/")[0]: rules}),
    "tag alone": lambda repository, rules: _scoped({f"{repository}:1": rules}),
    "domain": lambda _repository, rules: _scoped({"*.0.0.1": rules}),
    "elsewhere": lambda repository, rules: _scoped({f"{repository}x": rules, "example.com": rules}),
    "narrower wins": lambda repository, rules: _scoped(
        {repository: rules, repository.partition("/")[0]: [{"type": "insecureAcceptAnything"}]}
    ),
    "transport": lambda _repository, rules: _scoped({"": rules}),
}


class Case(NamedTuple):
    """One row; ``image`` is a tag of the index, or the child by digest."""

    policy: str
    scope: str
    state: str
    image: str

    def __str__(self) -> str:
        return " | ".join(self)


def _scoped(scopes: dict) -> dict:
    return {"default": [{"type": "reject"}], "transports": {"docker": scopes}}


def policies(repository: str, right: Key, wrong: Key) -> dict[str, list[dict]]:
    """Return lists of requirements by name."""

    def signed(identity: dict | None = None, *keys: Key) -> dict:
        found = [base64.b64encode(key.public.encode()).decode() for key in keys or [right]]
        given = {"keyData": found[0]} if len(found) == 1 else {"keyDatas": found}
        return {"type": "sigstoreSigned", **given, **({"signedIdentity": identity} if identity else {})}

    host, _slash, path = repository.partition("/")
    repository_rule = {"type": "matchRepository"}
    return {
        "accept": [{"type": "insecureAcceptAnything"}],
        "reject": [{"type": "reject"}],
        "accept and reject": [{"type": "insecureAcceptAnything"}, {"type": "reject"}],
        "no identity": [signed()],
        "matchExact": [signed({"type": "matchExact"})],
        "matchRepoDigestOrExact": [signed({"type": "matchRepoDigestOrExact"})],
        "matchRepository": [signed(repository_rule)],
        "exactReference": [signed({"type": "exactReference", "dockerReference": f"{repository}:1"})],
        "exactRepository": [signed({"type": "exactRepository", "dockerRepository": repository})],
        "exactRepository, other": [signed({"type": "exactRepository", "dockerRepository": "mirror.example/app"})],
        "remapIdentity": [signed({"type": "remapIdentity", "prefix": host, "signedPrefix": "mirror.example"})],
        "remapIdentity, same": [signed({"type": "remapIdentity", "prefix": host, "signedPrefix": host})],
        "remapIdentity, unrelated": [
            signed({"type": "remapIdentity", "prefix": "other.example", "signedPrefix": "mirror.example"})
        ],
        "wrong key": [signed(repository_rule, wrong)],
        "two keys": [signed(repository_rule, wrong, right)],
        "two requirements": [signed(repository_rule), signed(repository_rule, wrong)],
        "signed and accept": [signed(repository_rule), {"type": "insecureAcceptAnything"}],
        "path": [signed({"type": "remapIdentity", "prefix": repository, "signedPrefix": f"{host}/{path}"})],
    }


def cases() -> Iterator[Case]:
    """Return all rows: each policy with each state, and some policies with each scope."""
    images = ("index", "child")
    names = policies("127.0.0.1:1/app", _NOBODY, _NOBODY)
    for policy, state, image in itertools.product(names, STATES, images):
        yield Case(policy, "default", state, image)
    for scope, state, image in itertools.product(SCOPES, ("both", "both, wrong key"), images):
        yield Case("matchRepository", scope, state, image)


class _Nobody(Key):
    """Enough of a key to list policies."""

    def __init__(self) -> None:
        self.public = ""


_NOBODY = _Nobody()


def document(case: Case, repository: str, right: Key, wrong: Key) -> dict:
    """Return the policy of a case as JSON has it."""
    return SCOPES[case.scope](repository, policies(repository, right, wrong)[case.policy])


def judge(program: str, questions: list[dict]) -> list[dict]:
    """Return what containers/image says of each question."""
    text = "".join(json.dumps(question) + "\n" for question in questions)
    process = subprocess.run([program], input=text, capture_output=True, text=True, timeout=300, check=True)
    return [json.loads(line) for line in process.stdout.splitlines()]


def registries_d(directory: Path) -> Path:
    """Write a configuration that lets containers/image look for cosign's signatures, and return its directory."""
    directory.mkdir(exist_ok=True)
    (directory / "default.yaml").write_text("default-docker: {use-sigstore-attachments: true}\n")
    return directory
