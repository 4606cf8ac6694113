# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Signatures of an image, which are either verified or rejected for one of a few reasons."""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from ..._errors import DigestMismatch, InvalidContent, NotFound
from ..._image import statement as statements
from ..._image.bundle import Bundle
from ..._image.envelope import Envelope
from ..._image.manifest import Manifest
from ..._image.signing_key import PublicKey
from ..._image.simple_signing import COSIGN, Payload
from ..._image.statement import PAYLOAD_TYPE, Statement

TAG = "tag"
BUNDLE = "bundle"
FORMATS = (TAG, BUNDLE)
# cosign 2 could store signatures as in a tag, but in a referrer. They can be verified and removed, but not added.
REFERRER = "referrer"

ReadManifest = t.Callable[[], Manifest]


@dataclasses.dataclass(frozen=True)
class Claim:
    """What a signature claims. ``identity`` is the name of the image; empty if the signature has none."""

    digest: str
    identity: str = ""
    annotations: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    predicate_type: str = statements.SIGN
    predicate: t.Any = None

    @property
    def is_attestation(self) -> bool:
        """Whether it claims more than that the key holder signed the image."""
        return self.predicate_type != statements.SIGN


@dataclasses.dataclass(frozen=True)
class Signature:
    """A signature that was found. ``format`` is the format in which it is stored.

    ``location`` identifies it: the digest of a layer or of the manifest of a referrer. Several keys may have signed
    the same payload, so for a layer with a payload, it is the signature itself.
    """

    format: str
    location: str

    def signer(self, keys: t.Iterable[PublicKey], read: ReadManifest) -> PublicKey | None:
        """Return which of the keys made it; None if none did. ``read`` reads the image, which a plain signature covers directly."""
        raise NotImplementedError

    def claim(self, digest: str) -> Claim:
        """Return the claim about this or another digest. It must not be trusted before :meth:`signer` has verified it.

        Raises :class:`InvalidContent`.
        """
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class SimpleSignature(Signature):
    """A layer of the tag ``sha256-<hex>.sig``: a payload, and its signature in an annotation of the layer."""

    payload: bytes
    signature: bytes

    def signer(self, keys: t.Iterable[PublicKey], read: ReadManifest) -> PublicKey | None:
        """Return the key that signed the payload."""
        return next((key for key in keys if key.verify(self.payload, self.signature)), None)

    def claim(self, digest: str) -> Claim:
        """Return the digest and the identity in the payload."""
        payload = Payload.parse(self.payload)
        # A digest of none is what a signature of another kind says of an image.
        return Claim(payload.digest if payload.type == COSIGN else "", payload.identity, payload.optional or {})


@dataclasses.dataclass(frozen=True)
class EnvelopeSignature(Signature):
    """A layer of the tag ``sha256-<hex>.att``: a statement in an envelope."""

    envelope: Envelope

    def signer(self, keys: t.Iterable[PublicKey], read: ReadManifest) -> PublicKey | None:
        """Return the key that signed the envelope."""
        return self.envelope.signer(keys)

    def claim(self, digest: str) -> Claim:
        """Return the claim in the statement."""
        if self.envelope.payload_type != PAYLOAD_TYPE:
            return Claim("", predicate_type="")
        return claim_of(Statement.parse(self.envelope.payload), digest)


@dataclasses.dataclass(frozen=True)
class BundleSignature(Signature):
    """A referrer with a sigstore bundle."""

    bundle: Bundle

    def signer(self, keys: t.Iterable[PublicKey], read: ReadManifest) -> PublicKey | None:
        """Return the key that signed the bundle."""
        return self.bundle.signer(keys, b"" if self.bundle.envelope else read().raw)

    def claim(self, digest: str) -> Claim:
        """Return the claim in the statement, or the digest that was signed."""
        statement = self.bundle.statement()
        return claim_of(statement, digest) if statement else Claim(self.bundle.digest)


def claim_of(statement: Statement, digest: str) -> Claim:
    """Return what a statement claims about this digest; if it does not mention this digest, about another one."""
    subject = statement.subject_of(digest)
    if not subject:
        others = [":".join(item) for each in statement.subjects for item in each.digests.items()]
        return Claim(others[0] if others else "", predicate_type=statement.predicate_type)
    return Claim(digest, subject.name, subject.annotations, statement.predicate_type, statement.predicate)


class Reason(enum.IntEnum):
    """Why a signature is rejected, ordered by how much of it is right."""

    DAMAGED = 1
    OTHER_KEY = 2
    OTHER_DIGEST = 3
    OTHER_IDENTITY = 4
    OTHER_ANNOTATIONS = 5


@dataclasses.dataclass(frozen=True)
class Rejection:
    """A rejected signature; ``detail`` is a cause, a digest or a name, depending on the reason."""

    reason: Reason
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Verified:
    """A valid signature that meets a demand."""

    digest: str
    key: str
    fingerprint: str
    format: str
    claim: Claim
    location: str


@dataclasses.dataclass(frozen=True)
class Demand:
    """Requirements for a signature: one of these keys, and a suitable claim.

    ``accepts_identity`` is None if the name does not matter. ``predicate_type`` is the type of an attestation, or
    that of signatures. The signature must contain ``annotations``.
    """

    keys: tuple[PublicKey, ...]
    accepts_identity: t.Callable[[str], bool] | None = None
    predicate_type: str = statements.SIGN
    annotations: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    def judge(self, found: Signature | Rejection, digest: str, read: ReadManifest) -> Verified | Rejection | None:
        """Verify or reject a signature; None if it is about something else, such as an attestation of another type."""
        if isinstance(found, Rejection):
            return found
        try:
            claim = found.claim(digest)
            key = found.signer(self.keys, read)
        except (DigestMismatch, InvalidContent, NotFound) as error:
            return Rejection(Reason.DAMAGED, error.cause)
        if claim.predicate_type != self.predicate_type:
            return None
        if key is None:
            return Rejection(Reason.OTHER_KEY)
        if claim.digest != digest:
            return Rejection(Reason.OTHER_DIGEST, claim.digest)
        if self.accepts_identity and not (claim.identity and self.accepts_identity(claim.identity)):
            return Rejection(Reason.OTHER_IDENTITY, claim.identity)
        if any(claim.annotations.get(name) != value for name, value in self.annotations.items()):
            return Rejection(Reason.OTHER_ANNOTATIONS)
        return Verified(digest, key.name, key.fingerprint, found.format, claim, found.location)
