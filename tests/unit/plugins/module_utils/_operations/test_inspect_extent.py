# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import concurrent.futures

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._operations.inspect import find_missing
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.details import _below
from ansible_collections.drayage.registry.plugins.module_utils._stores import closure
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore


def chain(length):
    """A store with indexes of which each refers to the next, and the first of them."""
    store = MemoryStore().add(images.image())
    manifest = images.image().manifest
    for _step in range(length):
        manifest = images.index(images.entry(manifest))
        store.add(manifest)
    return store, manifest


def wide(width):
    """A store with nothing but an index that refers to so many manifests."""
    children = [{**images.entry(images.image()), "digest": digests.of(b"%d" % number)} for number in range(width)]
    index = images.index(*children)
    return MemoryStore().add(index), index


def missing(store, top):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return find_missing(store, top, pool)


def test_indexes_nested_as_deep_as_any_are_looked_through():
    store, top = chain(4)
    assert missing(store, top) == []
    assert len(list(_below(store, top))) == 5
    assert closure.is_whole(top.descriptor, None, lambda blob: True, store.manifest)
    assert closure.reachable([top.digest], store.manifest)[1] is True


@pytest.mark.parametrize("walk", [missing, lambda store, top: list(_below(store, top))])
def test_a_chain_of_indexes_ends(walk):
    store, top = chain(3000)
    with pytest.raises(InvalidContent, match="its indexes are nested more than 4 deep"):
        walk(store, top)
    assert store.counted() == {"manifest": 4}


def test_an_image_that_is_a_chain_of_indexes_is_never_whole():
    store, top = chain(3000)
    assert not closure.is_whole(top.descriptor, None, lambda blob: True, store.manifest)
    assert closure.reachable([top.digest], store.manifest)[1] is False
    assert store.counted()["manifest"] <= 10


@pytest.mark.parametrize("walk", [missing, lambda store, top: list(_below(store, top))])
def test_an_index_of_too_many_manifests_is_refused(walk):
    store, top = wide(10_001)
    with pytest.raises(InvalidContent, match="it refers to more than 10000 manifests"):
        walk(store, top)
