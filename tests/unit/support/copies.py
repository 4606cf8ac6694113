# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The repository ``r.example/app`` in memory, with images to copy."""

from __future__ import annotations

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._operations.copy import CopyOptions, copy
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import MemoryStores

IMAGE, OLD = image("linux/amd64", b"new", b"shared"), image("linux/amd64", b"old", b"shared")
ARM64 = image("linux/arm64", b"arm64", b"shared")
INDEX = index(entry(IMAGE, "linux/amd64"), entry(ARM64, "linux/arm64"))


def add_source(stores: MemoryStores) -> MemoryStore:
    """Add the repository, whose tags 1 and latest point to one image."""
    return stores.repository("r.example", "app").add(IMAGE, ARM64, INDEX).add(IMAGE, tag="1").add(IMAGE, tag="latest")


def copying(stores: MemoryStores) -> t.Callable:
    """Return a function that copies an image between these stores, each time in a run of its own."""

    def copied(src, dest, dry_run=False, **more):
        stores.run = runs.run(dry_run=dry_run)
        return copy(CopyOptions(src=src, dest=dest, **more), stores)

    return copied
