# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_copy with a format: what changes, what stays, what is refused, and what skopeo makes of the results."""

from __future__ import annotations

import hashlib
import json
import subprocess

import pytest

from devtools import faults, images, provision
from devtools.observe import digest_at, layout_names, tags_at, tally

# What Docker's configs have and the OCI specification does not.
OWN_WORDS = {"Healthcheck": {"Test": ["CMD", "true"]}, "OnBuild": ["RUN true"], "Shell": ["/bin/sh"], "x.new": "<&>"}
DOCKER = images.single(docker=True, run=OWN_WORDS)
LIST = images.index(docker=True)
OCI = images.index()
ATTESTED = images.index(attestations=True)


@pytest.fixture
def copy(run_module, registry, second_registry, repository):
    """Return a function that copies tag 1 of ``registry`` to ``second_registry``, unless said otherwise."""

    def run(**options):
        options.setdefault("src", f"{registry.host}/{repository}:1")
        options.setdefault("dest", f"{second_registry.host}/{repository}:1")
        registry.forget()
        second_registry.forget()
        return run_module("image_copy", **options)

    return run


@pytest.fixture
def push(registry, repository):
    """Return a function that puts an image where ``copy`` takes it."""

    def pushed(image, tag="1"):
        images.push(image, registry.host, repository, tag)
        return image

    return pushed


def skopeo(*arguments):
    command = [provision.program("skopeo"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def inspect(reference, *arguments):
    return skopeo("inspect", "--tls-verify=false", *arguments, f"docker://{reference}")


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def test_docker_to_oci_and_back(copy, push, registry, second_registry, repository):
    """Made here as docker push does, and by skopeo, which writes the same in another style."""
    push(OCI)
    at_first = f"docker://{registry.host}/{repository}"
    plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
    skopeo("copy", "--all", "--format", "v2s2", *plain, f"{at_first}:1", f"{at_first}:skopeo")
    by_skopeo = digest_at(registry.host, repository, "skopeo")
    assert by_skopeo not in (OCI.digest, LIST.digest)
    push(DOCKER, "single")
    push(LIST, "list")
    for tag, original in (("single", DOCKER.digest), ("list", LIST.digest), ("skopeo", by_skopeo)):
        there = {"src": f"{registry.host}/{repository}:{tag}", "dest": f"{second_registry.host}/{repository}:{tag}"}
        predicted = copy(**there, format="oci", check_mode=True)
        done = copy(**there, format="oci")
        for key in ("changed", "digest", "src_digest", "media_type", "platforms", "blobs", "bytes_copied"):
            assert predicted.raw[key] == done.raw[key], key
        assert (done.changed, done.src_digest) == (True, original)
        assert done.media_type.startswith("application/vnd.oci.image.")
        assert done.digest == digest_at(second_registry.host, repository, tag) != original
        raw = inspect(there["dest"], "--raw")
        assert sha256(raw) == done.digest
        assert b"docker" not in raw
        again = copy(**there, format="oci")
        assert (again.changed, again.digest) == (False, done.digest)
        assert {request.method for request in second_registry.requests()} == {"HEAD"}
        back = copy(src=there["dest"], dest=f"{registry.host}/{repository}/back:{tag}", format="docker")
        assert back.digest == digest_at(registry.host, repository + "/back", tag) == original


def test_the_config_stays_what_it_is_to_the_byte(copy, push, second_registry, repository):
    """skopeo drops all of these words where it converts; it reads what is written here."""
    push(DOCKER)
    copy(format="oci")
    dest = f"{second_registry.host}/{repository}:1"
    config = inspect(dest, "--config", "--raw")
    assert sha256(config) == DOCKER.document()["config"]["digest"]
    assert json.loads(config)["config"].items() >= OWN_WORDS.items()
    told = json.loads(inspect(dest))
    assert told["Layers"] == [layer["digest"] for layer in DOCKER.document()["layers"]]


def test_nothing_moves_where_only_the_format_changes(copy, push, registry, repository):
    push(OCI)
    dest = f"{registry.host}/{repository}:docker"
    done = copy(dest=dest, format="docker")
    assert tally(registry.requests()) == {
        "GET manifest": len(OCI.manifests),
        "HEAD manifest": 2 + len(OCI.manifests) - 1,  # the tag, a signature, and the children
        "PUT manifest": len(OCI.manifests),
    }
    assert (done.blobs, done.bytes_copied) == ({"copied": 0, "mounted": 0, "skipped": 0}, 0)
    assert copy(dest=dest, format="docker").changed is False
    assert tally(registry.requests()) == {"HEAD manifest": 1, "GET manifest": len(OCI.manifests)}
    wrong = copy(dest=f"{registry.host}/{repository}:x@{OCI.digest}", format="docker")
    assert f"the copy would have the digest {done.digest}, but dest specifies " in wrong.msg
    assert copy(dest=f"{registry.host}/{repository}:x@{done.digest}", format="docker").changed is True


def test_platforms_come_from_the_configs(copy, push, second_registry, repository):
    told = images.index(["linux/arm64", "linux/arm/v7"])
    children = [{key: child[key] for key in child if key != "platform"} for child in told.document()["manifests"]]
    push(images.changed(told, manifests=children))
    done = copy(format="docker")
    assert done.changed
    raw = json.loads(inspect(f"{second_registry.host}/{repository}:1", "--raw"))
    assert [child["platform"] for child in raw["manifests"]] == [
        {"architecture": "arm64", "os": "linux"},
        {"architecture": "arm", "os": "linux", "variant": "v7"},
    ]
    chosen = inspect(f"{second_registry.host}/{repository}:1", "--override-arch", "arm64")
    assert json.loads(chosen)["Architecture"] == "arm64"


def test_what_docker_cannot_express_is_refused_by_name_or_left_out(copy, push, second_registry, repository):
    zstd = images.single()
    layers = zstd.document()["layers"]
    layers[1]["mediaType"] = layers[1]["mediaType"].replace("gzip", "zstd")
    push(images.changed(zstd, layers=layers))
    assert f"layer {layers[1]['digest']} is compressed with zstd" in copy(format="docker").msg
    push(images.artifact())
    assert "it is not a container image" in copy(format="docker").msg
    push(ATTESTED)
    refused = copy(format="docker")
    assert ATTESTED.child("linux/amd64") in refused.msg
    assert "Set attestations: drop" in refused.msg
    assert tags_at(second_registry.host, repository) == []

    dropped = copy(format="docker", attestations="drop")
    converted = copy(
        dest=f"{second_registry.host}/{repository}:2", src=f"{second_registry.host}/{repository}:1", format="oci"
    )
    assert (dropped.changed, converted.digest) == (True, OCI.digest)
    kept = copy(attestations="drop", platforms=["linux/arm64"])
    assert (kept.changed, kept.platforms) == (True, ["linux/arm64"])
    assert copy(attestations="drop", platforms=["linux/arm64"]).changed is False


def test_annotations_are_left_out_with_a_warning(copy, push):
    push(images.changed(OCI, annotations={"org.example.note": "x"}))
    done = copy(format="docker")
    assert "these were left out: org.example.note" in done.stdout
    assert "org.example.note" not in copy(format="docker").stdout


def test_a_signed_image_is_not_converted_unasked(copy, push, second_registry, repository):
    push(OCI)
    push(images.artifact(), OCI.digest.replace(":", "-") + ".sig")
    assert "would invalidate its signature" in copy(format="docker").msg
    assert tags_at(second_registry.host, repository) == []
    assert copy(format="docker", remove_signatures=True).changed is True
    assert copy(format="docker").changed is False


def test_a_registry_that_refuses_a_format_is_not_obeyed_but_explained(copy, push, second_registry, repository):
    push(OCI)
    with faults.docker_only(second_registry) as proxy:
        refused = copy(dest=f"{proxy.host}/{repository}:1")
        assert "returned 415" in refused.msg
        assert "set format: docker to convert the image" in refused.msg
        assert tags_at(second_registry.host, repository) == []
        assert copy(dest=f"{proxy.host}/{repository}:1", format="docker").changed is True


def test_within_a_layout(copy, push, tmp_path):
    push(LIST)
    layout = tmp_path / "layout"
    copy(dest=f"oci:{layout}:docker")
    done = copy(src=f"oci:{layout}:docker", dest=f"oci:{layout}:oci", format="oci")
    assert layout_names(layout) == {"docker": LIST.digest, "oci": done.digest}
    assert sha256(skopeo("inspect", "--raw", f"oci:{layout}:oci")) == done.digest
    assert copy(src=f"oci:{layout}:docker", dest=f"oci:{layout}:oci", format="oci").changed is False
