# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tag that the list of the source lacks is deleted only if it is certain that it does not exist there."""

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import AccessDenied, ConnectionFailed, Refused
from ansible_collections.drayage.registry.plugins.module_utils._image.tag_selection import TagSelection
from ansible_collections.drayage.registry.plugins.module_utils._operations.unlisted_tags import (
    ListedSource,
    find_unlisted,
)
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import Repository, Tags

A, B, C = (image("linux/amd64", b"base", text) for text in (b"a", b"b", b"c"))


class CutTags(Tags):
    """Tags that are listed without those in ``hidden``."""

    hidden = ()

    def __call__(self):
        return [tag for tag in super().__call__() if tag not in self.hidden]


class Certain(Repository):
    """A repository that remembers how it was asked for certainty, and fails for some names."""

    def __init__(self, host, name):
        super().__init__(host, name)
        self.tags = CutTags()
        self.found = []
        self.errors = {}

    def find(self, name):
        self.found.append(name)
        if name in self.errors:
            raise self.errors[name]
        return super().find(name)


@pytest.fixture
def source(memory):
    """Return the source: it has the tags 1, 2, 3 and 4, and lists only 1 and 2."""
    found = memory._opened["s.example/a"] = Certain("s.example", "a")
    for tag, one in (("1", A), ("2", B), ("3", C), ("4", A)):
        found.add(one, tag=tag)
    found.tags.hidden = ("3", "4")
    return found


@pytest.fixture
def place(memory, source):
    """Return the destination. It has all tags of the source, and one that the source never had."""
    found = memory["d.example/a"].add(A, B, C)
    found.tags.update(source.tags, gone=C.digest)
    return found


def deleted(synced):
    return sorted(job.name for job in synced.images if job.action == "deleted")


@pytest.mark.parametrize(
    ("options", "expected"), [({}, ["gone"]), ({"newest": 1, "semver_strict": False}, ["1", "gone"])]
)
def test_tags_that_exist_are_kept(memory, sync, source, place, options, expected):
    foreseen = sync({"name": "a", **options}, prune=True, dry_run=True)
    warnings = memory.run.statistics.warnings
    assert deleted(foreseen) == expected
    assert deleted(sync({"name": "a", **options}, prune=True)) == expected
    assert memory.run.statistics.warnings == warnings
    assert warnings == [
        "s.example/a: the tag list is incomplete, because it lacks 2 existing tags. prune does not delete from "
        "d.example/a: 3 and others"
    ]
    assert set(place.tags) == {"1", "2", "3", "4"}.difference(expected)


@pytest.mark.parametrize(
    "error", [AccessDenied("returned 403"), Refused("returned 500"), ConnectionFailed("timed out")]
)
def test_tags_that_cannot_be_read_are_kept(memory, sync, source, place, error):
    del source.tags["3"], source.tags["4"]
    source.errors["3"] = error
    assert deleted(sync({"name": "a"}, prune=True)) == ["4", "gone"]
    assert memory.run.statistics.warnings == [
        "s.example/a: cannot confirm the absence of 1 tag. prune does not delete from d.example/a: 3. First error: "
        "s.example/a:3: %s." % error.cause
    ]


def test_only_tags_that_could_be_selected_are_confirmed(memory, sync, source, place):
    entry = {"name": "a", "include": ["[13-9]|gone"], "exclude": ["3"]}
    assert deleted(sync(entry, prune=True, prune_keep=["4"])) == ["2", "3", "gone"]
    assert source.found == ["gone"]
    assert memory.run.statistics.warnings == []


def test_declared_tags_are_certain(sync, source, place):
    assert deleted(sync({"name": "a", "tags": ["1"]}, prune=True)) == ["2", "3", "4", "gone"]
    assert source.found == []


def test_every_source_of_a_repository_is_asked(memory, sync, source, place):
    """One entry lists its tags by name, one lists a tag that it does not select, and one lacks it."""
    memory["s.example/b"].add(A, tag="3").add(A, tag="9")
    entries = [{"name": "a"}, {"name": "b", "dest": "a", "include": ["9"]}, {"name": "c", "dest": "a", "tags": ["5"]}]
    memory["s.example/c"].add(A, tag="5")
    assert deleted(sync(*entries, prune=True)) == ["gone"]
    assert sorted(source.found) == ["3", "4", "gone"]


def test_kept_tags_do_not_count_as_deletions(sync, source, place):
    assert deleted(sync({"name": "a"}, prune=True, max_delete=1)) == ["gone"]


def test_lists_on_disk_are_certain(memory, sync, source, place):
    source.transport = "oci"
    assert deleted(sync({"name": "a"}, prune=True)) == ["3", "4", "gone"]
    assert source.found == []


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, ["gone"]),
        ({"include": ["[12]|gone"]}, ["3", "4", "gone"]),
        ({"tags": ["1"]}, ["2", "3", "4", "gone"]),
    ],
)
def test_images_that_a_bundle_leaves_out_are_kept(sync, source, place, tmp_path, entry, expected):
    """The site has them, so their tags are missing from the list of the bundle, although its entries may select them."""
    base = tmp_path / "site.json"
    records = [{"ref": "d.example/a:" + tag, "digest": A.digest, "blobs": [], "manifests": []} for tag in "1234"]
    base.write_text(json.dumps({"version": 1, "images": records}))
    source.transport = "oci"
    for dry_run in (True, False):
        synced = sync({"name": "a", **entry}, prune=True, base=str(base), dry_run=dry_run)
        assert deleted(synced) == expected


@pytest.mark.parametrize("referrers", [True, False])
def test_signatures_are_not_selected_with_referrers(source, place, referrers):
    """They go with their images."""
    tag = "sha256-%s.sig" % ("0" * 64)
    found = find_unlisted(place, ["1", tag], [ListedSource(source, ["1"], TagSelection())], referrers)
    assert [one.tag for one in found] == ([] if referrers else [tag])
