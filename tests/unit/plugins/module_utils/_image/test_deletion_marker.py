# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, NotFound
from ansible_collections.drayage.registry.plugins.module_utils._image import deletion_marker
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.tests.unit.support import images

DIGEST = "sha256:" + "1" * 64


def unread(_config):
    raise AssertionError("the config was read")


@pytest.mark.parametrize("docker", [False, True])
def test_each_is_unique_and_recognized(docker):
    config, manifest = deletion_marker.make(DIGEST, docker)
    assert deletion_marker.make(DIGEST, docker)[1].digest != manifest.digest
    assert deletion_marker.original_of(manifest, lambda _config: config) == DIGEST
    with pytest.raises(ImageError, match=r"left behind \(previous digest: %s\). Run image_delete" % DIGEST):
        deletion_marker.refuse(manifest, lambda _config: config)


@pytest.mark.parametrize(
    ("docker", "media_type", "config_type"),
    [
        (
            False,
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.oci.image.config.v1+json",
        ),
        (
            True,
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.docker.container.image.v1+json",
        ),
    ],
)
def test_each_is_a_valid_image_without_layers(docker, media_type, config_type):
    config, manifest = deletion_marker.make(DIGEST, docker)
    content, document = json.loads(config), json.loads(manifest.raw)
    labels = content["config"]["Labels"]
    assert labels["drayage.registry.deleting"] == DIGEST
    assert len(labels["drayage.registry.unique"]) == 32
    assert content == {
        "architecture": "unknown",
        "os": "unknown",
        "config": {"Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    assert document.pop("annotations", labels) == labels
    assert document == {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {"mediaType": config_type, "digest": digests.of(config), "size": len(config)},
        "layers": [],
    }


@pytest.mark.parametrize(("padding", "is_marker"), [(0, True), (1, False)])
def test_only_a_config_of_up_to_1024_bytes_is_read(padding, is_marker):
    config, manifest = deletion_marker.make(DIGEST, True)
    config += b" " * (1024 - len(config) + padding)
    document = json.loads(manifest.raw)
    document["config"].update(digest=digests.of(config), size=len(config))
    original = deletion_marker.original_of(Manifest.parse(json.dumps(document).encode()), lambda _config: config)
    assert original == (DIGEST if is_marker else None)


def test_the_manifest_is_enough_where_it_has_annotations():
    assert deletion_marker.original_of(deletion_marker.make(DIGEST, False)[1], unread) == DIGEST


def test_images_with_layers_are_not_looked_into():
    assert deletion_marker.original_of(images.image("linux/amd64", b"layer").manifest, unread) is None


def test_markers_of_the_first_release():
    """These had a random label, and no annotation."""
    config, manifest = deletion_marker.make(DIGEST, False)
    document = json.loads(manifest.raw)
    del document["annotations"]
    content = json.loads(config)
    content["config"]["Labels"] = {deletion_marker.KEY: "00ff"}
    without = Manifest.parse(json.dumps(document).encode())
    assert deletion_marker.original_of(without, lambda _config: json.dumps(content).encode()) == ""
    with pytest.raises(ImageError, match="left behind. Run"):
        deletion_marker.refuse(without, lambda _config: json.dumps(content).encode())


@pytest.mark.parametrize("config", [b"", b"[]", b'{"config": null}', b'{"config": {"Labels": []}}', b"{}"])
def test_other_images_without_layers_are_images(config):
    manifest = deletion_marker.make(DIGEST, True)[1]
    assert deletion_marker.original_of(manifest, lambda _config: config) is None


def test_a_missing_config_is_left_to_those_who_need_it():
    def missing(_config):
        raise NotFound("gone")

    assert deletion_marker.original_of(deletion_marker.make(DIGEST, True)[1], missing) is None
