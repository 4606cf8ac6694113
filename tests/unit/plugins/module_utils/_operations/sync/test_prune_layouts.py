# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In a layout, tags of all repositories are deleted by few changes of its index."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._image.graph import Graph
from ansible_collections.drayage.registry.plugins.module_utils._operations import attached_tags
from ansible_collections.drayage.registry.plugins.module_utils._stores.layout_referrers import LayoutReferrers
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support import layouts
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import Api, attach

KEPT = image("linux/amd64", b"kept")
SIGNATURE = image("unknown/unknown", b"signature")
NAMES = ["a", "b", "c"]
OLD = {name: image("linux/amd64", b"old " + name.encode()) for name in NAMES}


def tag_of(name):
    return "sha256-%s.sig" % OLD[name].digest[7:]


@pytest.fixture
def prune(sync, memory, tmp_path, monkeypatch):
    """Prune a layout whose repositories have an old image each, with a signature and an SBOM. The images are gone from the source."""

    def run(**options):
        options = {"dest": "oci:%s" % tmp_path, "prune": True, "referrers": True, "keep_going": True, **options}
        return sync(*({"name": name} for name in NAMES), **options)

    layout = OciLayout(str(tmp_path), print)  # one for all repositories, as in a task
    monkeypatch.setattr(memory, "open_named", lambda reference, _external_blobs=(): layout.repository(reference.tag))
    for name in NAMES:
        source = memory["s.example/%s" % name]
        source.referrers = Api(source)
        source.add(KEPT, tag="1").add(OLD[name], tag="old").add(SIGNATURE, tag=tag_of(name))
        attach(source, OLD[name], b"sbom of " + name.encode())
    assert not run().failure
    for name in NAMES:
        tags = memory["s.example/%s" % name].tags
        del tags["old"], tags[tag_of(name)]
    return run


@pytest.fixture
def changes(prune, monkeypatch):
    """The entries that each change of the index leaves."""
    found = []
    rewrite = OciLayout._rewrite

    def counted(layout, document, entries):
        found.append(len(entries))
        rewrite(layout, document, entries)

    monkeypatch.setattr(OciLayout, "_rewrite", counted)
    return found


def outcome(synced):
    return {job.dest.rpartition("s.example/")[2]: job.action for job in synced.images if job.action != "unchanged"}


def deleted_rows(synced):
    return [row["digest"] for job in synced.images for row in job.referrers if row["action"] == "deleted"]


def test_the_index_is_changed_once_for_images_signatures_and_referrers(prune, changes, tmp_path):
    foreseen = prune(dry_run=True)
    assert changes == []
    synced = prune()
    everything = {"%s:%s" % (name, tag): "deleted" for name in NAMES for tag in ("old", tag_of(name))}
    assert outcome(synced) == outcome(foreseen) == everything
    assert len(deleted_rows(synced)) == len(deleted_rows(foreseen)) == len(NAMES)
    assert changes == [9, 6, 3]
    assert sorted(layouts.names(tmp_path)) == [("s.example/%s:1" % name, KEPT.digest) for name in NAMES]
    assert layouts.stored(tmp_path) == layouts.needed(KEPT)
    assert not prune().changed
    assert len(changes) == 3


def test_indexes_are_not_read_again_for_each_other_repository(prune, memory, monkeypatch):
    for name in NAMES:
        child = image("linux/amd64", b"child of " + name.encode())
        memory["s.example/%s" % name].add(child, index(entry(child)), tag="index")
    assert not prune(prune=False).failure
    walks = []

    def counted(roots, *arguments, **options):
        walks.append(roots)
        return Graph(roots, *arguments, **options)

    monkeypatch.setattr(attached_tags, "Graph", counted)
    assert len(deleted_rows(prune())) == len(NAMES)
    # Each repository reads its own index four times, before and after its tags are deleted. Others read it twice.
    assert len(walks) == 6 * len(NAMES)


def test_a_tag_that_moved_is_kept_with_its_signature(prune, changes, tmp_path, monkeypatch):
    delete_tags = OciLayout.delete_tags

    def move(layout, removals):
        monkeypatch.setattr(OciLayout, "delete_tags", delete_tags)
        OciLayout(str(tmp_path), print).repository("s.example/b").publish(KEPT.manifest, ["old"], None)
        return layout.delete_tags(removals)

    monkeypatch.setattr(OciLayout, "delete_tags", move)
    synced = prune()
    found = outcome(synced)
    assert {name for name, action in found.items() if action == "failed"} == {"b:old", "b:" + tag_of("b")}
    assert len(found) == 6
    [error] = [str(job.error) for job in synced.images if job.error and job.name == "old"]
    assert error == (
        "oci:%s:s.example/b:old: the tag moved to %s during this run, so it was not deleted. Run the task again."
        % (tmp_path, KEPT.digest)
    )
    assert ("s.example/b:old", KEPT.digest) in layouts.names(tmp_path)
    assert ("s.example/a:old", OLD["a"].digest) not in layouts.names(tmp_path)


def test_if_the_index_cannot_be_written_each_tag_has_its_own_error(prune, tmp_path, monkeypatch):
    before = layouts.names(tmp_path), layouts.stored(tmp_path)

    def refuse(_layout, _document, _entries):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(OciLayout, "_rewrite", refuse)
    synced = prune()
    assert set(outcome(synced).values()) == {"failed"}
    errors = {str(job.error) for job in synced.images if job.error}
    assert len(errors) == 6
    assert all("s.example/" in error for error in errors)
    assert (layouts.names(tmp_path), layouts.stored(tmp_path)) == before


def test_referrers_that_cannot_be_deleted_do_not_keep_those_of_other_repositories(prune, changes, memory, monkeypatch):
    check = LayoutReferrers._check

    def refuse(lists, index, subject):
        if subject == OLD["b"].digest:
            raise InvalidContent("the list is damaged")
        return check(lists, index, subject)

    monkeypatch.setattr(LayoutReferrers, "_check", refuse)
    synced = prune()
    assert not synced.failure
    assert len(deleted_rows(synced)) == 2
    [warning] = memory.run.statistics.warnings
    assert "s.example/b: the referrers of deleted images were not deleted: " in warning
