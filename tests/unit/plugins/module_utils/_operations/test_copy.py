# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ContentMissing,
    ImageError,
    InvalidReference,
    NotFound,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.tests.unit.support import layouts
from ansible_collections.drayage.registry.tests.unit.support.copies import ARM64, IMAGE, INDEX, OLD, add_source, copying
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import MemoryStores


@pytest.fixture
def stores():
    return MemoryStores(MemoryStore)


@pytest.fixture
def source(stores):
    return add_source(stores)


@pytest.fixture
def run(stores, source):
    return copying(stores)


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
