# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Layers in Docker archives that are compressed or damaged."""

from __future__ import annotations

import gzip
import io
import tarfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import DigestMismatch, MissingLibrary
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._image.saved import Layer, SavedImage
from ansible_collections.drayage.registry.plugins.module_utils._stores import layers
from ansible_collections.drayage.registry.plugins.module_utils._stores.docker_archive import DockerArchive
from ansible_collections.drayage.registry.tests.unit.support.engines import by_id, config_for, saved, store
from ansible_collections.drayage.registry.tests.unit.support.images import encode

NAME = "r.example/app:1"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images.tar"


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as executor:
        yield executor


def keep(path, compressed):
    """Write an archive with an image that has the layer ``low``, with this content."""
    kept = Layer(digests.of(b"low"), len(compressed), lambda: [compressed])
    DockerArchive(str(path)).add(SavedImage(config_for(b"low"), (kept,), (NAME,)))


def test_layers_that_are_compressed_go_as_they_are(path, pool):
    compressed = gzip.compress(b"low", 1)
    keep(path, compressed)
    source = store(path)
    made = source.manifest("1")
    (layer,) = source.registry_form(made, pool).layers
    assert (layer.digest, layer.media_type) == (digests.of(compressed), media_types.DOCKER_LAYER)
    assert b"".join(source.open_blob(layer)) == compressed


def test_layer_that_was_damaged_is_missing(path):
    DockerArchive(str(path)).add(saved(b"low", b"high", names=(NAME,)))
    path.write_bytes(path.read_bytes().replace(b"high" + bytes(99), b"hihi" + bytes(99)))
    damaged = store(path)
    blobs = damaged.manifest("1").blobs
    assert [damaged.has_blob(blob) for blob in blobs] == [True, True, False]
    assert damaged.has_manifest(saved(b"low", b"high").id)
    assert not damaged.is_intact(by_id(saved(b"low", b"high")), None)


def test_compressed_layer_that_was_damaged(path):
    compressed = gzip.compress(b"low")
    keep(path, compressed)
    assert store(path).is_intact(by_id(saved(b"low")), None)
    path.write_bytes(path.read_bytes().replace(compressed, compressed[:-4] + b"abcd"))
    assert not store(path).is_intact(by_id(saved(b"low")), None)


@pytest.mark.parametrize(
    "compressed", [gzip.compress(b"else"), gzip.compress(b"low")[:-6]], ids=["other", "incomplete"]
)
def test_a_compressed_layer_with_other_content_is_missing(path, pool, compressed):
    keep(path, compressed)
    damaged = store(path)
    made = damaged.manifest("1")
    assert (made.layers[0].digest, made.layers[0].size) == (digests.of(compressed), len(compressed))
    assert [damaged.has_blob(blob) for blob in made.blobs] == [True, False]
    # The registry may have the layer, so that nothing would read it.
    with pytest.raises(DigestMismatch, match="different content|is corrupt"):
        damaged.registry_form(made, pool)


@pytest.fixture
def decompressed(monkeypatch):
    """The sizes of the layers that are decompressed."""
    found = []
    decompress = layers.plain

    def counted(chunks, size, *limits):
        found.append(size)
        return decompress(chunks, size, *limits)

    monkeypatch.setattr(layers, "plain", counted)
    return found


def keep_repeated(path, content, *contents_of_images):
    """Write an archive with images whose layers all have the same file. Their configs specify these contents."""
    listed, files = [], {"layer.tar": content}
    for number, contents in enumerate(contents_of_images):
        files["%d.json" % number] = config_for(*contents)
        tags = ["r.example/app:%d" % number]
        listed.append({"Config": "%d.json" % number, "RepoTags": tags, "Layers": ["layer.tar"] * len(contents)})
    files["manifest.json"] = encode(listed)
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def test_a_file_is_decompressed_once_however_often_images_list_it(path, decompressed):
    keep_repeated(path, gzip.compress(b"low"), [b"low"] * 5, [b"low", b"else"], [b"other", b"low"])
    source = store(path)
    (good,) = {layer.digest for layer in source.manifest("0").layers}
    assert {layer.digest for tag in "12" for layer in source.manifest(tag).layers} == {good}
    assert len(decompressed) == 1


def test_a_file_is_verified_once_however_often_an_image_lists_it(path, decompressed):
    keep_repeated(path, gzip.compress(b"low"), [b"low"] * 5)
    assert store(path).is_intact(by_id(saved(*[b"low"] * 5)), None)
    assert len(decompressed) == 1


def test_another_image_does_not_damage_the_layers_of_an_image(path):
    keep_repeated(path, gzip.compress(b"low"), [b"low"], [b"else"])
    source = store(path)
    for tag, is_there in (("0", True), ("1", False), ("0", True)):
        assert source.has_blob(source.manifest(tag).layers[0]) == is_there


def test_a_layer_in_zstd_is_compressed_with_gzip(path, pool):
    zstandard = pytest.importorskip("zstandard", reason="zstandard is optional")
    keep(path, zstandard.ZstdCompressor().compress(b"low"))
    source = store(path)
    made = source.manifest("1")
    (layer,) = made.layers
    assert (layer.digest, layer.size, layer.media_type) == (digests.of(b"low"), 3, media_types.DOCKER_PLAIN_LAYER)
    for _time in range(2):
        assert b"".join(source.open_blob(layer)) == b"low"
    (compressed,) = source.registry_form(made, pool).layers
    assert compressed.media_type == media_types.DOCKER_LAYER
    assert gzip.decompress(b"".join(source.open_blob(compressed))) == b"low"


def test_a_damaged_layer_in_zstd_is_missing(path, pool):
    zstandard = pytest.importorskip("zstandard", reason="zstandard is optional")
    keep(path, zstandard.ZstdCompressor().compress(b"else"))
    damaged = store(path)
    made = damaged.manifest("1")
    assert [damaged.has_blob(blob) for blob in made.blobs] == [True, False]
    with pytest.raises(DigestMismatch, match="but the layer has different content"):
        damaged.registry_form(made, pool)


def test_a_layer_in_zstd_needs_the_library(path, monkeypatch):
    monkeypatch.setattr(layers, "zstandard", None)
    keep(path, b"\x28\xb5\x2f\xfd" + bytes(20))
    with pytest.raises(MissingLibrary, match="zstandard"):
        store(path).manifest("1")
