# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, InvalidContent, NotFound
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._image.graph import Content
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.plugins.module_utils._image.platform import Platform
from ansible_collections.drayage.registry.plugins.module_utils._transfer.selection import Selection, select, select_one
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.images import (
    attestation,
    attestation_entry,
    entry,
    image,
    index,
)
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore

AMD64, ARM64, ARMV7 = image("linux/amd64"), image("linux/arm64"), image("linux/arm/v7")
AMD64_ATTESTATION, ARM64_ATTESTATION = attestation(AMD64), attestation(ARM64)


def chosen(store, top, *platforms, sparse=False, is_filter=False):
    wanted = [Platform.parse(text) for text in platforms]
    return select(top, wanted, sparse, Content(store.manifest, store.open_blob), is_filter)


@pytest.fixture
def store():
    return MemoryStore().add(AMD64, ARM64, ARMV7, AMD64_ATTESTATION, ARM64_ATTESTATION)


def kept(manifest):
    return [child.digest for child in manifest.children]


PLAIN = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"), entry(ARMV7, "linux/arm/v7"))
ATTESTED = index(
    entry(AMD64, "linux/amd64"),
    entry(ARM64, "linux/arm64"),
    attestation_entry(AMD64_ATTESTATION, AMD64),
    attestation_entry(ARM64_ATTESTATION, ARM64),
)


def test_without_platforms_everything_is_wanted_and_nothing_is_read(store):
    selection = chosen(store, ATTESTED)
    assert selection.manifest is ATTESTED
    assert [child.digest for child in selection.children(ATTESTED)] == kept(ATTESTED)
    assert selection.platforms == ["linux/amd64", "linux/arm64"]
    assert store.asked == []


def test_an_index_is_stripped_to_what_is_wanted(store):
    selection = chosen(store, PLAIN, "linux/arm64")
    assert kept(selection.manifest) == [ARM64.digest]
    assert [child.digest for child in selection.children(selection.manifest)] == [ARM64.digest]
    assert selection.platforms == ["linux/arm64"]
    assert selection.manifest.digest == digests.of(selection.manifest.raw) != PLAIN.digest
    assert store.asked == []


def test_the_order_of_the_index_stays_whatever_order_is_asked_for(store):
    selection = chosen(store, PLAIN, "linux/arm/v7", "linux/amd64")
    assert kept(selection.manifest) == [AMD64.digest, ARMV7.digest]
    assert selection.manifest.raw == chosen(store, PLAIN, "linux/amd64", "linux/arm/v7").manifest.raw


@pytest.mark.parametrize("sparse", [False, True])
def test_an_index_of_which_all_is_wanted_keeps_its_bytes(store, sparse):
    selection = chosen(store, PLAIN, "linux/arm/v7", "linux/amd64", "linux/arm64", sparse=sparse)
    assert selection.manifest.raw == PLAIN.raw


def test_attestations_stay_with_the_images_they_speak_of(store):
    selection = chosen(store, ATTESTED, "linux/arm64")
    assert kept(selection.manifest) == [ARM64.digest, ARM64_ATTESTATION.digest]
    assert selection.platforms == ["linux/arm64"]
    assert store.asked == []


def test_an_attestation_may_come_before_its_image(store):
    top = index(*(ATTESTED.document["manifests"][::-1]))
    assert kept(chosen(store, top, "linux/arm64").manifest) == [ARM64_ATTESTATION.digest, ARM64.digest]


def test_a_sparse_index_keeps_its_bytes_and_lacks_children(store):
    selection = chosen(store, ATTESTED, "linux/arm64", sparse=True)
    assert selection.manifest.raw == ATTESTED.raw
    assert selection.is_sparse
    assert [child.digest for child in selection.children(ATTESTED)] == [ARM64.digest, ARM64_ATTESTATION.digest]
    assert selection.platforms == ["linux/arm64"]
    assert selection.replaced == {}


def test_an_image_may_serve_several_platforms(store):
    top = index(entry(AMD64, "linux/amd64"), entry(AMD64, "linux/386"), entry(ARM64, "linux/arm64"))
    for wanted in ("linux/amd64", "linux/386"):
        assert set(kept(chosen(store, top, wanted).manifest)) == {AMD64.digest}


def test_a_platform_that_is_missing_is_an_error_that_lists_what_there_is(store):
    with pytest.raises(ImageError) as caught:
        chosen(store, ATTESTED, "linux/amd64", "linux/s390x")
    assert (
        str(caught.value)
        == "the image is not available for platform linux/s390x. Choose one of the available platforms: linux/amd64, linux/arm64."
    )


@pytest.mark.parametrize("wanted", ["linux/arm", "linux/arm/v8", "linux/armhf"])
def test_the_nearest_variant_is_taken(store, wanted):
    assert kept(chosen(store, PLAIN, wanted).manifest) == [ARMV7.digest]


def test_two_wishes_that_one_image_serves_keep_it_once(store):
    assert kept(chosen(store, PLAIN, "linux/arm", "linux/arm/v7").manifest) == [ARMV7.digest]


def test_all_windows_builds_stay_where_none_is_asked_for(store):
    builds = [image("windows/amd64", build.encode()) for build in ("10.0.17763.1", "10.0.20348.5")]
    entries = [
        entry(build, platform={"os": "windows", "architecture": "amd64", "os.version": version})
        for build, version in zip(builds, ("10.0.17763.1", "10.0.20348.5"))
    ]
    top = index(*entries, entry(AMD64, "linux/amd64"))
    assert kept(chosen(store, top, "windows/amd64").manifest) == [build.digest for build in builds]
    assert kept(chosen(store, top, "windows(10.0.20348)/amd64").manifest) == [builds[1].digest]


def test_twins_of_a_platform_both_stay(store):
    twin = image("linux/amd64", b"zstd", layer_type="application/vnd.oci.image.layer.v1.tar+zstd")
    top = index(entry(AMD64, "linux/amd64"), entry(twin, "linux/amd64"), entry(ARM64, "linux/arm64"))
    assert kept(chosen(store, top, "linux/amd64").manifest) == [AMD64.digest, twin.digest]


ZSTD = image("linux/amd64", b"zstd", layer_type="application/vnd.oci.image.layer.v1.tar+zstd")
ANNOTATED = {"annotations": {"io.github.containers.compression.zstd": "true"}}


def chosen_one(store, top, *platforms):
    wanted = [Platform.parse(text) for text in platforms]
    return select_one(top, wanted, lambda: None, Content(store.manifest, store.open_blob)).manifest.digest


@pytest.mark.parametrize("platforms", [[], ["linux/amd64"]])
@pytest.mark.parametrize("more", [{}, ANNOTATED], ids=["plain", "annotated"])
def test_of_twins_the_one_without_zstd_is_taken(store, platforms, more):
    store.add(ZSTD)
    top = index(entry(ZSTD, "linux/amd64", **more), entry(AMD64, "linux/amd64"))
    assert chosen_one(store, top, *platforms) == AMD64.digest
    if more:
        assert store.names("manifest") == [AMD64.digest]


def test_twins_beside_another_platform(store):
    store.add(ZSTD)
    top = index(entry(ZSTD, "linux/amd64"), entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))
    with pytest.raises(ImageError, match="has 2 platforms, but this destination can store only one"):
        chosen_one(store, top)
    assert chosen_one(store, top, "linux/amd64") == AMD64.digest
    assert chosen_one(store, top, "linux/arm64") == ARM64.digest


def test_twins_that_are_all_of_zstd(store):
    other = image("linux/amd64", b"more", layer_type="application/vnd.oci.image.layer.v1.tar+zstd")
    store.add(ZSTD, other)
    for more in ({}, ANNOTATED):
        top = index(entry(ZSTD, "linux/amd64", **more), entry(other, "linux/amd64", **more))
        assert chosen_one(store, top) == ZSTD.digest


def test_twin_that_is_not_there_is_not_taken_for_one_without_zstd(store):
    top = index(entry(ZSTD, "linux/amd64"), entry(AMD64, "linux/amd64"))
    assert chosen_one(store, top) == AMD64.digest


def test_a_child_without_a_platform_is_asked_through_its_config(store):
    top = index(entry(AMD64), entry(ARM64), entry(ARMV7, "linux/arm/v7"))
    assert kept(chosen(store, top, "linux/arm64").manifest) == [ARM64.digest]
    assert sorted(store.names("manifest")) == sorted([AMD64.digest, ARM64.digest])
    assert sorted(store.names("open_blob")) == sorted([AMD64.manifest.config.digest, ARM64.manifest.config.digest])


def test_the_error_lists_what_configs_tell_too(store):
    with pytest.raises(
        ImageError, match="Choose one of the available platforms: linux/amd64, linux/arm/v7, linux/arm64"
    ):
        chosen(store, index(entry(AMD64), entry(ARM64), entry(ARMV7, "linux/arm/v7")), "linux/s390x")


def test_what_is_no_image_goes(store):
    chart = image("linux/amd64", b"chart", config_type="application/vnd.cncf.helm.config.v1+json")
    store.add(chart)
    top = index(entry(chart), images.described(b"data", "application/x"), entry(AMD64, "linux/amd64"))
    assert kept(chosen(store, top, "linux/amd64").manifest) == [AMD64.digest]
    assert store.names("open_blob") == []


def test_an_attestation_without_a_platform_is_not_read(store):
    unlabelled = {
        name: value for name, value in attestation_entry(AMD64_ATTESTATION, AMD64).items() if name != "platform"
    }
    top = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"), unlabelled)
    assert kept(chosen(store, top, "linux/amd64").manifest) == [AMD64.digest, AMD64_ATTESTATION.digest]
    assert store.asked == []


@pytest.mark.parametrize("platform", ["linux/amd64", "linux/x86_64", "linux/amd64/v2"])
def test_a_single_image_must_be_of_the_platform(store, platform):
    selection = chosen(store, AMD64.manifest, platform)
    assert selection.manifest is AMD64.manifest
    assert selection.wanted is None


def test_a_single_image_of_another_platform_is_an_error(store):
    with pytest.raises(
        ImageError,
        match="the image is not available for platform linux/arm64. Choose one of the available platforms: linux/amd64",
    ):
        chosen(store, AMD64.manifest, "linux/arm64")


CHART = image("linux/amd64", b"chart", config_type="application/vnd.cncf.helm.config.v1+json").manifest
WITHOUT_CONFIG = Manifest.parse(images.encode({"schemaVersion": 2, "layers": [images.described(b"x")]}))


@pytest.mark.parametrize("artifact", [CHART, WITHOUT_CONFIG])
def test_an_artifact_has_no_platform(store, artifact):
    with pytest.raises(
        ImageError, match="the image is not available for platform linux/amd64. Remove the platform from the task"
    ):
        chosen(store, artifact, "linux/amd64")
    assert store.asked == []


@pytest.mark.parametrize("single", [AMD64.manifest, CHART, WITHOUT_CONFIG])
def test_a_filter_takes_what_is_no_index_as_it_is(store, single):
    assert chosen(store, single, "linux/s390x", is_filter=True).manifest is single
    assert store.asked == []


def test_a_filter_takes_of_an_index_what_it_has(store):
    selection = chosen(store, ATTESTED, "linux/s390x", "linux/arm64", is_filter=True)
    assert kept(selection.manifest) == [ARM64.digest, ARM64_ATTESTATION.digest]


def test_a_filter_takes_an_index_of_artifacts_as_it_is(store):
    chart = image("linux/amd64", b"chart", config_type="application/vnd.cncf.helm.config.v1+json")
    top = index(entry(chart))
    assert chosen(store.add(chart), top, "linux/amd64", is_filter=True).manifest is top


def test_a_filter_that_leaves_nothing_of_an_index_is_an_error(store):
    with pytest.raises(ImageError) as caught:
        chosen(store, ATTESTED, "linux/s390x", "linux/ppc64le", is_filter=True)
    expected = (
        "the image is not available for any of the platforms linux/s390x, linux/ppc64le. "
        "Choose one of the available platforms: linux/amd64, linux/arm64."
    )
    assert str(caught.value) == expected


@pytest.mark.parametrize("config", [b"not json", b"[]", b"null", b"\xff\xfe", pytest.param(b"[" * 100000, id="nested")])
def test_a_config_that_is_broken_is_an_error_that_names_the_image(store, config):
    document = {"schemaVersion": 2, "config": images.described(config, images.CONFIG), "layers": []}
    broken = images.Image(Manifest.parse(images.encode(document)), (config,))
    with pytest.raises(InvalidContent, match="config of %s" % broken.digest):
        chosen(store.add(broken), broken.manifest, "linux/amd64")


INNER = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"), attestation_entry(ARM64_ATTESTATION, ARM64))


def test_a_nested_index_is_stripped_and_digested_anew(store):
    store.add(INNER)
    top = index(entry(ARMV7, "linux/arm/v7"), entry(INNER, annotations={"k": "v"}))
    selection = chosen(store, top, "linux/arm64")
    assert kept(selection.manifest) == list(selection.replaced)
    (nested,) = selection.replaced.values()
    assert kept(nested) == [ARM64.digest, ARM64_ATTESTATION.digest]
    assert nested.digest == digests.of(nested.raw)
    assert json.loads(selection.manifest.raw)["manifests"] == [entry(nested, annotations={"k": "v"})]
    assert selection.wanted == {nested.digest, ARM64.digest, ARM64_ATTESTATION.digest}
    assert [child.digest for child in selection.children(nested)] == kept(nested)


def test_a_nested_index_that_loses_nothing_keeps_its_bytes(store):
    store.add(INNER)
    top = index(entry(ARMV7, "linux/arm/v7"), entry(INNER))
    selection = chosen(store, top, "linux/arm64", "linux/amd64")
    assert kept(selection.manifest) == [INNER.digest]
    assert selection.replaced == {}


def test_a_nested_index_that_loses_everything_goes(store):
    store.add(INNER)
    top = index(entry(ARMV7, "linux/arm/v7"), entry(INNER))
    selection = chosen(store, top, "linux/arm")
    assert kept(selection.manifest) == [ARMV7.digest]
    assert selection.replaced == {}


def test_inner_indexes_are_replaced_before_outer_ones(store):
    middle = index(entry(INNER))
    store.add(INNER, middle)
    selection = chosen(store, index(entry(middle), entry(ARMV7, "linux/arm/v7")), "linux/amd64")
    innermost, outer = selection.replaced.values()
    assert (kept(innermost), kept(outer)) == ([AMD64.digest], [innermost.digest])
    assert kept(selection.manifest) == [outer.digest]


def test_a_sparse_selection_keeps_nested_indexes_as_they_are(store):
    store.add(INNER)
    top = index(entry(ARMV7, "linux/arm/v7"), entry(INNER))
    selection = chosen(store, top, "linux/amd64", sparse=True)
    assert selection.manifest.raw == top.raw
    assert selection.replaced == {}
    assert [child.digest for child in selection.children(top)] == [INNER.digest]
    assert [child.digest for child in selection.children(INNER)] == [AMD64.digest]


def test_a_nested_index_that_cannot_be_read_is_an_error(store):
    with pytest.raises(NotFound):
        chosen(store, index(entry(INNER), entry(AMD64, "linux/amd64")), "linux/amd64")


def test_a_docker_list_stays_a_docker_list(store):
    document = {**PLAIN.document, "mediaType": media_types.DOCKER_LIST}
    top = Manifest.parse(images.encode(document))
    stripped = chosen(store, top, "linux/amd64").manifest
    assert stripped.media_type == media_types.DOCKER_LIST
    assert json.loads(stripped.raw)["mediaType"] == media_types.DOCKER_LIST


def test_platforms_are_listed_once_and_without_attestations():
    top = index(
        entry(AMD64, "linux/amd64"),
        entry(ARM64, "linux/amd64"),
        attestation_entry(AMD64_ATTESTATION, AMD64),
        entry(ARMV7),
    )
    assert Selection(top).platforms == ["linux/amd64"]


def test_an_unknown_platform_is_not_listed():
    top = index(entry(AMD64, "unknown/unknown"), entry(ARM64, "linux/arm64"), entry(ARMV7, "linux"))
    assert Selection(top).platforms == ["linux/arm64", "linux"]


def test_an_image_that_was_taken_out_of_its_index_keeps_its_platform(store):
    content = Content(store.manifest, store.open_blob)
    selection = select_one(PLAIN, [Platform.parse("linux/arm64")], lambda: None, content)
    assert (selection.manifest.digest, selection.platforms) == (ARM64.digest, ["linux/arm64"])
    assert Selection(ARM64.manifest).platforms == []


def test_without_a_filter_a_platform_of_several_that_is_missing_is_an_error(store):
    wanted = [Platform.parse(text) for text in ("linux/amd64", "linux/s390x")]
    with pytest.raises(ImageError, match="the image is not available for platform linux/s390x"):
        select(PLAIN, wanted, False, Content(store.manifest, store.open_blob))
    with pytest.raises(ImageError, match="the image is not available for platform linux/s390x"):
        select(AMD64.manifest, wanted[1:], False, Content(store.manifest, store.open_blob))
