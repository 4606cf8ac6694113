# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._transfer.execute_set import Work, execute_set, foresee
from ansible_collections.drayage.registry.plugins.module_utils._transfer.known import Known
from ansible_collections.drayage.registry.plugins.module_utils._transfer.parallel import Alone
from ansible_collections.drayage.registry.plugins.module_utils._transfer.plan import CopyRequest, plan_copy
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore

A, B = image("linux/amd64", b"base", b"a"), image("linux/amd64", b"base", b"b")


def blobs(made):
    """The digests of an image's blobs."""
    return {digests.of(content) for content in made.blobs}


SHARED = blobs(A) & blobs(B)


@pytest.fixture
def here():
    """Two repositories of a registry that have an image each."""
    return [MemoryStore("r.example", name).add(image, tag="1") for name, image in (("a", A), ("b", B))]


class Honest(MemoryStore):
    """A repository that mounts only what the other one has."""

    def __init__(self, name, all_of_them):
        super().__init__("s.example", name)
        self._all = all_of_them
        all_of_them[name] = self

    def put_blob(self, blob, open_blob, mount_from):
        has_it = mount_from and blob.digest in self._all[mount_from].content
        return super().put_blob(blob, open_blob, mount_from if has_it else "")


@pytest.fixture
def there():
    """Two empty repositories of another registry."""
    all_of_them = {}
    return [Known(Honest(name, all_of_them), ()) for name in ("a", "b")]


@pytest.fixture
def works():
    """Plan a copy from each source to the destination at the same place of a list."""

    def make(sources, destinations, **more):
        pairs = zip(sources, destinations)
        requests = [CopyRequest(source, "1", known.store, ("1",), listed=known, **more) for source, known in pairs]
        return [Work(plan_copy(request, Alone())) for request in requests]

    return make


def test_what_is_shared_is_read_once_and_mounted_after(works, here, there):
    made = works(here, there)
    predicted = list(foresee(work.plan for work in made))
    execute_set(made, 4, keep_going=False)
    assert all(work.is_done and not work.error for work in made)
    assert [place.store.tags for place in there] == [{"1": A.manifest.digest}, {"1": B.manifest.digest}]
    reads = [digest for store in here for digest in store.names("open_blob")]
    assert sorted(reads) == sorted(blobs(A) | blobs(B))
    assert sum(work.moved.mounted for work in made) == len(SHARED)
    assert sum(work.moved.bytes for work in made) == sum(moved.bytes for moved in predicted)


def test_the_next_source_takes_over_where_the_first_fails(works, here, there):
    made = works(here, there)
    for digest in SHARED:
        del here[0].content[digest]
    execute_set(made, 1, keep_going=True)
    assert "is not there" in str(made[0].error)
    assert made[1].is_done
    assert [place.store.tags for place in there] == [{}, {"1": B.manifest.digest}]


def test_the_first_error_ends_it_where_that_is_wanted(works, here, there):
    made = works(here, there)
    for digest in blobs(A):
        here[0].content.pop(digest, None)
    for digest in blobs(B):
        here[1].content.pop(digest, None)
    execute_set(made, 1, keep_going=False)
    assert [work.is_done for work in made] == [False, False]
    assert sum(work.error is not None for work in made) == 1


def test_a_manifest_of_many_tags_is_never_pushed_twice_at_once(works, there):
    both = index(entry(A), entry(B))
    source = MemoryStore("r.example", "a").add(A, B, both, tag="1")
    made = works([source] * 6, there[:1] * 6)
    execute_set(made, 6, keep_going=False)
    pushed = there[0].store.names("put_manifest")
    assert pushed.count(A.manifest.digest) == pushed.count(B.manifest.digest) == 1
    assert there[0].store.tags == {"1": both.digest}


def test_whether_anything_is_there_is_asked_once(works, here):
    """Where the tags could not be listed: of each blob it would be asked again."""
    destination = MemoryStore("s.example", "a")
    execute_set(works(here[:1], [Known(destination)]), 1, keep_going=False)
    assert destination.counted()["has_content"] == 1


def test_content_that_is_gone_again_is_brought_again(works, here, there):
    destination = there[0].store.add(A, tag="old")
    there[0].tags = frozenset(("old",))
    made = works(here[:1], there[:1])
    assert made[0].plan.blobs == []
    destination.content.clear()
    destination.manifests.clear()
    execute_set(made, 2, keep_going=False)
    assert made[0].is_done
    assert destination.tags["1"] == A.manifest.digest
    assert blobs(A) <= set(destination.content)
