# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Referrers (OCI distribution spec 1.1), and the tags under which cosign stores artifacts for an image.

A referrer is a manifest whose ``subject`` is another manifest, such as a signature, an SBOM or an attestation. The
referrers API of a registry lists the referrers of a subject. If a registry has no such API, clients maintain the list
as an image index under a tag that contains the digest of the subject ("Referrers Tag Schema"). A list is only a hint:
the manifest itself shows whether it is a referrer.
"""

from __future__ import annotations

import re
import typing as t

from .._errors import InvalidContent
from . import digest as digests
from . import document as documents
from . import media_types
from .descriptor import Descriptor
from .manifest import MAX_SIZE, Manifest

# cosign's signatures, attestations and SBOMs of an image: "sha256-<hex>" and one of these.
_HINT = "Copy the image without referrers"
COSIGN_SUFFIXES = (".sig", ".att", ".sbom")

# The annotations of entries in lists that save requests, and how many characters of each are believed to be meant: the type
# of what a sigstore bundle claims, and the bundle itself, which image_sign adds where it is small.
PREDICATE_TYPE = "dev.sigstore.bundle.predicateType"
BUNDLE = "drayage.registry/bundle"
MAX_BUNDLE = 4096
_KEPT = {PREDICATE_TYPE: 256, BUNDLE: MAX_BUNDLE}

_COSIGN_TAG = re.compile(r"sha256-([0-9a-f]{64})(?:%s)" % "|".join(map(re.escape, COSIGN_SUFFIXES)))
_LIST_TAG = re.compile(r"sha256-([0-9a-f]{64})")
_DIGEST_TAG = re.compile(r"[a-z0-9+._]{1,32}-[0-9a-f]{64}(?:%s)?" % "|".join(map(re.escape, COSIGN_SUFFIXES)))


def list_tag(subject: str) -> str:
    """Return the tag for the list of referrers of a digest (OCI distribution spec, "Referrers Tag Schema")."""
    algorithm, encoded = digests.split(subject)
    return "%s-%s" % (algorithm[:32], encoded[:64])


def cosign_tags(subject: str) -> list[str]:
    """Return the possible cosign tags for a digest; none if cosign does not support its algorithm."""
    algorithm, encoded = digests.split(subject)
    return ["sha256-%s%s" % (encoded, suffix) for suffix in COSIGN_SUFFIXES] if algorithm == "sha256" else []


def digest_tags(subject: str) -> list[str]:
    """Return all tags that contain a digest: the tag for the list of its referrers, and its cosign tags."""
    return [list_tag(subject), *cosign_tags(subject)]


def is_digest_tag(tag: str) -> bool:
    """Return whether a tag contains the digest of an image: a list of referrers, or a cosign tag."""
    return _DIGEST_TAG.fullmatch(tag) is not None


def subject_of_tag(tag: str) -> str:
    """Return the sha256 digest of the image that a digest tag belongs to; empty for other tags."""
    match = _COSIGN_TAG.fullmatch(tag) or _LIST_TAG.fullmatch(tag)
    return "sha256:" + match.group(1) if match else ""


def subject_of(manifest: Manifest) -> str:
    """Return the digest of a manifest's subject; empty if it has none, or a malformed one."""
    try:
        return manifest.subject.digest if manifest.subject else ""
    except InvalidContent:
        return ""


def is_referrer(manifest: Manifest, subject: str) -> bool:
    """Return whether the subject of a manifest has this digest."""
    return subject_of(manifest) == subject


def matches(manifest: Manifest, artifact_types: t.Collection[str]) -> bool:
    """Return whether a manifest has one of these artifact types; also True if there are none."""
    return not artifact_types or manifest.artifact_type in artifact_types


def read_entries(raw: bytes) -> list[Descriptor]:
    """Return the entries in a response of the referrers API, as :func:`hints` returns them.

    Raises :class:`InvalidContent`. Some registries return ``"manifests": null`` for an empty list.
    """
    document = documents.read(raw, "the list of referrers", hint=_HINT)
    if not isinstance(document, dict) or document.get("layers") is not None:
        raise InvalidContent("the list of referrers is not an image index", hint=_HINT)
    stated, entries = document.get("mediaType"), document.get("manifests")
    if stated not in (None, "", media_types.OCI_INDEX) or not isinstance(entries, (list, type(None))):
        raise InvalidContent("the list of referrers is not an image index", hint=_HINT)
    return hints([Descriptor.from_document(entry) for entry in entries or ()])


def hints(entries: t.Iterable[Descriptor]) -> list[Descriptor]:
    """Return the manifests in a list, without duplicates, and without values that only the manifest itself can confirm.

    Only a few annotations are kept, because a malicious list could contain any number of them.
    """
    found = {
        entry.digest: Descriptor(
            entry.media_type, entry.digest, entry.size, _kept(entry.annotations), artifact_type=entry.artifact_type
        )
        for entry in entries
        if entry.is_manifest
    }
    return list(found.values())


def _kept(annotations: t.Mapping[str, t.Any]) -> dict[str, str]:
    values = {name: annotations.get(name) for name in _KEPT}
    return {name: text for name, text in values.items() if isinstance(text, str) and len(text) <= _KEPT[name]}


def is_list(manifest: Manifest, subject: str) -> bool:
    """Return whether a manifest can be the list of referrers of a digest.

    Some registries resolve the tag of the list to the subject itself, and some clients push the image to that tag.
    """
    return manifest.media_type == media_types.OCI_INDEX and manifest.digest != subject


def with_entries(current: Manifest | None, referrers: t.Iterable[Manifest]) -> Manifest:
    """Return the ``current`` list with entries for these manifests added.

    Raises :class:`InvalidContent` if the list would be larger than registries accept.
    """
    known = {child.digest for child in current.children} if current else set()
    added = [_entry(manifest) for manifest in referrers if manifest.digest not in known]
    if current is None:
        return _index({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": added})
    return _index(dict(current.document, manifests=[*(current.document.get("manifests") or ()), *added]))


def without_entries(current: Manifest, removed: t.Collection[str]) -> Manifest:
    """Return the list without the entries for these digests."""
    entries = [entry for entry in current.document.get("manifests") or () if entry["digest"] not in removed]
    return _index(dict(current.document, manifests=entries))


def _entry(manifest: Manifest) -> dict[str, t.Any]:
    """Return the descriptor of a referrer in a list (OCI distribution spec, "Listing Referrers")."""
    entry: dict[str, t.Any] = {
        "mediaType": manifest.media_type,
        "digest": manifest.digest,
        "size": manifest.size,
    }
    if manifest.artifact_type:
        entry["artifactType"] = manifest.artifact_type
    if manifest.annotations:
        entry["annotations"] = manifest.annotations
    return entry


def _index(document: dict[str, t.Any]) -> Manifest:
    raw = documents.encode(document)
    if len(raw) > MAX_SIZE:
        cause = "the list of referrers would be larger than %d bytes" % MAX_SIZE
        raise InvalidContent(cause, hint="Delete referrers that are no longer needed")
    return Manifest.parse(raw, media_types.OCI_INDEX)
