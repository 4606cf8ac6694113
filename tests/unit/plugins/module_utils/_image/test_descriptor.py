# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._image.platform import Platform

DIGEST = "sha256:" + "a" * 64
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MINIMAL = {"mediaType": LAYER, "digest": DIGEST, "size": 7}


def read(**more):
    return Descriptor.from_document({**MINIMAL, **more})


def test_the_required_fields_are_enough():
    descriptor = read()
    assert (descriptor.media_type, descriptor.digest, descriptor.size) == (LAYER, DIGEST, 7)
    assert descriptor.platform is None
    assert descriptor.annotations == {}
    assert descriptor.attests is None


def test_the_optional_fields_are_read():
    descriptor = read(
        annotations={"a": "b"},
        platform={"os": "linux", "architecture": "arm", "variant": "v7"},
        artifactType="application/x",
    )
    assert descriptor.annotations == {"a": "b"}
    assert descriptor.platform == Platform("linux", "arm", "v7")


def test_fields_that_are_not_known_do_not_matter():
    assert read(urls=["https://x"], data="e30=", newField={"x": 1}) == read()


@pytest.mark.parametrize("size", [0, 1, 2**63 - 1])
def test_any_size_that_content_can_have_is_valid(size):
    assert read(size=size).size == size


@pytest.mark.parametrize("size", [None, -1, 2**63, "7", 7.0, 7.5, True, False, [], {}])
def test_any_other_size_is_refused(size):
    with pytest.raises(InvalidContent, match="%s has no valid size" % DIGEST):
        read(size=size)


@pytest.mark.parametrize(
    "digest", [None, "", 5, [], {}, "sha256:short", DIGEST.upper(), "md5:" + "a" * 32, "sha256:../../etc"]
)
def test_a_digest_that_cannot_be_verified_is_refused(digest):
    with pytest.raises(InvalidContent, match="is not a valid digest"):
        read(digest=digest)


@pytest.mark.parametrize("media_type", [None, 5, [], {}, True])
def test_a_descriptor_needs_a_media_type(media_type):
    with pytest.raises(InvalidContent, match="mediaType"):
        read(mediaType=media_type)


@pytest.mark.parametrize("field", ["mediaType", "digest", "size"])
def test_no_required_field_may_be_missing(field):
    with pytest.raises(InvalidContent):
        Descriptor.from_document({name: value for name, value in MINIMAL.items() if name != field})


@pytest.mark.parametrize("document", [None, [], "x", 5, True, [MINIMAL]])
def test_what_is_no_object_is_no_descriptor(document):
    with pytest.raises(InvalidContent, match="not a JSON object"):
        Descriptor.from_document(document)


@pytest.mark.parametrize(
    ("field", "value"), [("annotations", ["x"]), ("annotations", "x"), ("platform", "linux/amd64"), ("platform", [1])]
)
def test_optional_fields_of_a_wrong_kind_count_as_absent(field, value):
    assert read(**{field: value}).annotations == {}
    assert read(**{field: value}).platform is None


@pytest.mark.parametrize(
    ("platform", "known"),
    [
        ({}, False),
        ({"os": 5, "architecture": []}, False),
        ({"os": "linux", "architecture": "amd64", "variant": {}}, True),
    ],
)
def test_a_malformed_platform_is_an_unknown_one(platform, known):
    assert read(platform=platform).platform.is_known is known


@pytest.mark.parametrize(
    ("media_type", "is_manifest", "is_index"),
    [
        (media_types.OCI_MANIFEST, True, False),
        (media_types.DOCKER_MANIFEST, True, False),
        (media_types.OCI_ARTIFACT, True, False),
        (media_types.OCI_INDEX, True, True),
        (media_types.DOCKER_LIST, True, True),
        (LAYER, False, False),
        ("application/json", False, False),
    ],
)
def test_the_media_type_tells_manifests_and_indexes(media_type, is_manifest, is_index):
    descriptor = read(mediaType=media_type)
    assert (descriptor.is_manifest, descriptor.is_index) == (is_manifest, is_index)


@pytest.mark.parametrize(
    ("media_type", "foreign"),
    [
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", True),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", True),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", False),
        (LAYER, False),
    ],
)
def test_foreign_layers_are_told_by_their_media_type(media_type, foreign):
    assert read(mediaType=media_type).is_foreign is foreign


def test_urls_alone_make_no_foreign_layer():
    assert not read(urls=["https://x"]).is_foreign


@pytest.mark.parametrize(
    ("annotations", "attests"),
    [
        ({"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": DIGEST}, DIGEST),
        ({"vnd.docker.reference.type": "other", "vnd.docker.reference.digest": DIGEST}, None),
        ({"vnd.docker.reference.digest": DIGEST}, None),
        ({"vnd.docker.reference.type": "attestation-manifest"}, None),
        ({"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": [DIGEST]}, None),
    ],
)
def test_an_attestation_names_the_sibling_it_speaks_of(annotations, attests):
    assert read(annotations=annotations).attests == attests


def test_the_same_content_is_the_same_descriptor_whatever_is_said_about_it():
    assert (
        len(
            {
                read(),
                read(annotations={"a": "b"}),
                read(artifactType="application/x"),
                read(platform={"os": "linux", "architecture": "amd64"}),
            }
        )
        == 1
    )
    assert read() != read(size=8)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("content", [b"", b"x", b"any content"])
def test_embedded_content_is_taken_only_if_its_digest_matches(content, algorithm):
    data = base64.b64encode(content).decode()
    right = {"digest": digests.of(content, algorithm), "size": len(content)}
    assert read(**right, data=data).embedded == (content or None)
    assert read(**right).embedded is None
    assert read(**right, data=5).embedded is None
    for wrong in ({"digest": digests.of(b"other", algorithm)}, {"size": len(content) + 1}, {"data": "%" + data[1:]}):
        assert read(**{**right, "data": data, **wrong}).embedded is None


def test_embedded_content_that_is_much_too_long_is_not_decoded():
    assert read(digest=digests.of(b"x"), size=1, data="eA==").embedded == b"x"
    assert read(digest=digests.of(b"x"), size=1, data="eA==" * 1000).embedded is None
