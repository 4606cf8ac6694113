# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ContentMissing, ImageError, NotFound
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._stores.docker_save import archive
from ansible_collections.drayage.registry.plugins.module_utils._stores.engine import EngineImages
from ansible_collections.drayage.registry.tests.unit.support.engines import saved

A, B = "r.example/a:1", "r.example/b:1"


class Docker:
    """An engine with the answers that real ones of the functional tests do not give; ``prefix`` makes its IDs."""

    place = "here"

    def __init__(self, prefix=b""):
        self.prefix = prefix
        self.named = {}
        self.exports = 0

    def id_of(self, image):
        return digests.of(self.prefix + image.config) if self.prefix else image.id

    def has_other_ids(self):
        return bool(self.prefix)

    def images(self):
        ids = [{"Id": self.id_of(image), "RepoTags": [name]} for name, image in self.named.items()]
        return [*ids, {"Id": "x", "RepoTags": None}, {"Id": "y", "RepoTags": ["<none>:<none>"]}]

    def inspect(self, name):
        found = [image for key, image in self.named.items() if name in (key, self.id_of(image))]
        return {"Id": self.id_of(found[0])} if found else None

    def export(self, name):
        self.exports += 1
        image = next(image for key, image in self.named.items() if name in (key, self.id_of(image)))
        return archive([image])

    def load(self, chunks):
        b"".join(chunks)

    def tag(self, image_id, name):
        raise NotFound("the engine says: No such image")


def test_ids_that_are_no_configs_are_looked_up_in_the_image():
    docker = Docker(prefix=b"manifest of ")
    docker.named[A] = docker.named[B] = saved(b"low")
    engine = EngineImages("docker-daemon", docker)
    assert engine.find(A) == engine.find(B) == saved(b"low").id
    assert engine.image(saved(b"low").id).config == saved(b"low").config
    assert docker.exports == 1
    assert engine.names() == [A, B]
    engine.add(saved(b"low", names=(A,)))
    assert engine.find("r.example/c:1") is None


def test_engine_that_made_something_else_of_the_image():
    docker = Docker()
    docker.named[A] = saved(b"another")
    with pytest.raises(ImageError, match="the engine has %s under %s after loading" % (saved(b"another").id, A)):
        EngineImages("docker-daemon", docker).add(saved(b"low", names=(A,)))
    with pytest.raises(ImageError, match="the engine has nothing under %s after loading" % B):
        EngineImages("docker-daemon", docker).add(saved(b"low", names=(B,)))


def test_image_that_was_removed_meanwhile():
    with pytest.raises(ContentMissing, match="was removed from the engine meanwhile"):
        EngineImages("docker-daemon", Docker()).name({A: saved(b"low").id})
