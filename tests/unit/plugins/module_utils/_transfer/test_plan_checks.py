# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, InvalidContent, NotFound
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index

OLD, NEW = image("linux/amd64", b"old", b"shared"), image("linux/amd64", b"new", b"shared")
AMD64, ARM64 = image("linux/amd64", b"amd64", b"shared"), image("linux/arm64", b"arm64", b"shared")
INDEX = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))


def digests_of(items):
    return sorted(item.digest for item in items)


def blobs_of(*found):
    return sorted({digests.of(content) for image in found for content in image.blobs})


@pytest.mark.parametrize("missing", [b"shared", b"amd64", AMD64.blobs[0]])
def test_a_thorough_copy_finds_what_is_missing_behind_a_tag_that_is_right(plan, source, elsewhere, missing):
    source.add(AMD64, ARM64, INDEX, tag="latest")
    elsewhere.add(AMD64, ARM64, INDEX, tag="1")
    del elsewhere.content[digests.of(missing)]
    assert not plan(elsewhere, "1").changed
    result = plan(elsewhere, "1", thorough=True)
    assert result.changed
    assert digests_of(result.blobs) == [digests.of(missing)]
    assert (result.outdated_tags, result.manifests) == ([], [])


def test_a_thorough_copy_finds_a_missing_child(plan, source, elsewhere):
    source.add(AMD64, ARM64, INDEX, tag="latest")
    elsewhere.add(AMD64, ARM64, INDEX, tag="1")
    del elsewhere.manifests[ARM64.digest]
    assert digests_of(plan(elsewhere, "1", thorough=True).manifests) == [ARM64.digest]


def test_a_thorough_copy_of_what_is_complete_changes_nothing(plan, source, elsewhere):
    source.add(AMD64, ARM64, INDEX, tag="latest")
    elsewhere.add(AMD64, ARM64, INDEX, tag="1")
    result = plan(elsewhere, "1", thorough=True)
    assert not result.changed
    assert result.skipped == len(blobs_of(AMD64, ARM64))
    assert source.counted() == {"manifest": 3}
    assert elsewhere.counted() == {"resolve": 1, "has_manifest": 2, "has_blob": 5}


def test_a_thorough_copy_looks_even_where_the_tag_is_new(plan, source, elsewhere):
    source.add(NEW, tag="latest")
    elsewhere.add(OLD, tag="0")
    assert digests_of(plan(elsewhere, "1", thorough=True).blobs) == [digests.of(b"new")]
    assert elsewhere.counted() == {"resolve": 1, "has_blob": 3}


def test_a_thorough_copy_within_a_registry_mounts_only_what_is_missing(plan, source, beside):
    source.add(NEW, tag="latest")
    beside.add(NEW, tag="1")
    del beside.content[digests.of(b"shared")]
    result = plan(beside, "1", thorough=True)
    assert (result.mount_from, digests_of(result.blobs)) == ("app", [digests.of(b"shared")])
    assert beside.counted()["has_blob"] == 3


def test_damage_behind_a_tag_that_is_right_is_noticed_where_the_destination_can_tell(plan, source, elsewhere):
    source.add(NEW, tag="latest")
    elsewhere.add(NEW, tag="1")
    del elsewhere.content[digests.of(b"shared")]
    elsewhere.is_damaged = True
    result = plan(elsewhere, "1")
    assert result.changed
    assert (result.outdated_tags, digests_of(result.blobs)) == ([], [digests.of(b"shared")])
    assert digests_of(result.manifests) == [NEW.digest]


def test_damage_of_an_image_that_is_to_be_published_needs_nothing_more(plan, source, elsewhere):
    source.add(NEW, tag="latest")
    elsewhere.add(OLD, tag="1")
    elsewhere.is_damaged = True
    assert plan(elsewhere, "1").manifests == []


def test_a_destination_named_by_digest_alone_is_looked_for_by_it(plan, source, elsewhere):
    source.add(NEW, tag="latest")
    result = plan(elsewhere, digest=NEW.digest)
    assert result.previous == {NEW.digest: None}
    assert result.changed
    elsewhere.add(NEW)
    elsewhere.asked.clear()
    assert not plan(elsewhere, digest=NEW.digest).changed
    assert elsewhere.asked == [("resolve", NEW.digest)]


def test_a_destination_without_any_name_is_looked_for_by_the_digest_of_the_source(plan, source, elsewhere):
    source.add(NEW)
    elsewhere.add(NEW)
    result = plan(elsewhere, name=NEW.digest)
    assert (result.previous, result.changed) == ({NEW.digest: NEW.digest}, False)
    assert elsewhere.asked == [("resolve", NEW.digest)]


@pytest.mark.parametrize("platforms", [[], ["linux/amd64"]])
def test_indexes_may_be_nested_four_deep_and_no_deeper(plan, source, elsewhere, platforms):
    top = index(entry(AMD64, "linux/amd64"))
    source.add(AMD64, top)
    for _level in range(3):
        top = index(entry(top))
        source.add(top, tag="latest")
    assert plan(elsewhere, "1", platforms=platforms).changed
    for _level in range(2):
        top = index(entry(top))
        source.add(top, tag="latest")
    with pytest.raises(ImageError, match="the indexes of the image are nested more than 4 levels deep"):
        plan(elsewhere, "1", platforms=platforms)


def test_a_registry_that_does_not_know_its_own_digest_is_asked_by_name(plan, source, elsewhere):
    source.add(NEW, tag="latest")
    elsewhere.add(OLD, tag="1")
    source.resolve = lambda name: images.descriptor(b"not the digest of the content")
    assert plan(elsewhere, "1").top.digest == NEW.digest


def test_what_cannot_be_understood_at_the_destination_is_replaced(plan, source, elsewhere):
    def resolve(name):
        raise InvalidContent("its manifest is not valid JSON")

    source.add(NEW, tag="latest")
    elsewhere.resolve = resolve
    assert plan(elsewhere, "1").previous == {"1": None}


@pytest.mark.parametrize("there", [True, False])
def test_a_digest_that_a_tag_does_not_have_is_an_error_even_where_the_tag_is_right(plan, source, elsewhere, there):
    source.add(NEW, tag="latest")
    elsewhere.add(NEW if there else OLD, tag="1")
    with pytest.raises(ImageError, match="the copy would have the digest %s, but dest specifies " % NEW.digest):
        plan(elsewhere, "1", digest=OLD.digest)


@pytest.mark.parametrize("tags", [(), ("1",)])
def test_a_digest_that_the_copy_would_not_have_is_an_error_before_anything_is_done(plan, source, elsewhere, tags):
    source.add(NEW, tag="latest")
    with pytest.raises(ImageError, match="the copy would have the digest %s, but dest specifies " % NEW.digest):
        plan(elsewhere, *tags, digest=OLD.digest)
    assert set(elsewhere.counted()) == {"resolve"}


def test_the_digest_of_a_destination_is_that_of_the_stripped_index(plan, source, elsewhere):
    source.add(AMD64, ARM64, INDEX, tag="latest")
    stripped = INDEX.with_children(lambda position: position == 0, {})
    assert plan(elsewhere, "1", platforms=["linux/amd64"], digest=stripped.digest).top.digest == stripped.digest
    with pytest.raises(ImageError, match="would have the digest %s" % stripped.digest):
        plan(elsewhere, "1", platforms=["linux/amd64"], digest=INDEX.digest)


@pytest.mark.parametrize("there", [True, False])
def test_a_source_that_is_missing_is_an_error_that_names_it(plan, elsewhere, there):
    if there:
        elsewhere.add(OLD, tag="1")
    with pytest.raises(NotFound, match="^r.example/app:latest: "):
        plan(elsewhere, "1")


def test_a_child_that_is_missing_at_the_source_is_an_error(plan, source, elsewhere):
    source.add(AMD64, INDEX, tag="latest")
    with pytest.raises(NotFound, match="^r.example/app:latest: "):
        plan(elsewhere, "1")


def test_a_platform_that_is_missing_is_an_error_that_names_the_source(plan, source, elsewhere):
    source.add(AMD64, ARM64, INDEX, tag="latest")
    with pytest.raises(ImageError, match="^r.example/app:latest: the image is not available for platform linux/s390x"):
        plan(elsewhere, "1", platforms=["linux/s390x"])


def test_the_config_of_a_single_image_is_read_to_learn_its_platform(plan, source, elsewhere):
    source.add(NEW, tag="latest")
    assert plan(elsewhere, "1", platforms=["linux/amd64"]).top.digest == NEW.digest
    assert source.names("open_blob") == [NEW.manifest.config.digest]
    with pytest.raises(
        ImageError,
        match="the image is not available for platform linux/arm64. Choose one of the available platforms: linux/amd64",
    ):
        plan(elsewhere, "1", platforms=["linux/arm64"])


@pytest.mark.parametrize(("size", "reads"), [(8 * 1024 * 1024, 1), (8 * 1024 * 1024 + 1, 0)])
def test_a_config_that_is_too_large_is_not_read_to_learn_the_platform(plan, source, elsewhere, size, reads):
    document = {"schemaVersion": 2, "config": {**images.described(b"{}", images.CONFIG), "size": size}}
    source.add(NEW.manifest.parse(images.encode(document)), tag="latest")
    with pytest.raises(ImageError, match="is not there" if reads else "config is larger than 8388608 bytes"):
        plan(elsewhere, "1", platforms=["linux/amd64"])
    assert len(source.names("open_blob")) == reads


def test_planning_writes_nothing(plan, source, elsewhere):
    source.add(AMD64, ARM64, INDEX, tag="latest")
    plan(elsewhere, "1", thorough=True)
    assert (elsewhere.manifests, elsewhere.content, elsewhere.tags) == ({}, {}, {})
    assert not [method for method, _name in elsewhere.asked if method.startswith(("put", "publish"))]
