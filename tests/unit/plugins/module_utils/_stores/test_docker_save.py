# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import json
import tracemalloc

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import DigestMismatch, InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.saved import Layer, SavedImage
from ansible_collections.drayage.registry.plugins.module_utils._stores.docker_save import DockerSave, archive
from ansible_collections.drayage.registry.plugins.module_utils._stores.tar_reader import TarImage
from ansible_collections.drayage.registry.tests.unit.support.archives import link, member, write

LOW, HIGH = b"the lower layer", b"the upper layer"


def config_for(*layers):
    return json.dumps({"os": "linux", "rootfs": {"diff_ids": [digests.of(layer) for layer in layers]}}).encode()


CONFIG = config_for(LOW, HIGH)
CONFIG_HEX = digests.of(CONFIG)[7:]


def index(config, *layers, names=("a:1",)):
    return member("manifest.json", json.dumps([{"Config": config, "RepoTags": names, "Layers": layers}]).encode())


def read(path, *members):
    return DockerSave(TarImage(str(write(path / "a.tar", *members)))).images


def contents(image):
    return [b"".join(layer.open()) for layer in image.layers]


FORMS = {
    "docker 1.10": (
        member("l/layer.tar", LOW),
        member("h/layer.tar", HIGH),
        member("h/VERSION", b"1.0"),
        member(CONFIG_HEX + ".json", CONFIG),
        index(CONFIG_HEX + ".json", "l/layer.tar", "h/layer.tar"),
        member("repositories", b"{}"),
    ),
    "links": (
        member("l/layer.tar", LOW),
        member(digests.of(HIGH)[7:] + ".tar", HIGH),
        link("h/layer.tar", "../" + digests.of(HIGH)[7:] + ".tar"),
        member(CONFIG_HEX + ".json", CONFIG),
        index(CONFIG_HEX + ".json", "l/layer.tar", "h/layer.tar"),
    ),
    "docker 25": (
        member("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'),
        member("index.json", b'{"schemaVersion": 2, "manifests": []}'),
        member("blobs/sha256/" + digests.of(LOW)[7:], LOW),
        member("blobs/sha256/" + digests.of(HIGH)[7:], HIGH),
        member("blobs/sha256/" + CONFIG_HEX, CONFIG),
        index(
            "blobs/sha256/" + CONFIG_HEX,
            "blobs/sha256/" + digests.of(LOW)[7:],
            "blobs/sha256/" + digests.of(HIGH)[7:],
        ),
    ),
    "dots": (
        member("./l", LOW),
        member("./h", HIGH),
        member("./c", CONFIG),
        index("c", "l", "./h"),
    ),
}


def large_config(size, text=b""):
    return b'{"rootfs": {"diff_ids": []}, "x": "%s"}' % (text + b" " * size)


def test_config_of_many_names_takes_memory_once(tmp_path):
    entries = [{"Config": "%d/../c" % count, "RepoTags": None, "Layers": []} for count in range(100)]
    listed = member("manifest.json", json.dumps(entries).encode())
    path = write(tmp_path / "a.tar", member("c", large_config(1_000_000)), listed)
    tracemalloc.start()
    images = DockerSave(TarImage(str(path))).images
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
    assert {image.id for image in images} == {digests.of(large_config(1_000_000))}


def test_many_large_configs(tmp_path):
    configs = [member(str(count), large_config(7_000_000, b"%d" % count)) for count in range(10)]
    entries = [{"Config": str(count), "RepoTags": None, "Layers": []} for count in range(10)]
    path = write(tmp_path / "a.tar", *configs, member("manifest.json", json.dumps(entries).encode()))
    with pytest.raises(InvalidContent, match="the image configs in the archive total more than 67108864 bytes"):
        DockerSave(TarImage(str(path)))


def test_every_name_of_a_config_is_to_be_right(tmp_path):
    wrong = "0" * 64 + ".json"
    entries = [{"Config": name, "RepoTags": None, "Layers": ["l", "h"]} for name in (CONFIG_HEX + ".json", wrong)]
    layers = member("l", LOW), member("h", HIGH), member(CONFIG_HEX + ".json", CONFIG)
    listed = member("manifest.json", json.dumps(entries).encode())
    with pytest.raises(DigestMismatch, match="the image config %s has content with the digest" % wrong):
        read(tmp_path, *layers, link(wrong, CONFIG_HEX + ".json"), listed)


@pytest.mark.parametrize("form", FORMS)
def test_archives_of_every_age(tmp_path, form):
    (image,) = read(tmp_path, *FORMS[form])
    assert (image.id, image.config) == (digests.of(CONFIG), CONFIG)
    assert image.names == ("docker.io/library/a:1",)
    assert [layer.diff_id for layer in image.layers] == [digests.of(LOW), digests.of(HIGH)]
    assert contents(image) == [LOW, HIGH]


def test_whole_archive_may_be_compressed(tmp_path):
    path = write(tmp_path / "a.tar", *FORMS["docker 25"])
    path.write_bytes(gzip.compress(path.read_bytes()))
    (image,) = DockerSave(TarImage(str(path))).images
    assert contents(image) == [LOW, HIGH]


def test_the_same_images_are_the_same_bytes(tmp_path):
    (image,) = read(tmp_path, *FORMS["links"])
    other = SavedImage(config_for(LOW), image.layers[:1], ("r.example/b:1", "r.example/b:2"))
    written = b"".join(archive([image, other]))
    assert written == b"".join(archive([image, other]))
    (tmp_path / "b.tar").write_bytes(written)
    tar = TarImage(str(tmp_path / "b.tar"))
    assert [names.names for names in DockerSave(tar).images] == [image.names, other.names]
    assert list(map(contents, DockerSave(tar).images)) == [[LOW, HIGH], [LOW]]
    assert len(tar.names()) == len(set(tar.names())) == 1 + 2 + 2


def test_layer_that_is_shorter_than_it_says():
    layer = Layer(digests.of(LOW), len(LOW) + 1, lambda: [LOW])
    with pytest.raises(ValueError, match="has 15 bytes, not 16"):
        list(archive([SavedImage(config_for(LOW), (layer,))]))


@pytest.mark.parametrize(
    ("members", "error", "said"),
    [
        ((member("x", b""),), InvalidContent, "the archive has no manifest.json"),
        ((member("oci-layout", b""),), InvalidContent, "The archive is an OCI layout. Use the oci-archive transport"),
        (
            (member("repositories", b""),),
            InvalidContent,
            "by a Docker version older than 1.10, so it contains no image IDs",
        ),
        (
            (index("0" * 64 + ".json"), member("0" * 64 + ".json", CONFIG)),
            DigestMismatch,
            "digest mismatch: the image config",
        ),
        ((index("c"), member("c", CONFIG)), InvalidContent, "an image has 0 layers in manifest.json, but 2"),
        ((index("c", "l", "h"), member("c", CONFIG), member("l", LOW)), InvalidContent, "the layer h is missing"),
        ((index("c", "l"), member("l", LOW)), InvalidContent, "the image config c is missing"),
        ((index("c"), member("c", bytes(9_000_000))), InvalidContent, "larger than 8388608 bytes"),
        (
            (index("c", "l", "l"), member("c", CONFIG), link("l", "m"), link("m", "l")),
            InvalidContent,
            "in the archive does not resolve to a file",
        ),
    ],
)
def test_broken_archives(tmp_path, members, error, said):
    with pytest.raises(error) as caught:
        read(tmp_path, *members)
    assert said in str(caught.value)
