# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies in another format than that of the source, and registries that accept only one format."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    FormatRefused,
    ImageError,
    NotConvertible,
    NotFound,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._image.convert import convert_image
from ansible_collections.drayage.registry.tests.unit.support import layouts
from ansible_collections.drayage.registry.tests.unit.support.copies import ARM64, IMAGE, INDEX, OLD, add_source, copying
from ansible_collections.drayage.registry.tests.unit.support.images import image
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
