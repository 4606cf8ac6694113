# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Signed schema 1 manifests (Docker image manifest v2, schema 1), whose digest covers the signed text.

The manifest contains its signatures. Each of them states how many bytes before it belong to the signed text, and how
that text ended.
"""

from __future__ import annotations

import base64
import typing as t

from .._errors import InvalidContent, parsing
from . import digest as digests
from . import document as documents

_HINT = "Push the image again with an up-to-date tool"


def manifest_digest(raw: bytes) -> str:
    """Return the digest by which a registry identifies a manifest of any kind. Raises :class:`InvalidContent`."""
    return digests.of(payload(raw))


def payload(raw: bytes) -> bytes:
    """Return the bytes that the digest of a manifest covers: all of them, or the signed text of a schema 1 manifest."""
    try:
        document = documents.decode(raw)
    except ValueError:
        return raw
    if not isinstance(document, dict) or document.get("schemaVersion") != 1 or document.get("signatures") is None:
        return raw
    with parsing("the signature of the Docker schema 1 manifest", hint=_HINT):
        parts = {_signed_part(signature) for signature in document["signatures"]}
    if len(parts) != 1:
        cause = "the signatures in the Docker schema 1 manifest cover different content"
        raise InvalidContent(cause, hint=_HINT)
    length, tail = parts.pop()
    if not 0 < length <= len(raw):
        cause = "the signatures in the Docker schema 1 manifest cover more text than it contains"
        raise InvalidContent(cause, hint=_HINT)
    return raw[:length] + tail


def _signed_part(signature: t.Any) -> tuple[int, bytes]:
    """Return the number of signed bytes, and their end."""
    header = documents.decode(_base64url(signature["protected"]))
    length = header["formatLength"]
    if not isinstance(length, int):
        raise TypeError
    return length, _base64url(header["formatTail"])


def _base64url(text: str) -> bytes:
    """Decode base64url without padding (RFC 7515, appendix C)."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)
