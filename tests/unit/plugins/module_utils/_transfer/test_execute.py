# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ContentMissing,
    DigestMismatch,
    ImageError,
    NotFound,
    Refused,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.platform import Platform
from ansible_collections.drayage.registry.plugins.module_utils._transfer.execute import execute
from ansible_collections.drayage.registry.plugins.module_utils._transfer.job import Event, Moved
from ansible_collections.drayage.registry.plugins.module_utils._transfer.plan import plan_copy
from ansible_collections.drayage.registry.plugins.module_utils._transfer.request import CopyRequest
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.jobs import executed, job_of

AMD64, ARM64 = image("linux/amd64", b"small", b"shared"), image("linux/arm64", b"rather large", b"shared")
INDEX = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))


@pytest.fixture
def plan(pool, source):
    def make(destination, *tags, **more):
        source.add(AMD64, ARM64, INDEX, tag="latest")
        return plan_copy(CopyRequest(source, "latest", destination, tags, **more), pool)

    return make


def written(store):
    return [(method, name) for method, name in store.asked if method in ("put_blob", "put_manifest", "publish")]


def test_blobs_come_first_then_children_then_the_index_then_the_tags(plan, elsewhere):
    executed(plan(elsewhere, "1", "2"))
    methods = [method for method, _name in written(elsewhere)]
    assert methods == ["put_blob"] * 5 + ["put_manifest"] * 3 + ["publish"] * 2
    assert elsewhere.names("put_manifest")[-1] == INDEX.digest
    assert elsewhere.tags == {"1": INDEX.digest, "2": INDEX.digest}
    assert elsewhere.content == {digests.of(content): content for content in (*AMD64.blobs, *ARM64.blobs)}


def test_the_largest_blob_starts_first(plan, elsewhere):
    result = plan(elsewhere, "1")
    executed(result, threads=1)
    sizes = {blob.digest: blob.size for blob in result.blobs}
    started = [sizes[digest] for digest in elsewhere.names("put_blob")]
    assert started == sorted(started, reverse=True)
    assert started[0] > started[-1]


def test_what_was_done_is_counted(plan, elsewhere):
    moved = executed(plan(elsewhere, "1")).moved
    assert moved == Moved(copied=5, bytes=sum(map(len, {*AMD64.blobs, *ARM64.blobs})))


def test_what_was_mounted_did_not_pass_through_here(plan, source, beside):
    assert executed(plan(beside, "1")).moved == Moved(
        mounted=5, bytes_mounted=sum(map(len, {*AMD64.blobs, *ARM64.blobs}))
    )
    assert source.names("open_blob") == []


def test_only_outdated_tags_are_written(plan, elsewhere):
    elsewhere.add(AMD64, ARM64, INDEX, tag="2").add(AMD64, tag="1")
    executed(plan(elsewhere, "1", "2", "3"))
    assert elsewhere.names("publish") == ["1", "3"]


def test_a_destination_named_by_digest_gets_no_tag(plan, elsewhere):
    executed(plan(elsewhere, digest=INDEX.digest))
    assert INDEX.digest in elsewhere.manifests
    assert elsewhere.tags == {}


def test_missing_children_are_added_without_touching_a_tag_that_is_right(plan, elsewhere):
    elsewhere.add(AMD64, INDEX, tag="1")
    chosen = {"platforms": (Platform.parse("linux/arm64"),), "sparse": True}
    executed(plan(elsewhere, "1", **chosen))
    assert elsewhere.names("put_manifest") == [ARM64.digest]
    assert elsewhere.names("publish") == []


def test_the_tags_stay_as_they_were_when_a_blob_turns_out_wrong(plan, source, elsewhere):
    elsewhere.add(AMD64, tag="1")
    result = plan(elsewhere, "1")
    source.content[digests.of(b"rather large")] = b"rather wrong"
    with pytest.raises(DigestMismatch, match="^r.example/app:latest: "):
        executed(result)
    assert elsewhere.tags == {"1": AMD64.digest}
    assert elsewhere.names("put_manifest") == []
    assert digests.of(b"rather large") not in elsewhere.content


def test_the_error_of_a_destination_names_the_destination(plan, elsewhere):
    def refuse(_manifest):
        raise Refused("does not take it")

    result = plan(elsewhere, "1")
    elsewhere.put_manifest = refuse
    with pytest.raises(Refused, match="^s.example/app:1: does not take it"):
        executed(result)
    assert elsewhere.tags == {}


def test_the_first_failure_ends_the_transfers_that_are_under_way(plan, source, elsewhere):
    result = plan(elsewhere, "1")
    del source.content[digests.of(b"rather large")]
    largest = digests.of(ARM64.blobs[0])
    taken = []

    def slow(blob):
        if blob.digest != largest:
            yield from type(source).open_blob(source, blob)
            return
        while len(taken) < 500:
            time.sleep(0.01)
            taken.append(b"x")
            yield taken[-1]

    source.open_blob = slow
    with pytest.raises(ImageError, match="blob %s is not there" % digests.of(b"rather large")):
        executed(result)
    assert len(taken) < 500


def test_companions_arrive_after_the_manifests_and_before_the_tags(plan, elsewhere):
    referrer = image("linux/amd64", b"signature")
    elsewhere.add(referrer)
    del elsewhere.manifests[referrer.digest]
    result = plan(elsewhere, "1")
    result.companions.append(referrer.manifest)
    executed(result)
    assert elsewhere.names("put_manifest") == [AMD64.digest, ARM64.digest, referrer.digest, INDEX.digest]


def test_content_that_is_gone_by_now_is_brought_in_a_second_try(plan, elsewhere):
    elsewhere.add(AMD64, ARM64, INDEX, tag="0")
    result = plan(elsewhere, "1")
    assert result.blobs == result.manifests == []
    gone = digests.of(b"small")
    del elsewhere.content[gone], elsewhere.manifests[AMD64.digest]
    job = executed(result)
    assert elsewhere.names("put_blob") == [gone]
    assert (job.moved, job.digest, job.planned.previous) == (
        Moved(copied=1, bytes=len(b"small")),
        INDEX.digest,
        {"1": None},
    )
    assert elsewhere.tags["1"] == INDEX.digest


def test_the_second_try_ends_at_its_first_error_and_fails_with_that(plan, source, elsewhere):
    elsewhere.add(AMD64, ARM64, INDEX, tag="0")
    result = plan(elsewhere, "1")
    elsewhere.content.clear()
    del elsewhere.manifests[AMD64.digest]
    del source.content[digests.of(b"small")]
    with pytest.raises(NotFound, match="^r.example/app:latest: blob %s is not there" % digests.of(b"small")):
        executed(result)
    assert "1" not in elsewhere.tags


def test_what_a_registry_refuses_twice_is_an_error_with_a_hint_for_sparse_indexes(plan, elsewhere):
    def refuse(_manifest):
        raise ContentMissing("refuses the manifest")

    for sparse in (False, True):
        result = plan(elsewhere, "1", sparse=sparse, platforms=(Platform.parse("linux/arm64"),))
        elsewhere.put_manifest = refuse
        with pytest.raises(ContentMissing, match="refuses the manifest") as caught:
            executed(result)
        assert ("Use platform_mode: strip" in str(caught.value)) is sparse


class TestObserver:
    def observed(self, plan, **more):
        events = []
        jobs = [job_of(plan)]
        execute(
            jobs,
            runs.run(1),
            observe=lambda event, job, blob, size: events.append((event, job, blob and blob.digest, size)),
        )
        assert all(event[1] is jobs[0] for event in events)
        return [(event, digest, size) for event, _job, digest, size in events]

    def test_a_blob_is_started_read_and_finished(self, plan, elsewhere):
        result = plan(elsewhere, "1")
        events = self.observed(result)
        assert events[0] == (Event.PLANNED, None, 0)
        assert events[-1] == (Event.FINISHED, None, 0)
        for blob in result.blobs:
            of_blob = [(event, size) for event, digest, size in events if digest == blob.digest]
            assert [event for event, _size in of_blob] == [
                Event.BLOB_STARTED,
                Event.BLOB_BYTES,
                Event.BLOB_BYTES,
                Event.BLOB_FINISHED,
            ]
            assert sum(size for _event, size in of_blob) == blob.size

    def test_a_mounted_blob_is_not_read(self, plan, beside):
        events = self.observed(plan(beside, "1"))
        assert [event for event, _digest, _size in events] == [
            Event.PLANNED,
            *[Event.BLOB_MOUNTED] * 5,
            Event.FINISHED,
        ]

    def test_a_failure_is_reported_once(self, plan, source, elsewhere):
        result = plan(elsewhere, "1")
        source.content.clear()
        events = [event for event, _digest, _size in self.observed(result)]
        assert events == [Event.PLANNED, Event.BLOB_STARTED, Event.FAILED]
