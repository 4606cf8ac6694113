# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is attached to an image that an interrupted run has deleted is found by the next run, and nothing else is."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImmutableTag
from ansible_collections.drayage.registry.plugins.module_utils._image import deletion_marker, media_types
from ansible_collections.drayage.registry.plugins.module_utils._operations import prune_marks
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.slices import Slice
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import Api, attach

A, B, C = (image("linux/amd64", b"base", text) for text in (b"a", b"b", b"c"))
SIGNATURE = image("unknown/unknown", b"signature")
TAG = "sha256-%s.sig" % C.digest[7:]


@pytest.fixture
def place(memory):
    """Return the destination: ``1`` is declared, ``old`` is not. The registry deletes tags, and keeps images without one."""
    memory["s.example/a"].add(A, tag="1")
    place = memory["d.example/a"].add(A, tag="1").add(C, tag="old").add(SIGNATURE, tag=TAG)
    place.deletes = "tag"
    return place


@pytest.fixture
def prune(sync):
    def run(**options):
        return sync({"name": "a"}, **{"prune": True, "keep_going": True, **options})

    return run


@pytest.fixture
def interrupt(place, prune, monkeypatch):
    """Return a function that runs until the tags of the image are gone. What deletes the rest then fails."""

    def run():
        delete_tag = place.delete_tag

        def fail_later(tag, digest):
            how = delete_tag(tag, digest)
            place.broken = {TAG}
            return how

        with monkeypatch.context() as patched:
            patched.setattr(place, "delete_tag", fail_later)
            assert failed(prune()) == [TAG]
        place.broken = set()
        assert ("old" in place.tags, TAG in place.tags) == (False, True)

    return run


def deleted(synced):
    return [job.name for job in synced.images if job.action == "deleted"]


def failed(synced):
    return [job.name for job in synced.images if job.action == "failed"]


def test_the_next_run_deletes_attached_tags(place, prune, interrupt):
    interrupt()
    foreseen, synced = prune(dry_run=True), prune()
    assert deleted(foreseen) == deleted(synced) == [TAG]
    assert set(place.tags) == {"1"}
    assert not prune().changed


def test_a_marked_signature_is_the_same_signature(place, interrupt):
    interrupt()
    marked = place.manifest(TAG)
    assert marked.annotations[prune_marks.KEY] == C.digest
    assert (marked.layers, marked.config) == (SIGNATURE.manifest.layers, SIGNATURE.manifest.config)


def test_the_result_has_what_the_tag_pointed_to_before(place, prune):
    foreseen, synced = ([(job.name, job.digest) for job in prune(dry_run=dry).images] for dry in (True, False))
    assert foreseen == synced
    assert (TAG, SIGNATURE.digest) in synced


def test_the_next_run_deletes_untagged_referrers(place, prune, memory, interrupt):
    source = memory["s.example/a"]
    source.referrers, place.referrers = Api(source), Api(place)
    sbom = attach(place, C, b"sbom")
    interrupt()
    foreseen, synced = prune(dry_run=True, referrers=True), prune(referrers=True)
    rows = [
        [(row["digest"], row["action"]) for job in one.images for row in job.referrers] for one in (foreseen, synced)
    ]
    assert rows == [[(sbom.digest, "deleted")]] * 2
    assert sbom.digest not in place.manifests


@pytest.mark.parametrize("kind", ["tag", "index", "declared"])
def test_an_image_that_was_tagged_again_keeps_what_is_attached(place, prune, memory, interrupt, kind):
    interrupt()
    if kind == "declared":
        memory["s.example/a"].add(C, tag="2")
    else:
        place.add(C if kind == "tag" else index(entry(C, "linux/amd64")), tag="kept")
    assert deleted(prune(prune_keep=["kept"])) == []
    assert TAG in place.tags


def test_an_image_that_is_tagged_again_meanwhile_keeps_what_is_attached(place, prune, interrupt, monkeypatch):
    interrupt()
    mark = prune_marks.mark

    def push_meanwhile(*arguments):
        place.add(C, tag="new")
        return mark(*arguments)

    monkeypatch.setattr(prune_marks, "mark", push_meanwhile)
    assert failed(prune()) == [TAG]
    assert TAG in place.tags


def test_a_list_that_was_out_of_date_is_read_again_by_the_next_run(place, prune, monkeypatch):
    delete_tag = place.delete_tag

    def list_again(tag, digest):
        how = delete_tag(tag, digest)
        place.tags["old"] = C.digest
        return how

    with monkeypatch.context() as patched:
        patched.setattr(place, "delete_tag", list_again)
        assert failed(prune()) == [TAG]
    del place.tags["old"]
    assert deleted(prune()) == [TAG]


def test_an_interrupted_deletion_of_the_attached_tag_is_completed(place, prune):
    del place.tags["old"]
    _config, marker = deletion_marker.make(SIGNATURE.digest, docker=False)
    place.add(marker, tag=TAG)
    assert deleted(prune()) == [TAG]


def test_a_tag_that_cannot_be_read_is_kept(place, prune):
    del place.tags["old"], place.manifests[SIGNATURE.digest]
    place.tags[TAG] = SIGNATURE.digest
    assert not prune().failure
    assert TAG in place.tags


def test_an_immutable_tag_is_deleted_without_a_mark(place, prune, monkeypatch):
    def refuse(_manifest, tags, _wanted):
        raise ImmutableTag("the tag %s is immutable" % tags[0])

    monkeypatch.setattr(place, "publish", refuse)
    assert deleted(prune()) == ["old", TAG]


@pytest.mark.parametrize("more", [{"mediaType": media_types.DOCKER_MANIFEST}, {"subject": entry(C)}])
def test_what_cannot_be_marked_is_deleted_unchanged(place, prune, more):
    place.add(image("unknown/unknown", b"x", **more), tag=TAG)
    assert deleted(prune()) == ["old", TAG]
    assert place.names("publish") == []


def test_a_mark_for_another_image_does_not_count(place, prune):
    """Someone has copied a marked signature to the tag of another image."""
    copied = image("unknown/unknown", b"x", annotations={prune_marks.KEY: B.digest})
    place.add(copied, tag=TAG)
    del place.tags["old"]
    assert deleted(prune()) == []
    assert TAG in place.tags


def test_the_host_that_deletes_the_image_deletes_what_is_attached(place, prune):
    """By its name, the attached tag belongs to the other host, which may run first, or not at all."""
    del place.tags["old"]
    assert Slice(1, 2).has("d.example/a:" + TAG)
    tag = next(tag for tag in map("old-{}".format, range(99)) if Slice(2, 2).has("d.example/a:" + tag))
    place.add(C, tag=tag)
    assert deleted(prune(slice="1/2")) == []
    assert deleted(prune(slice="2/2")) == [tag, TAG]
