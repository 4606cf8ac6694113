# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_inspect: what it tells of images of every shape, what it costs, and what counts as absent."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess

import pytest

from devtools import images, provision
from devtools.images.value import OCI, image_of
from devtools.observe import layout_files, tally
from devtools.servers import DockerRegistry

INDEX = images.index(attestations=True)
SINGLE = images.single(labels={"org.opencontainers.image.version": "1.2"})
ARTIFACT = images.artifact()
SHAPES = {
    "single": SINGLE,
    "docker": images.single(docker=True),
    "index": INDEX,
    "docker list": images.index(docker=True),
    "nested": images.nested(),
    "artifact": ARTIFACT,
}
MISSING = "sha256:" + "0" * 64


@pytest.fixture
def inspect(run_module, registry, repository):
    """Return a function that inspects tag 1 in ``registry``, unless another image is named."""

    def run(image=None, **options):
        registry.forget()
        return run_module("image_inspect", image=image or f"{registry.host}/{repository}:1", **options)

    return run


@pytest.fixture
def push(registry, repository):
    """Return a function that pushes an image as tag 1."""
    return lambda image, tag="1": images.push(image, registry.host, repository, tag)


def config_of(image, digest=None):
    return json.loads(image.blobs[image.document(digest)["config"]["digest"]])


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape(shape, inspect, push):
    image = SHAPES[shape]
    push(image)
    result = inspect(raw=True)
    assert (result.changed, result.exists) == (False, True)
    assert (result.digest, result.media_type) == (image.digest, image.media_type)
    assert result.raw["raw"].encode() == image.manifests[image.digest][1]
    assert result.manifest == image.document()


def test_index_costs_one_get(inspect, push, registry):
    push(INDEX)
    result = inspect()
    assert tally(registry.requests()) == {"GET manifest": 1}
    assert result.requests == 1
    assert result.platforms == ["linux/amd64", "linux/arm64"]
    for name in ("config", "created", "architecture", "os", "size", "platform_digest", "tags"):
        assert result.raw[name] is None
    assert (result.layers, result.labels) == ([], {})


def test_attestations_are_marked(inspect, push):
    push(INDEX)
    children = inspect().children
    assert [child["digest"] for child in children] == [entry["digest"] for entry in INDEX.document()["manifests"]]
    amd64, arm64, *attestations = children
    assert (amd64["platform"], amd64["attests"]) == ("linux/amd64", None)
    assert [child["attests"] for child in attestations] == [amd64["digest"], arm64["digest"]]
    assert {child["platform"] for child in attestations} == {"unknown/unknown"}
    assert amd64["size"] == len(INDEX.manifests[amd64["digest"]][1])


def test_single_image_costs_one_get_more_for_its_config(inspect, push, registry):
    push(SINGLE)
    result = inspect()
    assert tally(registry.requests()) == {"GET manifest": 1, "GET blob": 1}
    assert result.config == config_of(SINGLE)
    assert (result.platforms, result.os, result.architecture) == (["linux/amd64"], "linux", "amd64")
    assert (result.created, result.labels) == ("2026-01-01T00:00:00Z", {"org.opencontainers.image.version": "1.2"})
    assert [layer["digest"] for layer in result.layers] == [x["digest"] for x in SINGLE.document()["layers"]]
    assert result.size == sum(map(len, SINGLE.blobs.values()))
    assert result.children == []


def test_platform_of_an_index_costs_three_gets(inspect, push, registry):
    push(INDEX)
    result = inspect(platform="linux/arm64")
    assert tally(registry.requests()) == {"GET manifest": 2, "GET blob": 1}
    arm64 = INDEX.child("linux/arm64")
    assert (result.digest, result.platform_digest) == (INDEX.digest, arm64)
    assert (result.config, result.architecture) == (config_of(INDEX, arm64), "arm64")
    assert result.platforms == ["linux/amd64", "linux/arm64"]


def test_platform_of_a_nested_index(inspect, push):
    image = SHAPES["nested"]
    push(image)
    assert inspect(platform="linux/arm64").architecture == "arm64"


def test_platform_of_a_single_image_reads_its_config_once(inspect, push, registry):
    push(SINGLE)
    assert inspect(platform="linux/amd64").platform_digest == SINGLE.digest
    assert tally(registry.requests()) == {"GET manifest": 1, "GET blob": 1}
    wrong = inspect(platform="linux/arm64")
    assert wrong.failed
    assert (
        "the image is not available for platform linux/arm64. Choose one of the available platforms: linux/amd64."
        in wrong.msg
    )


def test_artifact_has_no_config(inspect, push, registry):
    push(ARTIFACT)
    result = inspect()
    assert tally(registry.requests()) == {"GET manifest": 1}
    assert (result.config, result.platforms, result.architecture, result.labels) == (None, [], None, {})


def test_by_digest_and_by_both(inspect, push, registry, repository):
    push(INDEX)
    push(SINGLE, "2")
    assert inspect(f"{registry.host}/{repository}@{INDEX.digest}").digest == INDEX.digest
    assert inspect(f"{registry.host}/{repository}:2@{INDEX.digest}").digest == INDEX.digest


def test_no_tag_means_latest(inspect, push, registry, repository):
    push(SINGLE, "latest")
    assert inspect(f"{registry.host}/{repository}").digest == SINGLE.digest


def test_tags_in_the_order_of_their_versions(inspect, push, registry):
    for tag in ("1", "1.10", "1.9", "v2.0.0", "latest", "2.0.0-rc.1", "edge"):
        push(SINGLE, tag)
    assert inspect(tags=True).tags == ["edge", "latest", "1", "1.9", "1.10", "2.0.0-rc.1", "v2.0.0"]
    assert tally(registry.requests())["GET tags"] == 1


class TestAbsent:
    def test_tag(self, inspect, push, registry, repository):
        push(SINGLE)
        result = inspect(f"{registry.host}/{repository}:2", tags=True, verify=True, platform="linux/amd64", raw=True)
        assert (result.exists, result.tags) == (False, ["1"])
        about_the_task = {"changed", "msg", "exists", "tags", "requests", "invocation"}
        assert {name: value for name, value in result.raw.items() if value and name not in about_the_task} == {}

    def test_digest(self, inspect, push, registry, repository):
        push(SINGLE)
        assert inspect(f"{registry.host}/{repository}@{MISSING}").exists is False

    def test_repository(self, inspect):
        assert inspect(tags=True).tags == []
        assert inspect().exists is False

    def test_layout_and_name(self, inspect, tmp_path):
        assert inspect(f"oci:{tmp_path}/none:1", tags=True).exists is False
        assert not (tmp_path / "none").exists()
        images.write_layout(SINGLE, tmp_path / "layout", "1")
        assert inspect(f"oci:{tmp_path}/layout:2").exists is False

    @pytest.mark.parametrize("password", ["wrong", None])
    def test_no_access_is_an_error(self, run_module, htpasswd_registry, repository, password):
        image = f"{htpasswd_registry.host}/{repository}:1"
        user = {"username": "alice", "password": password} if password else {}
        result = run_module("image_inspect", image=image, registries=[{"host": htpasswd_registry.host, **user}])
        assert result.failed
        refused = f"cannot log in to {htpasswd_registry.host} as user alice: " if password else f"{image}: "
        assert result.msg.startswith(refused)
        assert "exists" not in result.raw

    def test_no_registry_is_an_error(self, run_module, repository):
        assert run_module("image_inspect", image=f"127.0.0.1:9/{repository}:1", retries=0).failed


class TestVerify:
    def test_whole_image(self, inspect, push, registry):
        push(INDEX)
        result = inspect(verify=True)
        assert result.missing == []
        assert tally(registry.requests()) == {"GET manifest": len(INDEX.manifests), "HEAD blob": len(INDEX.blobs)}

    def test_each_digest_is_looked_for_once(self, inspect, push, registry):
        """The same child stands in the index and in one that it lists; the same layer is in both children."""
        inner = images.index(layers=[b"same", b"same"])
        children = [inner.descriptor(), inner.document()["manifests"][0]]
        push(image_of({"schemaVersion": 2, "mediaType": OCI.index, "manifests": children}, (inner,)))
        assert inspect(verify=True).missing == []
        paths = [request.path for request in registry.requests()]
        assert len(paths) == len(set(paths)) == 4 + len(inner.blobs)

    def test_lost_blobs_and_children(self, inspect, push, registry, repository):
        push(INDEX)
        root = registry.storage / f"docker/registry/v2/repositories/{repository}"
        arm64 = INDEX.child("linux/arm64")
        layer = INDEX.document(INDEX.child("linux/amd64"))["layers"][0]["digest"]
        shutil.rmtree(root / f"_manifests/revisions/sha256/{arm64[7:]}")
        shutil.rmtree(root / f"_layers/sha256/{layer[7:]}")
        assert inspect(verify=True).missing == [arm64, layer]
        assert inspect().exists is True

    def test_lost_config_is_told_of(self, inspect, push, registry, repository):
        push(SINGLE)
        config = SINGLE.document()["config"]["digest"]
        shutil.rmtree(registry.storage / f"docker/registry/v2/repositories/{repository}/_layers/sha256/{config[7:]}")
        result = inspect(verify=True)
        assert (result.missing, result.config, result.platforms) == ([config], None, [])
        assert f"The image config {config} is missing" in result.stdout

    def test_layout(self, inspect, tmp_path):
        layout = tmp_path / "layout"
        images.write_layout(INDEX, layout, "1")
        before = layout_files(layout)
        assert inspect(f"oci:{layout}:1", verify=True).missing == []
        assert layout_files(layout) == before
        lost = INDEX.child("linux/arm64")
        (layout / "blobs/sha256" / lost[7:]).unlink()
        assert inspect(f"oci:{layout}:1", verify=True).missing == [lost]


class TestLayouts:
    def test_only_image(self, inspect, tmp_path):
        images.write_layout(INDEX, tmp_path / "layout", "1")
        result = inspect(f"oci:{tmp_path}/layout", tags=True, platform="linux/amd64")
        assert (result.digest, result.tags, result.requests) == (INDEX.digest, ["1"], 0)
        assert result.config == config_of(INDEX, INDEX.child("linux/amd64"))

    def test_several_images_are_an_error(self, inspect, tmp_path):
        images.write_layout(INDEX, tmp_path / "layout", "1")
        images.write_layout(SINGLE, tmp_path / "layout", "2")
        assert "Choose one of the available images: 1, 2." in inspect(f"oci:{tmp_path}/layout").msg


def test_check_mode_is_the_same(inspect, push):
    push(INDEX)
    seen, checked = inspect().raw, inspect(check_mode=True, diff=True).raw
    for result in (seen, checked):
        result.pop("invocation", None)
    assert checked == seen


def test_schema_1_is_shown_with_a_warning(run_module, repository, tmp_path):
    """skopeo converts the image, and signs it with a key of its own."""
    images.write_layout(SINGLE, tmp_path / "layout", "1")
    skopeo = provision.program("skopeo")
    with DockerRegistry(schema1=True) as server:
        image = f"{server.host}/{repository}:1"
        copy = ["copy", "--format", "v2s1", "--dest-tls-verify=false", f"oci:{tmp_path}/layout:1", f"docker://{image}"]
        subprocess.run([skopeo, *copy], check=True, capture_output=True)
        result = run_module("image_inspect", image=image, raw=True)
        command = [skopeo, "inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"docker://{image}"]
        digest = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        refused = run_module("image_copy", src=image, dest=f"oci:{tmp_path}/copy:1")
        by_digest = run_module("image_inspect", image=f"{server.host}/{repository}@{digest}")
    assert result.digest == digest == by_digest.digest
    assert result.digest != "sha256:" + hashlib.sha256(result.raw["raw"].encode()).hexdigest()
    assert (result.architecture, result.platforms, result.size) == ("amd64", ["linux/amd64"], None)
    layers = [layer["digest"] for layer in SINGLE.document()["layers"]]
    assert [layer["digest"] for layer in result.layers if layer["digest"] in layers] == layers
    assert "schema 1 image" in result.stdout
    assert "schema 1" in refused.msg


def with_config(config):
    """An image without layers that has this config."""
    digest = "sha256:" + hashlib.sha256(config).hexdigest()
    described = {"mediaType": OCI.config, "digest": digest, "size": len(config)}
    document = {"schemaVersion": 2, "mediaType": OCI.manifest, "config": described, "layers": []}
    return image_of(document, blobs={digest: config})


def test_deeply_nested_config_is_cut(inspect, tmp_path):
    """Ansible recurses on results: 600 levels end the task without a word of why."""
    nested = b'{"a":' * 600 + b'"end"' + b"}" * 600
    config = b'{"os": "linux", "architecture": "amd64", "x": %s}' % nested
    images.write_layout(with_config(config), tmp_path / "layout")
    result = inspect(f"oci:{tmp_path}/layout")
    assert (result.os, result.config["architecture"]) == ("linux", "amd64")
    assert result.stdout.count('{"a":') < 64
    assert "nested more than 64 levels deep; deeper levels were left out of the result" in result.stdout


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (b'{"os": "linux", "OS": "windows"}', "the image config contains 'OS', which engines read as os"),
        (
            b'{"config": {"Labels": {"a": "1"}, "labels": {"a": "2"}}}',
            "contains 'labels', which engines read as Labels",
        ),
        (b'{"os": "linux", "os": "windows"}', "the image config contains the key 'os' several times"),
    ],
)
def test_config_that_engines_read_differently_is_refused(inspect, tmp_path, config, said):
    images.write_layout(with_config(config), tmp_path / "layout")
    result = inspect(f"oci:{tmp_path}/layout")
    assert result.failed
    assert said in result.msg
