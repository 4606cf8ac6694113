# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookups image_digest and images_of against registries: what they return, what they cost, and what they refuse."""

from __future__ import annotations

import base64
import collections
import http.client
import importlib
import json
from contextlib import closing

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleLookupError

from ansible_collections.drayage.registry.plugins.doc_fragments._registries import ModuleDocFragment
from devtools import images

APP, TOOL = images.index(seed="app"), images.single(seed="tool")
PASSWORD = "wonder:land"


@pytest.fixture
def lookup(monkeypatch, tmp_path):
    """Return a function that runs a lookup with options, as a task would, and its warnings."""
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    warnings: list[str] = []

    def run(name, *terms, **given):
        module = importlib.import_module(f"ansible_collections.drayage.registry.plugins.lookup.{name}")
        documented = {**yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]}
        for option, document in yaml.safe_load(module.DOCUMENTATION)["options"].items():
            documented[option] = {**documented.get(option, {}), **document}
        plugin = module.LookupModule()
        options = {option: document.get("default") for option, document in documented.items()}
        monkeypatch.setattr(plugin, "set_options", lambda **_options: None)
        monkeypatch.setattr(plugin, "get_option", lambda option: {**options, **given}[option])
        monkeypatch.setattr(plugin, "warn", warnings.append)
        return plugin.run(list(terms), {})

    run.warnings = warnings
    return run


def tag(registry, repository, tags, authorization=""):
    """Point many tags to APP."""
    images.push(APP, registry.host, repository, tags[0], authorization=authorization)
    media_type, content = APP.manifests[APP.digest]
    with closing(http.client.HTTPConnection(registry.host, timeout=60)) as connection:
        for name in tags[1:]:
            headers = {"Content-Type": media_type, **({"Authorization": authorization} if authorization else {})}
            connection.request("PUT", f"/v2/{repository}/manifests/{name}", content, headers)
            response = connection.getresponse()
            response.read()
            assert response.status == 201


def bearer(service, repository):
    encoded = base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
    scope = {"scope": [f"repository:{repository}:pull,push"]}
    return "Bearer " + service.answer_get(scope, f"Basic {encoded}")["token"]


def alice(registry, password=PASSWORD):
    return [{"host": registry.host, "username": "alice", "password": password}]


def test_two_hundred_digests_cost_a_head_each_and_a_token_a_scope(lookup, token_registry, token_service, repository):
    repositories = [f"{repository}-{number}" for number in range(4)]
    for each in repositories:
        tag(token_registry, each, [f"1.{number}" for number in range(50)], bearer(token_service, each))
    references = [f"{token_registry.host}/{each}:1.{number}" for each in repositories for number in range(50)]
    token_registry.forget()
    token_service.log.clear()
    assert lookup("image_digest", references, registries=alice(token_registry)) == [APP.digest] * 200
    seen = collections.Counter((request.method, request.status) for request in token_registry.requests())
    assert seen == {("HEAD", 401): 1, ("HEAD", 200): 200}
    assert sorted(scope for request in token_service.log for scope in request.scopes) == sorted(
        f"repository:{each}:pull" for each in repositories
    )
    token_registry.forget()
    token_service.log.clear()
    pinned = lookup("image_digest", references[0], references[1], registries=alice(token_registry), pin=True)
    assert pinned == [f"{references[0]}@{APP.digest}", f"{references[1]}@{APP.digest}"]
    assert (token_registry.requests(), token_service.log) == ([], []), "the run has looked them up before"


def test_wrong_credentials_are_one_sentence(lookup, htpasswd_registry, repository):
    host = htpasswd_registry.host
    references = [f"{host}/{repository}:{number}" for number in range(50)]
    htpasswd_registry.forget()
    for name in ("image_digest", "images_of"):
        given = references if name == "image_digest" else [compose(references)]
        with pytest.raises(AnsibleLookupError) as error:
            lookup(
                name,
                *given,
                registries=alice(htpasswd_registry, "wrong"),
                **({"confirm": True} if given[1:] == [] else {}),
            )
        assert PASSWORD not in str(error.value)
        assert str(error.value).count(host) <= 2, str(error.value)
        assert str(error.value).startswith(f"{name}: ")
        assert "alice" in str(error.value)
    paths = [request.path for request in htpasswd_registry.requests()]
    assert len(paths) <= 5
    assert paths.count("/v2/") == 1, "this confirms the wrong password before 49 more references need it"


def compose(references):
    path = constants.DEFAULT_LOCAL_TMP + "/compose.yml"
    with open(path, "w", encoding="utf-8") as stream:
        yaml.safe_dump({"services": {f"s{n}": {"image": each} for n, each in enumerate(references)}}, stream)
    return path


def test_a_moved_tag_is_seen_without_the_cache(lookup, registry, repository):
    images.push(APP, registry.host, repository, "1")
    reference = f"{registry.host}/{repository}:1"
    assert lookup("image_digest", reference) == [APP.digest]
    images.push(TOOL, registry.host, repository, "1")
    assert lookup("image_digest", reference) == [APP.digest]
    assert lookup("image_digest", reference, cache=False) == [TOOL.digest]
    assert lookup("image_digest", reference) == [TOOL.digest]


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (
            "HOST/gone:1",
            "image_digest: HOST/gone:1: the image does not exist. Check the name, the tag and the credentials.",
        ),
        (7, "image_digest: 7 is not a valid image reference. Write host[:port]/path[:tag]."),
        ("https://HOST/a", "image_digest: https://HOST/a: "),
    ],
)
def test_bad_references(lookup, registry, term, message):
    with pytest.raises(AnsibleLookupError) as error:
        lookup("image_digest", term.replace("HOST", registry.host) if isinstance(term, str) else term)
    assert str(error.value).startswith(message.replace("HOST", registry.host))


def test_confirmation_drops_what_does_not_exist(lookup, registry, repository, tmp_path):
    images.push(APP, registry.host, f"{repository}/app", "1")
    images.push(TOOL, registry.host, f"{repository}/tool", "2")
    place = f"{registry.host}/{repository}"
    path = tmp_path / "operator.yaml"
    path.write_text(
        f"""\
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
        - image: {place}/app:1
          env:
            - {{name: RELATED_IMAGE_TOOL, value: "{place}/tool:2"}}
            - {{name: RELATED_IMAGE_OLD, value: "{place}/tool:1"}}
            - {{name: CACHE_IMAGE, value: "127.0.0.1:1/cache:6379"}}
        - image: {place}/gone:1
"""
    )
    registry.forget()
    found = lookup("images_of", str(path), confirm=True, retries=0)
    assert [(item["reference"], item["certain"], item["file"]) for item in found] == [
        (f"{place}/app:1", True, str(path)),
        (f"{place}/tool:2", False, str(path)),
    ]
    missing, unknown = lookup.warnings
    assert missing == f"Image {place}/gone:1 (in {path}) does not exist in its registry. Check the name and the tag."
    assert unknown.startswith("Cannot check whether these images exist: 127.0.0.1:1/cache:6379 (")
    assert sum(request.method == "HEAD" for request in registry.requests()) == 4


def test_lookups_in_a_playbook(run_playbook, registry, htpasswd_registry, repository, tmp_path):
    """The result goes into image_sync as it is. Both lookups take credentials from variables, which may be templates."""
    images.push(APP, registry.host, f"{repository}/app", "1")
    path = tmp_path / "compose.yml"
    path.write_text(f"services:\n  app:\n    image: {registry.host}/{repository}/app:1\n")
    copy, source = f"{htpasswd_registry.host}/{repository}/app:1", f"{registry.host}/{repository}/app:1"
    tasks = [
        {
            "name": "Mirror",
            "drayage.registry.image_sync": {
                "images": "{{ query('drayage.registry.images_of', '%s', confirm=true) }}" % path,
                "dest": htpasswd_registry.host,
                "registries": "{{ drayage_registry_registries }}",
            },
            "register": "mirrored",
        },
        {
            "name": "Check",
            "ansible.builtin.assert": {
                "that": [
                    f"mirrored.images[0].dest == '{copy}'",
                    f"lookup('drayage.registry.image_digest', '{copy}', pin=true) == '{copy}@{APP.digest}'",
                    f"query('drayage.registry.image_digest', [mirrored.images[0].src], '{copy}') == ['{APP.digest}'] * 2",
                ]
            },
        },
    ]
    entry = {"host": htpasswd_registry.host, "username": "alice", "password": "{{ vault_password }}"}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"drayage_registry_registries": [entry], "vault_password": PASSWORD},
        "tasks": tasks,
    }
    playbook = tmp_path / "lookups.yml"
    playbook.write_text(json.dumps([play]))
    output = run_playbook(playbook)
    assert "changed=1" in output
    assert PASSWORD not in output
    assert source in path.read_text()
