# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_sync does what a file for skopeo sync says, under the names that skopeo gives."""

from __future__ import annotations

import json
import subprocess

import pytest

from devtools import images
from devtools.observe import digest_at, tags_at
from devtools.provision import program

VERSIONS = ("1.0.0", "1.1.0", "2.0.0", "edge")


@pytest.fixture
def filled(tls_registry, authority, repository):
    """Push a repository with versions to a registry that serves TLS."""
    for number, tag in enumerate(VERSIONS):
        image = images.single(layers=[b"release %d" % number])
        images.push(image, tls_registry.host, f"{repository}/app", tag, tls_ca=authority.ca)
    return tls_registry


def test_the_file_and_the_names_of_skopeo(run_module, filled, authority, second_registry, repository, tmp_path):
    certificates = tmp_path / "certs"
    certificates.mkdir()
    (certificates / "ca.crt").write_bytes(authority.ca.read_bytes())
    name = f"{repository}/app"
    declared = {
        filled.host: {
            "images": {name: ["edge"]},
            "images-by-tag-regex": {name: "^1\\.1"},
            "images-by-semver": {name: ">= 2"},
            "credentials": {"username": "somebody", "password": "hunter-two"},
            "tls-verify": True,
            "cert-dir": str(certificates),
        }
    }
    source = tmp_path / "sync.yaml"
    source.write_text(json.dumps(declared))
    dest = f"{second_registry.host}/{repository}"
    result = run_module("image_sync", source_file=str(source), dest=f"{dest}/ours")
    assert not result.failed, result
    assert "hunter-two" not in result.stdout
    assert result.summary["created"] == 3
    assert tags_at(second_registry.host, f"{repository}/ours/app") == ["1.1.0", "2.0.0", "edge"]
    assert not run_module("image_sync", source_file=str(source), dest=f"{dest}/ours").changed

    # skopeo 1.9 knows no images-by-semver; for the rest it is the judge of the names.
    del declared[filled.host]["images-by-semver"]
    source.write_text(json.dumps(declared))
    command = [program("skopeo"), "sync", "--all", "--src", "yaml", "--dest", "docker", "--dest-tls-verify=false"]
    subprocess.run([*command, str(source), f"{dest}/theirs"], check=True, capture_output=True)
    assert tags_at(second_registry.host, f"{repository}/theirs/app") == ["1.1.0", "edge"]
    for tag in ("1.1.0", "edge"):
        theirs = digest_at(second_registry.host, f"{repository}/theirs/app", tag)
        assert digest_at(second_registry.host, f"{repository}/ours/app", tag) == theirs


def test_names_that_collide_are_found_before_the_first_byte(
    run_module, registry, second_registry, repository, tmp_path
):
    """Without its path, the name of one repository may be that of another."""
    for number, team in enumerate(("one", "two")):
        images.push(images.single(seed=f"{repository}{number}"), registry.host, f"{repository}/{team}/app", "1.0")
    names = [f"{repository}/{team}/app" for team in ("one", "two")]
    source = tmp_path / "sync.json"
    source.write_text(json.dumps({registry.host: {"images": {name: ["1.0"] for name in names}}}))
    dest = f"{second_registry.host}/{repository}"
    second_registry.forget()
    result = run_module("image_sync", source_file=str(source), dest=dest)
    one, two = (f"{registry.host}/{name}:1.0" for name in names)
    assert result.msg == (
        f"{dest}/app:1.0: two images have the same destination: {one} and {two}."
        " Move one of the images from the source file to images, and set a different dest for it."
    )
    assert {request.method for request in second_registry.requests()} <= {"GET", "HEAD"}
    source.write_text(json.dumps({registry.host: {"images": {names[0]: ["1.0"]}}}))
    declared = [{"name": f"{registry.host}/{names[1]}", "tags": ["1.0"], "dest": "other"}]
    assert run_module("image_sync", source_file=str(source), dest=dest, images=declared).summary["created"] == 2


def test_credentials_of_the_task_replace_a_template(
    run_module, registry, htpasswd_registry, users, repository, tmp_path
):
    images.push(images.single(), registry.host, f"{repository}/app", "1")
    host = htpasswd_registry.host
    file = {
        "creds": [{"registry": host, "user": "alice", "pass": '{{env "PASS"}}'}],
        "sync": [
            {"source": f"{registry.host}/{repository}/app:1", "target": f"{host}/{repository}:1", "type": "image"}
        ],
    }
    source = tmp_path / "regsync.json"
    source.write_text(json.dumps(file))
    refused = run_module("image_sync", source_file=str(source))
    assert "Set the credentials for this host in registries" in refused.msg
    entry = {"host": host, "username": "alice", "password": users["alice"]}
    result = run_module("image_sync", source_file=str(source), registries=[entry])
    assert not result.failed, result
    assert result.summary["created"] == 1


def test_nothing_declared(run_module, registry, second_registry):
    result = run_module("image_sync", src=registry.host, dest=second_registry.host)
    assert result.msg == (
        "there is nothing to synchronize. Set images, source_file or lock_file, or set src to oci:PATH or dir:PATH"
        " to select all images."
    )
