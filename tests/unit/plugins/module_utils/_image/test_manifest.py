# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import DigestMismatch, ImageError, InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import MAX_SIZE, Manifest
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.images import encode

DIGEST = "sha256:" + "a" * 64
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
CHILD = {"mediaType": media_types.OCI_MANIFEST, "digest": DIGEST, "size": 5}
LAYER = {"mediaType": images.LAYER, "digest": DIGEST, "size": 5}
BODIES = {"manifest": {"schemaVersion": 2, "layers": []}, "index": {"schemaVersion": 2, "manifests": []}}


def parse(document, content_type=""):
    return Manifest.parse(encode(document), content_type)


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/json", "application/vnd.x+json; charset=utf-8"]
)
@pytest.mark.parametrize(
    ("stated", "body", "is_index"),
    [
        (media_types.OCI_MANIFEST, "manifest", False),
        (media_types.DOCKER_MANIFEST, "manifest", False),
        (media_types.OCI_ARTIFACT, "manifest", False),
        (media_types.OCI_INDEX, "index", True),
        (media_types.DOCKER_LIST, "index", True),
    ],
)
def test_the_manifests_own_word_wins_over_a_content_type_that_says_nothing(stated, body, is_index, content_type):
    manifest = parse({**BODIES[body], "mediaType": stated}, content_type)
    assert manifest.media_type == stated
    assert manifest.is_index is is_index


@pytest.mark.parametrize(
    ("document", "content_type", "media_type"),
    [
        ({"manifests": []}, "", media_types.OCI_INDEX),
        ({"manifests": []}, "text/plain", media_types.OCI_INDEX),
        ({"manifests": []}, media_types.DOCKER_LIST, media_types.DOCKER_LIST),
        ({"manifests": []}, media_types.DOCKER_LIST + "; charset=utf-8", media_types.DOCKER_LIST),
        ({"layers": []}, "", media_types.OCI_MANIFEST),
        ({"config": CHILD}, "application/json", media_types.OCI_MANIFEST),
        ({"layers": []}, media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST),
        ({"layers": [], "mediaType": None}, "", media_types.OCI_MANIFEST),
        ({"layers": [], "mediaType": ""}, media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST),
        ({"manifests": [], "mediaType": ""}, "", media_types.OCI_INDEX),
        ({"manifests": None}, "", media_types.OCI_INDEX),
        ({"layers": [], "manifests": None}, "", media_types.OCI_MANIFEST),
        ({"manifests": [], "layers": None, "config": None}, "", media_types.OCI_INDEX),
        ({"layers": None}, "", media_types.OCI_MANIFEST),
        ({"layers": []}, "application/vnd.docker.distribution.manifest.v1+prettyjws", media_types.OCI_MANIFEST),
    ],
)
def test_without_a_media_type_the_shape_decides_and_the_content_type_names_its_flavour(
    document, content_type, media_type
):
    assert parse({"schemaVersion": 2, **document}, content_type).media_type == media_type


@pytest.mark.parametrize(
    ("body", "stated", "sent"),
    [
        ("manifest", media_types.OCI_MANIFEST, media_types.DOCKER_MANIFEST),
        ("manifest", media_types.DOCKER_MANIFEST, media_types.OCI_MANIFEST),
        ("manifest", media_types.OCI_MANIFEST, media_types.OCI_INDEX),
        ("index", media_types.OCI_INDEX, media_types.DOCKER_LIST),
        ("index", media_types.OCI_INDEX, media_types.OCI_MANIFEST + "; charset=utf-8"),
    ],
)
def test_a_content_type_that_contradicts_the_manifest_is_an_error(body, stated, sent):
    with pytest.raises(InvalidContent) as caught:
        parse({**BODIES[body], "mediaType": stated}, sent)
    assert stated in str(caught.value)
    assert sent.partition(";")[0] in str(caught.value)


@pytest.mark.parametrize(
    ("body", "stated"), [("manifest", media_types.OCI_MANIFEST), ("index", media_types.DOCKER_LIST)]
)
def test_a_content_type_that_agrees_with_the_manifest_is_fine(body, stated):
    assert parse({**BODIES[body], "mediaType": stated}, stated + "; charset=utf-8").media_type == stated


def test_the_media_type_decides_what_a_manifest_refers_to():
    document = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST}
    image = parse({**document, "config": LAYER, "layers": [LAYER], "manifests": None})
    assert ([blob.digest for blob in image.blobs], image.children) == ([DIGEST], [])
    index = parse({"mediaType": media_types.OCI_INDEX, "config": None, "layers": None, "manifests": [CHILD]})
    assert (index.blobs, [child.digest for child in index.children]) == ([], [DIGEST])


@pytest.mark.parametrize(
    "document",
    [
        {"schemaVersion": 1, "fsLayers": [], "history": []},
        {"schemaVersion": 1, "mediaType": media_types.DOCKER_SCHEMA1},
        {"schemaVersion": 1, "mediaType": media_types.DOCKER_SCHEMA1_SIGNED, "signatures": []},
    ],
)
def test_schema_1_is_refused_by_name(document):
    with pytest.raises(InvalidContent, match="Docker schema 1") as caught:
        parse(document)
    assert "Push the image again" in str(caught.value)


def test_another_media_type_is_refused_by_name():
    with pytest.raises(InvalidContent, match="application/vnd.example"):
        parse({**BODIES["manifest"], "mediaType": "application/vnd.example"})


def test_a_manifest_as_large_as_registries_take_is_read_and_a_larger_one_is_not():
    raw = encode(BODIES["manifest"])
    assert Manifest.parse(raw + b" " * (MAX_SIZE - len(raw))).size == MAX_SIZE == 4 * 1024 * 1024
    with pytest.raises(InvalidContent, match="larger than 4194304 bytes"):
        Manifest.parse(raw + b" " * (MAX_SIZE + 1 - len(raw)))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not json",
        b"<html><body>404</body></html>",
        b'{"schemaVersion": 2, "layers": []',
        b"\xff\xfe{}",
        b'{"layers": ["\xff"]}',
        pytest.param(b"[" * 100000, id="nested lists"),
        pytest.param(b'{"a":' * 100000, id="nested objects"),
    ],
)
def test_what_is_not_json_is_refused_with_the_likely_cause(raw):
    with pytest.raises(InvalidContent, match="is not valid JSON") as caught:
        Manifest.parse(raw)
    assert "Check that the host is a registry" in str(caught.value)


@pytest.mark.parametrize("raw", [b"[]", b'"x"', b"5", b"null", b"true", b"[{}]"])
def test_json_that_is_no_object_is_no_manifest(raw):
    with pytest.raises(InvalidContent, match="not a JSON object"):
        Manifest.parse(raw)


@pytest.mark.parametrize(
    "document", [{}, {"schemaVersion": 2}, {"schemaVersion": 2, "tags": []}, {"errors": [{"code": "X"}]}]
)
def test_json_of_another_shape_is_neither_image_nor_index(document):
    with pytest.raises(InvalidContent, match="neither an image manifest nor an index"):
        parse(document)


@pytest.mark.parametrize(
    "document",
    [
        {"layers": {}},
        {"layers": "x"},
        {"layers": 5},
        {"layers": [None]},
        {"layers": ["x"]},
        {"layers": [[LAYER]]},
        {"layers": [{}]},
        {"layers": [{**LAYER, "size": -1}]},
        {"layers": [{**LAYER, "size": "5"}]},
        {"layers": [{**LAYER, "size": 1e400}]},
        {"layers": [{**LAYER, "digest": "sha256:x"}]},
        {"layers": [{**LAYER, "digest": ["x"]}]},
        {"layers": [{**LAYER, "mediaType": None}]},
        {"layers": [LAYER, {**LAYER, "mediaType": ["x"]}]},
        {"config": []},
        {"config": "x", "layers": []},
        {"config": {}, "layers": []},
        {"manifests": {}},
        {"manifests": True},
        {"manifests": [None]},
        {"manifests": [CHILD, {**CHILD, "size": None}]},
        {"manifests": [{**CHILD, "digest": {}}]},
        {"mediaType": 5, "layers": []},
        {"mediaType": [], "layers": []},
        {"mediaType": {}, "layers": []},
        {"mediaType": True, "layers": []},
        {"mediaType": media_types.OCI_ARTIFACT, "blobs": [{}]},
        {"mediaType": media_types.OCI_INDEX, "manifests": [5]},
    ],
)
def test_malformed_manifests_are_refused_when_they_are_read(document):
    with pytest.raises(ImageError):
        parse({"schemaVersion": 2, **document})


@pytest.mark.parametrize(
    "document",
    [
        {"layers": None},
        {"layers": [], "annotations": "x", "subject": 5},
        {"layers": [{**LAYER, "annotations": [], "platform": "x", "urls": 5}]},
        {"manifests": None},
        {"manifests": [{**CHILD, "platform": {"os": 5, "architecture": {}}}]},
        {"manifests": [{**CHILD, "annotations": {"vnd.docker.reference.type": 5}}]},
    ],
)
def test_what_matters_to_no_one_is_not_checked(document):
    manifest = parse({"schemaVersion": 2, **document})
    assert manifest.raw == encode({"schemaVersion": 2, **document})


def test_digest_and_size_are_over_the_bytes_as_they_came():
    raw = b'{ "schemaVersion" : 2,\n\t"layers" : [ ] }\n'
    manifest = Manifest.parse(raw)
    assert manifest.raw == raw
    assert manifest.digest == digests.of(raw)
    assert (manifest.descriptor.digest, manifest.descriptor.size) == (digests.of(raw), len(raw))


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_the_digest_it_was_asked_for_by_stays_its_name(algorithm):
    raw = encode(BODIES["manifest"])
    assert Manifest.parse(raw, digest=digests.of(raw, algorithm)).digest == digests.of(raw, algorithm)


def test_content_under_a_wrong_digest_is_refused():
    with pytest.raises(DigestMismatch, match=DIGEST):
        Manifest.parse(encode(BODIES["manifest"]), digest=DIGEST)


def test_an_image_refers_to_its_config_and_layers():
    image = images.image("linux/amd64", b"one", b"two")
    assert [blob.digest for blob in image.manifest.blobs] == [digests.of(content) for content in image.blobs]
    assert [blob.size for blob in image.manifest.blobs] == [len(content) for content in image.blobs]
    assert image.manifest.config.digest == digests.of(image.blobs[0])
    assert image.manifest.children == []


def test_an_artifact_manifest_refers_to_its_blobs():
    manifest = parse({"mediaType": media_types.OCI_ARTIFACT, "artifactType": "application/x", "blobs": [LAYER]})
    assert [blob.digest for blob in manifest.blobs] == [DIGEST]
    assert manifest.config is None


def test_an_index_refers_to_its_children_in_their_order_and_to_no_blobs():
    children = [images.image("linux/" + name) for name in ("s390x", "amd64", "arm64")]
    manifest = images.index(*(images.entry(child) for child in children))
    assert [child.digest for child in manifest.children] == [child.digest for child in children]
    assert manifest.blobs == []


def test_a_blob_that_is_named_twice_is_there_once():
    empty = images.described(b"{}", "application/vnd.oci.empty.v1+json")
    manifest = parse({"schemaVersion": 2, "config": empty, "layers": [LAYER, empty, LAYER]})
    assert [blob.digest for blob in manifest.blobs] == [digests.of(b"{}"), DIGEST]


def test_foreign_layers_are_left_where_they_are():
    manifest = parse({"schemaVersion": 2, "layers": [{**LAYER, "mediaType": FOREIGN}, images.described(b"own")]})
    assert [blob.digest for blob in manifest.blobs] == [digests.of(b"own")]
    assert manifest.has_foreign_layers
    assert not images.image().manifest.has_foreign_layers


def test_what_could_be_an_image_and_an_index_is_neither():
    raw = b'{"schemaVersion":2,"manifests":[],"layers":[]}'
    with pytest.raises(InvalidContent, match="both an image manifest and an index"):
        Manifest.parse(raw, "application/vnd.oci.image.manifest.v1+json")


@pytest.mark.parametrize(
    ("stated", "more"),
    [
        (media_types.OCI_INDEX, {"layers": []}),
        (media_types.DOCKER_LIST, {"config": CHILD}),
        (media_types.OCI_MANIFEST, {"manifests": []}),
        (media_types.DOCKER_MANIFEST, {"manifests": [CHILD]}),
        ("", {"manifests": [], "layers": []}),
    ],
)
def test_what_is_listed_must_be_of_the_kind_that_it_says(stated, more):
    with pytest.raises(InvalidContent, match="but its content has another type|both an image manifest and an index"):
        parse({"schemaVersion": 2, "mediaType": stated, **more})


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (
            '{"schemaVersion": 2, "config": %s, "Config": %s}',
            "the manifest contains 'Config', which engines read as config",
        ),
        ('{"schemaVersion": 2, "config": %s, "Layers": [%s]}', "contains 'Layers', which engines read as layers"),
        ('{"schemaVersion": 2, "layers": [%s], "layers": [%s, 1]}', "the key 'layers' several times"),
    ],
)
def test_a_manifest_that_engines_take_for_another_one_is_refused(raw, said):
    layer = json.dumps(LAYER)
    with pytest.raises(InvalidContent, match=said):
        Manifest.parse((raw % (layer, layer)).encode())


@pytest.mark.parametrize(
    "more",
    [
        {"Digest": "sha256:" + "b" * 64},
        {"SIZE": 6},
        {"platform": {"os": "linux", "OS": "windows", "architecture": "amd64"}},
    ],
)
def test_a_descriptor_that_engines_take_for_another_one_is_refused(more):
    with pytest.raises(InvalidContent, match="which engines read as (digest|size|os)"):
        parse({"schemaVersion": 2, "manifests": [{**CHILD, **more}]})


def test_annotations_may_differ_in_case_alone():
    annotations = {"org.Example": "a", "org.example": "b", "Digest": "c"}
    manifest = parse(
        {"schemaVersion": 2, "layers": [{**LAYER, "annotations": annotations}], "annotations": annotations}
    )
    assert (manifest.annotations, manifest.layers[0].annotations) == (annotations, annotations)


@pytest.mark.parametrize("key", ["manifests", "layers"])
@pytest.mark.parametrize("value", [7, "x", {}, [7], [None], [[]]])
def test_lists_of_another_shape_are_refused(key, value):
    with pytest.raises(InvalidContent):
        parse({"schemaVersion": 2, key: value})
