# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import concurrent.futures

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image.platform import Platform
from ansible_collections.drayage.registry.plugins.module_utils._transfer.plan import plan_copy
from ansible_collections.drayage.registry.plugins.module_utils._transfer.request import CopyRequest
from ansible_collections.drayage.registry.tests.unit.support.closing import everything_closed
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore


@pytest.fixture(autouse=True)
def close_what_was_made(monkeypatch):
    with everything_closed(monkeypatch):
        yield


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
def store_type():
    """The type of the stores below; modules replace it."""
    return MemoryStore


@pytest.fixture
def source(store_type):
    return store_type("r.example", "app")


@pytest.fixture
def elsewhere(store_type):
    """A repository of another registry, without anything in it."""
    return store_type("s.example", "app")


@pytest.fixture
def beside(store_type):
    """Another repository of the source's registry, without anything in it."""
    return store_type("r.example", "copy")


@pytest.fixture
def plan(pool, source):
    """Plan a copy of a name of the source, ``latest`` where nothing else is said."""

    def make(destination, *tags, name="latest", platforms=(), **more):
        wanted = tuple(Platform.parse(text) for text in platforms)
        return plan_copy(CopyRequest(source, name, destination, tags, platforms=wanted, **more), pool)

    return make
