# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The repository ``r.example/app`` in memory, with images to delete."""

from __future__ import annotations

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._operations.delete import DeleteOptions, delete
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import MemoryStores

A, B = (image("linux/amd64", b"base", text) for text in (b"a", b"b"))
REPOSITORY = "r.example/app"
ONE, TEN, TWO = (REPOSITORY + ":" + tag for tag in ("1", "10", "2"))
BY_DIGEST = REPOSITORY + "@" + A.digest


def add_images(place: MemoryStore) -> MemoryStore:
    """Add two tags of one image, and one of another."""
    return place.add(A, tag="10").add(A, tag="1").add(B, tag="2")


def deleting(stores: MemoryStores) -> t.Callable:
    """Return a function that deletes an image from these stores, each time in a run of its own."""

    def deleted(image, scope="tag", dry_run=False, **more):
        stores.run = runs.run(dry_run=dry_run)
        return delete(DeleteOptions(image, scope, **more), stores)

    return deleted


class Forgetful:
    """Lets a repository list these tags, whatever it has."""

    def __init__(self, place, *listed):
        self._tags, self._listed = place.tags, listed
        place.tags = self

    def __call__(self):
        return list(self._listed)

    def __getattr__(self, name):
        return getattr(self._tags, name)

    def __delitem__(self, name):
        del self._tags[name]
