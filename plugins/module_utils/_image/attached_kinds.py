# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Classify attached manifests for users: a signature, an SBOM, provenance, or another attestation."""

from __future__ import annotations

import typing as t

from .manifest import Manifest
from .signature_file import GPG_MEDIA_TYPE

SIGNATURE, SBOM, PROVENANCE, ATTESTATION = "signature", "sbom", "provenance", "attestation"

# The modules for signatures have some of these names too. They load libraries for keys, for which few tasks have a use.
_SIGN = "https://sigstore.dev/cosign/sign/v1"
_BUNDLE_PREFIX = "application/vnd.dev.sigstore.bundle"
_BUNDLE_PREDICATE_TYPE = "dev.sigstore.bundle.predicateType"
_STATEMENTS = frozenset(("application/vnd.in-toto+json", "application/vnd.dsse.envelope.v1+json"))
# Annotations of layers that name the type of what is attested: that of buildkit and that of cosign.
_PREDICATE_TYPES = ("in-toto.io/predicate-type", "predicateType")
_SIGNATURES = frozenset(
    (
        GPG_MEDIA_TYPE,
        "application/vnd.dev.cosign.simplesigning.v1+json",
        "application/vnd.cncf.notary.signature",
        "application/vnd.dev.cosign.artifact.sig.v1+json",
    )
)
_SBOM_WORDS = ("spdx", "cyclonedx", "syft", "sbom")


def kinds_of(manifest: Manifest) -> set[str]:
    """Return the kinds of a manifest: several for cosign attestations, none for anything else."""
    kind = _of_type(manifest.artifact_type, manifest.annotations.get(_BUNDLE_PREDICATE_TYPE))
    found = {kind} if kind else {_of_layer(layer.media_type, layer.annotations) for layer in manifest.layers}
    return found - {""}


def _of_layer(media_type: str, annotations: t.Mapping[str, str]) -> str:
    predicate_type = next((annotations[name] for name in _PREDICATE_TYPES if name in annotations), None)
    return _of_type(media_type, predicate_type)


def _of_type(media_type: str, predicate_type: str | None) -> str:
    """Return the kind for this media type and the type of its attestation."""
    if media_type in _STATEMENTS or media_type.startswith(_BUNDLE_PREFIX):
        return _of_predicate(str(predicate_type))
    if media_type in _SIGNATURES:
        return SIGNATURE
    return SBOM if any(word in media_type for word in _SBOM_WORDS) else ""


def _of_predicate(predicate_type: str) -> str:
    if predicate_type == _SIGN:
        return SIGNATURE
    if "slsa.dev/provenance" in predicate_type:
        return PROVENANCE
    return SBOM if any(word in predicate_type.lower() for word in _SBOM_WORDS) else ATTESTATION
