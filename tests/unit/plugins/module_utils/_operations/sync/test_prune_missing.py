# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With ``missing_ok``, nothing is pruned from the destination of an entry whose source has none of the named tags."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.tests.unit.support.images import image

A, C = (image("linux/amd64", b"base", text) for text in (b"a", b"c"))
NONE = "sha256:" + "0" * 64


@pytest.fixture
def place(memory):
    """Return the destination, which has only ``old``."""
    memory["s.example/a"].add(A, tag="1")
    return memory["d.example/a"].add(C, tag="old")


@pytest.mark.parametrize("is_of_entry", [True, False])
@pytest.mark.parametrize(
    "entry",
    [
        {"tags": ["7"]},
        {"tags": ["7", "8"]},
        {"tags": [NONE]},
        {"tags": ["1"], "digest": NONE},
        {"tags": ["1"], "exclude": ["1"]},
        {"name": "gone", "dest": "a", "tags": ["7"]},
    ],
)
@pytest.mark.parametrize("existing", ["update", "keep"])
@pytest.mark.parametrize("dry_run", [True, False])
def test_nothing_is_deleted(place, sync, entry, is_of_entry, existing, dry_run):
    entry = {"name": "a", **entry, **({"missing_ok": True} if is_of_entry else {})}
    synced = sync(entry, prune=True, missing_ok=not is_of_entry, existing=existing, dry_run=dry_run)
    assert (synced.failure, synced.images) == ("", [])
    assert set(place.tags) == {"old"}


@pytest.mark.parametrize("entry", [{"tags": ["1", "7"]}, {"tags": ["7"], "include": ["1"]}])
def test_one_of_the_tags_is_enough(place, sync, entry):
    assert not sync({"name": "a", "missing_ok": True, **entry}, prune=True).failure
    assert set(place.tags) == {"1"}


def test_each_entry_counts(place, sync):
    synced = sync({"name": "a", "tags": ["1"]}, {"name": "a", "tags": ["7"], "missing_ok": True}, prune=True)
    assert not synced.failure
    assert set(place.tags) == {"1", "old"}


def test_a_layout_keeps_its_tags(memory, sync, tmp_path):
    source = memory["s.example/a"].add(A, tag="1")
    options = {"dest": "oci:%s" % tmp_path, "prune": True, "missing_ok": True}
    assert sync({"name": "a", "tags": ["1"]}, **options).changed
    del source.tags["1"]
    assert not sync({"name": "a", "tags": ["2"]}, **options).changed
    source.add(A, tag="2")
    synced = sync({"name": "a", "tags": ["2"]}, **options)
    assert [(job.name, job.action) for job in synced.images] == [("2", "created"), ("1", "deleted")]


@pytest.mark.parametrize("name", ["1", "7"])
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_pinned_tag_is_looked_up_by_its_digest(memory, place, sync, name, dry_run):
    """The tag of a reference with a digest may be absent from the source, or point to another image."""
    place.add(A, tag=name)
    entry = {"name": "a", "tags": [name], "digest": A.digest, "missing_ok": True}
    synced = sync(entry, prune=True, existing="keep", dry_run=dry_run)
    assert [(job.name, job.action) for job in synced.images] == [(name, "unchanged"), ("old", "deleted")]


@pytest.mark.parametrize("tag", ["7", "1"])
def test_all_shares_keep_or_delete_alike(place, sync, tag):
    for number in range(8):
        place.add(C, tag="old-%d" % number)
    names = [tag, *("absent-%d" % number for number in range(4))]
    for share in ("1/3", "2/3", "3/3"):
        assert not sync({"name": "a", "tags": names, "missing_ok": True}, prune=True, slice=share).failure
    assert (set(place.tags) == {"1"}) is (tag == "1")
    assert ("old" in place.tags) is (tag == "7")
