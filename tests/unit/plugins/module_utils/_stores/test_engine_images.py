# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ContentMissing,
    ImageError,
    InvalidContent,
    NotFound,
    Refused,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._stores.engine_images import EngineImages
from ansible_collections.drayage.registry.tests.unit.support.containerd_engine import ContainerdEngine
from ansible_collections.drayage.registry.tests.unit.support.engines import saved

A, B = "r.example/a:1", "r.example/b:1"


class Docker:
    """An engine of the older kind, with the answers that real ones of the functional tests do not give."""

    location = "here"

    def __init__(self):
        self.named = {}

    def has_other_ids(self):
        return False

    def close(self):
        pass

    def inspect(self, name):
        found = [image for key, image in self.named.items() if name in (key, image.id)]
        return {"Id": found[0].id} if found else None

    def load(self, chunks):
        b"".join(chunks)

    def tag(self, image_id, name):
        raise NotFound("the engine returned 404 (No such image)")


@pytest.fixture
def containerd():
    """An engine with images of other names and the same layers, which nobody may mix up."""
    engine = ContainerdEngine()
    engine.have(saved(b"low", text="linux/arm64", names=("r.example/other:1",)))
    engine.have(saved(b"else"))
    return engine


def test_ids_that_are_no_configs_are_looked_up_in_the_image(containerd):
    target = containerd.have(saved(b"low", names=(A, B)))
    engine = EngineImages("docker-daemon", containerd)
    assert engine.find(A) == engine.find(B) == engine.find(target) == saved(b"low").id
    assert engine.image(saved(b"low").id).config == saved(b"low").config
    assert engine.is_whole(saved(b"low").id)
    assert containerd.exports == 1
    assert engine.names() == ["r.example/other:1", A, B]
    engine.add(saved(b"low", names=(A,)))
    assert engine.find("r.example/c:1") is None


def test_id_of_ours_is_searched_for_among_all_images(containerd):
    containerd.have(saved(b"low", names=(A,)))
    engine = EngineImages("docker-daemon", containerd)
    assert engine.find(saved(b"low").id) == saved(b"low").id
    assert engine.image(saved(b"low").id).config == saved(b"low").config
    assert EngineImages("docker-daemon", containerd).find(saved(b"no").id) is None
    assert engine.remove([saved(b"else").id]) is True
    assert engine.remove([saved(b"else").id]) is False


def test_only_images_with_these_layers_are_looked_into(containerd):
    containerd.have(saved(b"low", names=(A,)))
    engine = EngineImages("docker-daemon", containerd)
    assert not engine.is_whole(saved(b"no").id, lambda: [digests.of(b"no")])
    assert containerd.exports == 0
    assert engine.is_whole(saved(b"low").id, lambda: [digests.of(b"low")])
    engine.name({B: saved(b"low").id})
    assert containerd.named[B] == containerd.named[A]
    assert containerd.exports <= 2


def test_image_that_cannot_be_handed_out_is_none_of_ours(containerd):
    containerd.damaged.add(containerd.have(saved(b"low")))
    engine = EngineImages("docker-daemon", containerd)
    assert not engine.is_whole(saved(b"low").id, lambda: [digests.of(b"low")])


def test_image_without_a_name_is_found_once_loaded(containerd):
    EngineImages("docker-daemon", containerd).add(saved(b"low"))


def test_image_that_was_removed_after_it_was_seen(containerd):
    target = containerd.have(saved(b"low", names=(A,)))
    engine = EngineImages("docker-daemon", containerd)
    assert engine.find(A)
    containerd.remove(target)
    with pytest.raises(ContentMissing, match="was removed from the engine during this run"):
        engine.name({B: saved(b"low").id})
    assert not engine.is_whole(saved(b"low").id, lambda: [digests.of(b"low")])


def test_engine_that_made_something_else_of_the_image():
    docker = Docker()
    docker.named[A] = saved(b"another")
    with pytest.raises(ImageError, match="the name %s points to %s" % (A, saved(b"another").id)):
        EngineImages("docker-daemon", docker).add(saved(b"low", names=(A,)))
    with pytest.raises(ImageError, match="the name %s points to no image" % B):
        EngineImages("docker-daemon", docker).add(saved(b"low", names=(B,)))


def test_image_that_was_removed_meanwhile():
    with pytest.raises(ContentMissing, match="was removed from the engine during this run"):
        EngineImages("docker-daemon", Docker()).name({A: saved(b"low").id})


def test_image_that_the_engine_cannot_read_says_so(containerd):
    containerd.damaged.add(containerd.have(saved(b"low", names=(A,))))
    with pytest.raises(
        InvalidContent, match=r"the engine cannot export image sha256:.*: the engine returned 404 \(content digest"
    ):
        EngineImages("docker-daemon", containerd).find(A)


class Corrupt(Docker):
    """An engine that knows of an image whose layers it lost, as podman does after a power failure."""

    def inspect(self, name):
        raise Refused("the engine returned 500 (layer not known)", status=500)


def test_image_that_the_engine_cannot_inspect_is_not_there(containerd):
    engine = EngineImages("containers-storage", Corrupt())
    with pytest.raises(InvalidContent, match="the engine cannot export image %s: the engine returned 500" % A):
        engine.find(A)
    assert not engine.is_whole(saved(b"low").id)


class Podman(Docker):
    """An engine that lists names with a digest among the tags, and has images that containers use."""

    def __init__(self, image, *names):
        self.named = dict.fromkeys(names, image)
        self.used = set()

    def images(self):
        ids = dict.fromkeys(image.id for image in self.named.values())
        return [{"Id": key, "RepoTags": [name for name in self.named if self.named[name].id == key]} for key in ids]

    def tag(self, image_id, name):
        found = [image for image in self.named.values() if image.id == image_id]
        if not found:
            raise NotFound("the engine returned 404 (No such image)")
        self.named[name] = found[0]

    def remove(self, name):
        if name not in self.named:
            return False
        image = self.named[name]
        if image.id in self.used and len([other for other in self.named.values() if other.id == image.id]) == 1:
            raise Refused("the engine returned 409 (a container uses the image)", status=409)
        del self.named[name]
        return True


BY_DIGEST = "r.example/a@" + digests.of(b"manifest")


def test_names_with_a_digest_are_no_tags():
    assert EngineImages("containers-storage", Podman(saved(b"low"), BY_DIGEST, A)).names() == [A]


def test_an_image_is_removed_with_all_names():
    podman = Podman(saved(b"low"), BY_DIGEST, A, B)
    podman.named["r.example/c:1"] = saved(b"else")
    assert EngineImages("containers-storage", podman).remove([saved(b"low").id]) is True
    assert list(podman.named) == ["r.example/c:1"]
    assert EngineImages("containers-storage", podman).remove([saved(b"low").id]) is False


@pytest.mark.parametrize(
    ("removed", "left"),
    [([A], [BY_DIGEST, B]), ([B], [BY_DIGEST, A]), ([A, B], []), ([BY_DIGEST], [A, B])],
)
def test_names_with_a_digest_go_with_the_last_tag(removed, left):
    podman = Podman(saved(b"low"), BY_DIGEST, A, B)
    assert EngineImages("containers-storage", podman).remove(removed) is True
    assert list(podman.named) == left


def test_names_with_a_digest_of_other_repositories_stay():
    podman = Podman(saved(b"low"), BY_DIGEST, B)
    assert EngineImages("containers-storage", podman).remove([B]) is True
    assert list(podman.named) == [BY_DIGEST]


@pytest.mark.parametrize("removed", [[A, B], [saved(b"low").id]])
def test_names_are_restored_if_the_engine_refuses_the_last_one(removed):
    podman = Podman(saved(b"low"), A, B)
    podman.used.add(saved(b"low").id)
    with pytest.raises(Refused, match="a container uses the image"):
        EngineImages("containers-storage", podman).remove(removed)
    assert set(podman.named) == {A, B}


def test_names_of_an_image_that_is_gone_cannot_be_restored():
    podman = Podman(saved(b"low"), A)
    podman.named[B] = saved(b"else")
    podman.used.add(saved(b"else").id)
    with pytest.raises(Refused, match="a container uses the image"):
        EngineImages("containers-storage", podman).remove([A, B])
    assert set(podman.named) == {B}


def test_all_manifests_with_the_same_config_are_removed(containerd):
    containerd.have(saved(b"low", names=(A,)))
    containerd.images_of["sha256:" + "1" * 64] = saved(b"low")
    containerd.named[B] = "sha256:" + "1" * 64
    assert EngineImages("docker-daemon", containerd).remove([saved(b"low").id]) is True
    assert not {A, B} & set(containerd.named)
