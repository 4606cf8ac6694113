# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ContentMissing,
    DigestMismatch,
    ImageError,
    InvalidContent,
    MissingLibrary,
    NotFound,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.plugins.module_utils._image.saved import Layer, SavedImage
from ansible_collections.drayage.registry.plugins.module_utils._stores import decompression, layers
from ansible_collections.drayage.registry.plugins.module_utils._stores.docker_archive import DockerArchive
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.engines import config_for, names, pushed, saved, store
from ansible_collections.drayage.registry.tests.unit.support.rewinding import CONTENT, check_rewinding

NAME = "r.example/app:1"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images.tar"


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as executor:
        yield executor


def bring(destination, image, *left_out):
    for blob, content in zip(image.manifest.blobs, image.blobs):
        if content not in left_out:
            destination.put_blob(blob, lambda content=content: [content], "")


def test_image_is_kept_with_plain_layers(path):
    image = pushed(b"low", b"high")
    destination = store(path)
    bring(destination, image)
    assert not path.exists()
    destination.publish(image.manifest, ["1", "2"], None)
    assert names(path) == dict.fromkeys((NAME, "r.example/app:2"), image.manifest.config.digest)
    (kept,) = DockerArchive(str(path))._read()
    assert [b"".join(layer.open()) for layer in kept.layers] == [b"low", b"high"]
    assert kept.config == image.blobs[0]


def test_layer_that_is_not_what_the_config_says(path):
    honest, other = pushed(b"low", b"high"), pushed(b"low", b"else")
    lying = images.Image(
        Manifest.parse(images.encode({**honest.manifest.document, "layers": other.manifest.document["layers"]})),
        (honest.blobs[0], *other.blobs[1:]),
    )
    destination = store(path)
    bring(destination, lying)
    with pytest.raises(DigestMismatch, match="but the image config specifies"):
        destination.publish(lying.manifest, ["1"], None)
    assert not path.exists()


def test_manifest_with_fewer_layers_than_the_config(path):
    image = pushed(b"low", b"high")
    document = {**image.manifest.document, "layers": image.manifest.document["layers"][:1]}
    destination = store(path)
    bring(destination, image)
    with pytest.raises(InvalidContent, match="has 1 layers, but the image config has 2"):
        destination.publish(Manifest.parse(images.encode(document)), ["1"], None)


def test_layer_that_did_not_come(path):
    image = pushed(b"low", b"high")
    destination = store(path)
    bring(destination, image, image.blobs[2])
    with pytest.raises(ContentMissing):
        destination.publish(image.manifest, ["1"], None)


def test_image_that_is_there_needs_nothing_but_the_name(path):
    DockerArchive(str(path)).add(saved(b"low", names=("r.example/other:1",)))
    store(path).publish(pushed(b"low").manifest, ["1"], None)
    assert names(path)[NAME] == saved(b"low").id
    with pytest.raises(ContentMissing):
        store(path).publish(pushed(b"not there").manifest, ["1"], None)


def test_layer_that_bursts_does_not_fill_the_disk(path, monkeypatch):
    image = pushed(bytes(150_000_000))
    spools = []

    def spool():
        stream = decompression.spool()
        spools.append(os.dup(stream.fileno()))
        return stream

    monkeypatch.setattr(layers, "spool", spool)
    with pytest.raises(InvalidContent, match="more than 100 times its size"):
        bring(store(path), image)
    sizes = [os.fstat(descriptor).st_size for descriptor in spools]
    for descriptor in spools:
        os.close(descriptor)
    assert 0 < sum(sizes) < 90_000_000


def by_id(image):
    return Descriptor(media_types.DOCKER_CONFIG, image.id, 0)


def artifact():
    return images.image("linux/amd64", config_type="application/vnd.oci.empty.v1+json").manifest


def with_layers(media_type):
    return images.image("linux/amd64", b"x", layer_type=media_type).manifest


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (artifact(), "is an artifact, but engines and Docker archives can store only images"),
        (
            with_layers("application/vnd.in-toto+json"),
            "engines and Docker archives do not support layers of the media type application/vnd.in-",
        ),
        (with_layers(next(iter(media_types.FOREIGN_LAYERS))), "which only their vendor distributes"),
        (
            with_layers("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"),
            "engines and Docker archives do not support layers",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(path, manifest, said):
    with pytest.raises(ImageError, match=said):
        store(path).check(manifest, bytes)


def test_zstd_is_refused_before_anything_moves(path, monkeypatch):
    monkeypatch.setattr(layers, "zstandard", None)
    with pytest.raises(MissingLibrary):
        store(path).check(with_layers("application/vnd.oci.image.layer.v1.tar+zstd"), bytes)


def test_config_of_another_digest_algorithm(path):
    config = config_for(b"low")
    described = images.described(config, media_types.OCI_CONFIG)
    described["digest"] = digests.of(config, "sha512")
    document = {**pushed(b"low").manifest.document, "config": described}
    with pytest.raises(ImageError, match="engines and Docker archives support only sha256"):
        store(path).check(Manifest.parse(images.encode(document)), bytes)


def test_manifest_that_is_made_has_layers_as_they_are_kept(path, pool):
    DockerArchive(str(path)).add(saved(b"low" * 99, b"high", names=(NAME,)))
    source = store(path)
    made = source.manifest("1")
    assert [layer.digest for layer in made.layers] == [digests.of(b"low" * 99), digests.of(b"high")]
    assert {layer.media_type for layer in made.layers} == {media_types.DOCKER_PLAIN_LAYER}
    assert made.digest == store(path).manifest("1").digest
    assert b"".join(source.open_blob(made.layers[0])) == b"low" * 99
    assert b"".join(source.open_blob(made.config)) == config_for(b"low" * 99, b"high")

    compressed = source.registry_form(made, pool)
    again = store(path)
    assert compressed.digest == again.registry_form(again.manifest("1"), pool).digest
    assert {layer.media_type for layer in compressed.layers} == {media_types.DOCKER_LAYER}
    assert [gzip.decompress(b"".join(source.open_blob(layer))) for layer in compressed.layers] == [b"low" * 99, b"high"]


def test_a_layer_is_read_from_any_byte(path, monkeypatch):
    DockerArchive(str(path)).add(saved(CONTENT, names=(NAME,)))
    source = store(path)
    check_rewinding(source, source.manifest("1").layers[0], monkeypatch)


def test_layers_that_are_compressed_go_as_they_are(path, pool):
    compressed = gzip.compress(b"low", 1)
    kept = Layer(digests.of(b"low"), len(compressed), lambda: [compressed])
    DockerArchive(str(path)).add(SavedImage(config_for(b"low"), (kept,), (NAME,)))
    source = store(path)
    made = source.manifest("1")
    (layer,) = source.registry_form(made, pool).layers
    assert (layer.digest, layer.media_type) == (digests.of(compressed), media_types.DOCKER_LAYER)
    assert b"".join(source.open_blob(layer)) == compressed


def test_compressed_layer_with_other_content(path):
    compressed = gzip.compress(b"else")
    kept = Layer(digests.of(b"low"), len(compressed), lambda: [compressed])
    DockerArchive(str(path)).add(SavedImage(config_for(b"low"), (kept,), (NAME,)))
    with pytest.raises(DigestMismatch):
        store(path).manifest("1")


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
    kept = Layer(digests.of(b"low"), len(compressed), lambda: [compressed])
    DockerArchive(str(path)).add(SavedImage(config_for(b"low"), (kept,), (NAME,)))
    assert store(path).is_intact(by_id(saved(b"low")), None)
    path.write_bytes(path.read_bytes().replace(compressed, compressed[:-4] + b"abcd"))
    assert not store(path).is_intact(by_id(saved(b"low")), None)


def test_names_of_a_repository_and_of_a_file(path):
    DockerArchive(str(path)).add(saved(b"1", names=(NAME, "r.example/app:2", "r.example/app/x:3")))
    assert store(path).tags() == ["1", "2"]
    assert store(path, "").tags() == [NAME, "r.example/app:2", "r.example/app/x:3"]
    with pytest.raises(NotFound):
        store(path, "r.example/other").tags()
    assert store(path).resolve("1").digest == saved(b"1").id
    assert store(path, "").resolve(NAME).digest == saved(b"1").id
    assert store(path).resolve(saved(b"1").id).digest == saved(b"1").id


def test_message_tells_what_there_is(path):
    DockerArchive(str(path)).add(saved(b"1", names=(NAME,)))
    with pytest.raises(
        NotFound, match=r"image .* does not exist. Choose one of the available images: r.example/app:1."
    ):
        store(path).manifest("0")
    with pytest.raises(NotFound, match="image sha256:.* does not exist"):
        store(path).manifest(digests.of(b"x"))


def test_removing_an_image_leaves_its_names_in_other_repositories(path):
    DockerArchive(str(path)).add(saved(b"1", names=(NAME, "r.example/app:2", "r.example/other:3")))
    assert store(path).delete(saved(b"1").id) is True
    assert list(names(path)) == ["r.example/other:3"]
    assert store(path, "").delete(saved(b"1").id) is True
    assert not path.exists()
