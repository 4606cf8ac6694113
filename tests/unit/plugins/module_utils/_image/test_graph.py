# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import concurrent.futures

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, InvalidContent, NotFound
from ansible_collections.drayage.registry.plugins.module_utils._image import config as configs
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._image.graph import Content, Graph, is_whole, reachable
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore

AMD64, ARM64, ARMV7 = image("linux/amd64"), image("linux/arm64"), image("linux/arm/v7")
INNER = index(entry(ARM64, "linux/arm64"), entry(ARMV7, "linux/arm/v7"))
TOP = index(entry(AMD64, "linux/amd64"), entry(INNER), entry(ARM64, "linux/arm64"))
NOTES = b"not a manifest"


@pytest.fixture
def store():
    return MemoryStore().add(AMD64, ARM64, ARMV7, INNER, TOP)


@pytest.fixture
def content(store):
    return Content(store.manifest, store.open_blob)


def chain(length):
    """A store with indexes of which each refers to the next, the last to an image; and the first of them."""
    store = MemoryStore().add(image())
    manifest = image().manifest
    for _step in range(length):
        manifest = index(entry(manifest))
        store.add(manifest)
    return store, manifest


def wide(width, tail=""):
    """An index that refers to so many manifests, none of which exists."""
    return index(
        *({**entry(image()), "digest": digests.of(b"%d%s" % (number, tail.encode()))} for number in range(width))
    )


def graph_of(store, *roots, **more):
    return Graph(roots, Content(store.manifest, store.open_blob).load_present, **more)


def digests_of(parts):
    return [part.digest for part in parts]


def has(*absent):
    """A function for missing() that finds everything but these digests."""
    return lambda blobs: (blob.digest not in absent for blob in blobs)


class TestWalk:
    def test_manifests_come_level_by_level_and_each_is_loaded_once(self, store):
        levels = []

        def load(level):
            levels.append(digests_of(level))
            return [store.manifest(child.digest) for child in level]

        graph = Graph([TOP], load)
        assert levels == [[AMD64.digest, INNER.digest, ARM64.digest], [ARMV7.digest]]
        assert list(graph.manifests) == [TOP.digest, AMD64.digest, INNER.digest, ARM64.digest, ARMV7.digest]
        assert graph.skipped == {}

    def test_each_comes_after_what_it_lists(self, store):
        order = digests_of(graph_of(store, TOP).children_first())
        assert order == [AMD64.digest, ARM64.digest, ARMV7.digest, INNER.digest, TOP.digest]

    def test_two_roots_share_what_both_list(self, store):
        graph = graph_of(store, INNER, TOP)
        assert store.names("manifest") == [ARM64.digest, ARMV7.digest, AMD64.digest]
        order = digests_of(graph.children_first())
        assert order == [ARM64.digest, ARMV7.digest, INNER.digest, AMD64.digest, TOP.digest]

    def test_what_is_listed_comes_depth_first_and_as_often_as_it_is_listed(self, store):
        found = digests_of(graph_of(store, TOP).listed())
        assert found == [AMD64.digest, INNER.digest, ARM64.digest, ARMV7.digest, ARM64.digest]
        twice = index(entry(INNER), entry(INNER))
        assert digests_of(graph_of(store, twice).listed()) == [INNER.digest, ARM64.digest, ARMV7.digest, INNER.digest]

    def test_the_lists_of_two_roots_follow_each_other(self, store):
        found = digests_of(graph_of(store, INNER, index(entry(AMD64))).listed())
        assert found == [ARM64.digest, ARMV7.digest, AMD64.digest]

    def test_only_children_that_count_are_walked(self, store):
        graph = graph_of(store, TOP, children=lambda parent: parent.children[:2])
        assert list(graph.manifests) == [TOP.digest, AMD64.digest, INNER.digest, ARM64.digest, ARMV7.digest]
        graph = graph_of(store, TOP, children=lambda parent: parent.children[:1])
        assert list(graph.manifests) == [TOP.digest, AMD64.digest]
        assert digests_of(graph.listed()) == [AMD64.digest]

    def test_only_what_is_to_be_followed_is_loaded(self, store):
        graph = graph_of(store, TOP, follow=lambda child: child.is_index)
        assert list(graph.manifests) == [TOP.digest, INNER.digest]
        assert store.names("manifest") == [INNER.digest]
        assert digests_of(graph.listed()) == [AMD64.digest, INNER.digest, ARM64.digest, ARMV7.digest, ARM64.digest]

    def test_below_what_was_skipped_nothing_is_looked_for_and_it_is_skipped_once(self):
        again = index(entry(INNER), entry(AMD64))
        store = MemoryStore().add(AMD64, again)
        graph = graph_of(store, index(entry(INNER), entry(again)))
        assert list(graph.skipped) == [INNER.digest]
        assert store.names("manifest") == [INNER.digest, again.digest, AMD64.digest]

    def test_an_image_needs_no_load(self):
        graph = Graph([AMD64.manifest], None)
        assert digests_of(graph.children_first()) == [AMD64.digest]
        assert list(graph.listed()) == []


class TestBlobs:
    def test_each_blob_is_there_once_with_children_that_are_no_manifests(self, store):
        top = index(entry(AMD64), images.described(NOTES, "text/plain"), entry(INNER))
        found = digests_of(graph_of(store, top).blobs())
        assert len(found) == len(set(found))
        expected = [blob.digest for part in (AMD64, ARM64, ARMV7) for blob in part.manifest.blobs]
        assert set(found) == {digests.of(NOTES), *expected}

    def test_missing_are_manifests_first_and_then_blobs(self, store):
        del store.manifests[INNER.digest]
        gone = AMD64.manifest.blobs[1].digest
        assert digests_of(graph_of(store, TOP).missing(has(gone))) == [INNER.digest, gone]
        assert digests_of(graph_of(store, TOP).missing(has())) == [INNER.digest]

    def test_a_subject_is_reported_but_not_followed(self, store):
        document = {**AMD64.manifest.document, "subject": images.described(b"subject", media_types.OCI_MANIFEST)}
        referrer = Manifest.parse(images.encode(document))
        graph = graph_of(store, referrer, INNER)
        assert {digest: subject.digest for digest, subject in graph.subjects().items()} == {
            referrer.digest: digests.of(b"subject")
        }
        assert digests.of(b"subject") not in store.names("manifest")

    def test_a_malformed_subject_is_an_error_only_for_those_who_ask(self, store):
        referrer = Manifest.parse(images.encode({**AMD64.manifest.document, "subject": "latest"}))
        graph = graph_of(store, referrer)
        with pytest.raises(InvalidContent, match="a descriptor is not a JSON object"):
            graph.subjects()


class TestLimits:
    def test_four_levels_are_walked(self):
        store, top = chain(4)
        graph = graph_of(store, top)
        assert len(graph.manifests) == 5
        assert is_whole(top.descriptor, None, lambda part: True, store.manifest)
        assert reachable([top.digest], store.manifest)[1] is True

    def test_a_fifth_is_refused_before_it_is_loaded(self):
        store, top = chain(3000)
        with pytest.raises(InvalidContent, match="the indexes of the image are nested more than 4 levels deep"):
            graph_of(store, top)
        assert store.counted() == {"manifest": 4}

    def test_a_chain_of_indexes_is_never_whole_and_may_need_anything(self):
        store, top = chain(3000)
        assert not is_whole(top.descriptor, None, lambda part: True, store.manifest)
        found, is_certain = reachable([top.digest], store.manifest)
        assert is_certain is False
        assert top.digest in found
        assert store.counted()["manifest"] <= 12

    def test_a_shortcut_to_each_link_does_not_hide_the_chain(self):
        store, top = chain(5)
        links = [manifest for manifest in store.manifests.values() if manifest.digest != top.digest]
        with pytest.raises(InvalidContent, match="nested more than 4 levels deep"):
            graph_of(store, index(*map(entry, links)))

    def test_a_long_chain_with_shortcuts_is_refused_and_not_a_recursion(self):
        store, _top = chain(1500)
        links = list(store.manifests.values())[::-1]
        with pytest.raises(InvalidContent, match="nested more than 4 levels deep"):
            graph_of(store, index(*map(entry, links)))

    def test_ten_thousand_manifests_are_walked_and_one_more_is_refused(self):
        store = MemoryStore()
        assert len(graph_of(store, wide(10_000)).skipped) == 10_000
        store.asked.clear()
        with pytest.raises(InvalidContent, match="the image contains more than 10000 manifests"):
            graph_of(store, wide(10_001))
        assert store.asked == []

    def test_manifests_that_are_not_followed_count_too(self):
        with pytest.raises(InvalidContent, match="more than 10000"):
            graph_of(MemoryStore(), wide(10_001), follow=lambda child: False)

    def test_each_root_may_refer_to_that_many(self):
        assert len(graph_of(MemoryStore(), wide(6_000), wide(6_000, "b")).skipped) == 12_000

    def test_a_manifest_that_is_listed_twice_counts_once(self):
        half = list(wide(6_000).document["manifests"])
        assert len(graph_of(MemoryStore(), index(*half, *half)).skipped) == 6_000


class TestIsWhole:
    def whole(self, store, absent=(), wanted=None, top=TOP):
        return is_whole(top.descriptor, wanted, lambda part: part.digest not in absent, store.manifest)

    def test_with_everything(self, store):
        assert self.whole(store) is True

    @pytest.mark.parametrize(
        "absent",
        [TOP.digest, INNER.digest, ARMV7.digest, ARMV7.manifest.config.digest, ARMV7.manifest.layers[0].digest],
    )
    def test_without_any_part_it_is_not(self, store, absent):
        assert self.whole(store, [absent]) is False

    def test_a_manifest_that_cannot_be_read_is_missing(self, store):
        del store.manifests[ARMV7.digest]
        assert self.whole(store) is False
        del store.manifests[TOP.digest]
        assert self.whole(store) is False

    def test_of_a_sparse_index_only_wanted_children_count(self, store):
        del store.manifests[INNER.digest]
        assert self.whole(store, wanted={AMD64.digest}) is True
        assert self.whole(store, [AMD64.digest], wanted={AMD64.digest}) is False
        assert self.whole(store, wanted=set()) is True

    def test_what_is_no_manifest_is_whole_if_it_exists(self, store):
        blob = Descriptor("text/plain", digests.of(NOTES), len(NOTES))
        assert is_whole(blob, None, lambda part: True, store.manifest) is True
        assert is_whole(blob, None, lambda part: False, store.manifest) is False
        assert store.asked == []

    def test_a_child_that_is_no_manifest_must_exist(self, store):
        top = store.add(index(images.described(NOTES, "text/plain"))).manifests
        top = list(top.values())[-1]
        assert self.whole(store, top=top) is True
        assert self.whole(store, [digests.of(NOTES)], top=top) is False


class TestReachable:
    def test_all_content_is_found_and_each_manifest_is_read_once(self, store):
        found, is_certain = reachable([TOP.digest, INNER.digest], store.manifest)
        blobs = {blob.digest for part in (AMD64, ARM64, ARMV7) for blob in part.manifest.blobs}
        assert found == {TOP.digest, INNER.digest, AMD64.digest, ARM64.digest, ARMV7.digest} | blobs
        assert is_certain is True
        assert len(store.names("manifest")) == len(set(store.names("manifest"))) == 5

    def test_nothing_needs_nothing(self, store):
        assert reachable([], store.manifest) == (set(), True)

    def test_what_is_no_digest_is_passed_over(self, store):
        assert reachable(["None", INNER.digest], store.manifest)[0] >= {INNER.digest, ARM64.digest}
        assert "None" not in reachable(["None"], store.manifest)[0]

    @pytest.mark.parametrize("root", ["None", "", "blake3:" + "0" * 64, "sha256:0"])
    def test_an_image_without_a_supported_digest_may_need_anything(self, store, root):
        assert reachable([root, INNER.digest], store.manifest)[1] is False

    def test_a_child_may_be_absent_but_an_image_may_not(self, store):
        del store.manifests[ARMV7.digest]
        assert reachable([TOP.digest], store.manifest)[1] is True
        assert ARMV7.digest in reachable([TOP.digest], store.manifest)[0]
        assert reachable([TOP.digest, ARMV7.digest], store.manifest)[1] is False
        assert reachable([ARMV7.digest, TOP.digest], store.manifest)[1] is False

    @pytest.mark.parametrize("error", [InvalidContent("it is broken"), OSError(5, "Input/output error")])
    @pytest.mark.parametrize("broken", [TOP, ARMV7])
    def test_what_cannot_be_read_may_need_anything(self, store, error, broken):
        def read(digest):
            if digest == broken.digest:
                raise error
            return store.manifest(digest)

        found, is_certain = reachable([TOP.digest, AMD64.digest], read)
        assert is_certain is False
        assert found >= {TOP.digest, AMD64.digest, *(blob.digest for blob in AMD64.manifest.blobs)}

    def test_doubt_about_one_image_is_not_forgotten_at_the_next(self, store):
        assert reachable([digests.of(b"gone"), TOP.digest], store.manifest)[1] is False

    def test_children_of_unknown_kinds_may_be_manifests(self, store):
        unknown = index({**entry(INNER), "mediaType": "application/vnd.example+json"})
        store.add(unknown)
        found, is_certain = reachable([unknown.digest], store.manifest)
        assert is_certain is True
        assert {INNER.digest, ARMV7.digest} <= found

    def test_children_that_are_not_json_are_not_read(self, store):
        """An index of buildkit's cache lists layers."""
        layer = AMD64.manifest.layers[0]
        cache = index(images.described(AMD64.blobs[-1]), entry(ARM64))
        store.add(cache)
        found, is_certain = reachable([cache.digest], store.manifest)
        assert (layer.digest in found, is_certain) == (True, True)
        assert layer.digest not in store.names("manifest")


class TestContent:
    def test_a_manifest_is_read_once(self, store, content):
        assert content.manifest(TOP.digest) is content.manifest(TOP.digest) is TOP
        assert store.names("manifest") == [TOP.digest]

    def test_one_that_was_made_here_is_not_read(self, store, content):
        content.add(ARMV7.manifest)
        assert list(content.load([ARMV7.manifest.descriptor])) == [ARMV7.manifest]
        assert store.asked == []

    def test_a_level_is_loaded_in_its_order_and_by_the_pool(self, store):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            content = Content(store.manifest, store.open_blob, pool.map)
            level = [ARMV7.manifest.descriptor, AMD64.manifest.descriptor]
            assert list(content.load(level)) == [ARMV7.manifest, AMD64.manifest]

    def test_what_is_absent_is_an_error_or_none(self, store, content):
        del store.manifests[ARMV7.digest]
        level = [ARMV7.manifest.descriptor, AMD64.manifest.descriptor]
        assert list(content.load_present(level)) == [None, AMD64.manifest]
        with pytest.raises(NotFound):
            list(content.load(level))

    def test_a_config_is_read_once(self, store, content):
        assert content.config(AMD64.manifest)["architecture"] == "amd64"
        assert content.read_config(AMD64.manifest.config) == AMD64.blobs[0]
        assert store.names("open_blob") == [AMD64.manifest.config.digest]

    def test_what_has_no_config_has_an_empty_one(self, store, content):
        assert content.config(TOP) == {}
        assert store.asked == []

    def test_a_malformed_config_is_named_by_its_image(self, store):
        config = b"[]"
        described = images.described(config, images.CONFIG)
        odd = Manifest.parse(images.encode({**AMD64.manifest.document, "config": described}))
        content = Content(store.manifest, lambda blob: [config])
        with pytest.raises(InvalidContent, match="the config of %s is not a JSON object" % odd.digest):
            content.config(odd)

    def test_a_config_over_the_limit_is_refused_before_it_is_read(self):
        content = Content(None, lambda blob: [b"{}"])
        largest = Descriptor(media_types.OCI_CONFIG, digests.of(b"{}"), configs.MAX_CONFIG)
        assert content.read_config(largest) == b"{}"
        larger = Descriptor(media_types.OCI_CONFIG, digests.of(b""), configs.MAX_CONFIG + 1)
        with pytest.raises(ImageError, match="the image config is larger than 8388608 bytes"):
            content.read_config(larger)
