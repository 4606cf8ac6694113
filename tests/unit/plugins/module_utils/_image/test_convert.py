# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidContent, NotConvertible
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._image.convert import (
    convert_image,
    convert_index,
    has_zstd,
    is_image,
    lost_annotations,
    platform_fields,
)
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.tests.unit.support.images import described, encode, entry, image, index

DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
PAIRS = [
    (DOCKER_LAYER, OCI_LAYER),
    (DOCKER_LAYER + ".gzip", OCI_LAYER + "+gzip"),
    ("application/vnd.docker.image.rootfs.foreign.diff.tar", "application/vnd.oci.image.layer.nondistributable.v1.tar"),
    (
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ),
]

# As docker push writes it, with the escapes and the extra key that Go programs and others may leave.
DOCKER_TEXT = """{
   "schemaVersion": 2,
   "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
   "config": {
      "mediaType": "application/vnd.docker.container.image.v1+json",
      "size": 1512,
      "digest": "%(config)s"
   },
   "layers": [
      {
         "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
         "size": 100,
         "digest": "%(layer)s",
         "urls": ["https://example.com/?a=1\\u0026b=2"]
      }
   ],
   "vnd.example": {"number": 1.50, "text": "<\\u00e9\\/>"}
}
""" % {"config": digests.of(b"config"), "layer": digests.of(b"layer")}


def parsed(document, **more):
    return Manifest.parse(encode({**document, **more}))


def types(manifest):
    return [manifest.media_type, manifest.config.media_type, *(layer.media_type for layer in manifest.layers)]


def docker_image(*layer_types, **more):
    layers = [described(kind.encode(), kind) for kind in layer_types]
    config = described(b"config", media_types.DOCKER_CONFIG)
    document = {"schemaVersion": 2, "mediaType": media_types.DOCKER_MANIFEST, "config": config, "layers": layers}
    return parsed(document, **more)


def test_every_type_has_its_counterpart_and_digests_of_content_stay():
    docker = docker_image(*(pair[0] for pair in PAIRS))
    oci = convert_image(docker, "oci")
    assert types(oci) == [media_types.OCI_MANIFEST, media_types.OCI_CONFIG, *(pair[1] for pair in PAIRS)]
    assert [item.digest for item in (oci.config, *oci.layers)] == [
        item.digest for item in (docker.config, *docker.layers)
    ]
    assert oci.digest == digests.of(oci.raw) != docker.digest
    assert convert_image(oci, "docker").raw == docker.raw


@pytest.mark.parametrize(
    "text",
    [
        DOCKER_TEXT,
        DOCKER_TEXT.replace("\n", "\r\n"),
        json.dumps(json.loads(DOCKER_TEXT), separators=(",", ":")),
        json.dumps(json.loads(DOCKER_TEXT), indent=2, sort_keys=True),
    ],
    ids=["docker", "lines of windows", "compact", "sorted"],
)
def test_there_and_back_is_the_first_text_whoever_wrote_it(text):
    original = Manifest.parse(text.encode())
    oci = convert_image(original, "oci")
    expected = text
    for docker_type, oci_type in (
        (media_types.DOCKER_MANIFEST, media_types.OCI_MANIFEST),
        (media_types.DOCKER_CONFIG, media_types.OCI_CONFIG),
        PAIRS[3],
    ):
        expected = expected.replace(docker_type, oci_type)
    assert oci.raw.decode() == expected
    assert convert_image(oci, "docker").raw == original.raw


def test_an_image_that_is_in_the_format_stays_itself():
    docker, oci = docker_image(DOCKER_LAYER), image().manifest
    assert convert_image(docker, "docker") is docker
    assert convert_image(oci, "oci") is oci
    config = described(b"config", media_types.DOCKER_CONFIG, annotations={"c": "d"})
    labelled = docker_image(DOCKER_LAYER, annotations={"a": "b"}, config=config)
    assert convert_image(labelled, "docker") is labelled


def test_an_image_of_mixed_types_becomes_one_of_its_own():
    mixed = docker_image(OCI_LAYER + "+gzip", DOCKER_LAYER)
    assert types(convert_image(mixed, "docker"))[2:] == [DOCKER_LAYER + ".gzip", DOCKER_LAYER]
    oci = image("linux/amd64", layer_type=DOCKER_LAYER, config_type=media_types.DOCKER_CONFIG).manifest
    assert types(convert_image(oci, "oci")) == [media_types.OCI_MANIFEST, media_types.OCI_CONFIG, OCI_LAYER]


def test_a_manifest_that_does_not_say_what_it_is_says_it_afterwards():
    document = {key: value for key, value in image().manifest.document.items() if key != "mediaType"}
    silent = parsed(document)
    assert convert_image(silent, "oci") is silent
    assert json.loads(convert_image(silent, "docker").raw)["mediaType"] == media_types.DOCKER_MANIFEST


def test_a_digest_of_another_algorithm_stays_one():
    docker = docker_image(DOCKER_LAYER)
    sha512 = Manifest.parse(docker.raw, digest=digests.of(docker.raw, "sha512"))
    oci = convert_image(sha512, "oci")
    assert oci.digest == digests.of(oci.raw, "sha512")


def test_annotations_are_left_out_of_docker_and_named():
    document = image("linux/amd64", b"x").manifest.document
    annotated = parsed(
        {
            **document,
            "annotations": {"of.manifest": "1"},
            "config": {**document["config"], "annotations": {"of.config": "2"}},
            "layers": [{**document["layers"][0], "annotations": {"of.layer": "3", "of.manifest": "4"}}],
        }
    )
    converted = convert_image(annotated, "docker")
    assert b"annotations" not in converted.raw
    assert lost_annotations(annotated, "docker") == ["of.manifest", "of.config", "of.layer"]
    assert lost_annotations(annotated, "oci") == []
    kept = docker_image(DOCKER_LAYER, annotations={"a": "b"})
    assert convert_image(kept, "oci").annotations == {"a": "b"}
    assert lost_annotations(kept, "docker") == []


ZSTD = DOCKER_LAYER + ".zstd"


def test_zstd_layers_go_to_oci_and_not_back():
    docker = docker_image(DOCKER_LAYER + ".gzip", ZSTD)
    oci = convert_image(docker, "oci")
    assert types(oci)[3] == OCI_LAYER + "+zstd"
    assert has_zstd(docker)
    assert has_zstd(oci)
    assert convert_image(docker, "docker") is docker
    with pytest.raises(NotConvertible) as caught:
        convert_image(oci, "docker")
    assert str(caught.value) == (
        "manifest %s cannot be converted to format docker: layer %s is compressed with zstd. Build the image "
        "with gzip-compressed layers, or use format: preserve." % (oci.digest, oci.layers[1].digest)
    )


@pytest.mark.parametrize(
    ("layer_type", "reason"),
    [
        (OCI_LAYER + "+gzip+encrypted", "is encrypted"),
        (OCI_LAYER + "+gzip+enc", "is encrypted"),
        ("application/vnd.in-toto+json", "is an attestation. Set attestations: drop"),
        ("text/plain", "has the media type text/plain"),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", "is compressed with zstd"),
    ],
)
def test_layers_that_docker_does_not_know_are_refused_by_name(layer_type, reason):
    oci = image("linux/amd64", b"x", layer_type=layer_type).manifest
    with pytest.raises(NotConvertible, match="layer %s %s" % (digests.of(b"x"), reason.replace("+", r"\+"))):
        convert_image(oci, "docker")
    assert convert_image(oci, "oci") is oci


def test_layers_of_oci_that_docker_does_not_know_are_refused_in_a_docker_manifest_too():
    with pytest.raises(NotConvertible, match="is compressed with zstd"):
        convert_image(docker_image(OCI_LAYER + "+zstd"), "docker")


@pytest.mark.parametrize("layer_type", [DOCKER_LAYER + ".gzip+encrypted", "application/vnd.docker.other"])
def test_layers_of_docker_that_oci_does_not_know_are_refused(layer_type):
    with pytest.raises(NotConvertible, match="to format oci: layer"):
        convert_image(docker_image(layer_type), "oci")


def test_what_is_foreign_to_both_formats_goes_to_oci():
    attestation = docker_image("application/vnd.in-toto+json")
    assert types(convert_image(attestation, "oci"))[2] == "application/vnd.in-toto+json"


@pytest.mark.parametrize(
    "artifact",
    [
        image(config_type="application/vnd.cncf.helm.config.v1+json").manifest,
        image(artifactType="application/vnd.example").manifest,
        parsed({"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "layers": []}),
        parsed({"schemaVersion": 2, "mediaType": media_types.OCI_ARTIFACT, "artifactType": "a", "blobs": []}),
    ],
)
def test_artifacts_are_refused_for_docker_and_are_oci_already(artifact):
    assert not is_image(artifact)
    assert convert_image(artifact, "oci") is artifact
    with pytest.raises(
        NotConvertible,
        match="%s cannot be converted to format docker: it is not a container image" % artifact.digest,
    ):
        convert_image(artifact, "docker")


def test_docker_artifacts_are_refused_for_oci():
    plugin = docker_image(config=described(b"x", "application/vnd.docker.plugin.v1+json"))
    with pytest.raises(NotConvertible, match="format oci: it is not a container image"):
        convert_image(plugin, "oci")


def test_what_refers_to_another_image_is_refused_for_docker():
    subject = image("linux/arm64").manifest
    referrer = image(subject=entry(subject)).manifest
    with pytest.raises(NotConvertible, match="it has a subject"):
        convert_image(referrer, "docker")
    with pytest.raises(NotConvertible, match="it has a subject"):
        convert_index(index(entry(referrer), subject=entry(subject)), "docker", {}, {})


def test_a_manifest_that_says_a_thing_twice_is_not_converted():
    raw = docker_image(DOCKER_LAYER).raw.replace(b'{"schemaVersion": 2', b'{"schemaVersion": 2, "schemaVersion": 2')
    with pytest.raises(InvalidContent, match="contains a key twice"):
        convert_image(Manifest.parse(raw), "oci")


class TestIndexes:
    DOCKER = docker_image(DOCKER_LAYER)
    OCI = convert_image(DOCKER, "oci")

    def test_children_are_exchanged_and_all_else_stays(self):
        text = json.dumps(
            {
                "manifests": [
                    entry(self.DOCKER, "linux/amd64", data="e30="),
                    entry(image("linux/arm64").manifest, "linux/arm64", **{"x.extra": [1.50]}),
                ],
                "mediaType": media_types.DOCKER_LIST,
                "schemaVersion": 2,
            },
            indent=3,
        )
        original = Manifest.parse(text.encode())
        converted = convert_index(original, "oci", {self.DOCKER.digest: self.OCI}, {})
        first, second = json.loads(converted.raw)["manifests"]
        assert first == entry(self.OCI, "linux/amd64")
        assert second == original.document["manifests"][1]
        assert list(json.loads(converted.raw)) == ["manifests", "mediaType", "schemaVersion"]
        assert converted.media_type == media_types.OCI_INDEX
        assert converted.raw.startswith(b'{\n   "manifests": [\n      {\n')

    def test_there_and_back_is_the_first_text(self):
        original = parsed({**index(entry(self.DOCKER, "linux/amd64")).document, "mediaType": media_types.DOCKER_LIST})
        there = convert_index(original, "oci", {self.DOCKER.digest: self.OCI}, {})
        assert convert_index(there, "docker", {self.OCI.digest: self.DOCKER}, {}).raw == original.raw

    def test_an_index_of_the_format_with_children_of_the_format_stays_itself(self):
        oci = index(entry(self.OCI, "linux/amd64", annotations={"a": "b"}), annotations={"c": "d"})
        assert convert_index(oci, "oci", {self.OCI.digest: self.OCI}, {}) is oci
        assert convert_index(oci, "", {}, {}) is oci

    def test_a_child_without_a_platform_gets_what_is_told_of_it(self):
        fields = platform_fields(
            {
                "os": "linux",
                "architecture": "arm",
                "variant": "v7",
                "config": {},
                "os.version": "",
                "os.features": ["x"],
            }
        )
        silent, partial = entry(self.OCI), {**entry(image().manifest), "platform": {"os": "freebsd", "x": 1}}
        platforms = dict.fromkeys((self.OCI.digest, image().digest), fields)
        converted = convert_index(index(silent, partial), "docker", {}, platforms)
        first, second = (item["platform"] for item in json.loads(converted.raw)["manifests"])
        assert first == {"architecture": "arm", "os": "linux", "os.features": ["x"], "variant": "v7"}
        assert second == {"os": "freebsd", "x": 1, "architecture": "arm", "os.features": ["x"], "variant": "v7"}

    def test_annotations_are_left_out_of_docker_and_named(self):
        oci = index(entry(self.OCI, "linux/amd64", annotations={"a": "1"}), annotations={"b": "2"})
        converted = convert_index(oci, "docker", {self.OCI.digest: self.DOCKER}, {})
        assert b"annotations" not in converted.raw
        assert lost_annotations(oci, "docker") == ["b", "a"]

    @pytest.mark.parametrize(
        ("original", "reason"),
        [
            (index(described(b"x", "text/plain")), "child %s has the media type text/plain" % digests.of(b"x")),
            (index(artifactType="application/vnd.example"), "it is not a container image"),
        ],
    )
    def test_what_docker_lists_cannot_be_is_refused(self, original, reason):
        with pytest.raises(NotConvertible, match=reason):
            convert_index(original, "docker", {}, {})
