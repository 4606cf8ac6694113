# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is attached to a pruned image goes after it, and what is attached to an image that stays, stays."""

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import Refused
from ansible_collections.drayage.registry.plugins.module_utils._image import referrers
from ansible_collections.drayage.registry.tests.unit.support import layouts
from ansible_collections.drayage.registry.tests.unit.support.images import encode, entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import Api, attach

A, B, C = (image("linux/amd64", b"base", text) for text in (b"a", b"b", b"c"))


@pytest.fixture
def place(memory):
    """Return the destination: ``1`` and ``2`` are declared, ``old`` is not."""
    memory["s.example/a"].add(A, tag="1").add(B, tag="2")
    place = memory["d.example/a"].add(A, tag="1").add(B, tag="2").add(C, tag="old")
    place.referrers = memory["s.example/a"].referrers = Api(place)
    memory["s.example/a"].referrers = Api(memory["s.example/a"])
    return place


@pytest.fixture
def prune(sync):
    def run(**options):
        return sync({"name": "a"}, **{"prune": True, "referrers": True, **options})

    return run


def rows(synced):
    return [(row["digest"], row["action"]) for image in synced.images for row in image.referrers]


def test_what_is_attached_goes_after_its_image(place, prune):
    sbom = attach(place, C, b"sbom")
    signature = attach(place, sbom, b"signature of the sbom")
    tag = "sha256-%s.sig" % sbom.digest[7:]
    place.add(image("unknown/unknown", b"cosign's signature of the sbom"), tag=tag)
    stays = [attach(place, A, b"of a"), attach(place, B, b"of b")]
    foreseen = prune(dry_run=True)
    place.asked.clear()
    synced = prune()
    assert not synced.failure
    assert rows(foreseen) == rows(synced)
    gone = {sbom.digest, signature.digest, place_of(synced, tag)}
    assert {digest for digest, action in rows(synced) if action == "deleted"} == gone
    assert not gone.intersection(place.manifests)
    assert {one.digest for one in stays}.issubset(place.manifests)
    assert (set(place.tags), synced.summary()["deleted"]) == ({"1", "2"}, 1)
    deletions = [one for one in place.asked if one[0].startswith("delete")]
    assert deletions[0] == ("delete_tag", "old")
    assert deletions.index(("delete", signature.digest)) < deletions.index(("delete", sbom.digest))
    before, after = synced.diff()
    assert before["d.example/a"]["old (referrers)"] == sorted(gone)
    assert after["d.example/a"]["old (referrers)"] == []
    assert not prune().changed


def place_of(synced, tag):
    """The digest of what was attached under a tag."""
    return next(row["digest"] for image in synced.images for row in image.referrers if row["tag"] == tag)


def test_without_the_option_it_stays(place, prune):
    sbom = attach(place, C, b"sbom")
    prune(referrers=False)
    assert "old" not in place.tags
    assert sbom.digest in place.manifests


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    "options", [{"prune_keep": ["rollback"]}, {"prune_keep": ["sha256-.*"]}], ids=["another tag", "its list"]
)
def test_what_is_attached_to_an_image_that_is_kept_stays(place, prune, options, dry_run):
    sbom = attach(place, C, b"sbom")
    name = "rollback" if options["prune_keep"] == ["rollback"] else referrers.list_tag(C.digest)
    place.add(C if name == "rollback" else index(entry(sbom)), tag=name)
    synced = prune(dry_run=dry_run, **options)
    assert synced.changed
    assert "deleted" not in dict(rows(synced)).values()
    assert sbom.digest in place.manifests


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("is_new", [True, False], ids=["of this run", "of before"])
def test_what_is_attached_to_the_child_of_an_index_stays(place, prune, memory, is_new, dry_run):
    """The tag of the child goes, and the child stays: the index needs it."""
    both = index(entry(C, "linux/amd64"), entry(B, "linux/arm64"))
    memory["s.example/a"].add(C, B, both, tag="both")
    if not is_new:
        place.add(both, tag="both")
    sbom = attach(place, C, b"sbom")
    tag = "sha256-%s.sig" % C.digest[7:]
    place.add(image("unknown/unknown", b"cosign's signature"), tag=tag)
    synced = prune(dry_run=dry_run)
    assert [image.name for image in synced.images if image.action == "deleted"] == ["old"]
    assert "deleted" not in dict(rows(synced)).values()
    assert sbom.digest in place.manifests
    assert tag in place.tags


def test_several_hosts_delete_it_after_the_last_tag(place, prune):
    """Each deletes its share of the tags, and the one that comes last what is attached."""
    tags = ["old", *("old-%d" % number for number in range(8))]
    for tag in tags:
        place.add(C, tag=tag)
    sbom = attach(place, C, b"sbom")
    assert sum(one.action == "deleted" for one in prune(slice="1/2").images) in range(1, len(tags))
    assert sbom.digest in place.manifests
    assert (sbom.digest, "deleted") in rows(prune(slice="2/2"))
    assert sbom.digest not in place.manifests


def test_what_a_tag_points_to_stays_with_what_is_attached_to_it(place, prune):
    sbom = attach(place, C, b"sbom")
    signature = attach(place, sbom, b"signature")
    place.add(sbom, tag="sbom")
    assert "deleted" not in dict(rows(prune(prune_keep=["sbom"]))).values()
    assert {sbom.digest, signature.digest}.issubset(place.manifests)


@pytest.fixture
def prune_layout(prune, memory, tmp_path):
    """Return a function that prunes a layout to which other tools have added entries, and what is attached to its old image."""
    source = memory["s.example/a"].add(C, tag="old")
    sbom = attach(source, C, b"sbom")
    dest = "oci:%s" % tmp_path
    assert not prune(dest=dest).failure
    del source.tags["old"]

    def run(*added, **options):
        path = tmp_path / "index.json"
        document = json.loads(path.read_bytes())
        document["manifests"] += added
        path.write_bytes(encode(document))
        return prune(dest=dest, **options)

    return run, sbom


@pytest.mark.parametrize("is_unnamed", [True, False])
def test_unnamed_images_of_a_layout_keep_what_is_attached(place, prune_layout, tmp_path, is_unnamed):
    """Other tools add entries without a name. Unnamed referrers are not images."""
    run, sbom = prune_layout
    synced = run(entry(C), entry(A)) if is_unnamed else run(entry(A), entry(sbom))
    assert [image.name for image in synced.images if image.action == "deleted"] == ["old"]
    assert ((sbom.digest, "deleted") in rows(synced)) is not is_unnamed
    assert (tmp_path / "blobs" / "sha256" / sbom.digest[7:]).exists() is is_unnamed


def test_an_entry_that_cannot_be_understood_keeps_what_is_attached(place, prune_layout, tmp_path):
    run, sbom = prune_layout
    synced = run({**entry(A), "digest": "blake3:" + "0" * 64})
    assert [image.name for image in synced.images if image.action == "deleted"] == ["old"]
    assert "deleted" not in dict(rows(synced)).values()
    assert (tmp_path / "blobs" / "sha256" / sbom.digest[7:]).exists()


@pytest.mark.parametrize("second", [B, C])
def test_a_name_of_several_images_keeps_all_of_them(place, prune_layout, second):
    run, sbom = prune_layout
    synced = run(
        *(entry(one, annotations={layouts.REF_NAME: "s.example/a:kept"}) for one in (A, second)), prune_keep=["kept"]
    )
    assert not synced.failure
    assert [image.name for image in synced.images if image.action == "deleted"] == ["old"]
    assert ((sbom.digest, "deleted") in rows(synced)) is (second is B)


def test_an_image_that_could_not_be_deleted_keeps_what_is_attached(place, prune):
    sbom = attach(place, C, b"sbom")
    place.find = place.resolve
    place.broken.add("old")
    synced = prune(keep_going=True)
    assert synced.images[-1].action == "failed"
    assert rows(synced) == []
    assert sbom.digest in place.manifests


def test_an_unreadable_tag_that_is_kept_fails_only_its_repository(place, prune):
    sbom = attach(place, C, b"sbom")
    place.add(B, tag="kept").broken.add("kept")
    synced = prune(keep_going=True, prune_keep=["kept"])
    assert [(str(one.error), one.dest) for one in synced.images if one.error] == [
        ("d.example/a:kept: returned 500.", "d.example/a")
    ]
    assert sbom.digest in place.manifests
    assert "old" in place.tags


def test_a_tag_that_others_make_during_the_run_keeps_what_is_attached(place, prune, monkeypatch):
    sbom = attach(place, C, b"sbom")
    delete_tag = place.delete_tag

    def push_meanwhile(tag, digest):
        how = delete_tag(tag, digest)
        place.tags["new"] = C.digest
        return how

    monkeypatch.setattr(place, "delete_tag", push_meanwhile)
    assert rows(prune()) == []
    assert sbom.digest in place.manifests


def test_a_registry_that_deletes_no_manifests_is_a_warning(place, prune, memory, monkeypatch):
    attach(place, C, b"sbom")

    def refuse(_digest):
        raise Refused("cannot delete the manifest: the registry returned 405 UNSUPPORTED")

    monkeypatch.setattr(place, "delete", refuse)
    synced = prune()
    assert not synced.failure
    assert synced.images[-1].action == "deleted"
    [warning] = memory.run.statistics.warnings
    assert "d.example/a: the referrers of deleted images were not deleted: " in warning
    assert (
        "405 UNSUPPORTED. To delete the referrers, run image_delete with the image's digest, scope: manifest" in warning
    )
