# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import saved

ENTRY = {"Config": "c.json", "RepoTags": ["busybox:1", "r.example/a:2"], "Layers": ["a/layer.tar"]}


def entries(*documents):
    return saved.parse_entries(json.dumps(documents).encode())


def test_names_are_spelled_out():
    (entry,) = entries(ENTRY)
    assert entry.names == ("docker.io/library/busybox:1", "r.example/a:2")
    assert entry.to_document() == {**ENTRY, "RepoTags": list(entry.names)}


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("localhost/a:1", "localhost/a:1"),
        ("Not A Name", "Not A Name"),
        ("r.example/a@" + digests.of(b"a"), "r.example/a@" + digests.of(b"a")),
    ],
)
def test_full_name(name, full):
    assert saved.full_name(name) == full


def test_names_with_a_digest_are_no_tags():
    (entry,) = entries({**ENTRY, "RepoTags": ["r.example/a@" + digests.of(b"a"), "r.example/a:2", "r.example/a:2"]})
    assert entry.names == ("r.example/a:2",)


@pytest.mark.parametrize("absent", [{"RepoTags": None}, {"RepoTags": []}])
def test_image_without_names(absent):
    (entry,) = entries({**ENTRY, **absent})
    assert entry.names == ()
    assert entry.to_document()["RepoTags"] is None


def test_image_without_layers():
    (entry,) = entries({"Config": "c.json", "RepoTags": None, "Layers": None})
    assert entry.layers == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff", "is not valid JSON"),
        (b'{"Config": "c"}', "is not a list of images"),
        (b"[[]]", "an entry in manifest.json is not a JSON object"),
        (b'[{"RepoTags": null}]', "has no valid Config, RepoTags or Layers"),
        (b'[{"Config": "c", "Layers": [1]}]', "has no valid Config, RepoTags or Layers"),
        (b'[{"Config": "c", "RepoTags": "a:1"}]', "has no valid Config, RepoTags or Layers"),
        (json.dumps([{"Config": "c", "Layers": ["l"] * 1001}]).encode(), "more than 1000 layers"),
        (json.dumps([{"Config": "c"}] * 4001).encode(), "lists more than 4000 images"),
        (json.dumps([{"Config": "c", "Layers": ["l"] * 1000}] * 101).encode(), "have more than 100000 layers"),
    ],
)
def test_what_is_no_list_of_images(content, said):
    with pytest.raises(InvalidContent, match=said):
        saved.parse_entries(content)


@pytest.mark.parametrize("config", [b"{}", b'{"rootfs": {"diff_ids": "x"}}', b'{"rootfs": {"diff_ids": [1]}}'])
def test_config_that_tells_no_layers(config):
    with pytest.raises(InvalidContent, match="has no rootfs.diff_ids"):
        saved.diff_ids(config)


def test_manifest_is_the_same_each_time():
    config = b'{"rootfs": {"diff_ids": []}}'
    layer = {"mediaType": "application/vnd.docker.image.rootfs.diff.tar", "size": 3, "digest": digests.of(b"abc")}
    made = saved.manifest(config, [layer])
    assert made.digest == saved.manifest(config, [layer]).digest
    assert made.config.digest == saved.SavedImage(config, ()).id == digests.of(config)
    assert json.loads(made.raw) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": len(config),
            "digest": digests.of(config),
        },
        "layers": [layer],
    }


def test_an_image_keeps_an_id_that_is_known_already():
    assert saved.SavedImage(b"{}", (), id="sha256:known").id == "sha256:known"


@pytest.mark.parametrize(
    "documents",
    [
        [{"Config": "c", "Layers": ["l"] * 1000}] * 100,
        [{"Config": "c"}] * 4000,
    ],
    ids=["layers", "images"],
)
def test_archives_may_be_as_large_as_this(documents):
    assert len(entries(*documents)) == len(documents)
