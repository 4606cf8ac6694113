# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deleting images in an engine whose IDs are not the digests of configs, and which cannot read all of its images."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image.tag_selection import TagSelection
from ansible_collections.drayage.registry.plugins.module_utils._operations.delete import DeleteOptions, delete
from ansible_collections.drayage.registry.plugins.module_utils._operations.tags import list_tags
from ansible_collections.drayage.registry.plugins.module_utils._stores.config_store import ConfigStore
from ansible_collections.drayage.registry.plugins.module_utils._stores.engine_images import EngineImages
from ansible_collections.drayage.registry.plugins.module_utils._stores.staging import Staging
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.containerd_engine import ContainerdEngine
from ansible_collections.drayage.registry.tests.unit.support.engines import saved

ONE, TWO, OTHER = "r.example/app:1", "r.example/app:2", "r.example/other:1"
GOOD = saved(b"good", names=(ONE,))


class Stores:
    """All stores are in one engine."""

    def __init__(self, engine):
        self.run = runs.run()
        self._backend = EngineImages("docker-daemon", engine)

    def open(self, reference, **_options):
        return ConfigStore(self._backend, Staging(), reference)

    def close(self):
        self._backend.close()


@pytest.fixture
def engine():
    """An engine with a good image, and with another one that it cannot read."""
    made = ContainerdEngine()
    made.have(GOOD)
    made.damaged.add(made.have(saved(b"bad", names=(TWO,))))
    return made


@pytest.fixture
def stores(engine):
    made = Stores(engine)
    yield made
    made.close()


def test_a_tag_is_deleted_although_another_image_cannot_be_read(engine, stores):
    deleted = delete(DeleteOptions("docker-daemon:" + ONE), stores)
    assert (deleted.digest, deleted.removed, deleted.kept) == (GOOD.id, ["1"], [])
    assert list(engine.named) == [TWO]
    (warning,) = stores.run.statistics.warnings
    assert "kept_tags may be incomplete for %s: the images with these tags cannot be read: 2 (" % GOOD.id in warning


@pytest.mark.parametrize("kind", ["config", "engine"])
def test_an_image_is_deleted_by_its_id_although_another_one_cannot_be_read(engine, stores, kind):
    engine.have(saved(b"good", names=(OTHER,)))
    image_id = GOOD.id if kind == "config" else engine.named[ONE]
    deleted = delete(DeleteOptions("docker-daemon:" + image_id, "manifest"), stores)
    assert (deleted.digest, deleted.method, deleted.removed) == (GOOD.id, "digest", [ONE, OTHER])
    assert deleted.before == dict.fromkeys(
        ["docker-daemon:" + ONE, "docker-daemon:" + OTHER, "docker-daemon:" + GOOD.id], GOOD.id
    )
    assert set(deleted.after.values()) == {None}
    assert list(engine.named) == [TWO]


def test_all_tags_of_an_image_are_only_deleted_if_they_are_known(engine, stores):
    with pytest.raises(ImageError, match="cannot determine which tags would be deleted"):
        delete(DeleteOptions("docker-daemon:" + ONE, "manifest"), stores)
    assert list(engine.named) == [ONE, TWO]


def test_an_image_that_cannot_be_read_must_be_deleted_with_the_engine(stores):
    with pytest.raises(ImageError) as caught:
        delete(DeleteOptions("docker-daemon:" + TWO), stores)
    assert caught.value.hint.startswith("Remove the image with a command of the engine, such as docker rmi")


def test_tags_of_images_that_cannot_be_read_have_no_digests(stores):
    listed = list_tags("docker-daemon:r.example/app", TagSelection(), True, stores)
    assert (listed.tags, listed.digests) == (["1", "2"], {"1": GOOD.id})
    (warning,) = stores.run.statistics.warnings
    assert "docker-daemon:r.example/app: the images with these tags cannot be read: 2 (" in warning
