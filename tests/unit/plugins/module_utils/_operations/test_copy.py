# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ContentMissing,
    FormatRefused,
    ImageError,
    InvalidReference,
    NotConvertible,
    NotFound,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._image.convert import convert_image
from ansible_collections.drayage.registry.plugins.module_utils._operations.copy import CopyOptions, copy
from ansible_collections.drayage.registry.tests.unit.support import layouts, runs
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import MemoryStores

IMAGE, OLD = image("linux/amd64", b"new", b"shared"), image("linux/amd64", b"old", b"shared")
ARM64 = image("linux/arm64", b"arm64", b"shared")
INDEX = index(entry(IMAGE, "linux/amd64"), entry(ARM64, "linux/arm64"))


@pytest.fixture
def stores():
    return MemoryStores(MemoryStore)


@pytest.fixture
def source(stores):
    return stores.repository("r.example", "app").add(IMAGE, ARM64, INDEX).add(IMAGE, tag="1").add(IMAGE, tag="latest")


@pytest.fixture
def run(stores, source):
    def copied(src, dest, dry_run=False, **more):
        stores.run = runs.run(dry_run=dry_run)
        return copy(CopyOptions(src=src, dest=dest, **more), stores)

    return copied


@pytest.mark.parametrize(
    ("src", "dest", "references"),
    [
        ("r.example/app:1", "s.example/app", ["s.example/app:1"]),
        ("r.example/app:1", "s.example/app:2", ["s.example/app:2"]),
        ("r.example/app", "s.example/app", ["s.example/app:latest"]),
        ("r.example/app@" + IMAGE.digest, "s.example/app", ["s.example/app@" + IMAGE.digest]),
        ("r.example/app@" + IMAGE.digest, "s.example/app:2", ["s.example/app:2"]),
        ("r.example/app:1@" + IMAGE.digest, "s.example/app", ["s.example/app:1"]),
        ("r.example/app:1", "s.example/app@" + IMAGE.digest, ["s.example/app@" + IMAGE.digest]),
        ("r.example/app:1", "s.example/app:2@" + IMAGE.digest, ["s.example/app:2"]),
    ],
)
def test_a_destination_without_a_tag_takes_over_that_of_the_source(run, stores, src, dest, references):
    assert run(src, dest).references == references
    written = stores.repository("s.example", "app")
    assert IMAGE.digest in written.manifests
    assert written.tags == {name.rpartition(":")[2]: IMAGE.digest for name in references if "@" not in name}


@pytest.mark.parametrize(
    ("dest", "tags", "written"),
    [
        ("s.example/app", ["a", "b"], ["1", "a", "b"]),
        ("s.example/app:x", ["a"], ["x", "a"]),
        ("s.example/app:a", ["b", "a", "b"], ["a", "b"]),
        ("s.example/app@" + IMAGE.digest, ["a"], ["a"]),
    ],
)
def test_further_tags_are_written_once_and_in_order(run, stores, dest, tags, written):
    assert run("r.example/app:1", dest, tags=tags).references == ["s.example/app:" + tag for tag in written]
    assert sorted(stores.repository("s.example", "app").tags) == sorted(written)


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("", "latest"),
        ("1.0", "1.0"),
        ("docker.io/library/x:3", "3"),
        ("docker.io/library/x", "latest"),
        ("localhost:5000/x:3", "3"),
    ],
)
def test_the_name_in_a_layout_tells_the_tag(run, stores, tmp_path, name, tag):
    layouts.foreign_layout(tmp_path / "l", (name, IMAGE))
    src = "oci:%s%s" % (tmp_path / "l", name and ":" + name)
    assert run(src, "s.example/app").references == ["s.example/app:" + tag]


@pytest.mark.parametrize("name", ["@0", "not/A/reference"])
def test_a_name_that_tells_no_tag_is_an_error_that_asks_for_one(run, tmp_path, name):
    layouts.foreign_layout(tmp_path / "l", (name, IMAGE))
    with pytest.raises(ImageError, match="in src contains a tag") as caught:
        run("oci:%s:%s" % (tmp_path / "l", name), "s.example/app")
    assert "Add a tag to dest" in str(caught.value)


def test_a_position_in_a_layout_cannot_be_written_to(run, tmp_path):
    with pytest.raises(InvalidReference, match="'@0' is not a valid tag for dest"):
        run("r.example/app:1", "oci:%s:@0" % tmp_path)


@pytest.mark.parametrize("tag", ["a/b", "", ".x", "r.example/app:1"])
def test_further_tags_are_tags_alone(run, tag):
    with pytest.raises(InvalidReference, match="tags: .* is not a valid tag"):
        run("r.example/app:1", "s.example/app", tags=[tag])


def test_the_names_of_a_layout_are_less_strict(run, tmp_path):
    run("r.example/app:1", "oci:%s" % (tmp_path / "l"), tags=["docker.io/library/x:1", "a@b"])
    assert [name for name, _digest in layouts.names(tmp_path / "l")] == ["1", "docker.io/library/x:1", "a@b"]
    for tag in ("", "@1", "a b"):
        with pytest.raises(InvalidReference, match="tags: .* is not a valid tag"):
            run("r.example/app:1", "oci:%s" % (tmp_path / "l"), tags=[tag])


@pytest.mark.parametrize(
    ("dest", "beside"),
    [("r.example/copy", "app"), ("s.example/app", ""), ("s.example/copy", ""), ("r.example/app:2", "")],
)
def test_rights_are_asked_for_where_they_are_needed(run, stores, dest, beside):
    run("r.example/app:1", dest)
    assert [one[1:] for one in stores.opened] == [(False, "", False), (True, beside, False)]


def test_a_second_run_changes_nothing(run):
    first, second = run("r.example/app:1", "s.example/app"), run("r.example/app:1", "s.example/app")
    assert (first.job.planned.changed, second.job.planned.changed) == (True, False)
    assert first.job.moved.copied == 3
    assert (second.job.moved.copied, second.job.moved.bytes) == (0, 0)


@pytest.mark.parametrize("dest", ["s.example/app", "r.example/copy", "r.example/app:new"])
@pytest.mark.parametrize("more", [{}, {"platforms": ["linux/amd64"]}])
def test_a_dry_run_predicts_what_a_real_one_does_and_writes_nothing(run, stores, source, dest, more):
    source.add(INDEX, tag="1")
    repository = stores.repository(*dest.partition(":")[0].split("/"))
    before = dict(repository.tags), dict(repository.manifests), dict(repository.content)
    predicted = run("r.example/app:1", dest, dry_run=True, **more)
    assert (repository.tags, repository.manifests, repository.content) == before
    done = run("r.example/app:1", dest, **more)
    assert (predicted.job.planned.changed, predicted.job.planned.top, predicted.job.moved) == (
        True,
        done.job.planned.top,
        done.job.moved,
    )
    assert (predicted.references, predicted.job.planned.previous) == (done.references, done.job.planned.previous)


def test_from_layout_to_layout_and_back_to_a_registry(run, stores, source, tmp_path):
    source.add(INDEX, tag="1")
    run("r.example/app:1", "oci:%s" % (tmp_path / "a"))
    run("oci:%s" % (tmp_path / "a"), "oci:%s:moved" % (tmp_path / "b"))
    run("oci:%s:moved" % (tmp_path / "b"), "s.example/app:2")
    assert layouts.names(tmp_path / "a") == [("1", INDEX.digest)]
    assert layouts.names(tmp_path / "b") == [("moved", INDEX.digest)]
    assert stores.repository("s.example", "app").tags == {"2": INDEX.digest}
    assert stores.repository("s.example", "app").manifests[INDEX.digest].raw == INDEX.raw


def test_chosen_platforms_are_all_that_arrives(run, tmp_path, source):
    source.add(INDEX, tag="1")
    done = run("r.example/app:1", "oci:%s" % (tmp_path / "l"), platforms=["linux/arm64"])
    assert layouts.stored(tmp_path / "l") == layouts.needed(ARM64) | {done.job.planned.top.digest}
    assert done.job.planned.source_digest == INDEX.digest != done.job.planned.top.digest


def test_a_sparse_index_keeps_its_digest(run, tmp_path, source):
    source.add(INDEX, tag="1")
    run("r.example/app:1", "oci:%s" % (tmp_path / "l"), platforms=["linux/arm64"], platform_mode="sparse")
    assert layouts.names(tmp_path / "l") == [("1", INDEX.digest)]
    assert layouts.stored(tmp_path / "l") == layouts.needed(ARM64, INDEX)


def test_force_repairs_what_a_tag_hides(run, stores):
    run("r.example/app:1", "s.example/app")
    del stores.repository("s.example", "app").content[digests.of(b"shared")]
    assert not run("r.example/app:1", "s.example/app").job.planned.changed
    repaired = run("r.example/app:1", "s.example/app", force=True)
    assert repaired.job.planned.changed
    assert repaired.job.moved.copied == 1
    assert stores.repository("s.example", "app").content[digests.of(b"shared")] == b"shared"


class Forgetful(MemoryStore):
    """Loses all content when the first manifest arrives, as if a garbage collection had run."""

    forgot = False

    def put_manifest(self, manifest):
        if not self.forgot:
            self.forgot = True
            self.content.clear()
        super().put_manifest(manifest)


def test_content_that_vanishes_under_way_is_sent_again(run, stores):
    repository = stores.repository("s.example", "app", Forgetful).add(OLD, tag="1")
    done = run("r.example/app:1", "s.example/app")
    assert repository.tags == {"1": IMAGE.digest}
    assert set(repository.content) == {digests.of(content) for content in IMAGE.blobs}
    assert done.job.planned.previous == {"1": OLD.digest}
    assert (done.job.moved.copied, done.job.moved.bytes) == (4, len(b"new") + sum(map(len, IMAGE.blobs)))


def test_content_that_vanishes_behind_a_child_that_stays_is_sent_again_too(run, stores, source):
    source.add(INDEX, tag="1")
    repository = stores.repository("s.example", "app", Forgetful).add(IMAGE, tag="1")
    run("r.example/app:1", "s.example/app")
    assert repository.tags == {"1": INDEX.digest}
    assert set(repository.content) == {digests.of(content) for content in (*IMAGE.blobs, *ARM64.blobs)}


def test_content_that_vanishes_after_it_was_mounted_is_moved(run, stores):
    repository = stores.repository("r.example", "copy", Forgetful)
    done = run("r.example/app:1", "r.example/copy")
    assert repository.content == {digests.of(content): content for content in IMAGE.blobs}
    assert (done.job.moved.mounted, done.job.moved.copied) == (3, 3)


class Strict(MemoryStore):
    """Refuses every index."""

    def put_manifest(self, manifest):
        if manifest.is_index:
            raise ContentMissing("refused")
        super().put_manifest(manifest)


@pytest.mark.parametrize(("mode", "hint"), [("sparse", "platform_mode: strip"), ("strip", "")])
def test_a_registry_that_wants_every_child_is_explained(run, stores, source, mode, hint):
    source.add(INDEX, tag="1")
    stores.repository("s.example", "app", Strict)
    with pytest.raises(ContentMissing) as caught:
        run("r.example/app:1", "s.example/app", platforms=["linux/amd64"], platform_mode=mode)
    assert hint in caught.value.hint
    assert bool(caught.value.hint) == bool(hint)


@pytest.mark.parametrize("src", ["r.example/app:absent", "r.example/absent", "oci:/nowhere/at-all:x"])
def test_a_source_that_is_not_there_is_an_error_that_names_it(run, src):
    with pytest.raises(NotFound) as caught:
        run(src, "s.example/app:1")
    assert str(caught.value).startswith(src)


def test_options_that_are_not_right_are_told_before_anything_is_opened(run, stores):
    for options in (
        {"src": "r.example/App", "dest": "s.example/app"},
        {"src": "r.example/app", "dest": "s.example/App"},
    ):
        with pytest.raises(InvalidReference):
            run(**options)
    assert stores.opened == []


class TestFormat:
    @pytest.mark.parametrize("src", ["r.example/app:1", "r.example/app:2"])
    def test_a_second_run_in_another_format_changes_nothing(self, run, source, src):
        source.add(INDEX, tag="2")
        first = run(src, "s.example/app", format="docker")
        assert first.job.planned.changed
        assert first.job.planned.source_digest != first.job.planned.top.digest
        assert first.job.planned.top.media_type in media_types.DOCKER
        second = run(src, "s.example/app", format="docker")
        assert (second.job.planned.changed, second.job.planned.top) == (False, first.job.planned.top)

    @pytest.mark.parametrize("dest", ["s.example/app", "r.example/copy", "r.example/app:new"])
    def test_a_dry_run_predicts_what_a_real_one_does_and_writes_nothing(self, run, stores, source, dest):
        source.add(INDEX, tag="1")
        repository = stores.repository(*dest.partition(":")[0].split("/"))
        before = dict(repository.tags), dict(repository.manifests), dict(repository.content)
        predicted = run("r.example/app:1", dest, dry_run=True, format="docker", tags=["x"])
        assert (repository.tags, repository.manifests, repository.content) == before
        done = run("r.example/app:1", dest, format="docker", tags=["x"])
        assert (predicted.job.planned.changed, predicted.job.planned.top, predicted.job.moved) == (
            True,
            done.job.planned.top,
            done.job.moved,
        )
        assert run("r.example/app:1", dest, format="docker", tags=["x"]).job.planned.changed is False

    def test_there_and_back_gives_the_first_digest(self, run, stores, source):
        source.add(INDEX, tag="1")
        run("r.example/app:1", "s.example/app:docker", format="docker")
        assert run("s.example/app:docker", "s.example/app:oci", format="oci").job.planned.top.digest == INDEX.digest

    def test_nothing_moves_where_only_the_format_changes(self, run, source):
        source.add(INDEX, tag="1")
        source.asked.clear()
        done = run("r.example/app:1", "r.example/app:docker", format="docker")
        assert (done.job.moved.copied, done.job.moved.mounted, len(done.job.planned.manifests)) == (0, 0, 2)
        assert not source.names("put_blob")
        source.tags.pop("docker")
        again = run("r.example/app:1", "r.example/app:docker", format="docker")
        assert (again.job.planned.changed, again.job.planned.manifests) == (True, [])
        assert run("r.example/app:1", "r.example/app:docker", format="docker", force=True).job.planned.changed is False

    def test_each_manifest_is_read_once(self, run, source):
        source.add(INDEX, tag="1")
        source.asked.clear()
        run("r.example/app:1", "s.example/app", format="oci")
        assert sorted(source.names("manifest")) == sorted(["1", IMAGE.digest, ARM64.digest])

    def test_a_copy_in_the_first_format_is_replaced(self, run, stores):
        run("r.example/app:1", "s.example/app")
        assert run("r.example/app:1", "s.example/app", format="docker").job.planned.changed
        assert stores.repository("s.example", "app").tags == {"1": convert_image(IMAGE.manifest, "docker").digest}

    def test_within_one_layout(self, run, source, tmp_path):
        source.add(INDEX, tag="1")
        layout = "oci:%s" % (tmp_path / "l")
        run("r.example/app:1", layout + ":oci")
        done = run(layout + ":oci", layout + ":docker", format="docker")
        assert dict(layouts.names(tmp_path / "l")) == {"oci": INDEX.digest, "docker": done.job.planned.top.digest}
        assert run(layout + ":oci", layout + ":docker", format="docker").job.planned.changed is False
        assert run(layout + ":docker", layout + ":back", format="oci").job.planned.top.digest == INDEX.digest
        converted = next(iter(done.job.planned.selection.replaced))
        layouts.blob_file(tmp_path / "l", converted).unlink()
        assert run(layout + ":oci", layout + ":docker", format="docker").job.planned.changed is True
        assert layouts.blob_file(tmp_path / "l", converted).exists()
        layouts.blob_file(tmp_path / "l", digests.of(b"shared")).unlink()
        with pytest.raises(NotFound, match="some manifests or blobs of the image are missing"):
            run(layout + ":oci", layout + ":docker", format="docker")

    def test_a_platform_of_an_image_within_one_layout(self, run, source, tmp_path):
        source.add(INDEX, tag="1")
        layout = "oci:%s" % (tmp_path / "l")
        run("r.example/app:1", layout + ":all")
        done = run(layout + ":all", layout + ":one", platforms=["linux/arm64"])
        assert dict(layouts.names(tmp_path / "l")) == {"all": INDEX.digest, "one": done.job.planned.top.digest}

    def test_a_digest_in_the_destination_is_that_of_the_result(self, run, stores):
        converted = convert_image(IMAGE.manifest, "docker")
        done = run("r.example/app:1", "s.example/app@" + converted.digest, format="docker")
        assert done.references == ["s.example/app@" + converted.digest]
        with pytest.raises(ImageError, match="would have the digest %s" % converted.digest):
            run("r.example/app:1", "s.example/app:1@" + IMAGE.digest, format="docker")

    def test_annotations_that_are_left_out_are_told_when_that_happens(self, run, stores, source):
        source.add(image(annotations={"a.b": "1"}), tag="1")
        run("r.example/app:1", "s.example/app", format="docker")
        told = "s.example/app: Docker's format does not support annotations, so these were left out: a.b"
        assert stores.run.statistics.warnings == [told]
        stores.run.statistics.warnings.clear()
        run("r.example/app:1", "s.example/app", format="docker")
        assert stores.run.statistics.warnings == []

    def test_a_signed_image_is_not_converted_unless_the_user_says_so(self, run, stores, source):
        tag = IMAGE.digest.replace(":", "-") + ".sig"
        source.add(OLD, tag=tag)
        with pytest.raises(NotConvertible) as caught:
            run("r.example/app:1", "s.example/app", format="docker")
        assert str(caught.value) == (
            "r.example/app:1: converting the image would invalidate its signature (tag %s). Use format: preserve, or "
            "remove_signatures: true to copy the image without it." % tag
        )
        assert stores.repository("s.example", "app").tags == {}
        assert not run("r.example/app:1", "s.example/app", format="oci").job.planned.lost
        run("r.example/app:1", "s.example/app", format="docker", remove_signatures=True)
        assert run("r.example/app:1", "s.example/app", format="docker").job.planned.changed is False
        assert tag in source.tags


class OneFormat(MemoryStore):
    """Takes no other kind of manifest than that of ``taken``."""

    taken: t.ClassVar = media_types.DOCKER

    def put_manifest(self, manifest):
        if manifest.media_type not in self.taken:
            raise FormatRefused("refused", hint="Use a registry that accepts this type of manifest")
        super().put_manifest(manifest)


class OnlyOci(OneFormat):
    taken: t.ClassVar = (media_types.OCI_MANIFEST,)


@pytest.mark.parametrize(
    ("kind", "found", "options", "hint"),
    [
        (OneFormat, IMAGE, {}, ", or set format: docker to convert the image, which changes its digest"),
        (OneFormat, INDEX, {}, ", or set format: docker to convert the image, which changes its digest"),
        (OnlyOci, convert_image(IMAGE.manifest, "docker"), {}, ", or set format: oci to convert"),
        (OneFormat, IMAGE, {"format": "oci"}, "type of manifest"),
        (OneFormat, image(artifactType="application/x"), {}, "type of manifest"),
    ],
)
def test_a_registry_that_wants_another_format_is_not_obeyed_but_explained(
    run, stores, source, kind, found, options, hint
):
    source.add(IMAGE, ARM64, found).add(found, tag="1")
    stores.repository("s.example", "app", kind)
    with pytest.raises(FormatRefused) as caught:
        run("r.example/app:1", "s.example/app", **options)
    assert hint in caught.value.hint
    assert ("format:" in caught.value.hint) is ("format:" in hint)
    assert stores.repository("s.example", "app").tags == {}
