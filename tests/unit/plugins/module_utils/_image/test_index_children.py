# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Indexes that lose some of their children, or get others in their place."""

from __future__ import annotations

import json

from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.tests.unit.support import images

SPREAD = (
    '{\n "manifests": [\n%s ],\n "zeta": {"\u00e4": 1},\n "schemaVersion": 2, "annotations": {"k": "v"},\n'
    ' "mediaType": "application/vnd.oci.image.index.v1+json"\n}\n'
)


def spread_index():
    """An index with line breaks, unusual keys and an unusual order."""
    items = [
        '  {"x-own": [1], "size": %d, "digest": "sha256:%s", "mediaType": "%s"}'
        % (n, str(n) * 64, media_types.OCI_MANIFEST)
        for n in (1, 2, 3)
    ]
    return Manifest.parse((SPREAD % ",\n".join(items)).encode())


def test_an_index_that_loses_nothing_keeps_its_bytes():
    before = spread_index()
    after = before.with_children(lambda position: True, {})
    assert after.raw == before.raw
    assert after.digest == before.digest


def test_an_index_that_loses_children_keeps_everything_else():
    before = spread_index()
    after = before.with_children(lambda position: position != 1, {})
    document = json.loads(after.raw)
    assert list(document) == ["manifests", "zeta", "schemaVersion", "annotations", "mediaType"]
    assert document == {**before.document, "manifests": [before.document["manifests"][n] for n in (0, 2)]}
    assert list(document["manifests"][0]) == ["x-own", "size", "digest", "mediaType"]
    assert after.digest == digests.of(after.raw) != before.digest
    assert after.media_type == before.media_type


def test_the_smaller_index_is_the_same_each_time():
    results = {spread_index().with_children(lambda position: position == 2, {}).raw for _turn in range(3)}
    assert len(results) == 1
    assert "ä".encode() in results.pop()


def test_an_exchanged_child_changes_its_digest_and_size_only():
    before = spread_index()
    other = images.index()
    after = before.with_children(lambda position: True, {before.children[1].digest: other})
    expected = {**before.document["manifests"][1], "digest": other.digest, "size": other.size}
    assert json.loads(after.raw)["manifests"] == [
        before.document["manifests"][0],
        expected,
        before.document["manifests"][2],
    ]


def test_an_index_that_has_no_form_in_utf_8_is_escaped():
    before = images.index(images.entry(images.image()), annotations={"k": "\ud800"})
    assert before.with_children(lambda position: True, {}).raw == before.raw
    after = before.with_children(lambda position: False, {})
    assert json.loads(after.raw) == {**before.document, "manifests": []}


def test_an_index_under_sha512_stays_under_sha512():
    raw = spread_index().raw
    after = Manifest.parse(raw, digest=digests.of(raw, "sha512")).with_children(lambda position: False, {})
    assert after.digest == digests.of(after.raw, "sha512")


def test_an_exchanged_child_loses_its_inlined_content():
    child = images.index()
    before = images.index(dict(images.entry(child), data="e30="))
    after = before.with_children(lambda position: True, {child.digest: images.index(images.entry(images.image()))})
    assert "data" not in after.document["manifests"][0]
