# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import AccessDenied, InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._image.platform import Platform
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.compare import compare
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.early_heads import EarlyHeads
from ansible_collections.drayage.registry.plugins.module_utils._transfer.job import Job
from ansible_collections.drayage.registry.plugins.module_utils._transfer.known import Known
from ansible_collections.drayage.registry.plugins.module_utils._transfer.parallel import InlineExecutor
from ansible_collections.drayage.registry.plugins.module_utils._transfer.plan import plan_copy
from ansible_collections.drayage.registry.plugins.module_utils._transfer.request import CopyRequest, Heads
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore

OLD, NEW = image("linux/amd64", b"old"), image("linux/amd64", b"new")


@pytest.fixture
def pool():
    return InlineExecutor()


@pytest.fixture
def source():
    return MemoryStore("r.example", "app").add(NEW, tag="1").add(NEW, tag="2")


@pytest.fixture
def there():
    return MemoryStore("s.example", "app").add(NEW, tag="1").add(OLD, tag="2")


@pytest.fixture
def jobs(source, there):
    """Make jobs for names, with the names that the destination has listed."""

    def make(*names, listed=("1", "2"), platforms=()):
        known = Known(there, listed)
        requests = [CopyRequest(source, name, there, (name,), platforms=platforms, listed=known) for name in names]
        return [
            Job(source.reference(request.name), there.reference(request.name), request.name, request)
            for request in requests
        ]

    return make


def compared(jobs, threads=4):
    compare(jobs, runs.run(threads), EarlyHeads(threads))
    return jobs


def test_a_tag_that_is_the_same_is_decided(source, there, jobs):
    (job,) = compared(jobs("1"))
    assert (job.action, job.digest, job.heads, job.error) == ("unchanged", NEW.digest, None, None)
    assert (job.src, job.dest) == ("r.example/app:1", "s.example/app:1")
    assert (source.asked, there.asked) == ([("resolve", "1")], [("resolve", "1")])


def test_of_a_tag_that_moved_both_digests_are_known_and_nobody_is_asked_again(source, there, jobs, pool):
    (job,) = compared(jobs("2"))
    assert job.action == ""
    assert (job.heads.source.digest, job.heads.destination.digest) == (NEW.digest, OLD.digest)
    assert plan_copy(job.request, pool, job.heads).previous == {"2": OLD.digest}
    assert source.counted()["resolve"] == there.counted()["resolve"] == 1


def test_what_is_not_listed_is_not_asked_for(source, there, jobs):
    platforms = (Platform.parse("linux/amd64"),)
    made = [jobs("1", listed=()), jobs("1", listed=None), jobs(NEW.digest), jobs("1", platforms=platforms)]
    for job in compared([job for group in made for job in group]):
        assert (job.action, job.heads) == ("", None)
    assert source.asked == there.asked == []


def test_what_is_decided_or_was_not_declared_is_left_alone(source, there, jobs):
    (decided,) = jobs("1")
    decided.decide_unchanged()
    listed = Job.failed("r.example/app", "s.example/app", AccessDenied("access denied"))
    compared([decided, listed, Job("r.example/app:1", "s.example/app:1", "1")])
    assert source.asked == there.asked == []


def test_a_destination_of_which_nothing_is_known_is_not_asked(source, there):
    job = Job("r.example/app:1", "s.example/app:1", "1", CopyRequest(source, "1", there, ("1",)))
    compared([job])
    assert source.asked == there.asked == []


def test_a_tag_that_went_since_it_was_listed_is_left_to_the_plan(there, jobs):
    del there.tags["1"]
    (job,) = compared(jobs("1"))
    assert (job.action, job.heads) == ("", Heads(NEW.manifest.descriptor, None))


def test_an_image_that_is_damaged_is_left_to_the_plan(there, jobs):
    there.is_damaged = True
    (job,) = compared(jobs("1"))
    assert job.action == ""
    assert job.heads.are_same


@pytest.mark.parametrize("side", ["source", "there"])
def test_a_registry_that_refuses_is_an_image_that_failed(request, jobs, side):
    request.getfixturevalue(side).resolve = fails(AccessDenied("access denied"))
    found = compared(jobs("1", "2"))
    assert [job.action for job in found] == ["failed", "failed"]
    assert str(found[0].error).startswith("r.example/app:1: " if side == "source" else "s.example/app:1: ")
    assert found[0].heads is None


def test_a_destination_that_makes_no_sense_is_left_to_the_plan(there, jobs):
    there.resolve = fails(InvalidContent("is no manifest"))
    (job,) = compared(jobs("1"))
    assert (job.action, job.heads) == ("", None)


def test_both_sides_are_asked_at_once(source, there, jobs):
    meeting = threading.Barrier(4, timeout=120)
    for store in (source, there):
        store.resolve = meets(meeting, store.resolve)
    assert [job.action for job in compared(jobs("1", "2"), 2)] == ["unchanged", ""]


def test_one_registry_is_asked_no_more_often_at_once_than_allowed(source, there, jobs):
    source.host = there.host = "r.example"
    source.resolve = there.resolve = alone(source.resolve)
    assert [job.action for job in compared(jobs("1", "2"), 1)] == ["unchanged", "unchanged"]


def fails(error):
    def resolve(_name):
        raise error

    return resolve


def meets(meeting, resolve):
    def meet(name):
        meeting.wait()
        return resolve(name)

    return meet


def alone(resolve):
    busy = threading.Lock()

    def ask(name):
        assert busy.acquire(blocking=False)
        try:
            time.sleep(0)  # lets other threads run, if there are any
            return resolve(name)
        finally:
            busy.release()

    return ask
