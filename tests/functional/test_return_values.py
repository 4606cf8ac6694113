# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every return value that RETURN documents is there on every run, and nothing else: a playbook that works once works twice."""

from __future__ import annotations

import ast

import pytest
import yaml

from devtools import images
from devtools.provision import REPOSITORY
from devtools.signing import Key

INDEX, OTHER = images.index(), images.single(seed="other")
# What Ansible adds, or shows only if it is asked to.
ANSIBLES = {"changed", "invocation", "warnings", "deprecations", "diff"}


def documented(module):
    """Return the RETURN of a module."""
    tree = ast.parse((REPOSITORY / f"plugins/modules/{module}.py").read_text())
    return next(
        yaml.safe_load(node.value.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "RETURN"
    )


def check(values, documents, where):
    """Assert that these are the values of that documentation, with those of theirs."""
    assert set(values) == set(documents), where
    for name, document in documents.items():
        value = values[name]
        inner = value if isinstance(value, list) else [value] if value is not None else []
        for number, element in enumerate(inner if "contains" in document else []):
            check(element, document["contains"], f"{where}.{name}[{number}]")


@pytest.fixture
def run(run_module):
    """Return a function that runs a module, and fails unless it returns exactly what is documented."""

    def checked(module, **options):
        result = run_module(module, **options)
        assert not result.failed, result
        values = {name: value for name, value in result.raw.items() if name not in ANSIBLES}
        check(values, documented(module), module)
        return result

    return checked


@pytest.fixture
def source(registry, repository):
    """Push an index as 1 and 2 and an image as 3, and return the reference of the repository."""
    for tag, image in (("1", INDEX), ("2", INDEX), ("3", OTHER)):
        images.push(image, registry.host, f"{repository}/app", tag)
    return f"{registry.host}/{repository}/app"


@pytest.mark.parametrize("module", sorted(path.stem for path in (REPOSITORY / "plugins/modules").glob("*.py")))
def test_nothing_is_documented_as_returned_sometimes(module):
    allowed = {"success", "success, if any image failed, or if another task was running"}
    for name, document in documented(module).items():
        assert document["returned"] in allowed, name
        assert not any("returned" in inner for inner in document.get("contains", {}).values()), name


def twice(run, module, **options):
    """Run it in check mode, for real, once more, and once more in check mode; return the two real runs."""
    predicted = run(module, check_mode=True, **options)
    first = run(module, **options)
    second = run(module, **options)
    again = run(module, check_mode=True, **options)
    assert (predicted.changed, first.changed, second.changed, again.changed) == (True, True, False, False)
    return first, second


@pytest.mark.parametrize("platforms", [[], ["linux/arm64"]])
def test_image_copy(run, source, second_registry, repository, platforms):
    dest = f"{second_registry.host}/{repository}:1"
    first, second = twice(run, "image_copy", src=f"{source}:1", dest=dest, platforms=platforms, tags=["1.10"])
    for name in ("image", "digest", "src_digest", "dest", "media_type", "tags", "platforms"):
        assert first.raw[name] == second.raw[name], name
    assert first.image == f"{second_registry.host}/{repository}@{first.digest}"
    assert first.platforms == platforms


def test_image_copy_requests(run, source, second_registry, repository):
    """To have the same values costs no request: it is still one HEAD for each side."""
    options = {"src": f"{source}:1", "dest": f"{second_registry.host}/{repository}:1"}
    run("image_copy", **options)
    assert run("image_copy", **options).requests == 2


def test_image_copy_to_files(run, source, tmp_path):
    for dest in (f"oci:{tmp_path}/layout:1", f"dir:{tmp_path}/directory"):
        assert run("image_copy", src=f"{source}:1", dest=dest).image == dest
    archive = f"docker-archive:{tmp_path}/saved.tar"
    saved = run("image_copy", src=f"{source}:3", dest=f"{archive}:example.com/app:3")
    assert saved.image == f"{archive}:{saved.digest}"
    assert run("image_copy", src=saved.image, dest=f"dir:{tmp_path}/back").src_digest == saved.digest


def test_image_inspect(run, source):
    run("image_inspect", image=f"{source}:1")
    run("image_inspect", image=f"{source}:1", platform="linux/arm64", raw=True, tags=True, verify=True)
    single = run("image_inspect", image=f"{source}:3")
    assert (single.missing, single.tags) == (None, None)
    missing = run("image_inspect", image=f"{source}:none", tags=True, verify=True)
    assert (missing.exists, missing.digest, missing.platforms) == (False, None, [])
    run("image_inspect", image=f"{source}:none", check_mode=True)


def test_image_sign_and_verify(run, source):
    key = Key()
    for options in ({}, {"predicate_type": "cyclonedx", "predicate": {"a": 1}}):
        first, second = twice(run, "image_sign", image=f"{source}:1", key_content=key.private, **options)
        for name in ("digest", "digests", "identity", "fingerprint", "public_key"):
            assert first.raw[name] == second.raw[name], name
    for options in ({}, {"attestations": ["cyclonedx"]}):
        verified = run("image_verify", image=f"{source}:1", public_keys=[key.public], **options)
        assert (verified.changed, verified.digest) == (False, INDEX.digest)
    twice(run, "image_sign", image=f"{source}:1", key_content=key.private, state="absent")


def test_image_lock(run, source, tmp_path):
    path = str(tmp_path / "images.lock.yml")
    twice(run, "image_lock", path=path, images=[f"{source}:1"])
    run("image_lock", path=path, update="none")


def test_image_tags(run, source):
    assert run("image_tags", repository=source).digests is None
    run("image_tags", repository=source, digests=True, check_mode=True)
    assert run("image_tags", repository=source + "-none").exists is False
    twice(run, "image_tags", repository=source, tags={"stable": "1"})


@pytest.mark.parametrize("scope", ["tag", "manifest"])
def test_image_delete(run, source, scope):
    first, second = twice(run, "image_delete", image=f"{source}:1", scope=scope)
    assert first.digest == INDEX.digest
    assert (second.digest, second.method) == (None, None)


def test_image_sync(run, run_module, source, second_registry, repository):
    options = {"dest": second_registry.host, "images": [{"name": source}], "prune": True}
    first, _second = twice(run, "image_sync", **options)
    assert [image["error"] for image in first.images] == [None] * 3
    failed = run_module("image_sync", dest=second_registry.host, images=[f"{source}:1", f"{source}:none"])
    values = {name: value for name, value in failed.raw.items() if name not in ANSIBLES | {"failed"}}
    check(values, documented("image_sync"), "image_sync")


def test_registry_login(run, htpasswd_registry, tmp_path):
    options = {"host": htpasswd_registry.host, "authfile": str(tmp_path / "auth.json")}
    twice(run, "registry_login", username="alice", password="wonder:land", **options)
    twice(run, "registry_login", state="absent", **options)
