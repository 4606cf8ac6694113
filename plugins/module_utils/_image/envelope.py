# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""DSSE envelopes: a typed payload and its signatures (https://github.com/secure-systems-lab/dsse, v1.0)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import InvalidContent, parsing
from . import document as documents
from . import strict_base64
from .signing_key import PublicKey, SigningKey

# Layers of cosign's tag ``sha256-<hex>.att``.
MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json"

# Each one is verified with each key, so a hostile registry could keep a task busy.
_MAX_SIGNATURES = 16
_HINT = "Sign the image again"


@dataclasses.dataclass(frozen=True)
class Envelope:
    """A payload and its signatures. Key IDs are unverified hints and are dropped."""

    payload_type: str
    payload: bytes
    signatures: tuple[bytes, ...]

    @classmethod
    def sign(cls, payload_type: str, payload: bytes, key: SigningKey) -> Envelope:
        """Return an envelope with one signature."""
        return cls(payload_type, payload, (key.sign(_signed_bytes(payload_type, payload)),))

    @classmethod
    def from_document(cls, document: t.Mapping[str, t.Any]) -> Envelope:
        """Parse the decoded JSON. Raises :class:`InvalidContent`."""
        with parsing("the envelope of a signature", hint=_HINT):
            payload_type = document["payloadType"]
            # A lone surrogate, which JSON can escape, is no text that could have been signed.
            if not isinstance(payload_type, str) or not payload_type.isprintable():
                raise ValueError
            if len(document["signatures"]) > _MAX_SIGNATURES:
                cause = "the envelope of a signature contains more than %d signatures" % _MAX_SIGNATURES
                raise InvalidContent(cause, hint=_HINT)
            signatures = tuple(strict_base64.decode(item["sig"]) for item in document["signatures"])
            return cls(payload_type, strict_base64.decode(document["payload"]), signatures)

    @classmethod
    def parse(cls, content: bytes) -> Envelope:
        """Parse the JSON of an envelope. Raises :class:`InvalidContent`."""
        return cls.from_document(documents.read(content, "the envelope of a signature", hint=_HINT))

    def document(self) -> dict[str, t.Any]:
        """Return the envelope as part of a sigstore bundle."""
        return {
            "payloadType": self.payload_type,
            "payload": strict_base64.encode(self.payload),
            "signatures": [{"sig": strict_base64.encode(signature)} for signature in self.signatures],
        }

    def encode(self) -> bytes:
        """Return the JSON for a layer under a cosign tag, with empty key IDs."""
        signatures = [{"keyid": "", **signature} for signature in self.document()["signatures"]]
        return documents.encode({**self.document(), "signatures": signatures})

    def signer(self, keys: t.Iterable[PublicKey]) -> PublicKey | None:
        """Return which of the keys signed it; None if none did."""
        content = _signed_bytes(self.payload_type, self.payload)
        for key in keys:
            if any(key.verify(content, signature) for signature in self.signatures):
                return key
        return None


def _signed_bytes(payload_type: str, payload: bytes) -> bytes:
    """Return the pre-authentication encoding (PAE), in which type and payload cannot be confused."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
