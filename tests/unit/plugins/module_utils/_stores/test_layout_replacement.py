# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is removed from a layout when an image is replaced, and what stays."""

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.tests.unit.support import images, layouts
from ansible_collections.drayage.registry.tests.unit.support.layouts import blob_file, fill, needed, publish, stored

ONE, TWO = images.image("linux/amd64", b"one", b"shared"), images.image("linux/amd64", b"two", b"shared")
OTHER = images.image("linux/s390x", b"other")


def test_what_only_the_replaced_image_needed_is_removed(layout, path):
    publish(layout, ONE, "1")
    publish(layout, TWO, "1")
    assert stored(path) == needed(TWO)


def test_what_another_name_needs_stays(layout, path):
    publish(layout, ONE, "1", "stable")
    publish(layout, TWO, "1")
    assert stored(path) == needed(ONE, TWO)
    assert layout.resolve("stable").digest == ONE.digest


def test_what_an_unnamed_image_needs_stays(layout, path):
    layouts.foreign_layout(path, ("1", ONE), ("", images.image("linux/arm64", b"shared")))
    publish(layout, OTHER, "1")
    assert digests.of(b"shared") in stored(path)
    assert digests.of(b"one") not in stored(path)


@pytest.mark.parametrize("damage", [b"", b"x", b'{"schemaVersion": 2, "mediaType": "application/x"}'])
def test_nothing_is_removed_while_a_kept_manifest_cannot_be_understood(layout, path, damage):
    layouts.foreign_layout(path, ("1", ONE), ("other", TWO))
    blob_file(path, TWO.digest).write_bytes(damage)
    publish(layout, OTHER, "1")
    assert stored(path) == needed(ONE, TWO, OTHER)


@pytest.mark.parametrize("other", ["blake3:" + "0" * 64, None])
def test_nothing_is_removed_while_an_entry_has_no_supported_digest(layout, path, other):
    layouts.foreign_layout(path, ("1", ONE))
    document = json.loads((path / "index.json").read_bytes())
    document["manifests"].append({"mediaType": media_types.OCI_MANIFEST, "digest": other, "size": 1})
    (path / "index.json").write_bytes(images.encode(document))
    publish(layout, OTHER, "1")
    assert stored(path) == needed(ONE, OTHER)


def test_blobs_that_live_elsewhere_may_have_other_users_and_stay(layout, path, tmp_path):
    (tmp_path / "shared").mkdir()
    path.mkdir()
    (path / "blobs").symlink_to(tmp_path / "shared")
    publish(layout, ONE, "1")
    publish(layout, OTHER, "1")
    assert stored(path) == needed(ONE, OTHER)


def test_what_no_entry_ever_named_is_not_ours_to_remove(layout, path):
    publish(layout, ONE, "1")
    layouts.write_blob(path, b"of somebody else")
    publish(layout, TWO, "1")
    assert stored(path) == needed(TWO) | {digests.of(b"of somebody else")}


CHILDREN = [images.image("linux/" + name, b"of " + name.encode(), b"shared") for name in ("amd64", "arm64", "s390x")]


def test_the_children_of_a_replaced_index_go_with_it(layout, path):
    nested = images.index(*map(images.entry, CHILDREN))
    fill(layout, *CHILDREN, nested)
    publish(layout, images.index(images.entry(nested)), "1")
    publish(layout, ONE, "1")
    assert stored(path) == needed(ONE)


def test_the_children_that_a_new_index_shares_with_the_old_stay(layout, path):
    fill(layout, *CHILDREN)
    publish(layout, images.index(*map(images.entry, CHILDREN)), "1")
    smaller = images.index(*map(images.entry, CHILDREN[:2]))
    publish(layout, smaller, "1")
    assert stored(path) == needed(smaller, *CHILDREN[:2])
    assert layout.resolve("1").digest == smaller.digest


def test_an_image_that_is_also_a_child_of_a_kept_index_stays(layout, path):
    fill(layout, *CHILDREN)
    index = images.index(*map(images.entry, CHILDREN))
    publish(layout, index, "index")
    publish(layout, CHILDREN[0], "amd64")
    publish(layout, ONE, "amd64")
    assert stored(path) == needed(index, ONE, *CHILDREN)
