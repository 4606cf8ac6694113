# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Valid documents of every kind, for :mod:`fuzz_inputs` to spoil."""

from __future__ import annotations

from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.tests.unit.support import images

DIGEST = "sha256:" + "a" * 64
DESCRIPTOR = {"mediaType": media_types.OCI_MANIFEST, "digest": DIGEST, "size": 5}
LAYER = {**DESCRIPTOR, "mediaType": images.LAYER, "annotations": {"a": "b"}}
CONFIG = {
    "os": "linux",
    "architecture": "arm",
    "variant": "v7",
    "config": {"Labels": {"a": "b"}, "Env": ["A=b"]},
    "rootfs": {"type": "layers", "diff_ids": [DIGEST]},
    "created": "2026-01-01T00:00:00Z",
}
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": media_types.OCI_MANIFEST,
    "config": {**DESCRIPTOR, "mediaType": media_types.OCI_CONFIG},
    "layers": [LAYER, LAYER],
    "annotations": {"a": "b"},
}
DOCKER_MANIFEST = {
    "schemaVersion": 2,
    "mediaType": media_types.DOCKER_MANIFEST,
    "config": {**DESCRIPTOR, "mediaType": media_types.DOCKER_CONFIG},
    "layers": [{**DESCRIPTOR, "mediaType": media_types.DOCKER_LAYER}],
}
ATTESTATION = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": DIGEST}
INDEX = {
    "schemaVersion": 2,
    "mediaType": media_types.OCI_INDEX,
    "manifests": [
        {**DESCRIPTOR, "platform": {"os": "linux", "architecture": "arm", "variant": "v7", "os.version": "1"}},
        {**DESCRIPTOR, "platform": {"os": "unknown", "architecture": "unknown"}, "annotations": ATTESTATION},
        {**DESCRIPTOR, "artifactType": "application/x", "annotations": {"org.opencontainers.image.ref.name": "1"}},
        {**DESCRIPTOR, "annotations": {"io.containerd.image.name": "a:1", "org.opencontainers.image.ref.name": "1"}},
    ],
    "annotations": {"a": "b"},
}
SCHEMA1 = {
    "schemaVersion": 1,
    "name": "app",
    "fsLayers": [{"blobSum": DIGEST}],
    "history": [{"v1Compatibility": '{"os": "linux", "config": {"Labels": {}}}'}],
    "signatures": [{"protected": "eyJmb3JtYXRMZW5ndGgiOiAxLCAiZm9ybWF0VGFpbCI6ICJmUSJ9", "header": {}}],
}
SAVED = [{"Config": "c.json", "RepoTags": ["app:1", "r.example/x:2"], "Layers": ["l.tar"]}]
TAGS = {"name": "app", "tags": ["1", "v1.2.3", "latest"]}
RECORD = {"ref": "r.example/app:1", "src": "a:1", "digest": DIGEST, "blobs": [DIGEST], "manifests": [DIGEST]}
SOURCE = {
    "r.example": {
        "images": {"app": ["1.0"], "b": []},
        "images-by-tag-regex": {"c": "^1[.]"},
        "images-by-semver": {"d": ">=1"},
        "credentials": {"username": "u", "password": "p"},
        "tls-verify": True,
        "cert-dir": "/nothing",
    }
}
AUTHS = {
    "auths": {"r.example": {"auth": "dTpw", "identitytoken": "x"}, "https://index.docker.io/v1/": {"auth": "dTpw"}},
    "credHelpers": {"h.example": "x"},
    "credsStore": "y",
}
PAYLOAD = {
    "critical": {
        "identity": {"docker-reference": "r.example/app"},
        "image": {"docker-manifest-digest": DIGEST},
        "type": "cosign container image signature",
    },
    "optional": {"a": "b"},
}
BUNDLE = {
    "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
    "verificationMaterial": {"publicKey": {"hint": "aGk="}},
    "dsseEnvelope": {
        "payloadType": "application/vnd.in-toto+json",
        "payload": "eyJfdHlwZSI6ICJodHRwczovL2luLXRvdG8uaW8vU3RhdGVtZW50L3YxIn0=",
        "signatures": [{"sig": "aGk="}],
    },
}
STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "r.example/app", "digest": {"sha256": "a" * 64}, "annotations": {"a": "b"}}],
    "predicateType": "https://sigstore.dev/cosign/sign/v1",
    "predicate": {},
}
POLICY = {
    "default": [{"type": "reject"}],
    "transports": {
        "docker": {
            "r.example": [
                {"type": "sigstoreSigned", "keyData": "aGk=", "signedIdentity": {"type": "matchRepository"}},
                {"type": "signedBy", "keyType": "GPGKeys", "keyPaths": ["/k"]},
            ]
        },
        "dir": {"/srv": [{"type": "insecureAcceptAnything"}]},
    },
}
