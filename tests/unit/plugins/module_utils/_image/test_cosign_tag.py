# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image import cosign_tag
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.tests.unit.support import images


def layer(text, **more):
    return images.described(text.encode(), "application/x", annotations={"by": text}, **more)


A, B, C = (layer(text) for text in "abc")


def image(*layers, **more):
    return (
        cosign_tag.image_of(list(layers))[0]
        if not more
        else images.image("", b"x", layers=list(layers), **more).manifest
    )


def test_signatures_of_both_sides_in_the_order_of_the_destination():
    manifest, config = cosign_tag.merged(image(A, C), image(B, C))
    assert manifest.document["layers"] == [B, C, A]
    assert manifest.config.digest == digests.of(config)
    assert json.loads(config)["rootfs"]["diff_ids"] == [one["digest"] for one in (B, C, A)]


def test_a_new_image_of_signatures_is_a_complete_manifest():
    manifest, config = cosign_tag.image_of([A, B])
    assert json.loads(config) == {
        "architecture": "",
        "os": "",
        "rootfs": {"type": "layers", "diff_ids": [A["digest"], B["digest"]]},
        "config": {},
    }
    assert json.loads(manifest.raw) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digests.of(config),
            "size": len(config),
        },
        "layers": [A, B],
    }


def test_an_index_has_no_signatures():
    index = images.index(images.entry(images.image()), layers=None)
    assert cosign_tag.merged(index, image(A)) is None
    assert cosign_tag.merged(image(A), index) == (image(A), b"")


def test_what_else_a_manifest_has_stays():
    manifest, _config = cosign_tag.merged(image(A), image(B, annotations={"kept": "yes"}))
    assert manifest.annotations == {"kept": "yes"}


def test_one_side_has_all():
    more, fewer = image(A, B), image(A)
    assert cosign_tag.merged(fewer, more) is None
    assert cosign_tag.merged(more, fewer) == (more, b"")


def test_a_descriptor_with_other_fields_is_the_same_signature():
    """Some are lost where signatures are files."""
    assert cosign_tag.merged(image(layer("a", data="YQ==")), image(A)) is None
    other = dict(A, annotations={"by": "another"})
    assert cosign_tag.merged(image(other), image(A)) is not None


@pytest.mark.parametrize("annotations", [None, [], "x", {"a": {"b": 1}, "c": 1}])
def test_annotations_that_are_none(annotations):
    odd = dict(A, annotations=annotations)
    assert cosign_tag.merged(image(odd), image(odd)) is None
