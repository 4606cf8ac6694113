# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Media types, field names, short names and limits, as the specifications and the other tools spell them."""

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._image import (
    bundle,
    config,
    convert,
    encrypted_key,
    graph,
    media_types,
    referrers,
    saved,
    schema1,
    secretbox,
    signature_file,
    signed,
    simple_signing,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import manifest as manifests
from ansible_collections.drayage.registry.plugins.module_utils._image import statement as statements
from ansible_collections.drayage.registry.plugins.module_utils._image.bundle import Bundle
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.plugins.module_utils._image.platform import Platform
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.values import changeable

OCI, DOCKER = "application/vnd.oci.image.", "application/vnd.docker."
DISTRIBUTION, ROOTFS = DOCKER + "distribution.manifest.", DOCKER + "image.rootfs."
MIB = 1048576


def test_values_that_threads_share_cannot_be_changed():
    assert changeable("_image") == set()


def described(media_type):
    return Descriptor(media_type, digests.of(b"x"), 1)


@pytest.mark.parametrize(
    ("media_type", "is_index", "is_manifest"),
    [
        (OCI + "manifest.v1+json", False, True),
        (OCI + "index.v1+json", True, True),
        ("application/vnd.oci.artifact.manifest.v1+json", False, True),
        (DISTRIBUTION + "v2+json", False, True),
        (DISTRIBUTION + "list.v2+json", True, True),
        (DISTRIBUTION + "v1+json", False, False),
        (OCI + "config.v1+json", False, False),
    ],
)
def test_media_types_of_manifests(media_type, is_index, is_manifest):
    assert (described(media_type).is_index, described(media_type).is_manifest) == (is_index, is_manifest)
    assert (media_type in media_types.ACCEPT.split(", ")) is is_manifest


def test_media_types_that_are_accepted():
    assert media_types.ACCEPT.split(", ") == [
        OCI + "manifest.v1+json",
        OCI + "index.v1+json",
        DISTRIBUTION + "v2+json",
        DISTRIBUTION + "list.v2+json",
        "application/vnd.oci.artifact.manifest.v1+json",
    ]
    assert set(media_types.SCHEMA1) == {DISTRIBUTION + "v1+json", DISTRIBUTION + "v1+prettyjws"}


@pytest.mark.parametrize("media_type", [DISTRIBUTION + "v1+json", DISTRIBUTION + "v1+prettyjws"])
def test_media_types_of_schema_1(media_type):
    with pytest.raises(InvalidContent, match="is in Docker schema 1 format"):
        Manifest.parse(json.dumps({"mediaType": media_type, "fsLayers": []}).encode())


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (media_types.IMAGE_CONFIGS, {OCI + "config.v1+json", DOCKER + "container.image.v1+json"}),
        (media_types.PLAIN_LAYERS, {OCI + "layer.v1.tar", ROOTFS + "diff.tar"}),
        (media_types.ZSTD_LAYERS, {OCI + "layer.v1.tar+zstd", ROOTFS + "diff.tar.zstd"}),
        (
            media_types.LAYERS - media_types.PLAIN_LAYERS - media_types.ZSTD_LAYERS,
            {OCI + "layer.v1.tar+gzip", ROOTFS + "diff.tar.gzip"},
        ),
        (
            media_types.FOREIGN_LAYERS,
            {
                *(ROOTFS + "foreign.diff.tar" + suffix for suffix in ("", ".gzip")),
                *(OCI + "layer.nondistributable.v1.tar" + suffix for suffix in ("", "+gzip", "+zstd")),
            },
        ),
        (media_types.DOCKER, {DISTRIBUTION + "v2+json", DISTRIBUTION + "list.v2+json"}),
    ],
)
def test_media_types_of_content(found, expected):
    assert set(found) == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (manifests.MAX_SIZE, 4 * MIB),
        (config.MAX_CONFIG, 8 * MIB),
        (bundle.MAX_SIZE, 32 * MIB),
        (simple_signing.MAX_SIZE, 4 * MIB),
        (signature_file.MAX_PAYLOAD, 4 * MIB),
        (signature_file.MAX_SIZE, 6 * MIB),
        (referrers.MAX_BUNDLE, 4096),
        (graph.MAX_MANIFESTS, 10000),
        (digests.CHUNK, 524288),
        (secretbox.KEY_BYTES, 32),
        (secretbox.NONCE_BYTES, 24),
    ],
)
def test_limits(limit, expected):
    assert limit == expected


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("cyclonedx", "https://cyclonedx.org/bom"),
        ("custom", "https://cosign.sigstore.dev/attestation/v1"),
        ("link", "https://in-toto.io/Link/v1"),
        ("openvex", "https://openvex.dev/ns"),
        ("slsaprovenance", "https://slsa.dev/provenance/v0.2"),
        ("slsaprovenance02", "https://slsa.dev/provenance/v0.2"),
        ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
        ("spdx", "https://spdx.dev/Document"),
        ("spdxjson", "https://spdx.dev/Document"),
        ("vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"),
        ("another", "another"),
    ],
)
def test_short_names_of_cosign(name, uri):
    assert statements.predicate_type(name) == uri


def test_names_of_signatures():
    assert (statements.PAYLOAD_TYPE, statements.SIGN) == (
        "application/vnd.in-toto+json",
        "https://sigstore.dev/cosign/sign/v1",
    )
    assert (simple_signing.COSIGN, simple_signing.ATOMIC) == (
        "cosign container image signature",
        "atomic container signature",
    )
    assert (simple_signing.MEDIA_TYPE, simple_signing.SIGNATURE_ANNOTATION) == (
        "application/vnd.dev.cosign.simplesigning.v1+json",
        "dev.cosignproject.cosign/signature",
    )
    assert (bundle.CONTENT_ANNOTATION, bundle.MEDIA_TYPE_PREFIX) == (
        "dev.sigstore.bundle.content",
        "application/vnd.dev.sigstore.bundle",
    )
    assert (referrers.PREDICATE_TYPE, referrers.BUNDLE) == (
        "dev.sigstore.bundle.predicateType",
        "drayage.registry/bundle",
    )
    assert encrypted_key.KINDS == ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")


@pytest.mark.parametrize("suffix", [".v0.3+json", *("+json;version=0.%d" % minor for minor in (1, 2, 3))])
def test_versions_of_bundles_that_are_read(suffix):
    document = {
        "mediaType": "application/vnd.dev.sigstore.bundle" + suffix,
        "verificationMaterial": {"publicKey": {"hint": "k"}},
        "dsseEnvelope": {"payloadType": "text/plain", "payload": "", "signatures": [{"sig": ""}]},
    }
    assert Bundle.parse(json.dumps(document).encode()).hint == "k"
    for version in (".v0.4+json", "+json;version=0.0", "+json;version=0.4"):
        document["mediaType"] = "application/vnd.dev.sigstore.bundle" + version
        with pytest.raises(InvalidContent, match="the sigstore bundle has an unsupported version"):
            Bundle.parse(json.dumps(document).encode())


def manifest_with(field):
    Manifest.parse(images.encode({**images.image().manifest.document, field: None}))


def descriptor_with(field):
    Descriptor.from_document({**images.described(b"x"), field: None})


def config_with(field):
    config.read(images.encode({field: None, field.lower(): None, field.upper(): None}))


def run_config_with(field):
    config.read(images.encode({"config": {field: None, field.lower(): None, field.upper(): None}}))


def rootfs_with(field):
    config.read(images.encode({"rootfs": {field: None, field.upper(): None, field.title(): None}}))


def platform_with(field):
    Platform.from_document({field: None, field.upper(): None, field.title(): None})


def saved_with(field):
    saved.parse_entries(images.encode([{"Config": "c", field: None}]))


def schema1_with(field):
    schema1.parse(images.encode({"schemaVersion": 1, field: None}))


@pytest.mark.parametrize(
    ("read", "fields"),
    [
        (manifest_with, "schemaVersion mediaType artifactType config layers blobs manifests subject annotations"),
        (descriptor_with, "mediaType digest size urls annotations data platform artifactType"),
        (config_with, "created author architecture os os.version variant config rootfs history"),
        (
            run_config_with,
            "User ExposedPorts Env Entrypoint Cmd Volumes WorkingDir Labels StopSignal Healthcheck",
        ),
        (rootfs_with, "type diff_ids"),
        (platform_with, "os architecture variant os.version os.features"),
        (saved_with, "Config RepoTags Layers"),
        (schema1_with, "schemaVersion name tag architecture fsLayers history signatures"),
    ],
)
def test_a_field_in_another_case_is_refused_because_engines_read_it(read, fields):
    for field in fields.split():
        with pytest.raises(InvalidContent, match="which engines read as %s but other tools ignore" % field):
            read(field.upper())
    read("anotherField")


@pytest.mark.parametrize("document", [{"OS": "linux"}, {"config": {"env": []}}, {"rootfs": {"TYPE": "layers"}}])
def test_a_single_field_of_a_config_may_have_another_case(document):
    assert config.read(images.encode(document)) == document


def test_the_platform_of_a_config():
    fields = {"architecture": "amd64", "os": "windows", "os.version": "10", "os.features": ["x"], "variant": "v2"}
    assert convert.platform_fields({**fields, "created": "now", "author": ""}) == fields
    assert list(convert.platform_fields(dict(reversed(list(fields.items()))))) == list(fields)
    assert Platform.from_document({"os": 5, "architecture": None, "variant": [], "os.version": 7}) == Platform("", "")


def test_only_container_images_and_indexes_are_no_artifacts():
    container, chart = images.image(), images.image(config_type="application/vnd.cncf.helm.config.v1+json")
    signature = images.image(layer_type="application/vnd.dev.cosign.simplesigning.v1+json")
    typed = images.image(artifactType="application/x")
    index = images.index(images.entry(container), artifactType="application/x", config=None)
    found = [convert.is_artifact(one.manifest) for one in (container, chart, signature, typed)]
    assert found == [False, True, True, True]
    assert convert.is_artifact(index) is False
    assert index.artifact_type == "application/x"
    assert images.index(images.entry(container)).artifact_type == ""


def test_the_digest_of_a_manifest_of_any_kind():
    for raw in (images.image().manifest.raw, b"no JSON", b"[]"):
        assert signed.manifest_digest(raw) == digests.of(raw)
