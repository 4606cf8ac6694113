# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Sigstore bundles: a signature together with everything that is needed to verify it, in one JSON document.

See https://docs.sigstore.dev/about/bundle/ and sigstore_bundle.proto. cosign 3 reads and writes version 0.3. Bundles
of keyless signatures (with certificates) can be read, but no key matches them.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import InvalidContent, parsing
from . import digest as digests
from . import document as documents
from . import strict_base64
from .envelope import Envelope
from .signing_key import PublicKey, SigningKey
from .statement import PAYLOAD_TYPE, Statement

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
# Older ones are in the wild, as are manifests of cosign 2's experiment, which hold a payload of simple signing.
MEDIA_TYPE_PREFIX = "application/vnd.dev.sigstore.bundle"
_READABLE = frozenset(
    (MEDIA_TYPE, *("application/vnd.dev.sigstore.bundle+json;version=0.%d" % minor for minor in (1, 2, 3)))
)

CONTENT_ANNOTATION = "dev.sigstore.bundle.content"

# A bundle holds a statement: attestations with an SBOM have megabytes.
MAX_SIZE = 32 * 1024 * 1024
_HINT = "Sign the image again"


@dataclasses.dataclass(frozen=True)
class Bundle:
    """Either an envelope, or the plain ``signature`` of content with this ``digest``.

    ``hint`` is an unverified hint about the key; None for a keyless signature, which no key verifies.
    """

    hint: str | None = None
    envelope: Envelope | None = None
    signature: bytes = b""
    digest: str = ""

    @classmethod
    def sign(cls, statement: Statement, key: SigningKey) -> Bundle:
        """Return the bundle for a statement."""
        return cls(key.public.hint, Envelope.sign(PAYLOAD_TYPE, statement.encode(), key))

    @classmethod
    def parse(cls, content: bytes) -> Bundle:
        """Parse a bundle. Raises :class:`InvalidContent`."""
        document = documents.read(content, "the sigstore bundle", hint=_HINT)
        with parsing("the sigstore bundle", hint=_HINT):
            if document["mediaType"] not in _READABLE:
                raise InvalidContent("the sigstore bundle has an unsupported version", hint=_HINT)
            key = document["verificationMaterial"].get("publicKey")
            hint = str(key.get("hint", "")) if key is not None else None
            if ("dsseEnvelope" in document) == ("messageSignature" in document):
                raise ValueError
            if "dsseEnvelope" in document:
                envelope = Envelope.from_document(document["dsseEnvelope"])
                if len(envelope.signatures) != 1:  # sigstore_bundle.proto requires this
                    raise InvalidContent("the sigstore bundle does not contain exactly one signature", hint=_HINT)
                return cls(hint, envelope)
            return cls(hint, None, *_message(document["messageSignature"]))

    def encode(self) -> bytes:
        """Return the JSON, as cosign writes it without a transparency log."""
        if not self.envelope:
            raise InvalidContent("cannot write a sigstore bundle without an in-toto statement", hint=_HINT)
        return documents.encode(
            {
                "mediaType": MEDIA_TYPE,
                "verificationMaterial": {"publicKey": {"hint": self.hint}},
                "dsseEnvelope": self.envelope.document(),
            }
        )

    def statement(self) -> Statement | None:
        """Return the claim; None for a plain signature. It must not be trusted before :meth:`signer` has verified it."""
        if not self.envelope:
            return None
        if self.envelope.payload_type != PAYLOAD_TYPE:
            raise InvalidContent("the sigstore bundle's payload is not an in-toto statement", hint=_HINT)
        return Statement.parse(self.envelope.payload)

    def signer(self, keys: t.Iterable[PublicKey], content: bytes) -> PublicKey | None:
        """Return which of the keys signed it; None if none did. ``content`` is the manifest, which a plain signature covers directly."""
        if self.hint is None:
            return None
        if self.envelope:
            return self.envelope.signer(keys)
        if digests.of(content, digests.split(self.digest)[0]) != self.digest:
            return None
        return next((key for key in keys if key.verify(content, self.signature)), None)


def _message(document: t.Mapping[str, t.Any]) -> tuple[bytes, str]:
    """Return the signature and the digest of the signed content."""
    digest = document["messageDigest"]
    if digest["algorithm"] != "SHA2_256":
        raise ValueError
    return strict_base64.decode(document["signature"]), "sha256:" + strict_base64.decode(digest["digest"]).hex()
