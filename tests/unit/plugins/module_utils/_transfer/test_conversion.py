# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidContent, NotConvertible
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._image.convert import convert_image
from ansible_collections.drayage.registry.plugins.module_utils._image.graph import Content
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.plugins.module_utils._image.platform import Platform
from ansible_collections.drayage.registry.plugins.module_utils._transfer.conversion import Conversion, convert_selection
from ansible_collections.drayage.registry.plugins.module_utils._transfer.selection import Selection, select
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
ATTESTATION = attestation(ARM64)
ZSTD = image("linux/amd64", b"zstd", layer_type="application/vnd.oci.image.layer.v1.tar+zstd")
ATTESTED = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"), attestation_entry(ATTESTATION, ARM64))
INNER = index(entry(ARM64, "linux/arm64"), entry(ARMV7, "linux/arm/v7"))
DOCKER, DROP = Conversion("docker"), Conversion("docker", attestations=False)


@pytest.fixture
def store():
    return MemoryStore().add(AMD64, ARM64, ARMV7, ATTESTATION, ZSTD, INNER)


@pytest.fixture
def convert(store):
    def run(top, target, *platforms, sparse=False):
        content = Content(store.manifest, store.open_blob)
        selection = select(top, [Platform.parse(text) for text in platforms], sparse, content)
        return convert_selection(selection, target, content)

    return run


def listed(manifest):
    return [child.digest for child in manifest.children]


def in_docker(found):
    return convert_image(found.manifest, "docker").digest


def test_without_a_target_nothing_is_read(convert, store):
    selection = Selection(ATTESTED)
    assert convert_selection(selection, Conversion(), None).selection is selection
    assert convert(ATTESTED, Conversion()).selection.manifest is ATTESTED
    assert store.asked == []


def test_children_are_converted_with_their_index(convert):
    top = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))
    selection = convert(top, DOCKER).selection
    assert selection.manifest.media_type == media_types.DOCKER_LIST
    assert listed(selection.manifest) == [in_docker(AMD64), in_docker(ARM64)]
    assert list(selection.replaced) == listed(selection.manifest)
    assert selection.platforms == ["linux/amd64", "linux/arm64"]


def test_what_is_in_the_format_stays_what_was_selected(convert):
    assert convert(ATTESTED, Conversion("oci")).selection.manifest is ATTESTED
    stripped = convert(ATTESTED, Conversion("oci"), "linux/arm64").selection
    assert listed(stripped.manifest) == [ARM64.digest, ATTESTATION.digest]
    assert stripped.wanted == {ARM64.digest, ATTESTATION.digest}


def test_only_selected_platforms_are_converted_and_read(convert, store):
    top = index(entry(ZSTD, "linux/amd64"), entry(ARM64, "linux/arm64"))
    assert listed(convert(top, DOCKER, "linux/arm64").selection.manifest) == [in_docker(ARM64)]
    assert store.names("manifest") == [ARM64.digest]


def test_nested_indexes_are_converted_from_the_inside(convert):
    top = index(entry(AMD64, "linux/amd64"), entry(INNER))
    selection = convert(top, DOCKER).selection
    inner = selection.replaced[listed(selection.manifest)[1]]
    assert inner.media_type == media_types.DOCKER_LIST
    assert listed(inner) == [in_docker(ARM64), in_docker(ARMV7)]
    order = list(selection.replaced)
    assert order.index(inner.digest) > max(order.index(digest) for digest in listed(inner))
    assert [item["mediaType"] for item in selection.manifest.document["manifests"]] == [
        media_types.DOCKER_MANIFEST,
        media_types.DOCKER_LIST,
    ]


def test_a_nested_index_that_was_stripped_is_converted_as_it_remains(convert):
    selection = convert(index(entry(AMD64, "linux/amd64"), entry(INNER)), DOCKER, "linux/arm64").selection
    (inner,) = (selection.replaced[digest] for digest in listed(selection.manifest))
    assert listed(inner) == [in_docker(ARM64)]
    assert set(selection.replaced) == {inner.digest, in_docker(ARM64)}


def test_a_stripped_nested_index_stays_replaced_where_only_its_neighbour_changes(convert, store):
    docker = convert_image(AMD64.manifest, "docker")
    store.add(docker)
    top = index(entry(docker, "linux/amd64"), entry(INNER))
    selection = convert(top, Conversion("oci"), "linux/arm64", "linux/amd64").selection
    inner = listed(selection.manifest)[1]
    assert inner in selection.replaced
    assert listed(selection.replaced[inner]) == [ARM64.digest]


def test_indexes_nested_without_end_are_refused(convert, store):
    top = INNER
    for _depth in range(5):
        store.add(top)
        top = index(entry(top))
    with pytest.raises(InvalidContent, match="nested more than 4 levels deep"):
        convert(top, DOCKER)


class TestAttestations:
    def test_they_are_refused_by_name_where_the_image_gets_another_digest(self, convert):
        with pytest.raises(NotConvertible) as caught:
            convert(ATTESTED, DOCKER)
        assert str(caught.value) == (
            "image %s cannot be converted to format docker: attestation %s applies to this digest, but the conversion would change the digest. Set "
            "attestations: drop to leave out attestations, or use format: preserve."
            % (ARM64.digest, ATTESTATION.digest)
        )

    def test_wherever_they_stand_in_the_index(self, convert):
        with pytest.raises(NotConvertible, match="applies to this digest, but the conversion would change the digest"):
            convert(index(*ATTESTED.document["manifests"][::-1]), DOCKER)

    def test_one_that_speaks_of_nothing_here_is_refused_for_docker(self, convert):
        with pytest.raises(NotConvertible, match="is an attestation. Set attestations: drop"):
            convert(index(entry(AMD64, "linux/amd64"), attestation_entry(ATTESTATION, ARM64)), DOCKER)

    def test_they_are_dropped_where_the_user_says_so(self, convert):
        assert listed(convert(ATTESTED, DROP).selection.manifest) == [in_docker(AMD64), in_docker(ARM64)]

    def test_they_are_dropped_in_any_format_and_images_are_not_read(self, convert, store):
        for target in (Conversion(attestations=False), Conversion("oci", attestations=False)):
            selection = convert(ATTESTED, target).selection
            assert json.loads(selection.manifest.raw) == {
                **ATTESTED.document,
                "manifests": ATTESTED.document["manifests"][:2],
            }
            assert selection.replaced == {}
        store.asked.clear()
        convert(ATTESTED, Conversion(attestations=False))
        assert store.asked == []

    def test_dropping_none_changes_nothing(self, convert):
        assert convert(INNER, Conversion(attestations=False)).selection.manifest is INNER

    def test_they_are_dropped_from_nested_indexes_which_may_then_be_empty(self, convert, store):
        only = index(attestation_entry(ATTESTATION, ARM64))
        store.add(ATTESTED, only)
        selection = convert(index(entry(ATTESTED), entry(only), entry(INNER)), Conversion(attestations=False)).selection
        (inner,) = selection.replaced.values()
        assert listed(inner) == [AMD64.digest, ARM64.digest]
        assert listed(selection.manifest) == [inner.digest, INNER.digest]

    def test_they_stay_where_the_image_keeps_its_digest(self, convert, store):
        docker = convert_image(AMD64.manifest, "docker")
        store.add(docker)
        top = index(entry(docker, "linux/amd64"), *ATTESTED.document["manifests"][1:])
        selection = convert(top, Conversion("oci")).selection
        assert listed(selection.manifest) == [AMD64.digest, ARM64.digest, ATTESTATION.digest]


class TestPlatforms:
    def test_they_come_from_the_config_where_the_index_tells_none(self, convert, store):
        selection = convert(index(entry(ARMV7), entry(AMD64, "linux/amd64")), DOCKER).selection
        found = [item["platform"] for item in selection.manifest.document["manifests"]]
        assert found == [images.platform("linux/arm/v7"), images.platform("linux/amd64")]
        assert store.names("open_blob") == [ARMV7.manifest.config.digest]

    @pytest.mark.parametrize("partial", [{"os": "linux"}, {"architecture": "arm"}, {}])
    def test_a_partial_platform_is_completed_from_the_config(self, convert, store, partial):
        top = index(entry(ARMV7, platform=partial), entry(AMD64, "linux/amd64"))
        selection = convert(top, DOCKER).selection
        assert selection.manifest.document["manifests"][0]["platform"] == images.platform("linux/arm/v7")
        assert store.names("open_blob") == [ARMV7.manifest.config.digest]

    def test_they_are_not_needed_for_oci(self, convert, store):
        docker = convert_image(ARMV7.manifest, "docker")
        document = {**index(entry(docker)).document, "mediaType": media_types.DOCKER_LIST}
        selection = convert_selection(
            Selection(Manifest.parse(images.encode(document))),
            Conversion("oci"),
            Content(lambda name: docker, store.open_blob),
        ).selection
        assert "platform" not in selection.manifest.document["manifests"][0]

    def test_an_image_of_which_nobody_tells_one_is_refused_by_name(self, convert, store):
        config = b'{"os": "linux"}'
        document = {**AMD64.manifest.document, "config": images.described(config, images.CONFIG)}
        silent = images.Image(Manifest.parse(images.encode(document)), (config, *AMD64.blobs[1:]))
        store.add(silent)
        with pytest.raises(NotConvertible, match="%s .* neither the index nor the image config" % silent.digest):
            convert(index(entry(silent)), DOCKER)


class TestTwins:
    TWINS = index(entry(ZSTD, "linux/amd64"), entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))

    @pytest.mark.parametrize("platforms", [(), ("linux/amd64", "linux/arm64")])
    def test_of_two_images_for_a_platform_docker_gets_the_one_without_zstd(self, convert, platforms):
        assert listed(convert(self.TWINS, DOCKER, *platforms).selection.manifest) == [
            in_docker(AMD64),
            in_docker(ARM64),
        ]

    def test_a_config_tells_who_is_a_twin_too(self, convert):
        top = index(entry(ZSTD), entry(AMD64, "linux/amd64"))
        assert listed(convert(top, DOCKER).selection.manifest) == [in_docker(AMD64)]

    def test_both_stay_in_oci(self, convert):
        assert convert(self.TWINS, Conversion("oci")).selection.manifest is self.TWINS

    def test_an_image_that_has_no_twin_is_refused_by_name(self, convert):
        with pytest.raises(NotConvertible, match="%s .* compressed with zstd" % ZSTD.digest):
            convert(index(entry(ZSTD, "linux/amd64"), entry(ARM64, "linux/arm64")), DOCKER)


def test_annotations_that_are_lost_are_told_once(convert, store):
    one, two = (image(text, annotations={"a": "1", text[6:]: "2"}) for text in ("linux/amd64", "linux/arm64"))
    store.add(one, two)
    top = index(entry(one, "linux/amd64"), entry(two, "linux/arm64"), annotations={"top": "3"})
    assert sorted(convert(top, DOCKER).lost) == ["a", "amd64", "arm64", "top"]
    assert convert(top, Conversion("oci")).lost == ()


def test_annotations_of_what_is_left_out_are_not_lost(convert):
    assert "vnd.docker.reference.digest" in ATTESTED.raw.decode()
    assert convert(ATTESTED, Conversion("docker", attestations=False)).lost == ()
    top = index(
        entry(ZSTD, "linux/amd64", annotations={"zstd": "1"}), entry(AMD64, "linux/amd64", annotations={"a": "2"})
    )
    assert convert(top, DOCKER).lost == ("a",)


def test_a_sparse_index_keeps_its_bytes_or_is_refused(convert):
    assert convert(ATTESTED, Conversion("oci"), "linux/amd64", sparse=True).selection.manifest.raw == ATTESTED.raw
    for target in (DOCKER, Conversion(attestations=False)):
        with pytest.raises(NotConvertible, match="Use platform_mode: strip"):
            convert(ATTESTED, target, "linux/amd64", sparse=True)
