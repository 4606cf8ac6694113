# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Referrers of the OCI distribution spec 1.1, and the tags under which cosign keeps what it attaches to an image.

A referrer is a manifest whose ``subject`` is another manifest: a signature, an SBOM, an attestation. A registry lists the
referrers of a subject by its API. Where it has no API, clients keep the list as an image index under a tag made from the
subject's digest ("Referrers Tag Schema"). A list only hints: the manifest itself decides whether it is a referrer.
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
    """The tag of the list that clients keep of the referrers of a digest (OCI distribution spec, "Referrers Tag Schema")."""
    algorithm, encoded = digests.split(subject)
    return "%s-%s" % (algorithm[:32], encoded[:64])


def cosign_tags(subject: str) -> list[str]:
    """The tags under which cosign may keep something for a digest; none for digests that it has no tags for."""
    algorithm, encoded = digests.split(subject)
    return ["sha256-%s%s" % (encoded, suffix) for suffix in COSIGN_SUFFIXES] if algorithm == "sha256" else []


def digest_tags(subject: str) -> list[str]:
    """All tags that belong to a digest: that of the list of its referrers, and those of cosign."""
    return [list_tag(subject), *cosign_tags(subject)]


def is_digest_tag(tag: str) -> bool:
    """Whether a tag is made from the digest of an image: a list of referrers, or one of cosign's tags."""
    return _DIGEST_TAG.fullmatch(tag) is not None


def subject_of_tag(tag: str) -> str:
    """The sha256 digest of the image that a digest tag belongs to; empty for other tags."""
    match = _COSIGN_TAG.fullmatch(tag) or _LIST_TAG.fullmatch(tag)
    return "sha256:" + match.group(1) if match else ""


def subject_of(manifest: Manifest) -> str:
    """The digest that a manifest refers to; empty if it has no subject, or a malformed one."""
    try:
        return manifest.subject.digest if manifest.subject else ""
    except InvalidContent:
        return ""


def is_referrer(manifest: Manifest, subject: str) -> bool:
    """Whether the subject of a manifest is this digest."""
    return subject_of(manifest) == subject


def matches(manifest: Manifest, artifact_types: t.Collection[str]) -> bool:
    """Whether a manifest is of one of these artifact types; any is, if there are none."""
    return not artifact_types or manifest.artifact_type in artifact_types


def read_entries(raw: bytes) -> list[Descriptor]:
    """The entries of a response of the referrers API, each once, as :func:`hints` returns them.

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
    """The manifests among the entries of a list, each once, without what only the manifest itself can say.

    Of the annotations few are kept: a hostile list could hold any amount of them.
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
    """Whether a manifest can be the list of referrers of a digest.

    Some registries resolve the list's tag to the subject itself, and some clients put the image there.
    """
    return manifest.media_type == media_types.OCI_INDEX and manifest.digest != subject


def with_entries(current: Manifest | None, referrers: t.Iterable[Manifest]) -> Manifest:
    """A list of referrers with an entry for each of these too; everything else of the ``current`` list stays.

    Raises :class:`InvalidContent` if the list would be larger than registries accept.
    """
    known = {child.digest for child in current.children} if current else set()
    added = [_entry(manifest) for manifest in referrers if manifest.digest not in known]
    if current is None:
        return _index({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": added})
    return _index(dict(current.document, manifests=[*(current.document.get("manifests") or ()), *added]))


def without_entries(current: Manifest, removed: t.Collection[str]) -> Manifest:
    """A list of referrers without the entries of these digests; everything else stays."""
    entries = [entry for entry in current.document.get("manifests") or () if entry["digest"] not in removed]
    return _index(dict(current.document, manifests=entries))


def _entry(manifest: Manifest) -> dict[str, t.Any]:
    """The descriptor of a referrer in a list (OCI distribution spec, "Listing Referrers")."""
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
