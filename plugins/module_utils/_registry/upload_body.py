# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The content of a blob as the bodies of one or several requests, without holding more than a chunk of it."""

from __future__ import annotations

import typing as t

from .._errors import ImageError
from .._image.descriptor import OpenBlob
from .._image.digest import Chunk
from .._image.verified import Rewindable


class Content:
    """The content of a blob on its way into requests, which may begin anew, or go back.

    ``passed`` is the offset of the next byte that goes into a request; ``failed`` tells whether the source broke, and not
    the request that was sending it.
    """

    def __init__(self, open_blob: OpenBlob) -> None:
        self._open_blob = open_blob
        self._chunks: t.Iterator[Chunk] | None = None
        self._rest: Chunk = b""
        self.passed = 0
        self.failed = False

    def restart(self) -> None:
        """Begin with the first byte of content that is opened anew."""
        self._chunks = None
        self._rest = b""
        self.passed = 0

    def rewind(self, offset: int) -> bool:
        """Go on at an offset in bytes, where the content has a way back; else False."""
        if not isinstance(self._chunks, Rewindable):
            return False
        self._chunks.rewind(offset)
        self._rest = b""
        self.passed = offset
        return True

    def close(self) -> None:
        """Let go of the source until it is restarted or rewound."""
        if isinstance(self._chunks, Rewindable):
            self._chunks.close()

    def begin(self) -> None:
        """Have the next bytes, so that no request waits for its body from the start. Raises what the source raises."""
        try:
            self._rest = self._rest or self._next()
        except ImageError:
            self.failed = True
            raise

    def body(self, size: int) -> Body | bytes:
        """The next ``size`` bytes as a request body; an empty blob is verified at once, as nobody would read it."""
        return Body(self, size) if size else b"".join(self.take(0))

    def take(self, size: int) -> t.Iterator[Chunk]:
        """Pass on the next ``size`` bytes. Raises what the source raises."""
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
        """The next chunk; empty at the end."""
        if self._chunks is None:
            self._chunks = iter(self._open_blob())
        return next(self._chunks, b"")


class Body:
    """A part of the content that tells its length, as a request with Content-Length needs."""

    def __init__(self, content: Content, size: int) -> None:
        self._content = content
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> t.Iterator[Chunk]:
        return self._content.take(self._size)
