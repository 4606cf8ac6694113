# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ContentMissing, DigestMismatch, ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.platform import Platform
from ansible_collections.drayage.registry.plugins.module_utils._transfer.execute import Moved, execute
from ansible_collections.drayage.registry.plugins.module_utils._transfer.plan import CopyRequest, plan_copy
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index

AMD64, ARM64 = image("linux/amd64", b"small", b"shared"), image("linux/arm64", b"rather large", b"shared")
INDEX = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))


@pytest.fixture
def plan(pool, source):
    def make(destination, *tags, **more):
        source.add(AMD64, ARM64, INDEX, tag="latest")
        return plan_copy(CopyRequest(source, "latest", destination, tags, **more), pool)

    return make


def run(plan, pool):
    moved = Moved()
    execute(plan, pool, moved)
    return moved


def written(store):
    return [(method, name) for method, name in store.asked if method in ("put_blob", "put_manifest", "publish")]


def test_blobs_come_first_then_children_then_the_index_then_the_tags(plan, pool, elsewhere):
    run(plan(elsewhere, "1", "2"), pool)
    methods = [method for method, _name in written(elsewhere)]
    assert methods == ["put_blob"] * 5 + ["put_manifest"] * 3 + ["publish"] * 2
    assert elsewhere.names("put_manifest")[-1] == INDEX.digest
    assert elsewhere.tags == {"1": INDEX.digest, "2": INDEX.digest}
    assert elsewhere.content == {digests.of(content): content for content in (*AMD64.blobs, *ARM64.blobs)}


def test_the_largest_blob_starts_first(plan, elsewhere):
    started = []

    class Pool:
        def submit(self, function, plan, blob, *more):
            started.append(blob.size)
            raise KeyboardInterrupt

        def map(self, function, items):
            return map(function, items)

    result = plan(elsewhere, "1")
    with pytest.raises(KeyboardInterrupt):
        run(result, Pool())
    assert started == [max(blob.size for blob in result.blobs)]


def test_what_was_done_is_counted(plan, pool, elsewhere):
    moved = run(plan(elsewhere, "1"), pool)
    assert moved == Moved(copied=5, mounted=0, bytes=sum(map(len, {*AMD64.blobs, *ARM64.blobs})))


def test_what_was_mounted_did_not_pass_through_here(plan, pool, source, beside):
    assert run(plan(beside, "1"), pool) == Moved(copied=0, mounted=5, bytes=0)
    assert source.names("open_blob") == []


def test_only_stale_tags_are_written(plan, pool, elsewhere):
    elsewhere.add(AMD64, ARM64, INDEX, tag="2").add(AMD64, tag="1")
    run(plan(elsewhere, "1", "2", "3"), pool)
    assert elsewhere.names("publish") == ["1", "3"]


def test_a_destination_named_by_digest_gets_no_tag(plan, pool, elsewhere):
    run(plan(elsewhere, digest=INDEX.digest), pool)
    assert INDEX.digest in elsewhere.manifests
    assert elsewhere.tags == {}


def test_missing_children_are_added_without_touching_a_tag_that_is_right(plan, pool, elsewhere):
    elsewhere.add(AMD64, INDEX, tag="1")
    chosen = {"platforms": (Platform.parse("linux/arm64"),), "sparse": True}
    run(plan(elsewhere, "1", **chosen), pool)
    assert elsewhere.names("put_manifest") == [ARM64.digest]
    assert elsewhere.names("publish") == []


def test_the_tags_stay_as_they_were_when_a_blob_turns_out_wrong(plan, pool, source, elsewhere):
    elsewhere.add(AMD64, tag="1")
    result = plan(elsewhere, "1")
    source.content[digests.of(b"rather large")] = b"rather wrong"
    with pytest.raises(DigestMismatch, match="^r.example/app:latest: "):
        run(result, pool)
    assert elsewhere.tags == {"1": AMD64.digest}
    assert elsewhere.names("put_manifest") == []
    assert digests.of(b"rather large") not in elsewhere.content


def test_the_error_of_a_destination_names_the_destination(plan, pool, elsewhere):
    result = plan(elsewhere, "1")
    result.blobs.pop()
    with pytest.raises(ContentMissing, match="^s.example/app:1: "):
        run(result, pool)
    assert elsewhere.tags == {}


def test_the_first_failure_ends_the_transfers_that_are_under_way(plan, pool, source, elsewhere):
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
        run(result, pool)
    assert len(taken) < 500
