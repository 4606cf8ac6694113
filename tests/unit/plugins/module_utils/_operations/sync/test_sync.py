# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole operation on repositories in memory: what is selected, what becomes of it, and in what order that is told."""

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ConnectionFailed, ImageError
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync import discover, resolver
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.declaration import Entry, SyncOptions
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.outcome import Synced
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.sync import sync as run_sync
from ansible_collections.drayage.registry.plugins.module_utils._stores.named import repositories
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.plugins.module_utils._transfer.job import Job
from ansible_collections.drayage.registry.plugins.module_utils._transfer.known import Known
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.jobs import told

A, B, C = (image("linux/amd64", b"base", text) for text in (b"a", b"b", b"c"))


def refuse(*_arguments):
    raise ConnectionFailed("does not answer")


class TestOrder:
    def test_images_come_as_declared_whatever_becomes_of_them(self, memory, sync):
        memory["s.example/a"].add(A, tag="1").add(B, tag="2")
        memory["s.example/c"].add(C, tag="1")
        memory["d.example/a"].add(A, tag="2").add(C, tag="old")
        declared = {"name": "a", "tags": ["1", "2"]}, {"name": "b", "include": [".*"]}, {"name": "c"}
        synced = sync(*declared, existing="keep", keep_going=True)
        assert told(synced) == [("a:1", "created"), ("a:2", "unchanged"), ("b", "failed"), ("c:1", "created")]
        assert synced.images[2].src == "s.example/b"

    def test_a_destination_that_cannot_be_listed_is_told_with_its_source(self, memory, sync, monkeypatch):
        memory["s.example/a"].add(A, tag="1")
        monkeypatch.setattr(memory["d.example/a"], "tags", refuse)
        (told_of,) = sync({"name": "a"}, keep_going=True).images
        assert (told_of.src, told_of.dest, told_of.action) == ("s.example/a", "d.example/a", "failed")
        assert str(told_of.error) == "d.example/a: does not answer."

    def test_a_selection_of_one_image_twice_is_one(self, memory, sync):
        memory["s.example/a"].add(A, tag="1")
        assert told(sync({"name": "a"}, {"name": "a", "tags": ["1", "1"]})) == [("a:1", "created")]

    def test_the_list_of_a_destination_is_taken_in_once(self, memory, sync, monkeypatch):
        """Once for each image, it took time that grew with the square of their number."""
        made = []
        monkeypatch.setattr(discover, "Known", lambda *arguments: made.append(arguments) or Known(*arguments))
        memory["s.example/a"].add(A, tag="1").add(B, tag="2").add(C, tag="3")
        assert len(sync({"name": "a"}).images) == 3
        assert len(made) == 1

    def test_different_platforms_for_one_image_are_an_error(self, memory, sync):
        memory["s.example/a"].add(A, tag="1")
        with pytest.raises(ImageError, match="d.example/a:1: two entries select this tag with different platforms"):
            sync({"name": "a"}, {"name": "a", "tags": ["1"], "platforms": ["linux/amd64"]})
        assert memory["d.example/a"].counted() == {}

    def test_an_entry_whose_tags_are_all_excluded_selects_nothing(self, sync):
        declared = {"name": "a", "tags": ["1"], "exclude": ["."]}
        assert sync(declared).failure.startswith("s.example/a: all tags of the entry are excluded.")
        assert sync(dict(declared, missing_ok=True)).images == []

    @pytest.mark.parametrize("name", ["Team/App", "a b", "-x", "a:1", "x@y", "../x", "a//b"])
    def test_an_invalid_name_in_a_catalog_fails_alone(self, name, memory, sync):
        memory.catalog["s.example"] = ["a", name, "b"]
        memory["s.example/a"].add(A, tag="1")
        memory["s.example/b"].add(B, tag="1")
        synced = sync({"name": "*"}, keep_going=True)
        assert told(synced) == [("", "failed"), ("a:1", "created"), ("b:1", "created")]
        (failure,) = (image for image in synced.images if image.error)
        assert failure.src == "s.example/%s" % name
        assert str(failure.error) in synced.failure
        assert memory["d.example/b"].tags["1"] == B.digest
        assert {image.action for image in sync({"name": "*"}).images} == {"failed", "unchanged"}

    def test_an_invalid_name_keeps_everything_from_being_written_as_other_failures_do(self, memory, sync):
        memory.catalog["s.example"] = ["a", "No"]
        memory["s.example/a"].add(A, tag="1")
        assert {image.action for image in sync({"name": "*"}).images} == {"failed"}
        assert memory["d.example/a"].tags == {}

    def test_no_more_repositories_than_somebody_can_wait_for(self, memory, sync, monkeypatch):
        monkeypatch.setattr(resolver, "_MAX_FOUND", 3)
        memory.catalog["s.example"] = ["team/1", "team/2", "team/3", "x/a"]
        memory["s.example/x/a"].add(A, tag="1")
        message = r"s.example/\*: the entry matches 4 repositories, but at most 3 are allowed. Split the entry"
        with pytest.raises(ImageError, match=message):
            sync({"name": "*"})
        assert told(sync({"name": "x/*"})) == [("x/a:1", "created")]

    def test_what_was_not_tried_is_not_what_is_wrong(self, memory, sync):
        memory["s.example/a"].add(A, tag="1")
        synced = sync({"name": "a"}, {"name": "b", "tags": ["1"]})
        assert synced.failure == str(synced.images[1].error) + " Images skipped because of this: 1."
        assert str(synced.images[1].error).startswith("s.example/b:1: ")

    def test_what_may_be_missing_is_left_out(self, memory, sync):
        memory["s.example/a"].add(A, tag="1")
        assert told(sync({"name": "a", "tags": ["1", "2"], "missing_ok": True})) == [("a:1", "created")]


class TestPlatforms:
    """In a set they are a filter."""

    def test_single_images_and_artifacts_come_as_they_are(self, memory, sync):
        chart = image("linux/amd64", b"chart", config_type="application/vnd.cncf.helm.config.v1+json")
        both = index(entry(A, "linux/amd64"), entry(B, "linux/arm64"))
        signature = "sha256-%s.sig" % A.digest[7:]
        memory["s.example/a"].add(A, B).add(C, tag="amd64").add(chart, tag="chart").add(both, tag="both")
        memory["s.example/a"].add(image("linux/amd64", b"signature", config_type="x/y"), tag=signature)
        synced = sync({"name": "a"}, platforms=["linux/arm64", "linux/s390x"])
        assert synced.failure == ""
        place = memory["d.example/a"]
        assert (place.tags["amd64"], place.tags["chart"]) == (C.digest, chart.digest)
        kept = place.manifests[place.tags["both"]]
        assert [child.digest for child in kept.children] == [B.digest]
        assert not sync({"name": "a"}, platforms=["linux/arm64", "linux/s390x"]).changed

    def test_an_index_that_has_none_of_them_is_an_error(self, memory, sync):
        memory["s.example/a"].add(A, index(entry(A, "linux/amd64")), tag="1")
        synced = sync({"name": "a"}, platforms=["linux/arm64"])
        expected = "s.example/a:1: the image is not available for any of the platforms linux/arm64. Choose one of the available platforms: linux/amd64."
        assert synced.failure == expected


class TestReferences:
    """An entry may be a plain reference, because every list that users have is one."""

    @pytest.fixture
    def sync_references(self, memory):
        def run(*references, **options):
            options = {"dest": "d.example", **options}
            declared = [Entry.of_reference(text) for text in references]
            return run_sync(SyncOptions(images=declared, **options), memory)

        return run

    def test_by_tag_and_by_digest(self, memory, sync_references):
        memory["s.example/a"].add(A, tag="1").add(B, tag="latest").add(C, tag="moved")
        references = ["s.example/a:1", "docker://s.example/a", "s.example/a@" + C.digest]
        assert told(sync_references(*references)) == [
            ("a:1", "created"), ("a:latest", "created"), ("a@" + C.digest, "created")
        ]  # fmt: skip
        assert memory["d.example/a"].tags == {"1": A.digest, "latest": B.digest}
        assert not sync_references(*references).changed

    def test_a_tag_with_a_digest_gets_that_image(self, memory, sync_references):
        """It is the digest that decides: the tag may have moved at the source."""
        memory["s.example/a"].add(A, tag="old").add(B, tag="1")
        reference = "s.example/a:1@" + A.digest
        first = sync_references(reference)
        assert [(image.src, image.dest) for image in first.images] == [("s.example/a@" + A.digest, "d.example/a:1")]
        assert memory["d.example/a"].tags == {"1": A.digest}
        memory["d.example/a"].asked.clear()
        memory["s.example/a"].asked.clear()
        assert not sync_references(reference).changed
        assert memory["s.example/a"].counted() == {"resolve": 1}

    def test_names_are_below_src(self, memory, sync_references):
        memory["s.example/team/a"].add(A, tag="1")
        sync_references("a:1", src="s.example/team")
        assert memory["d.example/team/a"].tags == {"1": A.digest}

    def test_a_pattern_means_all_tags(self, memory, sync_references):
        memory.catalog["s.example"] = ["a"]
        memory["s.example/a"].add(A, tag="1").add(B, tag="2")
        assert told(sync_references("s.example/*")) == [("a:1", "created"), ("a:2", "created")]

    def test_two_digests_for_one_tag_are_an_error(self, memory, sync_references):
        memory["s.example/a"].add(A).add(B)
        with pytest.raises(
            ImageError, match="d.example/a:1: two images have the same destination: s.example/a@%s and" % A.digest
        ):
            sync_references("s.example/a:1@" + A.digest, "s.example/a:1@" + B.digest)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "s.example/a:1@sha256:12",
                "images: s.example/a:1: 'sha256:12' is not a valid digest. Write sha256: followed by 64",
            ),
            (
                "s.example/a:v 1",
                "images: s.example/a: tags: 'v 1' is neither a tag nor a digest. Write only a tag or a digest.",
            ),
            ("s.example/A:1", "'A' is not a valid repository name"),
        ],
    )
    def test_what_is_no_reference(self, text, message, sync_references):
        with pytest.raises(ImageError) as raised:
            sync_references(text)
        assert message in str(raised.value)


def test_sources_of_a_file_that_collide_keep_whole_names_if_scoped(memory, sync):
    declared = [{"name": "s.example/%s/a" % team, "tags": ["1"], "is_of_file": True} for team in "xy"]
    with pytest.raises(
        ImageError, match="the same destination: s.example/x/a:1 and s.example/y/a:1. Set scoped: true, which keeps"
    ):
        sync(*declared)
    for team in "xy":
        memory["s.example/%s/a" % team].add(A, tag="1")
    sync(*declared, scoped=True)
    assert memory["d.example/s.example/y/a"].tags == {"1": A.digest}


class TestNothingDeclared:
    def test_of_a_registry_is_an_error(self, memory):
        for options in ({}, {"src": "s.example"}):
            with pytest.raises(
                ImageError, match="there is nothing to synchronize. Set images, source_file or lock_file"
            ):
                run_sync(SyncOptions(dest="d.example", **options), memory)

    def test_of_a_layout_means_everything(self, memory, sync, tmp_path):
        memory["s.example/a"].add(A, tag="1")
        memory["s.example/b"].add(B, tag="2")
        place = "oci:%s" % tmp_path
        sync({"name": "a"}, {"name": "b"}, dest=place)
        memory.repositories = lambda reference: repositories(OciLayout(reference.path, print).tags(), "oci", print)
        synced = run_sync(SyncOptions(src=place, dest="d.example"), memory)
        assert told(synced) == [("a:1", "created"), ("b:2", "created")]

    def test_an_empty_list_is_a_declaration(self, memory, tmp_path):
        synced = run_sync(SyncOptions(src="oci:%s" % tmp_path, dest="d.example", images=[]), memory)
        assert synced.images == []


def test_a_tag_that_the_list_of_the_destination_lacks_is_not_pushed_again(memory, sync):
    memory["s.example/a"].add(A, tag="1").add(B, tag="2").add(C, tag="3")
    place = memory["d.example/a"].add(A, tag="1").add(B, tag="2")
    listed = place.tags
    place.tags = type("Cut", (type(listed),), {"__call__": lambda self: ["1"]})(listed)
    foreseen, synced = sync({"name": "a"}, dry_run=True), sync({"name": "a"})
    assert told(foreseen) == told(synced) == [("a:1", "unchanged"), ("a:2", "unchanged"), ("a:3", "created")]
    assert place.names("publish") == ["3"]
    assert place.names("resolve").count("3") == 2


class TestInventory:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "inventory.json"

    @pytest.fixture
    def refs(self, path):
        return lambda: {record["ref"]: record["digest"] for record in json.loads(path.read_text())["images"]}

    def test_what_is_kept_is_in_it_and_asked_for_once(self, memory, sync, path, refs):
        memory["s.example/a"].add(A, tag="1").add(B, tag="2")
        memory["d.example/a"].add(C, tag="1")
        options = {"existing": "keep", "inventory": str(path)}
        assert sync({"name": "a"}, **options).changed
        assert refs() == {"d.example/a:1": C.digest, "d.example/a:2": B.digest}
        assert "1" not in memory["s.example/a"].names("resolve") + memory["s.example/a"].names("manifest")
        memory["d.example/a"].asked.clear()
        assert not sync({"name": "a"}, **options).changed
        assert not sync({"name": "a"}, dry_run=True, **options).changed
        assert memory["d.example/a"].counted() == {}

    def test_what_is_no_inventory_is_found_before_anything_is_done(self, memory, sync, path):
        memory["s.example/a"].add(A, tag="1")
        path.write_text("[]")
        with pytest.raises(ImageError, match="is not an image inventory"):
            sync({"name": "a"}, inventory=str(path))
        assert memory["d.example/a"].counted() == {}

    def test_what_was_done_is_told_where_it_cannot_be_written(self, memory, sync, tmp_path):
        memory["s.example/a"].add(A, tag="1")
        synced = sync({"name": "a"}, inventory=str(tmp_path / "no/such/directory"))
        assert told(synced) == [("a:1", "created")]
        assert synced.changed
        assert "cannot write the inventory %s/no/such/directory: no such file" % tmp_path in synced.failure

    def test_what_others_wrote_meanwhile_stays(self, memory, sync, path, refs, monkeypatch):
        memory["s.example/a"].add(A, tag="1")
        memory["s.example/b"].add(B, tag="1")
        put = memory["d.example/a"].publish

        def publish(*arguments):
            sync({"name": "b"}, inventory=str(path))
            put(*arguments)

        monkeypatch.setattr(memory["d.example/a"], "publish", publish)
        sync({"name": "a"}, inventory=str(path))
        assert refs() == {"d.example/a:1": A.digest, "d.example/b:1": B.digest}
        assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_planned_image_is_copied_even_if_its_tag_moves(memory, sync, monkeypatch):
    """The tag moves, after content that was believed to be there turned out not to be."""
    memory["s.example/a"].add(A, tag="1")
    destination = memory["d.example/a"].add(C, tag="2").add(A)
    put = destination.put_manifest

    def lose(manifest):
        monkeypatch.setattr(destination, "put_manifest", put)
        destination.content.clear()
        destination.manifests.clear()
        memory["s.example/a"].add(B, tag="1")
        put(manifest)

    monkeypatch.setattr(destination, "put_manifest", lose)
    (came,) = sync({"name": "a"}).images
    assert destination.tags["1"] == A.digest == came.digest


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("r.example:5000/a:1", ("r.example:5000/a", "1")),
        ("r.example/a@" + A.digest, ("r.example/a", A.digest)),
        ("oci:/srv/a@b/layout:r.example/a:1", ("oci:/srv/a@b/layout:r.example/a", "1")),
        ("dir:/srv/a@b/r.example/a@" + A.digest, ("dir:/srv/a@b/r.example/a", A.digest)),
    ],
)
def test_the_parts_of_a_destination(reference, parts):
    made = Job("s", reference, parts[1])
    made.action, made.digest = "created", A.digest
    assert made.repository == parts[0]
    assert Synced([made]).diff() == ({parts[0]: {}}, {parts[0]: {parts[1]: A.digest}})
