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
from ansible_collections.drayage.registry.plugins.module_utils._stores import decompression, layers
from ansible_collections.drayage.registry.plugins.module_utils._stores.docker_archive import DockerArchive
from ansible_collections.drayage.registry.plugins.module_utils._stores.staging import Staging
from ansible_collections.drayage.registry.tests.unit.support import archives, images
from ansible_collections.drayage.registry.tests.unit.support.engines import (
    config_for,
    names,
    pushed,
    saved,
    store,
)
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
            "engines and Docker archives do not support layers with the media type application/vnd.in-",
        ),
        (with_layers(next(iter(media_types.FOREIGN_LAYERS))), "which only the vendor distributes"),
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


def test_an_image_is_known_by_its_config(path):
    DockerArchive(str(path)).add(saved(b"1", names=(NAME,)))
    found = store(path).resolve("1")
    assert found == Descriptor("application/vnd.docker.container.image.v1+json", saved(b"1").id, 0)
    assert store(path).resolve("2") is None
    image = pushed(b"1")
    assert store(path).identity(image.manifest) == image.manifest.config
    without = images.index()
    assert store(path).identity(without) == without.descriptor


@pytest.mark.parametrize(
    ("name", "tag", "reference"),
    [
        ("r.example/app", "1", "docker-archive:PATH:r.example/app:1"),
        ("r.example/app", digests.of(b"x"), "docker-archive:PATH:" + digests.of(b"x")),
        ("", digests.of(b"x"), "docker-archive:PATH:" + digests.of(b"x")),
        ("r.example/app", "", "docker-archive:PATH:r.example/app"),
        ("", "", "docker-archive:PATH"),
        ("", NAME, "docker-archive:PATH:r.example/app:1"),
    ],
)
def test_a_reference_has_the_name_or_the_id(path, name, tag, reference):
    assert store(path, name).reference(tag) == reference.replace("PATH", str(path))


def test_an_image_without_a_name_is_described_by_its_position(path):
    with pytest.raises(NotFound, match="^the file %s does not exist" % path):
        store(path, "").manifest("")
    DockerArchive(str(path)).add(saved(b"1"))
    assert store(path, "").manifest("").config.digest == saved(b"1").id
    assert store(path, "").manifest("@0").config.digest == saved(b"1").id
    with pytest.raises(NotFound) as caught:
        store(path, "").manifest("@1")
    assert str(caught.value) == "image @1 does not exist."


def test_a_message_shows_twenty_names(path):
    shown = ["r.example/app:%02d" % number for number in range(21)]
    DockerArchive(str(path)).add(saved(b"1", names=tuple(shown)))
    with pytest.raises(NotFound) as caught:
        store(path).manifest("0")
    assert caught.value.hint == "Choose one of the available images: " + ", ".join(shown[:20])
    with pytest.raises(NotFound) as caught:
        store(path, "r.example/other").tags()
    assert str(caught.value) == ("the repository r.example/other contains no images. Check the repository name.")


def test_a_file_without_images_is_an_error(path):
    archives.write(path, archives.member("manifest.json", b"[]"))
    with pytest.raises(NotFound) as caught:
        store(path, "").manifest("")
    assert str(caught.value) == "the file contains no images. Check the path."


def test_an_image_with_its_layers_is_held_whatever_its_names(path):
    DockerArchive(str(path)).add(saved(b"low", names=("r.example/other:1",)))
    image = pushed(b"low")
    assert store(path).holds(image.manifest.config, lambda: image.blobs[0])
    assert store(path).is_complete(image.manifest.config, None)
    other = pushed(b"other")
    assert not store(path).holds(other.manifest.config, lambda: other.blobs[0])


def test_a_damaged_image_is_replaced_under_its_names(path):
    DockerArchive(str(path)).add(saved(b"low", names=(NAME,)))
    path.write_bytes(path.read_bytes().replace(b"low" + bytes(99), b"lie" + bytes(99)))
    destination, image = store(path), pushed(b"low")
    bring(destination, image)
    destination.put_manifest(image.manifest)
    assert store(path).is_intact(image.manifest.config, None)
    assert names(path) == {NAME: saved(b"low").id}


def test_a_manifest_alone_changes_nothing(path):
    DockerArchive(str(path)).add(saved(b"low", names=(NAME,)))
    before = path.read_bytes()
    store(path).put_manifest(pushed(b"low").manifest)
    store(path).put_manifest(pushed(b"other").manifest)
    assert path.read_bytes() == before


def test_a_config_that_is_too_large_is_refused(path):
    large = Descriptor(media_types.OCI_CONFIG, digests.of(b"x"), 8 * 1024 * 1024 + 1)
    with pytest.raises(ImageError) as caught:
        store(path).put_blob(large, lambda: [b"x"], "")
    assert caught.value.cause == "the image config is larger than 8388608 bytes"
    fits = Descriptor(media_types.OCI_CONFIG, digests.of(b"x"), 8 * 1024 * 1024)
    assert store(path).put_blob(fits, lambda: [b"x"], "") is False


def test_names_are_swapped_in_one_step(path):
    DockerArchive(str(path)).add(saved(b"1", names=(NAME,)))
    DockerArchive(str(path)).add(saved(b"2", names=("r.example/app:2",)))
    one, two = pushed(b"1").manifest, pushed(b"2").manifest
    store(path).retag({"1": two, "2": one})
    assert names(path) == {NAME: saved(b"2").id, "r.example/app:2": saved(b"1").id}
    store(path).set_tags({"3": saved(b"1").id})
    assert names(path)["r.example/app:3"] == saved(b"1").id


def test_an_image_is_deleted_with_its_last_name(path):
    DockerArchive(str(path)).add(saved(b"1", names=(NAME, "r.example/app:2")))
    assert store(path).delete_tag("1", saved(b"1").id) == "tag"
    assert store(path).delete_tag("1", saved(b"1").id) == ""
    assert names(path) == {"r.example/app:2": saved(b"1").id}
    assert store(path).delete_tag("2", saved(b"1").id) == "tag"
    assert not path.exists()


def test_an_image_keeps_its_names_in_other_repositories(path):
    DockerArchive(str(path)).add(saved(b"1", names=(NAME, "r.example/other:1")))
    assert store(path).delete(saved(b"1").id) is True
    assert store(path).delete(saved(b"1").id) is False
    assert names(path) == {"r.example/other:1": saved(b"1").id}
    assert store(path, "").delete(saved(b"1").id) is True
    assert not path.exists()
    assert store(path, "").delete(saved(b"1").id) is False


def test_compressing_is_counted_before_any_content_is_read(path, pool):
    DockerArchive(str(path)).add(saved(b"low" * 99, b"high", names=(NAME,)))
    counted = []

    def count(*phase):
        counted.append(phase[:3])
        return phase[3]

    source = store(path, staging=Staging(count))
    source.registry_form(source.manifest("1"), pool)
    place = "docker-archive:%s:r.example/app" % path
    assert counted == [("compressing", place, 297), ("compressing", place, 4)]
