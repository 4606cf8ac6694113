# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans where one side knows images by their configs."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import AccessDenied, ContentMissing, ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._image.platform import Platform
from ansible_collections.drayage.registry.plugins.module_utils._stores.docker_archive import DockerArchive
from ansible_collections.drayage.registry.plugins.module_utils._transfer.plan import plan_copy
from ansible_collections.drayage.registry.plugins.module_utils._transfer.request import CopyRequest
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.engines import names, pushed, saved, store
from ansible_collections.drayage.registry.tests.unit.support.jobs import executed
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore

AMD, ARM = pushed(b"amd", text="linux/amd64"), pushed(b"arm", text="linux/arm64")
INDEX = images.index(
    images.entry(AMD, "linux/amd64"),
    images.entry(ARM, "linux/arm64"),
    images.attestation_entry(images.attestation(AMD), AMD),
)
APP = "r.example/app:1"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images.tar"


@pytest.fixture
def archive(path):
    """An archive with an image, and functions that count what it is asked."""
    DockerArchive(str(path)).add(saved(b"amd", names=(APP,)))
    return store(path)


@pytest.fixture
def run(pool):
    """Plan a copy and carry it out."""

    def make(source, name, destination, *tags, **more):
        plan = plan_copy(CopyRequest(source, name, destination, tags, **more), pool)
        if plan.changed:
            executed(plan)
        return plan

    return make


def test_to_an_archive_and_once_more(run, source, path):
    source.add(AMD, tag="latest")
    first = run(source, "latest", store(path), "1", "2")
    assert (first.changed, first.top.digest, first.source_digest) == (True, AMD.manifest.config.digest, AMD.digest)
    assert names(path) == dict.fromkeys((APP, "r.example/app:2"), AMD.manifest.config.digest)
    source.asked.clear()
    second = run(source, "latest", store(path), "1", "2")
    assert (second.changed, second.blobs, second.top.digest) == (False, [], first.top.digest)
    assert source.counted() == {"manifest": 1}


def test_a_name_more_moves_nothing(run, source, archive, path):
    source.add(AMD, tag="latest")
    plan = run(source, "latest", archive, "2")
    assert (plan.changed, plan.blobs) == (True, [])
    assert "open_blob" not in source.counted()
    assert names(path)["r.example/app:2"] == AMD.manifest.config.digest


def test_within_one_archive_the_image_is_not_read(run, archive, path, monkeypatch):
    monkeypatch.setattr(DockerArchive, "image", None)
    plan = run(archive, "1", archive, "2")
    assert (plan.changed, plan.blobs, plan.selection) == (True, [], None)
    assert plan.source_digest == plan.top.digest == saved(b"amd").id
    assert run(archive, "1", archive, "2").changed is False


def test_from_archive_to_archive(run, archive, tmp_path):
    there = tmp_path / "there.tar"
    plan = run(archive, "1", store(there), "1")
    assert plan.source_digest == plan.top.digest == saved(b"amd").id
    assert names(there) == {APP: saved(b"amd").id}
    assert run(archive, "1", store(there), "1").changed is False


def test_registry_gets_compressed_layers(run, archive, elsewhere):
    plan = run(archive, "1", elsewhere, "1")
    assert (plan.source_digest, plan.top.media_type) == (saved(b"amd").id, media_types.DOCKER_MANIFEST)
    kept = elsewhere.manifests[elsewhere.tags["1"]]
    assert kept.config.digest == saved(b"amd").id
    assert [layer.media_type for layer in kept.layers] == [media_types.DOCKER_LAYER]
    again = run(archive, "1", elsewhere, "1")
    assert (again.changed, again.top.digest, again.source_digest) == (False, plan.top.digest, plan.source_digest)


def test_registry_that_has_the_image_in_another_form_keeps_it(run, archive, elsewhere, monkeypatch):
    monkeypatch.setattr(DockerArchive, "image", None)
    elsewhere.add(AMD, tag="1")
    assert run(archive, "1", elsewhere, "1").changed is False
    plan = run(archive, "1", elsewhere, "2", "1")
    assert (plan.changed, plan.blobs, plan.top.digest) == (True, [], AMD.digest)
    assert plan.source_digest == saved(b"amd").id
    assert elsewhere.tags == {"1": AMD.digest, "2": AMD.digest}


@pytest.mark.parametrize("why", ["thorough", "damaged", "another"])
def test_registry_is_not_taken_for_granted(run, archive, elsewhere, why):
    elsewhere.add(ARM if why == "another" else AMD, tag="1")
    elsewhere.is_damaged = why == "damaged"
    plan = run(archive, "1", elsewhere, "1", thorough=why == "thorough")
    assert (plan.changed, plan.top.media_type) == (True, media_types.DOCKER_MANIFEST)


class TestRegistryThatDeniesAccess:
    @pytest.fixture
    def denied(self, elsewhere, monkeypatch):
        def deny(name):
            raise AccessDenied("returned 403", status=403)

        monkeypatch.setattr(elsewhere, "manifest", deny)

    def test_an_absent_tag_may_be_the_reason(self, run, archive, elsewhere, denied):
        """Some registries return 403 for tags that do not exist."""
        plan = run(archive, "1", elsewhere, "1")
        assert (plan.changed, elsewhere.tags) == (True, {"1": plan.top.digest})

    def test_an_existing_tag_is_not_replaced(self, run, archive, elsewhere, denied):
        elsewhere.add(AMD, tag="1")
        with pytest.raises(AccessDenied, match="s.example/app:1: returned 403"):
            run(archive, "1", elsewhere, "1")


def test_digest_that_is_asked_for_is_that_of_the_config(run, source, path):
    source.add(AMD, tag="latest")
    with pytest.raises(ImageError, match="but dest specifies "):
        run(source, "latest", store(path), "1", digest=AMD.digest)
    run(source, "latest", store(path), "1", digest=AMD.manifest.config.digest)
    assert names(path) == {APP: AMD.manifest.config.digest}


def test_one_platform_of_an_index(run, source, path):
    source.add(AMD, ARM, images.attestation(AMD), INDEX, tag="latest")
    hint = (
        "has 2 platforms, but this destination can store only one. Set platforms to one of: linux/amd64, linux/arm64."
    )
    with pytest.raises(ImageError, match=hint):
        run(source, "latest", store(path), "1")
    both = tuple(map(Platform.parse, ("linux/amd64", "linux/arm64")))
    with pytest.raises(ImageError, match=hint):
        run(source, "latest", store(path), "1", platforms=both)
    with pytest.raises(ImageError, match="the image is not available for platform linux/s390x"):
        run(source, "latest", store(path), "1", platforms=(Platform.parse("linux/s390x"),))
    assert not path.exists()
    plan = run(source, "latest", store(path), "1", platforms=both[1:])
    assert (plan.top.digest, plan.source_digest) == (ARM.manifest.config.digest, INDEX.digest)


def test_only_platform_of_an_index_needs_no_name(run, source, path):
    index = images.index(images.entry(AMD, "linux/amd64"), images.attestation_entry(images.attestation(AMD), AMD))
    source.add(AMD, images.attestation(AMD), index, tag="latest")
    assert run(source, "latest", store(path), "1").top.digest == AMD.manifest.config.digest


def test_engine_gets_what_it_runs(run, source, path, monkeypatch):
    source.add(AMD, ARM, images.attestation(AMD), INDEX, tag="latest")
    monkeypatch.setattr(DockerArchive, "platform", lambda self: Platform.parse("linux/arm64"))
    assert run(source, "latest", store(path), "1").top.digest == ARM.manifest.config.digest


def test_image_that_was_removed_meanwhile_is_brought(pool, source, archive, path):
    source.add(AMD, tag="latest")
    plan = plan_copy(CopyRequest(source, "latest", archive, ("2",)), pool)
    assert plan.blobs == []
    DockerArchive(str(path)).remove([APP])
    executed(plan)
    assert names(path) == {"r.example/app:2": AMD.manifest.config.digest}


def damage(path, content=b"amd"):
    """Overwrite the first layer with this content, in place."""
    raw = path.read_bytes()
    assert raw.count(content + bytes(512 - len(content))) == 1
    path.write_bytes(raw.replace(content + bytes(512 - len(content)), content[::-1] + bytes(512 - len(content))))


def layers_of(path):
    return [b"".join(layer.open()) for image in DockerArchive(str(path))._read() for layer in image.layers]


def test_forced_run_mends_a_damaged_layer(run, source, archive, path):
    source.add(AMD, tag="latest")
    assert run(source, "latest", store(path), "1", thorough=True).changed is False
    DockerArchive(str(path)).name({"r.example/other:1": saved(b"amd").id})
    damage(path)
    assert run(source, "latest", store(path), "1").changed is False
    plan = run(source, "latest", store(path), "1", thorough=True)
    assert (plan.changed, len(plan.blobs), plan.outdated_tags) == (True, 2, [])
    assert layers_of(path) == [b"amd"]
    assert set(names(path)) == {APP, "r.example/other:1"}
    assert run(source, "latest", store(path), "1", thorough=True).changed is False


def test_forced_run_mends_what_gets_a_name_more(run, source, archive, path):
    source.add(AMD, tag="latest")
    damage(path)
    plan = run(source, "latest", store(path), "1", "2", thorough=True)
    assert (plan.changed, plan.outdated_tags, layers_of(path)) == (True, ["2"], [b"amd"])
    assert set(names(path)) == {APP, "r.example/app:2"}


def test_damaged_layer_cannot_be_mended_from_itself(run, archive, path):
    damage(path)
    with pytest.raises(ImageError, match="some manifests or blobs of the image are missing"):
        run(store(path), "1", store(path), "2", thorough=True)


def test_artifact_is_refused_before_anything_moves(run, source, path):
    source.add(images.image("linux/amd64", config_type="application/vnd.example"), tag="latest")
    with pytest.raises(ImageError, match="is an artifact"):
        run(source, "latest", store(path), "1")
    assert "open_blob" not in source.counted()


def test_an_image_without_its_index_is_pushed_as_any_other(run, archive):
    """What an archive keeps plain, registries keep compressed, whatever platform_mode says."""
    usual, single = (
        run(archive, "1", MemoryStore("r.example", name), "1", **more)
        for name, more in (("a", {}), ("b", {"as_image": True}))
    )
    assert single.top.digest == usual.top.digest
    assert [layer.media_type for layer in single.selection.manifest.layers] == [media_types.DOCKER_LAYER]


def test_a_second_try_copies_the_same_image_from_an_archive(pool, archive, path, elsewhere):
    def lose(manifest):
        del elsewhere.put_manifest
        DockerArchive(str(path)).add(saved(b"other", names=(APP,)))
        raise ContentMissing("blob unknown")

    DockerArchive(str(path)).name({"r.example/app:kept": saved(b"amd").id})
    plan = plan_copy(CopyRequest(archive, "1", elsewhere, ("1",)), pool)
    elsewhere.put_manifest = lose
    executed(plan)
    assert names(path)[APP] == saved(b"other").id
    assert elsewhere.tags == {"1": plan.top.digest}
    assert elsewhere.manifests[plan.top.digest].config.digest == saved(b"amd").id
