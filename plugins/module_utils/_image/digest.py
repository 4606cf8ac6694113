# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Digests of the OCI image spec ("Digests" in descriptor.md). For content that is too large for memory, see verified.py."""

from __future__ import annotations

import hashlib
import re
import typing as t

from .._errors import DigestMismatch, InvalidContent

# Content is passed on in pieces of this size (bytes): large reads keep the interpreter out of the way of a copy, and
# 16 streams of them stay well below 100 MiB.
CHUNK = 512 * 1024

# A memoryview is valid until the next chunk is read: whoever keeps it must copy it.
Chunk = t.Union[bytes, memoryview]

MISMATCH_HINT = "Run the task again. If it fails again, push the image to the source again"
_HEX_LENGTH = {"sha256": 64, "sha384": 96, "sha512": 128}
_GRAMMAR = re.compile(r"([a-z0-9]+(?:[.+_-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)")


def is_digest(text: str) -> bool:
    """Return whether this is a supported digest: sha256, sha384 or sha512 with the right length."""
    match = _GRAMMAR.fullmatch(text)
    if not match or match.group(1) not in _HEX_LENGTH:
        return False
    return re.fullmatch("[a-f0-9]{%d}" % _HEX_LENGTH[match.group(1)], match.group(2)) is not None


def is_well_formed(text: str) -> bool:
    """Return whether this is a digest with any algorithm, which may not be supported."""
    return _GRAMMAR.fullmatch(text) is not None


def check(text: object) -> str:
    """Return the digest. Raises :class:`InvalidContent` if it is malformed or its algorithm is unknown."""
    if not isinstance(text, str) or not is_digest(text):
        raise InvalidContent(
            "%r is not a valid digest" % (text,),
            hint="Use sha256:, sha384: or sha512: followed by lower-case hexadecimal digits",
        )
    return text


def split(digest: str) -> tuple[str, str]:
    """Split ``sha256:abc`` into ``("sha256", "abc")``."""
    algorithm, _sep, encoded = digest.partition(":")
    return algorithm, encoded


def of(content: bytes, algorithm: str = "sha256") -> str:
    """Return the digest of these bytes."""
    return "%s:%s" % (algorithm, hashlib.new(algorithm, content).hexdigest())


def verify(content: bytes, digest: str, size: int | None = None) -> bytes:
    """Return the content. Raises :class:`DigestMismatch` if its digest or its size in bytes differs."""
    if size is not None and size != len(content):
        cause = "digest mismatch: content %s should be %d bytes long, but is %d bytes long" % (
            digest,
            size,
            len(content),
        )
        raise DigestMismatch(cause, hint=MISMATCH_HINT)
    computed = of(content, split(digest)[0])
    if computed != digest:
        cause = "digest mismatch: expected content with the digest %s, but received %s" % (digest, computed)
        raise DigestMismatch(cause, hint=MISMATCH_HINT)
    return content


def collect(chunks: t.Iterable[Chunk]) -> bytes:
    """Return all of the content."""
    return b"".join(map(bytes, chunks))
