# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._transfer.execute import execute
from ansible_collections.drayage.registry.plugins.module_utils._transfer.known import Known
from ansible_collections.drayage.registry.plugins.module_utils._transfer.parallel import InlineExecutor
from ansible_collections.drayage.registry.plugins.module_utils._transfer.plan import plan_copy
from ansible_collections.drayage.registry.plugins.module_utils._transfer.prediction import mount_what_exists, predict
from ansible_collections.drayage.registry.plugins.module_utils._transfer.request import CopyRequest
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.jobs import job_of
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
def jobs():
    """Plan a copy from each source to the destination at the same place of a list."""

    def make(sources, destinations, **more):
        pairs = zip(sources, destinations)
        requests = [
            CopyRequest(source, "1", known.store, ("1",), listed=known, is_set=True, **more) for source, known in pairs
        ]
        return [job_of(plan_copy(request, InlineExecutor())) for request in requests]

    return make


def test_what_is_shared_is_read_once_and_mounted_after(jobs, here, there):
    made = jobs(here, there)
    predict(made)
    predicted = [job.moved for job in made]
    execute(made, runs.run(4), keep_going=False)
    assert all(job.is_done and not job.error for job in made)
    assert [place.store.tags for place in there] == [{"1": A.manifest.digest}, {"1": B.manifest.digest}]
    reads = [digest for store in here for digest in store.names("open_blob")]
    assert sorted(reads) == sorted(blobs(A) | blobs(B))
    assert sum(job.moved.mounted for job in made) == len(SHARED)
    assert sum(job.moved.bytes for job in made) == sum(moved.bytes for moved in predicted)


def test_the_next_source_takes_over_where_the_first_fails(jobs, here, there):
    made = jobs(here, there)
    for digest in SHARED:
        del here[0].content[digest]
    execute(made, runs.run(1), keep_going=True)
    assert "is not there" in str(made[0].error)
    assert made[1].is_done
    assert [place.store.tags for place in there] == [{}, {"1": B.manifest.digest}]


def test_the_first_error_ends_it_where_that_is_wanted(jobs, here, there):
    made = jobs(here, there)
    for digest in blobs(A):
        here[0].content.pop(digest, None)
    for digest in blobs(B):
        here[1].content.pop(digest, None)
    execute(made, runs.run(1), keep_going=False)
    assert [job.is_done for job in made] == [False, False]
    assert sum(job.error is not None for job in made) == 1


def test_a_manifest_of_many_tags_is_never_pushed_twice_at_once(jobs, there):
    both = index(entry(A), entry(B))
    source = MemoryStore("r.example", "a").add(A, B, both, tag="1")
    made = jobs([source] * 6, there[:1] * 6)
    execute(made, runs.run(6), keep_going=False)
    pushed = there[0].store.names("put_manifest")
    assert pushed.count(A.manifest.digest) == pushed.count(B.manifest.digest) == 1
    assert there[0].store.tags == {"1": both.digest}


def test_whether_anything_is_there_is_asked_once(jobs, here):
    """Where the tags could not be listed: of each blob it would be asked again."""
    destination = MemoryStore("s.example", "a")
    execute(jobs(here[:1], [Known(destination)]), runs.run(1), keep_going=False)
    assert destination.counted()["has_content"] == 1


def test_content_that_is_gone_again_is_brought_again(jobs, here, there):
    destination = there[0].store.add(A, tag="old")
    there[0].tags = frozenset(("old",))
    made = jobs(here[:1], there[:1])
    assert made[0].plan.blobs == []
    destination.content.clear()
    destination.manifests.clear()
    execute(made, runs.run(2), keep_going=False)
    assert made[0].is_done
    assert destination.tags["1"] == A.manifest.digest
    assert blobs(A) <= set(destination.content)


def test_the_error_that_came_first_stays(jobs, here, there):
    (job,) = jobs(here[:1], there[:1])
    here[0].content.clear()
    execute([job], runs.run(1), keep_going=True)
    largest = max(job.planned.blobs, key=lambda blob: blob.size)
    assert str(job.error) == "r.example/a:1: blob %s is not there." % largest.digest
    assert len(here[0].names("open_blob")) == 1


def test_an_image_of_one_repository_is_mounted_from_where_its_blobs_were_found(jobs, here, there):
    there[0].store.add(A, tag="0")
    there[0].tags = frozenset(("0",))
    made = jobs(here[:1] * 2, there)
    mount_what_exists(made)
    assert made[0].planned.mounts == {}
    assert made[1].planned.mounts == dict.fromkeys(blobs(A), "a")
    predict(made)
    assert [(job.moved.mounted, job.moved.copied, job.moved.bytes) for job in made] == [(0, 0, 0), (3, 0, 0)]
    execute(made, runs.run(1), keep_going=False)
    assert [(job.moved.mounted, job.moved.copied, job.moved.bytes) for job in made] == [(0, 0, 0), (3, 0, 0)]


def test_a_new_repository_of_a_set_is_offered_as_its_own_source(jobs, here):
    """A run that was killed may have left blobs there, and no tag shows it."""
    asked = []

    class Offered(MemoryStore):
        def put_blob(self, blob, open_blob, mount_from):
            asked.append(mount_from)
            return super().put_blob(blob, open_blob, "")

    new, used = Offered("s.example", "a"), Offered("s.example", "b").add(B, tag="0")
    execute(jobs(here[:1], [Known(new, ())]), runs.run(1))
    assert asked == ["a"] * 3
    asked.clear()
    execute(jobs(here[:1], [Known(used, ("0",))]), runs.run(1))
    assert asked == [""]


def test_what_one_job_brings_is_there_for_others_of_the_same_repository(jobs, here, there):
    source = MemoryStore("r.example", "a").add(A, tag="1")
    made = jobs([source, source], [there[0], there[0]])
    predict(made)
    assert [job.moved.copied for job in made] == [3, 0]
    execute(made, runs.run(1))
    assert [job.is_done for job in made] == [True, True]
    assert [job.moved.copied for job in made] == [3, 0]
    assert len(source.names("open_blob")) == 3


def test_no_job_is_no_work():
    execute([], runs.run(4))
