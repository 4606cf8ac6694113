# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Split the content of a blob into the bodies of one or more requests, with at most one chunk in memory."""

from __future__ import annotations

import typing as t

from .._errors import ImageError
from .._image.descriptor import OpenBlob
from .._image.digest import Chunk
from .._image.verified import Rewindable


class Content:
    """The content of a blob for requests. It can be restarted or rewound.

    ``passed`` is the offset of the next byte that goes into a request. ``failed`` shows whether the source failed,
    rather than the request that was sending it.
    """

    def __init__(self, open_blob: OpenBlob) -> None:
        self._open_blob = open_blob
        self._chunks: t.Iterator[Chunk] | None = None
        self._rest: Chunk = b""
        self.passed = 0
        self.failed = False

    def restart(self) -> None:
        """Open the content again and start with its first byte."""
        self._chunks = None
        self._rest = b""
        self.passed = 0

    def rewind(self, offset: int) -> bool:
        """Continue at an offset in bytes. Return False if the content cannot be rewound."""
        if not isinstance(self._chunks, Rewindable):
            return False
        self._chunks.rewind(offset)
        self._rest = b""
        self.passed = offset
        return True

    def close(self) -> None:
        """Release the source until it is restarted or rewound."""
        if isinstance(self._chunks, Rewindable):
            self._chunks.close()

    def begin(self) -> None:
        """Read the next bytes, so that a request does not have to wait for its body. Raises the errors of the source."""
        try:
            self._rest = self._rest or self._next()
        except ImageError:
            self.failed = True
            raise

    def body(self, size: int) -> Body | bytes:
        """Return the next ``size`` bytes as a request body. An empty blob is verified immediately, because nothing reads it."""
        return Body(self, size) if size else b"".join(self.take(0))

    def take(self, size: int) -> t.Iterator[Chunk]:
        """Yield the next ``size`` bytes. Raises the errors of the source."""
        try:
            while size or not self.passed:
                chunk = self._rest or self._next()
                if not chunk:
                    return
                self._rest = chunk[size:]
                chunk = chunk[:size] if self._rest else chunk
                size -= len(chunk)
                self.passed += len(chunk)
                yield chunk
        except ImageError:
            self.failed = True
            raise

    def _next(self) -> Chunk:
        """Return the next chunk; empty at the end."""
        if self._chunks is None:
            self._chunks = iter(self._open_blob())
        return next(self._chunks, b"")


class Body:
    """A part of the content with a known length, as a request with Content-Length requires."""

    def __init__(self, content: Content, size: int) -> None:
        self._content = content
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> t.Iterator[Chunk]:
        return self._content.take(self._size)
