# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.jobs import predicted
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore

OLD, NEW = image("linux/amd64", b"old", b"shared"), image("linux/amd64", b"new", b"shared")
AMD64, ARM64 = image("linux/amd64", b"amd64", b"shared"), image("linux/arm64", b"arm64", b"shared")
INDEX = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))


def digests_of(items):
    return sorted(item.digest for item in items)


def blobs_of(*found):
    return sorted({digests.of(content) for image in found for content in image.blobs})


def test_an_image_that_is_there_costs_one_look_at_each_side(plan, source, elsewhere):
    source.add(NEW, tag="latest")
    elsewhere.add(NEW, tag="1")
    result = plan(elsewhere, "1")
    assert not result.changed
    assert (result.top.digest, result.source_digest, result.previous) == (NEW.digest, NEW.digest, {"1": NEW.digest})
    assert source.counted() == {"resolve": 1}
    assert elsewhere.counted() == {"resolve": 1}


def test_each_further_tag_costs_one_look(plan, source, elsewhere):
    source.add(NEW, tag="latest")
    elsewhere.add(NEW, tag="1").add(NEW, tag="2")
    assert not plan(elsewhere, "1", "2").changed
    assert source.counted() == {"resolve": 1}
    assert elsewhere.counted() == {"resolve": 2}


def test_a_source_that_is_named_by_digest_costs_the_same(plan, source, elsewhere):
    source.add(NEW)
    elsewhere.add(NEW, tag="1")
    assert not plan(elsewhere, "1", name=NEW.digest).changed
    assert source.asked == [("resolve", NEW.digest)]


def test_a_first_copy_reads_the_manifest_and_asks_for_no_blob(plan, source, elsewhere):
    source.add(NEW, tag="latest")
    result = plan(elsewhere, "1")
    assert result.changed
    assert (result.previous, result.outdated_tags) == ({"1": None}, ["1"])
    assert digests_of(result.blobs) == blobs_of(NEW)
    assert (predicted(result).bytes, result.skipped, result.manifests) == (sum(map(len, NEW.blobs)), 0, [])
    assert source.asked == [("manifest", "latest")]
    assert elsewhere.counted() == {"resolve": 1, "has_content": 1}


def test_a_new_tag_in_a_repository_in_use_looks_for_each_blob_once(plan, source, elsewhere):
    source.add(NEW, tag="latest")
    elsewhere.add(OLD, tag="0")
    result = plan(elsewhere, "1")
    assert digests_of(result.blobs) == [digests.of(b"new")]
    assert result.skipped == 2
    assert predicted(result).bytes == len(b"new")
    assert source.counted() == {"manifest": 1}
    assert elsewhere.counted() == {"resolve": 1, "has_content": 1, "has_blob": 3}


def test_an_update_knows_without_asking_that_there_is_content(plan, source, elsewhere):
    source.add(NEW, tag="latest")
    elsewhere.add(OLD, tag="1")
    result = plan(elsewhere, "1")
    assert result.previous == {"1": OLD.digest}
    assert digests_of(result.blobs) == [digests.of(b"new")]
    assert source.counted() == {"resolve": 1, "manifest": 1}
    assert elsewhere.counted() == {"resolve": 1, "has_blob": 3}


def test_an_image_is_read_by_the_digest_that_was_seen_so_that_it_cannot_change_meanwhile(plan, source, elsewhere):
    source.add(NEW, tag="latest")
    elsewhere.add(OLD, tag="1")
    plan(elsewhere, "1")
    assert source.names("manifest") == [NEW.digest]


def test_a_further_tag_in_the_repository_of_the_source_moves_nothing(plan, source):
    source.add(NEW, tag="latest")
    result = plan(MemoryStore("r.example", "app").add(NEW), "1")
    assert result.changed
    assert (result.blobs, result.manifests, result.skipped) == ([], [], 0)
    assert source.asked == [("manifest", "latest")]


def test_a_further_tag_for_an_index_does_not_look_at_its_children(plan, source):
    source.add(AMD64, ARM64, INDEX, tag="latest")
    same = MemoryStore("r.example", "app")
    plan(same, "1")
    assert source.counted() == {"manifest": 1}
    assert same.counted() == {"resolve": 1}


def test_only_some_tags_may_be_stale(plan, source, elsewhere):
    source.add(NEW, tag="latest")
    elsewhere.add(OLD, tag="1").add(NEW, tag="2")
    result = plan(elsewhere, "1", "2", "3")
    assert result.previous == {"1": OLD.digest, "2": NEW.digest, "3": None}
    assert result.outdated_tags == ["1", "3"]
    assert result.blobs == []


def test_blobs_are_mounted_unseen_within_a_registry(plan, source, beside):
    source.add(NEW, tag="latest")
    result = plan(beside, "1")
    assert result.mount_from == "app"
    assert digests_of(result.blobs) == blobs_of(NEW)
    assert (predicted(result).bytes, result.skipped) == (0, 0)
    assert source.asked == [("manifest", "latest")]
    assert beside.counted() == {"resolve": 1}


def test_an_update_within_a_registry_mounts_unseen_too(plan, source, beside):
    source.add(NEW, tag="latest")
    beside.add(OLD, tag="1")
    assert digests_of(plan(beside, "1").blobs) == blobs_of(NEW)
    assert beside.counted() == {"resolve": 1}


def test_a_first_copy_of_an_index_reads_each_child(plan, source, elsewhere):
    source.add(AMD64, ARM64, INDEX, tag="latest")
    result = plan(elsewhere, "1")
    assert digests_of(result.manifests) == digests_of([AMD64, ARM64])
    assert digests_of(result.blobs) == blobs_of(AMD64, ARM64)
    assert sorted(source.names("manifest")) == sorted(["latest", AMD64.digest, ARM64.digest])
    assert elsewhere.counted() == {"resolve": 1, "has_content": 1}


def test_a_child_that_is_there_is_not_read_and_has_what_it_needs(plan, source, elsewhere):
    source.add(AMD64, ARM64, INDEX, tag="latest")
    elsewhere.add(AMD64, tag="1")
    result = plan(elsewhere, "1")
    assert digests_of(result.manifests) == [ARM64.digest]
    assert digests_of(result.blobs) == sorted([digests.of(b"arm64"), ARM64.manifest.config.digest])
    assert result.skipped == 1
    assert sorted(source.names("manifest")) == sorted([INDEX.digest, ARM64.digest])
    assert sorted(elsewhere.names("has_manifest")) == sorted([AMD64.digest, ARM64.digest])
    assert elsewhere.counted() == {"resolve": 1, "has_manifest": 2, "has_blob": 3}


def test_a_blob_of_many_children_is_looked_for_and_moved_once(plan, source, elsewhere):
    source.add(AMD64, ARM64, INDEX, tag="latest")
    elsewhere.add(OLD, tag="0")
    plan(elsewhere, "1")
    assert elsewhere.names("has_blob").count(digests.of(b"shared")) == 1


def test_children_come_before_the_index_that_names_them(plan, source, elsewhere):
    outer = index(entry(INDEX), entry(NEW, "linux/s390x"))
    source.add(AMD64, ARM64, INDEX, NEW, outer, tag="latest")
    order = [manifest.digest for manifest in plan(elsewhere, "1").manifests]
    assert sorted(order) == sorted([AMD64.digest, ARM64.digest, INDEX.digest, NEW.digest])
    assert order.index(INDEX.digest) > max(order.index(AMD64.digest), order.index(ARM64.digest))


def test_a_child_that_is_no_manifest_moves_as_a_blob(plan, source, elsewhere):
    top = index(entry(AMD64, "linux/amd64"), images.described(b"data", "application/x"))
    source.add(AMD64, top, tag="latest")
    result = plan(elsewhere, "1")
    assert digests_of(result.blobs) == sorted([*blobs_of(AMD64), digests.of(b"data")])
    assert digests_of(result.manifests) == [AMD64.digest]


def test_chosen_platforms_move_alone(plan, source, elsewhere):
    source.add(AMD64, ARM64, INDEX, tag="latest")
    result = plan(elsewhere, "1", platforms=["linux/arm64"])
    assert digests_of(result.manifests) == [ARM64.digest]
    assert digests_of(result.blobs) == blobs_of(ARM64)
    assert result.top.digest != INDEX.digest
    assert result.source_digest == INDEX.digest
    assert sorted(source.names("manifest")) == sorted(["latest", ARM64.digest])


def test_chosen_platforms_that_are_there_cost_one_read_and_one_look(plan, source, elsewhere):
    source.add(AMD64, ARM64, INDEX, tag="latest")
    stripped = INDEX.with_children(lambda position: position == 1, {})
    elsewhere.add(ARM64, stripped, tag="1")
    assert not plan(elsewhere, "1", platforms=["linux/arm64"]).changed
    assert source.counted() == {"manifest": 1}
    assert elsewhere.counted() == {"resolve": 1}


def test_a_sparse_index_is_complete_when_the_chosen_children_are_there(plan, source, elsewhere):
    source.add(AMD64, ARM64, INDEX, tag="latest")
    elsewhere.add(ARM64, INDEX, tag="1")
    chosen = {"platforms": ["linux/arm64"], "sparse": True}
    assert not plan(elsewhere, "1", **chosen).changed
    assert elsewhere.asked == [("resolve", "1"), ("has_manifest", ARM64.digest)]
    result = plan(elsewhere, "1", platforms=["linux/amd64"], sparse=True)
    assert result.changed
    assert (result.outdated_tags, digests_of(result.manifests)) == ([], [AMD64.digest])
    assert result.top.digest == INDEX.digest


def test_the_children_of_a_stripped_nested_index_come_first_and_then_it(plan, source, elsewhere):
    outer = index(entry(INDEX))
    source.add(AMD64, ARM64, INDEX, outer, tag="latest")
    result = plan(elsewhere, "1", platforms=["linux/amd64"])
    child, nested = result.manifests
    assert child.digest == AMD64.digest
    assert [item.digest for item in nested.children] == [AMD64.digest]
    assert INDEX.digest not in source.names("resolve") + elsewhere.names("resolve")


def test_a_stripped_nested_index_is_new_even_to_the_repository_of_the_source(plan, source):
    outer = index(entry(INDEX))
    source.add(AMD64, ARM64, INDEX, outer, tag="latest")
    result = plan(MemoryStore("r.example", "app"), "1", platforms=["linux/amd64"])
    assert [[item.digest for item in manifest.children] for manifest in result.manifests] == [[AMD64.digest]]
    assert result.blobs == []


def test_a_manifest_that_many_indexes_list_is_read_and_moved_once(plan, source, elsewhere):
    outer = index(entry(INDEX), entry(AMD64, "linux/amd64"), entry(index(entry(AMD64), annotations={"k": "v"})))
    source.add(AMD64, ARM64, INDEX, index(entry(AMD64), annotations={"k": "v"}), outer, tag="latest")
    result = plan(elsewhere, "1")
    assert [manifest.digest for manifest in result.manifests].count(AMD64.digest) == 1
    assert source.names("manifest").count(AMD64.digest) == 1
