# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a tag list tells about a destination, and what has to be asked."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._stores.content_location import Location
from ansible_collections.drayage.registry.plugins.module_utils._transfer.known import Known
from ansible_collections.drayage.registry.tests.unit.support.images import descriptor, image
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore

IMAGE, OTHER = image("linux/amd64", b"app"), image("linux/arm64", b"app")
SIGNATURES = ["sha256-%s%s" % ("a" * 64, suffix) for suffix in (".sig", ".gpg")]


class Located(MemoryStore):
    """A store at another kind of location."""

    def __init__(self, location):
        super().__init__()
        self._location = location

    @property
    def location(self):
        return self._location


@pytest.fixture
def store():
    return MemoryStore().add(IMAGE, tag="1")


def test_a_tag_that_a_registry_does_not_list_may_exist(store):
    known = Known(store, ["2"])
    assert (known.resolve("1"), known.resolve("3")) == (IMAGE.manifest.descriptor, None)
    assert store.names("resolve") == ["1", "3"]


def test_a_tag_that_was_looked_up_is_not_resolved_again(store):
    known = Known(store, ["2"])
    known.note_absent("3")
    assert known.resolve("3") is None
    assert store.asked == []


def test_a_repository_without_tags_has_none(store):
    assert Known(store, []).resolve("1") is None
    assert store.asked == []


def test_lists_on_disk_are_certain():
    layout = Located(Location("oci", "/layout", "app")).add(IMAGE, tag="1")
    assert Known(layout, ["2"]).resolve("1") is None
    assert layout.asked == []


def test_a_tag_that_is_listed_is_resolved(store):
    assert Known(store, ["1"]).resolve("1") == IMAGE.manifest.descriptor
    assert store.asked == [("resolve", "1")]


def test_a_digest_is_resolved_although_no_list_has_it(store):
    known = Known(store, ["1"])
    assert known.resolve(IMAGE.digest) == IMAGE.manifest.descriptor
    assert known.resolve(OTHER.digest) is None
    assert store.names("resolve") == [IMAGE.digest, OTHER.digest]


def test_without_a_list_every_tag_is_resolved(store):
    known = Known(store)
    assert (known.resolve("1"), known.resolve("2")) == (IMAGE.manifest.descriptor, None)
    assert store.names("resolve") == ["1", "2"]


@pytest.mark.parametrize("tag", SIGNATURES)
def test_the_signature_files_of_a_directory_are_not_in_its_list(tag):
    directory = Located(Location("dir", "/images")).add(IMAGE, tag=tag)
    assert Known(directory, ()).resolve(tag) == IMAGE.manifest.descriptor
    assert Known(directory, ()).resolve("1") is None
    assert directory.names("resolve") == [tag]


@pytest.mark.parametrize("tag", SIGNATURES)
def test_the_signature_tags_of_a_registry_are_in_its_list(store, tag):
    store.add(IMAGE, tag=tag)
    assert Known(store, ("1",)).resolve(tag) is None
    assert store.asked == []


class TestContent:
    @pytest.mark.parametrize(
        ("tags", "is_empty", "has_content", "asked"),
        [((), True, False, 0), (("1",), False, True, 0), (None, False, True, 1)],
    )
    def test_the_list_of_a_repository_shows_whether_it_has_content(self, store, tags, is_empty, has_content, asked):
        known = Known(store, tags)
        assert known.is_empty is is_empty
        assert [known.has_content(), known.has_content()] == [has_content] * 2
        assert len(store.names("has_content")) == asked

    def test_a_repository_without_tags_may_share_the_content_of_others(self):
        store = Located(Location("oci", "/layout", "app")).add(IMAGE)
        known = Known(store, ())
        assert known.is_empty is False
        assert known.has_content() is True

    def test_a_store_that_has_nothing_is_asked_once(self):
        store = MemoryStore()
        known = Known(store)
        assert [known.has_content(), known.has_content()] == [False, False]
        assert len(store.names("has_content")) == 1

    def test_each_manifest_and_blob_is_looked_for_once(self, store):
        known = Known(store)
        present, absent = descriptor(b"app"), descriptor(b"absent")
        for _time in range(2):
            assert (known.has_manifest(IMAGE.digest), known.has_manifest(OTHER.digest)) == (True, False)
            assert (known.has_blob(present), known.has_blob(absent)) == (True, False)
        assert store.counted() == {"has_manifest": 2, "has_blob": 2}
        assert known.blobs == [digests.of(b"app")]
