# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags that nothing declares are deleted, and nothing that another tag or image needs."""

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.slices import Slice
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index

A, B, C = (image("linux/amd64", b"base", text) for text in (b"a", b"b", b"c"))
SIGNATURE = image("unknown/unknown", b"signature")


def tag_of(subject, suffix=".sig"):
    return "sha256-%s%s" % (subject.digest[7:], suffix)


@pytest.fixture
def place(memory):
    """Return the destination: ``1`` is declared, ``old`` is not."""
    memory["s.example/a"].add(A, tag="1")
    return memory["d.example/a"].add(A, tag="1").add(C, tag="old")


@pytest.fixture
def prune(sync):
    def run(**options):
        return sync({"name": "a"}, **{"prune": True, **options})

    return run


def deleted(synced):
    return [(job.name, job.digest, job.previous, job.src) for job in synced.images if job.action == "deleted"]


def failed(synced):
    return {job.name: str(job.error) for job in synced.images if job.action == "failed"}


def test_a_tag_and_its_image_are_deleted(place, prune):
    foreseen = prune(dry_run=True)
    assert "old" in place.tags
    synced = prune()
    assert deleted(foreseen) == deleted(synced) == [("old", C.digest, C.digest, "")]
    assert (set(place.tags), C.digest in place.manifests, A.digest in place.manifests) == ({"1"}, False, True)
    assert not prune().changed


def test_tags_stay_without_the_option(place, prune):
    assert not prune(prune=False).changed
    assert "old" in place.tags


@pytest.mark.parametrize(
    "reason", ["other tag", "index", "registry deletes tags", "child of a declared index", "declared digest"]
)
def test_an_image_that_may_be_needed_stays_without_its_tag(place, prune, memory, sync, reason):
    options = {}
    if reason == "other tag":
        place.add(C, tag="kept")
        options = {"prune_keep": ["kept"]}
    elif reason == "index":
        place.add(index(entry(B, "linux/amd64")), tag="kept")
        options = {"prune_keep": ["kept"]}
    elif reason == "registry deletes tags":
        place.deletes = "tag"
    elif reason == "child of a declared index":
        memory["s.example/a"].add(C, index(entry(C, "linux/amd64")), tag="2")
    else:
        memory["s.example/a"].add(C)
        synced = sync({"name": "a", "tags": ["1", C.digest]}, prune=True)
        assert deleted(synced) == [("old", C.digest, C.digest, "")]
    if reason != "declared digest":
        assert [name for name, *_rest in deleted(prune(**options))] == ["old"]
    assert C.digest in place.manifests
    assert "old" not in place.tags


@pytest.mark.parametrize("suffix", [".sig", ".att", ".sbom", ""])
def test_what_is_attached_under_a_tag_is_deleted_after_its_image(place, prune, suffix):
    place.add(SIGNATURE, tag=tag_of(C, suffix))
    assert [name for name, *_rest in deleted(prune())] == ["old", tag_of(C, suffix)]
    deletions = place.names("delete_tag")
    assert deletions == ["old", tag_of(C, suffix)]


def test_what_is_attached_to_an_image_without_a_tag_stays_as_long_as_the_image(place, prune):
    place.add(B).add(SIGNATURE, tag=tag_of(B))
    assert [name for name, *_rest in deleted(prune())] == ["old"]
    del place.manifests[B.digest]
    assert [name for name, *_rest in deleted(prune())] == [tag_of(B)]


@pytest.mark.parametrize("kept", ["same image", "index"])
def test_what_is_attached_to_an_image_that_another_tag_needs_stays(place, prune, kept):
    place.add(SIGNATURE, tag=tag_of(C)).add(C if kept == "same image" else index(entry(C, "linux/amd64")), tag="kept")
    assert [name for name, *_rest in deleted(prune(prune_keep=["kept"]))] == ["old"]
    assert tag_of(C) in place.tags


def test_what_is_attached_to_a_declared_image_stays(place, prune):
    place.add(SIGNATURE, tag=tag_of(A))
    assert [name for name, *_rest in deleted(prune())] == ["old"]


@pytest.mark.parametrize("is_there", [True, False])
def test_in_a_layout_only_tags_keep_what_is_attached(place, prune, is_there):
    """The manifest of an image without a tag is deleted with its last tag, whether it is still there or not."""
    place.transport = "oci"
    place.add(SIGNATURE, tag=tag_of(B)).add(SIGNATURE, tag=tag_of(A))
    if is_there:
        place.add(B)
    assert sorted(name for name, *_rest in deleted(prune())) == sorted(["old", tag_of(B)])


@pytest.mark.parametrize("name", ["1", A.digest])
def test_what_a_layout_leaves_out_is_not_needed_to_delete_what_is_attached(memory, sync, tmp_path, name):
    """The tag of an image that the site has is never listed in the layout."""
    source = memory["s.example/a"].add(C, tag="old").add(SIGNATURE, tag=tag_of(C))
    layout = "oci:%s" % (tmp_path / "bundle")
    assert sync({"name": "a"}, dest=layout).changed
    source.tags.clear()
    source.add(A, tag="1").add(B, tag="2")
    base = tmp_path / "site.json"
    record = {
        "ref": "d.example/a" + (":1" if name == "1" else "@" + name),
        "digest": A.digest,
        "blobs": [],
        "manifests": [],
    }
    base.write_text(json.dumps({"version": 1, "images": [record]}))
    foreseen, synced = (
        sync(
            {"name": "a", "tags": [name, "2"]},
            dest=layout,
            base=str(base),
            prune=True,
            keep_going=True,
            dry_run=dry_run,
        )
        for dry_run in (True, False)
    )
    assert (failed(foreseen), failed(synced)) == ({}, {})
    assert deleted(foreseen) == deleted(synced)
    assert [name for name, *_rest in deleted(synced)] == ["old", tag_of(C)]


@pytest.mark.parametrize("prune", [True, False])
def test_a_tag_in_a_layout_does_not_replace_an_image_that_the_site_has(memory, sync, tmp_path, prune):
    """The tag pointed to another image when an earlier task wrote the layout."""
    source = memory["s.example/a"].add(B, tag="1")
    layout = "oci:%s" % (tmp_path / "bundle")
    assert sync({"name": "a"}, dest=layout).changed
    source.add(A, tag="1")
    base = tmp_path / "site.json"
    record = {"ref": "d.example/a:1", "digest": A.digest, "blobs": [], "manifests": []}
    base.write_text(json.dumps({"version": 1, "images": [record]}))
    options = {"dest": layout, "base": str(base), "prune": prune}
    [job] = sync({"name": "a"}, dry_run=True, **options).images
    assert (job.action, job.digest, job.previous) == ("updated", A.digest, B.digest)
    assert sync({"name": "a"}, **options).changed
    assert not sync({"name": "a"}, **options).changed
    memory["d.example/a"].add(A, tag="1")
    assert not sync({"name": "a"}, src=layout).changed


class TestOtherShares:
    """The first host deletes ``old`` and its signature. Other hosts copy some of the declared tags."""

    TAGS = ("1", "absent-0", "absent-1")

    @pytest.fixture
    def prune_first_share(self, place, sync):
        def run(dry_run=False):
            entry = {"name": "a", "tags": self.TAGS, "missing_ok": True}
            return sync(entry, prune=True, keep_going=True, slice="1/2", dry_run=dry_run)

        place.add(SIGNATURE, tag=tag_of(C))
        return run

    def test_tags_that_are_absent_from_the_source_are_not_waited_for(self, place, prune_first_share):
        foreseen, synced = prune_first_share(dry_run=True), prune_first_share()
        assert failed(synced) == {}
        assert deleted(foreseen) == deleted(synced)
        assert set(place.tags) == {"1"}

    @pytest.mark.parametrize("reason", ["needed", "deleted by the other host", "dry run"])
    def test_tags_of_other_hosts_are_looked_up_only_for_deletions(
        self, memory, place, prune_first_share, monkeypatch, reason
    ):
        asked = []
        source = memory["s.example/a"]
        monkeypatch.setattr(source, "find", lambda name: asked.append(name) or source.resolve(name))
        if reason != "dry run":
            prune_first_share()
            asked.clear()
        if reason == "needed":
            place.add(SIGNATURE, tag=tag_of(A))
        if reason == "deleted by the other host":
            tags = ("old-%d" % number for number in range(99))
            place.add(C, tag=next(tag for tag in tags if Slice(2, 2).has("d.example/a:" + tag)))
        assert failed(prune_first_share(dry_run=reason == "dry run")) == {}
        assert asked == []

    @pytest.mark.parametrize("is_broken", [True, False])
    def test_tags_that_may_exist_are_waited_for(self, memory, place, prune_first_share, is_broken):
        source = memory["s.example/a"]
        source.broken.update(self.TAGS[1:] if is_broken else ())
        if not is_broken:
            for tag in self.TAGS:
                source.add(A, tag=tag)
        assert tag_of(C) in failed(prune_first_share())
        assert tag_of(C) in place.tags

    def test_a_pinned_tag_is_looked_up_by_its_digest(self, place, sync):
        """The other host copies it, although the source has only the digest."""
        place.add(SIGNATURE, tag=tag_of(C))
        tag = next(tag for tag in map("pinned-{}".format, range(99)) if Slice(2, 2).has("d.example/a:" + tag))
        pinned = {"name": "a", "tags": [tag], "digest": A.digest, "missing_ok": True}
        synced = sync({"name": "a", "tags": ["1"]}, pinned, prune=True, keep_going=True, slice="1/2")
        assert tag_of(C) in failed(synced)
        assert tag_of(C) in place.tags


def test_a_tag_that_moved_during_the_run_is_not_deleted(place, prune, monkeypatch):
    place.add(SIGNATURE, tag=tag_of(C))
    find = place.find

    def move(name):
        found = find(name)
        if name == "old":
            place.tags["old"] = A.digest
        return found

    monkeypatch.setattr(place, "find", move)
    errors = failed(prune(keep_going=True))
    assert errors["old"] == (
        "d.example/a:old: the tag moved to %s during this run, so it was not deleted. Run the task again." % A.digest
    )
    assert errors[tag_of(C)] == (
        "d.example/a:%s: the tag was not deleted, because it belongs to image %s, which may still be tagged. Run the "
        "task again." % (tag_of(C), C.digest)
    )
    assert set(place.tags) == {"1", "old", tag_of(C)}


def test_a_tag_that_vanishes_during_the_run_is_deleted(place, prune, monkeypatch):
    find = place.find
    asked = []

    def vanish(name):
        asked.append(name)
        return None if asked.count("old") == 2 and name == "old" else find(name)

    monkeypatch.setattr(place, "find", vanish)
    assert [name for name, *_rest in deleted(prune())] == ["old"]


def test_a_tag_that_cannot_be_resolved_is_not_deleted(place, prune):
    place.broken.add("old")
    assert failed(prune(keep_going=True)) == {"old": "d.example/a:old: returned 500."}
    assert "old" in place.tags


def test_an_unreadable_tag_that_is_kept_fails_only_its_repository(place, memory, sync):
    """Whether the kept tag needs the image of the deleted one is not known."""
    memory["s.example/b"].add(A, tag="1")
    memory["d.example/b"].add(C, tag="old")
    place.add(SIGNATURE, tag=tag_of(C)).add(B, tag="kept")
    place.broken.add("kept")
    synced = sync({"name": "a"}, {"name": "b"}, prune=True, prune_keep=["kept"], keep_going=True)
    assert [str(job.error) for job in synced.images if job.error] == ["d.example/a:kept: returned 500."]
    assert [job.dest for job in synced.images if job.action == "deleted"] == ["d.example/b:old"]
    assert dict(memory["d.example/b"].tags) == {"1": A.digest}
    assert set(place.tags) == {"1", "old", "kept", tag_of(C)}


def test_an_unreadable_tag_that_is_kept_fails_the_task(place, memory, sync):
    memory["s.example/b"].add(A, tag="1")
    place.add(SIGNATURE, tag=tag_of(C)).add(B, tag="kept")
    place.broken.add("kept")
    synced = sync({"name": "a"}, {"name": "b"}, prune=True, prune_keep=["kept"])
    errors = [str(job.error) for job in synced.images if job.dest == "d.example/a"]
    assert errors == ["d.example/a:kept: returned 500."]
    assert not memory["d.example/b"].tags


def test_a_tag_that_cannot_be_deleted_keeps_what_is_attached(place, prune, monkeypatch):
    place.add(SIGNATURE, tag=tag_of(C))
    delete_tag = place.delete_tag

    def refuse(tag, digest):
        place.broken = {"old"}
        try:
            return delete_tag(tag, digest)
        finally:
            place.broken = set()

    monkeypatch.setattr(place, "delete_tag", refuse)
    assert set(failed(prune(keep_going=True))) == {"old", tag_of(C)}
    assert C.digest in place.manifests


@pytest.mark.parametrize("kind", ["new tag", "listed again"])
def test_uncertain_tags_keep_what_is_attached(place, prune, monkeypatch, kind):
    """Another client writes a tag of the image, or the list of tags is out of date."""
    place.add(SIGNATURE, tag=tag_of(C))
    delete_tag = place.delete_tag

    def push_meanwhile(tag, digest):
        how = delete_tag(tag, digest)
        if tag == "old":
            place.tags["new" if kind == "new tag" else "old"] = C.digest
        return how

    monkeypatch.setattr(place, "delete_tag", push_meanwhile)
    assert set(failed(prune(keep_going=True))) == {tag_of(C)}
    assert {C.digest, SIGNATURE.digest} <= set(place.manifests)


def test_a_registry_that_deletes_no_manifests_is_no_error(place, prune, monkeypatch):
    place.add(B, tag="older")
    asked = []

    def refuse(digest):
        asked.append(digest)
        place.broken.add("x")
        return place.delete_tag("x", digest)

    monkeypatch.setattr(place, "delete", refuse)
    synced = prune()
    assert failed(synced) == {}
    assert len(asked) == 1
