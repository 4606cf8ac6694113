# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image.attached_kinds import kinds_of
from ansible_collections.drayage.registry.tests.unit.support import images

EMPTY = "application/vnd.oci.empty.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SPDX, SLSA = "https://spdx.dev/Document", "https://slsa.dev/provenance/v1"


def artifact(artifact_type, **annotations):
    names = {name.replace("_", "."): text for name, text in annotations.items()}
    made = images.image("unknown/unknown", b"x", config_type=EMPTY, artifactType=artifact_type, annotations=names)
    return made.manifest


def layers(media_type, name, *predicate_types):
    """What cosign keeps under a tag, or buildkit in an index."""
    described = [images.described(text.encode(), media_type, annotations={name: text}) for text in predicate_types]
    return images.image("unknown/unknown", b"x", layers=described).manifest


@pytest.mark.parametrize(
    ("manifest", "kinds"),
    [
        (artifact(BUNDLE, dev_sigstore_bundle_predicateType="https://sigstore.dev/cosign/sign/v1"), {"signature"}),
        (artifact(BUNDLE, dev_sigstore_bundle_predicateType=SLSA), {"provenance"}),
        (artifact(BUNDLE, dev_sigstore_bundle_predicateType="https://cyclonedx.org/bom"), {"sbom"}),
        (artifact(BUNDLE, dev_sigstore_bundle_predicateType="https://example.com/tested"), {"attestation"}),
        (artifact(BUNDLE), {"attestation"}),
        (artifact("application/vnd.cncf.notary.signature"), {"signature"}),
        (artifact("application/spdx+json"), {"sbom"}),
        (artifact("application/vnd.cyclonedx+json"), {"sbom"}),
        (artifact("application/vnd.syft+json"), {"sbom"}),
        (artifact("application/vnd.example.sbom"), {"sbom"}),
        (artifact("application/pgp-signature"), {"signature"}),
        (artifact("application/vnd.dev.cosign.artifact.sig.v1+json"), {"signature"}),
        (artifact("application/vnd.in-toto+json"), {"attestation"}),
        (artifact("application/vnd.example.report"), set()),
        (layers("application/vnd.dev.cosign.simplesigning.v1+json", "x", "signature"), {"signature"}),
        (layers("application/vnd.dsse.envelope.v1+json", "predicateType", SPDX, SLSA), {"sbom", "provenance"}),
        (layers("application/vnd.in-toto+json", "in-toto.io/predicate-type", SLSA, SPDX), {"sbom", "provenance"}),
        (layers("text/spdx+json", "x", "sbom of cosign"), {"sbom"}),
        (images.image().manifest, set()),
        (images.index(images.entry(images.image(), "linux/amd64")), set()),
    ],
)
def test_kinds(manifest, kinds):
    assert kinds_of(manifest) == kinds
