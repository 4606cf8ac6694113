# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_copy between registries: digests, idempotence, check mode and the requests that it costs."""

from __future__ import annotations

import hashlib
import json

import pytest

from devtools import images
from devtools.observe import digest_at, tags_at, tally
from devtools.servers import Haproxy

MISSING = "sha256:" + "0" * 64
SHAPES = {
    "single": images.single(),
    "docker": images.single(docker=True),
    "index": images.index(),
    "attestations": images.index(attestations=True),
    "docker list": images.index(docker=True),
    "nested": images.nested(),
    "artifact": images.artifact(),
    "same layer twice": images.single(layers=[b"same", b"same"]),
    "no layers": images.single(layers=[]),
    "empty layer": images.single(layers=[b""]),
}
INDEX = SHAPES["attestations"]


@pytest.fixture
def copy(run_module, registry, second_registry, repository):
    """Return a function that copies from ``registry`` to ``second_registry``, tag 1 unless said otherwise."""

    def run(**options):
        options.setdefault("src", f"{registry.host}/{repository}:1")
        options.setdefault("dest", f"{second_registry.host}/{repository}:1")
        registry.forget()
        second_registry.forget()
        return run_module("image_copy", **options)

    return run


def push(image, registry, repository, tag="1"):
    images.push(image, registry.host, repository, tag)
    registry.forget()


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_keeps_its_digest_and_is_copied_once(shape, copy, registry, second_registry, repository):
    image = SHAPES[shape]
    push(image, registry, repository)

    first = copy()
    assert (first.changed, first.digest, first.src_digest) == (True, image.digest, image.digest)
    assert first.media_type == image.media_type
    assert digest_at(second_registry.host, repository, "1") == image.digest
    assert first.blobs == {"copied": len(image.blobs), "mounted": 0, "skipped": 0}
    assert first.bytes_copied == sum(map(len, image.blobs.values()))

    second = copy()
    assert (second.changed, second.digest, second.bytes_copied) == (False, image.digest, 0)
    assert tally(registry.requests()) == {"HEAD manifest": 1}
    assert tally(second_registry.requests()) == {"HEAD manifest": 1}
    assert second.requests == 2


def test_cold_copy_costs_a_post_and_a_put_a_blob(copy, registry, second_registry, repository):
    push(INDEX, registry, repository)
    copy()
    manifests, blobs = len(INDEX.manifests), len(INDEX.blobs)
    assert tally(registry.requests()) == {"GET manifest": manifests, "GET blob": blobs}
    assert tally(second_registry.requests()) == {
        "HEAD manifest": 1,
        "GET tags": 1,
        "POST upload": blobs,
        "PUT upload": blobs,
        "PUT manifest": manifests,
    }


def test_tag_is_written_last(copy, registry, second_registry, repository):
    push(INDEX, registry, repository)
    copy()
    writes = [request.path for request in second_registry.requests() if request.method == "PUT"]
    names = [path.rpartition("/")[2] for path in writes if "/manifests/" in path]
    assert names[-1] == "1"
    assert set(names[:-1]) == set(INDEX.manifests) - {INDEX.digest}
    assert all("/blobs/" in path for path in writes[: len(INDEX.blobs)])


def test_new_tag_of_a_known_repository_moves_only_what_is_new(copy, registry, second_registry, repository):
    old = images.index(layers=[b"shared" * 1000, b"old"], seed="old")
    new = images.index(layers=[b"shared" * 1000, b"new"], seed="new")
    push(old, registry, repository)
    copy()
    push(new, registry, repository, "2")
    result = copy(src=f"{registry.host}/{repository}:2", dest=f"{second_registry.host}/{repository}:2")
    fresh = set(new.blobs) - set(old.blobs)
    assert result.blobs == {"copied": len(fresh), "mounted": 0, "skipped": 1}
    assert result.bytes_copied == sum(len(new.blobs[digest]) for digest in fresh)
    assert tally(second_registry.requests())["HEAD blob"] == len(new.blobs)
    assert digest_at(second_registry.host, repository, "2") == new.digest


def test_moved_tag_is_followed(copy, registry, second_registry, repository):
    push(SHAPES["single"], registry, repository)
    copy()
    push(INDEX, registry, repository)
    result = copy(diff=True)
    name = f"{second_registry.host}/{repository}:1"
    assert result.diff == {"before": {name: SHAPES["single"].digest}, "after": {name: INDEX.digest}}
    assert digest_at(second_registry.host, repository, "1") == INDEX.digest


@pytest.mark.parametrize("shape", ["single", "attestations", "nested"])
def test_check_mode_predicts_and_writes_nothing(shape, copy, registry, second_registry, repository):
    push(SHAPES[shape], registry, repository)
    predicted = copy(check_mode=True, diff=True)
    assert {request.method for request in second_registry.requests()} <= {"GET", "HEAD"}
    assert {request.method for request in registry.requests()} <= {"GET", "HEAD"}
    assert tags_at(second_registry.host, repository) == []
    real = copy(diff=True)
    for key in ("changed", "digest", "src_digest", "dest", "tags", "platforms", "blobs", "bytes_copied", "diff"):
        assert predicted.raw[key] == real.raw[key], key
    assert copy(check_mode=True).changed is False


def test_retag_costs_head_get_and_put(copy, registry, repository):
    push(INDEX, registry, repository)
    result = copy(dest=f"{registry.host}/{repository}:stable")
    assert tally(registry.requests()) == {"HEAD manifest": 1, "GET manifest": 1, "PUT manifest": 1}
    assert (result.changed, result.bytes_copied) == (True, 0)
    assert digest_at(registry.host, repository, "stable") == INDEX.digest


def test_same_registry_mounts_every_blob(copy, registry, repository):
    push(INDEX, registry, repository)
    result = copy(dest=f"{registry.host}/{repository}/prod:1")
    assert result.blobs == {"copied": 0, "mounted": len(INDEX.blobs), "skipped": 0}
    size = sum(map(len, INDEX.blobs.values()))
    assert f"0 blobs copied (0 B), {len(INDEX.blobs)} mounted ({size / 1000:.1f} kB)" in result.msg
    counts = tally(registry.requests())
    assert counts == {
        "HEAD manifest": 1,
        "GET manifest": len(INDEX.manifests),
        "POST mount": len(INDEX.blobs),
        "PUT manifest": len(INDEX.manifests),
    }
    assert digest_at(registry.host, repository + "/prod", "1") == INDEX.digest


def test_further_tags(copy, registry, second_registry, repository):
    push(INDEX, registry, repository)
    result = copy(tags=["1.2", "stable", "1"])
    assert result.tags == ["1", "1.2", "stable"]
    assert tags_at(second_registry.host, repository) == ["1", "1.2", "stable"]
    assert copy(tags=["1.2", "stable"]).changed is False

    only_new = copy(tags=["1.2", "stable", "extra"], diff=True)
    assert only_new.changed is True
    writes = [request for request in second_registry.requests() if request.method not in ("GET", "HEAD")]
    assert [request.path.rpartition("/")[2] for request in writes] == ["extra"]


def test_destination_without_tag_takes_the_source_tag(copy, registry, second_registry, repository):
    push(INDEX, registry, repository, "v7")
    result = copy(src=f"{registry.host}/{repository}:v7", dest=f"{second_registry.host}/{repository}")
    assert result.dest == f"{second_registry.host}/{repository}:v7"
    assert digest_at(second_registry.host, repository, "v7") == INDEX.digest


class TestDigests:
    def test_source_by_digest_and_destination_without_a_tag(self, copy, registry, second_registry, repository):
        push(INDEX, registry, repository)
        options = {
            "src": f"{registry.host}/{repository}@{INDEX.digest}",
            "dest": f"{second_registry.host}/{repository}",
        }
        first = copy(**options)
        assert (first.changed, first.tags) == (True, [])
        assert first.dest == f"{second_registry.host}/{repository}@{INDEX.digest}"
        assert digest_at(second_registry.host, repository, INDEX.digest) == INDEX.digest
        assert tags_at(second_registry.host, repository) == []
        assert copy(**options).changed is False

    def test_digest_decides_over_the_tag_of_the_source(self, copy, registry, second_registry, repository):
        push(INDEX, registry, repository, "1")
        push(SHAPES["single"], registry, repository, "2")
        copy(src=f"{registry.host}/{repository}:2@{INDEX.digest}")
        assert digest_at(second_registry.host, repository, "1") == INDEX.digest

    def test_digest_of_the_destination_must_be_right(self, copy, registry, second_registry, repository):
        push(INDEX, registry, repository)
        wrong = copy(dest=f"{second_registry.host}/{repository}:1@{MISSING}")
        assert wrong.failed
        assert INDEX.digest in wrong.msg
        assert {request.method for request in second_registry.requests()} <= {"GET", "HEAD"}
        assert copy(dest=f"{second_registry.host}/{repository}:1@{INDEX.digest}").changed is True
        assert copy(dest=f"{second_registry.host}/{repository}:1@{INDEX.digest}").changed is False
        assert copy(dest=f"{second_registry.host}/{repository}@{INDEX.digest}").changed is False


class TestPlatforms:
    def test_strip_keeps_attestations_of_what_is_kept(self, copy, registry, second_registry, repository):
        push(INDEX, registry, repository)
        result = copy(platforms=["linux/arm64"])
        assert result.platforms == ["linux/arm64"]
        assert result.src_digest == INDEX.digest != result.digest
        kept = INDEX.child("linux/arm64")
        expected = [
            child
            for child in INDEX.document()["manifests"]
            if kept in (child["digest"], child.get("annotations", {}).get("vnd.docker.reference.digest"))
        ]
        assert len(expected) == 2
        document = {**INDEX.document(), "manifests": expected}
        encoded = json.dumps(document, separators=(",", ":")).encode()
        assert result.digest == "sha256:" + hashlib.sha256(encoded).hexdigest()
        assert digest_at(second_registry.host, repository, "1") == result.digest
        assert digest_at(second_registry.host, repository, INDEX.child("linux/amd64")) is None

        again = copy(platforms=["linux/arm64"])
        assert again.changed is False
        assert again.requests == 2

    def test_all_platforms_keep_the_digest(self, copy, registry, repository):
        image = images.index()
        push(image, registry, repository)
        assert copy(platforms=["linux/arm64", "linux/amd64"]).digest == image.digest

    def test_sparse_needs_a_registry_that_allows_it(self, copy, registry, second_registry, repository):
        push(INDEX, registry, repository)
        result = copy(platforms=["linux/amd64"], platform_mode="sparse")
        assert result.failed
        assert "platform_mode: strip" in result.msg
        assert tags_at(second_registry.host, repository) == []

    def test_sparse_in_a_layout(self, copy, registry, repository, tmp_path):
        push(INDEX, registry, repository)
        options = {"platform_mode": "sparse", "dest": f"oci:{tmp_path}/layout:1"}
        assert copy(platforms=["linux/amd64"], **options).digest == INDEX.digest
        assert not (tmp_path / "layout/blobs/sha256" / INDEX.child("linux/arm64")[7:]).exists()
        assert copy(platforms=["linux/amd64"], **options).changed is False
        assert copy(platforms=["linux/amd64", "linux/arm64"], **options).changed is True
        assert copy(platforms=["linux/amd64", "linux/arm64"], **options).changed is False

    def test_one_platform_as_a_plain_image(self, copy, registry, second_registry, repository):
        """AWS Lambda and others accept no index."""
        push(INDEX, registry, repository)
        options = {"platforms": ["linux/arm64"], "platform_mode": "image"}
        predicted = copy(**options, check_mode=True)
        result = copy(**options)
        child = INDEX.child("linux/arm64")
        for key in ("changed", "digest", "src_digest", "platforms", "image", "media_type"):
            assert predicted.raw[key] == result.raw[key], key
        assert (result.digest, result.src_digest, result.platforms) == (child, INDEX.digest, ["linux/arm64"])
        assert result.image == f"{second_registry.host}/{repository}@{child}"
        assert digest_at(second_registry.host, repository, "1") == child
        assert digest_at(second_registry.host, repository, INDEX.digest) is None
        again = copy(**options)
        assert (again.changed, again.platforms, again.image) == (False, ["linux/arm64"], result.image)
        # An index that is there already is replaced.
        assert copy().digest == INDEX.digest
        assert copy(**options).changed is True
        assert digest_at(second_registry.host, repository, "1") == child

    def test_which_platform_a_plain_image_is_for(self, copy, registry, repository):
        push(INDEX, registry, repository)
        for platforms in ([], ["linux/amd64", "linux/arm64"]):
            result = copy(platforms=platforms, platform_mode="image")
            assert "has 2 platforms, but this destination can store only one. Set platforms to one of" in result.msg
        one = images.index(["linux/amd64"], attestations=True)
        push(one, registry, repository)
        assert copy(platform_mode="image").digest == one.child("linux/amd64")
        assert copy(platform_mode="image").changed is False

    def test_nested_index(self, copy, registry, second_registry, repository):
        image = SHAPES["nested"]
        push(image, registry, repository)
        result = copy(platforms=["linux/arm64"])
        assert result.changed
        assert digest_at(second_registry.host, repository, "1") == result.digest
        inner = image.document()["manifests"][0]["digest"]
        arm64 = next(
            child["digest"]
            for child in image.document(inner)["manifests"]
            if child["platform"]["architecture"] == "arm64"
        )
        assert digest_at(second_registry.host, repository, arm64) == arm64
        assert copy(platforms=["linux/arm64"]).changed is False

    def test_missing_platform_names_those_there_are(self, copy, registry, repository):
        push(INDEX, registry, repository)
        result = copy(platforms=["linux/s390x"])
        assert result.failed
        assert result.msg == (
            f"{registry.host}/{repository}:1: the image is not available for platform linux/s390x. "
            "Choose one of the available platforms: linux/amd64, linux/arm64."
        )

    def test_single_image_must_be_for_the_platform(self, copy, registry, second_registry, repository):
        push(SHAPES["single"], registry, repository)
        assert copy(platforms=["linux/arm64"]).failed
        assert tags_at(second_registry.host, repository) == []
        assert copy(platforms=["linux/amd64"]).digest == SHAPES["single"].digest


def test_an_immutable_tag_is_named(copy, registry, second_registry, repository):
    push(SHAPES["single"], registry, repository)
    body = json.dumps({"errors": [{"code": "DENIED", "message": "tag is immutable"}]}).replace('"', '\\"')
    reply = f'http-request return status 403 content-type application/json string "{body}"'
    with Haproxy(second_registry, reply + " if { method PUT } { path_end /manifests/stable }") as proxy:
        result = copy(dest=f"{proxy.host}/{repository}:1", tags=["stable"])
    assert result.msg.startswith(
        f"{proxy.host}/{repository}:stable: cannot push the manifest, because the tag is immutable"
    )


class TestForce:
    def test_repairs_a_registry(self, copy, registry, second_registry, repository):
        push(INDEX, registry, repository)
        copy()
        lost = next(iter(INDEX.blobs))
        link = second_registry.storage / f"docker/registry/v2/repositories/{repository}/_layers/sha256/{lost[7:]}/link"
        link.unlink()
        result = copy(force=True)
        assert (result.changed, result.blobs["copied"]) == (True, 1)
        assert link.exists()
        again = copy(force=True)
        assert again.changed is False
        assert not [request for request in second_registry.requests() if request.method not in ("GET", "HEAD")]
