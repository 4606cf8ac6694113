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


class Content:
    """The content of one try to upload a blob.

    ``passed`` counts the bytes that went into requests; ``failed`` tells whether the source broke, and not the
    request that was sending it.
    """

    def __init__(self, open_blob: OpenBlob) -> None:
        self._chunks = iter(open_blob())
        self._rest = b""
        self.passed = 0
        self.failed = False

    def begin(self) -> None:
        """Have the first bytes, so that no request waits for its body from the start. Raises what the source raises."""
        try:
            self._rest = self._rest or next(self._chunks, b"")
        except ImageError:
            self.failed = True
            raise

    def body(self, size: int) -> Body | bytes:
        """The next ``size`` bytes as a request body; an empty blob is verified at once, as nobody would read it."""
        return Body(self, size) if size else b"".join(self.take(0))

    def take(self, size: int) -> t.Iterator[bytes]:
        """Pass on the next ``size`` bytes. Raises what the source raises."""
        try:
            while size or not self.passed:
                chunk = self._rest or next(self._chunks, b"")
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


class Body:
    """A part of the content that tells its length, as a request with Content-Length needs."""

    def __init__(self, content: Content, size: int) -> None:
        self._content = content
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> t.Iterator[bytes]:
        return self._content.take(self._size)
