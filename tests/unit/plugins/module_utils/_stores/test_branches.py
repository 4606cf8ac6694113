# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stores of files do in cases that few images have."""

from __future__ import annotations

import dataclasses
import functools

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ContentMissing,
    ImageError,
    InvalidContent,
    LocalFailure,
    NotFound,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.platform import Platform
from ansible_collections.drayage.registry.plugins.module_utils._image.referrers import cosign_tags, list_tag
from ansible_collections.drayage.registry.plugins.module_utils._stores import docker_save
from ansible_collections.drayage.registry.plugins.module_utils._stores.decompression import spool
from ansible_collections.drayage.registry.plugins.module_utils._stores.directory import Directory
from ansible_collections.drayage.registry.plugins.module_utils._stores.directory_tree import DirectoryTree
from ansible_collections.drayage.registry.plugins.module_utils._stores.docker_save import DockerSave
from ansible_collections.drayage.registry.plugins.module_utils._stores.engine_images import EngineImages
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_archive import OciArchive
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_index import Index, new_entry, parse_index
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.plugins.module_utils._stores.tar_reader import TarImage
from ansible_collections.drayage.registry.tests.unit.support import archives, images, layouts
from ansible_collections.drayage.registry.tests.unit.support.containerd_engine import ContainerdEngine
from ansible_collections.drayage.registry.tests.unit.support.engines import config_for, saved

ONE, TWO = images.image("linux/amd64", b"one"), images.image("linux/amd64", b"two")
SIGNATURE = next(tag for tag in cosign_tags(ONE.digest) if tag.endswith(".sig"))
MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"


def signature(payload=b"payload"):
    annotations = {"dev.cosignproject.cosign/signature": "x"}
    layer = images.described(payload, MEDIA_TYPE, annotations=annotations)
    config = images.encode({"rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}})
    document = {**ONE.manifest.document, "config": images.described(config, images.CONFIG), "layers": [layer]}
    return images.Image(ONE.manifest.parse(images.encode(document)), (config, payload))


class TestLayout:
    def test_images_of_other_repositories_are_neighbours(self, layout, path):
        layouts.foreign_layout(path, ("r.example/a:1", ONE), ("r.example/b:1", TWO))
        assert layout.repository("r.example/a").neighbours() == {
            "oci:%s:r.example/b:1" % path: TWO.manifest.descriptor,
        }
        assert layout.neighbours() == {}

    def test_all_images_without_a_unique_name_are_neighbours(self, layout, path):
        entries = [("", ONE), ("r.example/b:1", ONE), ("r.example/b:1", TWO), ("", TWO), ("r.example/c:1", TWO)]
        layouts.foreign_layout(path, *entries)
        assert layout.repository("r.example/a").neighbours() == {
            "oci:%s@%s" % (path, ONE.digest): ONE.manifest.descriptor,
            "oci:%s@%s" % (path, TWO.digest): TWO.manifest.descriptor,
            "oci:%s:r.example/c:1" % path: TWO.manifest.descriptor,
        }

    def test_referrers_without_a_name_are_no_neighbours(self, layout, path):
        referrer = images.image("unknown/unknown", b"sbom", subject=images.entry(ONE))
        layouts.foreign_layout(path, ("", TWO), ("", referrer))
        assert list(layout.repository("r.example/a").neighbours().values()) == [TWO.manifest.descriptor]

    def test_a_repository_without_images_is_not_found(self, layout, path):
        layouts.foreign_layout(path, ("r.example/a:1", ONE))
        with pytest.raises(NotFound) as caught:
            layout.repository("r.example/b").tags()
        assert str(caught.value) == (
            "oci:%s:r.example/b: the repository contains no images. Check the repository name." % path
        )

    def test_any_entry_is_found_by_its_digest(self, layout, path):
        layouts.foreign_layout(path, ("r.example/a:1", ONE))
        repository = layout.repository("r.example/b")
        assert (repository.resolve(ONE.digest), repository.find(ONE.digest)) == (None, ONE.manifest.descriptor)
        assert (repository.find("1"), repository.find(TWO.digest)) == (None, None)

    def test_a_name_is_not_moved_to_an_image_that_is_gone(self, layout, path):
        layouts.publish(layout, ONE, "1")
        with pytest.raises(ContentMissing) as caught:
            layout.retag({"1": TWO.manifest})
        assert str(caught.value) == (
            "image %s was removed from the layout during this run. Run the task again." % TWO.digest
        )
        assert layouts.names(path) == [("1", ONE.digest)]

    def test_the_rest_of_a_killed_run_is_a_layout(self, layout, path):
        layouts.foreign_layout(path, ("1", ONE))
        (path / "oci-layout").unlink()
        layouts.publish(layout, TWO, "2")
        assert layouts.names(path) == [("1", ONE.digest), ("2", TWO.digest)]
        assert (path / "oci-layout").read_bytes() == b'{"imageLayoutVersion":"1.0.0"}'

    def test_signatures_are_seen_unless_they_are_copied(self, layout, path):
        layouts.foreign_layout(path, ("1", ONE), (SIGNATURE, TWO))
        assert layout.referrers.seen(ONE.digest)
        assert not layout.referrers.seen(ONE.digest, [SIGNATURE])
        assert not layout.referrers.seen(TWO.digest)

    def test_referrers_are_seen_whatever_is_copied(self, layout, path):
        referrer = images.image("", b"sbom", subject=images.entry(ONE))
        layouts.publish(layout, ONE, "1")
        layouts.fill(layout, referrer)
        layout.referrers.attach(ONE.digest, [referrer.manifest])
        layout.commit()
        assert layout.referrers.seen(ONE.digest, [SIGNATURE])
        assert list_tag(ONE.digest) in dict(layouts.names(path))


class TestIndex:
    @pytest.mark.parametrize("name", ["@2", "@" + "9" * 5000])
    def test_a_position_beyond_the_entries_is_not_found(self, name):
        assert Index([new_entry(ONE.manifest, "1"), new_entry(TWO.manifest, "2")], "layout").find(name) == []

    def test_positions_are_shown_if_full_names_do_not_tell_images_apart(self):
        def named(image, full_name):
            entry = new_entry(image.manifest, "1")
            if full_name:
                entry["annotations"]["io.containerd.image.name"] = full_name
            return entry

        index = Index([named(ONE, "docker.io/library/a:1"), named(TWO, "docker.io/library/b:1")], "layout")
        with pytest.raises(ImageError) as caught:
            index.named("1")
        assert caught.value.hint == "Use one of these names: docker.io/library/a:1, docker.io/library/b:1"
        for other in ("", "docker.io/library/a:1"):
            with pytest.raises(InvalidContent) as caught:
                Index([named(ONE, "docker.io/library/a:1"), named(TWO, other)], "layout").named("1")
            assert caught.value.hint == "Use one of these positions: @0, @1"

    @pytest.mark.parametrize("name", ["@" + "1" * 5000, "@\u00b2"])
    def test_names_that_look_like_positions_are_names(self, name):
        entry = new_entry(ONE.manifest, name)
        assert Index([entry], "layout").find(name) == [entry]
        assert Index([], "layout").find(name) == []

    @pytest.mark.parametrize("text", ['{"schemaVersion": 2}', '{"manifests": null}', '{"manifests": []}'])
    def test_an_index_may_be_empty(self, text):
        assert parse_index(text.encode(), "index.json")["manifests"] == []

    @pytest.mark.parametrize("text", ["{}", '{"schemaVersion": 1}', '{"manifests": {}}', '{"manifests": [1]}'])
    def test_another_document_is_no_index(self, text):
        with pytest.raises(LocalFailure) as caught:
            parse_index(text.encode(), "index.json")
        assert str(caught.value) == (
            "the file index.json is not a valid OCI index. Use another path, or copy the images again."
        )

    def test_an_artifact_has_its_type(self):
        artifact = images.image(artifactType="application/x").manifest
        assert new_entry(artifact, "")["artifactType"] == "application/x"
        assert "artifactType" not in new_entry(images.image(artifactType=7).manifest, "")


class TestDirectory:
    @pytest.fixture
    def store(self, tmp_path):
        store = Directory(str(tmp_path / "d"), print)
        layouts.fill(store, ONE)
        store.publish(ONE.manifest, [""], None)
        return store

    def test_the_blobs_of_a_signature_are_kept_in_its_file_only(self, store, tmp_path):
        found = signature()
        before = {path.name for path in (tmp_path / "d").iterdir()}
        for blob, content in zip(found.manifest.blobs, found.blobs):
            store.put_blob(blob, lambda content=content: [content], "")
        store.publish(found.manifest, [SIGNATURE], None)
        assert {path.name for path in (tmp_path / "d").iterdir()} == before | {"signature-1"}
        assert store.referrers.seen(ONE.digest)
        assert not store.referrers.seen(ONE.digest, [SIGNATURE])
        assert store.referrers.cosign_tags(ONE.digest) == [SIGNATURE]
        kept = store.manifest(SIGNATURE)
        assert store.resolve(SIGNATURE) == kept.descriptor
        assert store.missing_blobs(kept.blobs) == []
        assert [b"".join(map(bytes, store.open_blob(layer))) for layer in kept.layers] == [b"payload"]
        assert store.delete_tag(SIGNATURE, kept.digest) == "tag"
        assert store.delete_tag(SIGNATURE, kept.digest) == ""
        assert {path.name for path in (tmp_path / "d").iterdir()} == before

    def test_a_signature_that_does_not_exist_is_not_found(self, store):
        with pytest.raises(NotFound) as caught:
            store.manifest(SIGNATURE)
        assert str(caught.value) == (
            "the directory contains no signatures for the tag %s. Sign the image again." % SIGNATURE
        )
        assert store.resolve(SIGNATURE) is None

    def test_an_image_in_a_tree_is_found_by_the_digest_of_a_child(self, tmp_path):
        both = images.index(images.entry(ONE), images.entry(TWO))
        repository = DirectoryTree(str(tmp_path / "t"), print).repository("app")
        store = repository.open("1")
        layouts.fill(store, ONE, TWO)
        store.publish(both, ["1"], None)
        assert repository.find(TWO.digest) == TWO.manifest.descriptor
        assert repository.find("1") == both.descriptor
        assert (repository.find("2"), repository.find("sha256:" + "0" * 64)) == (None, None)


class TestEngine:
    def test_images_run_on_the_platform_of_the_engine(self):
        engine = ContainerdEngine()
        assert EngineImages("docker-daemon", engine).platform() == Platform("linux", "amd64")
        for machine, platform in (("armv6l", "linux/arm/v6"), ("armv7l", "linux/arm/v7"), ("aarch64", "linux/arm")):
            engine.version = functools.partial(dict, Os="linux", Arch="arm", Machine=machine)
            assert str(EngineImages("docker-daemon", engine).platform()) == platform
        engine.version = dict
        assert EngineImages("docker-daemon", engine).platform() == Platform("", "")

    def test_a_location_is_an_engine(self):
        location = EngineImages("docker-daemon", ContainerdEngine()).location
        assert (location.kind, location.root, location.repository) == ("docker-daemon", "docker-daemon:here", "")


class TestArchives:
    @pytest.mark.parametrize("spare", [0, -1])
    def test_configs_have_a_limit_in_total(self, tmp_path, monkeypatch, spare):
        configs = [config_for(b"low", text="linux/" + name) for name in ("amd64", "arm64")]
        monkeypatch.setattr(docker_save, "_MAX_CONFIGS", sum(map(len, configs)) + spare)
        names = [digests.of(config)[7:] + ".json" for config in configs]
        document = [{"Config": name, "RepoTags": [], "Layers": ["low"]} for name in names]
        members = [archives.member(name, config) for name, config in zip(names, configs)]
        members += [archives.member("low", b"low"), archives.member("manifest.json", images.encode(document))]
        with TarImage(str(archives.write(tmp_path / "a.tar", *members))) as tar:
            if spare:
                with pytest.raises(InvalidContent, match="the image configs in the archive total more than"):
                    DockerSave(tar)
            else:
                assert len(DockerSave(tar).images) == 2

    def test_a_manifest_in_an_archive_that_does_not_exist_is_missing(self, tmp_path):
        archive = OciArchive(str(tmp_path / "x.tar"), print)
        with pytest.raises(NotFound, match="blob %s is missing from the archive" % ONE.digest):
            list(archive.open_blob(ONE.manifest.descriptor))
        assert archive.has_manifest(ONE.digest) is False

    def test_an_image_is_replaced_by_one_with_the_same_name(self, tmp_path):
        archive = OciArchive(str(tmp_path / "x.tar"), print)
        layouts.publish(archive, ONE, "1")
        layouts.publish(archive, TWO, "1")
        assert (archive.tags(), archive.has_manifest(ONE.digest)) == (["1"], False)
        assert archive.location.root == "oci-archive:%s" % (tmp_path / "x.tar")


def test_temporary_files_need_their_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    with pytest.raises(LocalFailure) as caught:
        spool()
    assert str(caught.value).startswith("cannot write %s/none" % tmp_path)
    assert str(caught.value).endswith(": no such file or directory.")


def test_external_blobs_need_no_file(path):
    layout = OciLayout(str(path), print, frozenset([digests.of(b"x")]))
    blob = images.descriptor(b"x")
    assert (layout.has_blob(blob), layout.missing_blobs([blob])) == (True, [blob.digest])


def test_a_saved_image_is_a_value():
    with pytest.raises(dataclasses.FrozenInstanceError):
        saved(b"low").config = b""
