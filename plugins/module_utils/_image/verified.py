# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Content that is verified while it is read, and that can be read again from an earlier offset.

An interrupted upload resumes where the registry says, which is a little before the last byte that was sent. The state
of the hash is kept for this, so that only a few bytes are read twice.
"""

from __future__ import annotations

import abc
import collections
import hashlib
import typing as t

from .._errors import DigestMismatch
from .digest import MISMATCH_HINT, Chunk, split

# Starts to read content at an offset in bytes.
OpenAt = t.Callable[[int], t.Iterable[Chunk]]

# A state of the hash is kept each so many bytes, and as many of them as cover more than networks and registries buffer.
_STEP = 4 * 1024 * 1024
_STATES = 64


class Rewindable(t.Iterator[Chunk]):
    """An iterator over chunks of content that can be rewound. Reading raises :class:`ImageError`."""

    def __iter__(self) -> Rewindable:
        return self

    @abc.abstractmethod
    def close(self) -> None:
        """Release files and connections until it is read or rewound again."""

    @abc.abstractmethod
    def rewind(self, offset: int) -> None:
        """Start the next chunk at this offset in bytes. Nothing is read yet."""


class Verified(Rewindable):
    """Hashes chunks while passing them on. The last chunk is passed on only if digest and size are right.

    Because the last chunk is held back, a wrong blob is never complete at its destination: an upload that streams
    these chunks is cut off before its end. Reading stops as soon as there are more than ``size`` bytes. Content that
    is read again must be the same as the first time, because the digest must cover all bytes that were passed on.

    Reading raises :class:`DigestMismatch`.
    """

    def __init__(self, open_at: OpenAt, digest: str, size: int) -> None:
        self._open_at = open_at
        self._digest = digest
        self._size = size
        self._hasher = hashlib.new(split(digest)[0])
        self._hashed = 0
        self._start = (0, self._hasher.copy())
        self._states = collections.deque([self._start], _STATES)
        # Where reading ended before it was rewound, and the digest of all before that, by offset.
        self._read_before: list[tuple[int, bytes]] = []
        self._chunks = self._read(0)

    def __next__(self) -> Chunk:
        return next(self._chunks)

    def close(self) -> None:
        """Release the source. Reading ends here unless it is rewound."""
        self._chunks.close()

    def rewind(self, offset: int) -> None:
        """Start the next chunk at this offset. The source is read from the last saved hash state before it."""
        self.close()
        self._read_before.insert(0, (self._hashed, self._hasher.digest()))
        while self._states and self._states[-1][0] > offset:
            self._states.pop()
        self._hashed, state = self._states[-1] if self._states else self._start
        self._hasher = state.copy()
        self._chunks = self._read(offset)

    def _read(self, offset: int) -> t.Generator[Chunk, None, None]:
        """Hash from the current hash state, and pass chunks on from the offset."""
        held: Chunk = b""
        for chunk in filter(None, self._open_at(self._hashed)):
            before = self._hashed
            if before + len(chunk) > self._size:
                cause = "digest mismatch: blob %s is larger than the expected %d bytes" % (self._digest, self._size)
                raise DigestMismatch(cause, hint=MISMATCH_HINT)
            self._hash(chunk)
            rest = chunk[offset - before :] if before < offset else chunk
            if self._hashed == self._size:
                held = rest
            elif rest:
                yield rest
        if self._hashed < self._size:
            cause = "digest mismatch: blob %s should be %d bytes long, but ends after %d bytes"
            raise DigestMismatch(cause % (self._digest, self._size, self._hashed), hint=MISMATCH_HINT)
        computed = "%s:%s" % (split(self._digest)[0], self._hasher.hexdigest())
        if computed != self._digest:
            cause = "digest mismatch: blob %s has content with the digest %s" % (self._digest, computed)
            raise DigestMismatch(cause, hint=MISMATCH_HINT)
        if held:
            yield held

    def _hash(self, chunk: Chunk) -> None:
        while self._read_before and self._hashed + len(chunk) >= self._read_before[0][0]:
            end, digest = self._read_before.pop(0)
            self._hasher.update(chunk[: end - self._hashed])
            if self._hasher.digest() != digest:
                cause = "digest mismatch: blob %s changed while this task was reading it" % self._digest
                raise DigestMismatch(cause, hint=MISMATCH_HINT)
            chunk = chunk[end - self._hashed :]
            self._hashed = end
        self._hasher.update(chunk)
        self._hashed += len(chunk)
        last = self._states[-1][0] if self._states else 0
        if last + _STEP <= self._hashed < self._size:
            self._states.append((self._hashed, self._hasher.copy()))


def skipped(chunks: t.Iterable[Chunk], count: int) -> t.Iterator[Chunk]:
    """Yield the chunks without their first ``count`` bytes."""
    for chunk in chunks:
        if count >= len(chunk):
            count -= len(chunk)
            continue
        yield chunk[count:] if count else chunk
        count = 0
