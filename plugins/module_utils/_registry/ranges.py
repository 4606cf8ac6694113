# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Read a large blob over several connections if one alone is slow: many content servers limit each connection.

A blob begins as a plain stream. If that is slow, helpers read ranges ahead of it, each into its own buffer, as far as
the limits of the registry allow. Their content is passed on in order. If a helper cannot read its range, the stream
reads it instead, with all retries. Helpers never retry and never wait. If they do not speed up the download, because
something else is slow, they are dismissed, and the next sample of the stream is twice as large.
"""

from __future__ import annotations

import contextlib
import functools
import re
import threading
import time
import typing as t

from .._errors import ImageError
from .._image.descriptor import Descriptor
from .._image.digest import CHUNK, Chunk
from .auth import Access
from .download import BlobReader, range_header
from .registry_client import RegistryClient, blob_path
from .transport import Response

# Bytes: from which size on a blob is large, and what a helper reads at once.
_LARGE = 64 * 1024 * 1024
_PIECE = 4 * 1024 * 1024
# A stream is slow if it takes longer for a sample (bytes) than at this rate (bytes a second); helpers are judged by larger
# samples, and must make it so many times as fast.
_SAMPLE = 16 * 1024 * 1024
_SLOW = 40 * 1000 * 1000
_SAMPLE_AHEAD = 32 * 1024 * 1024
_GAIN = 1.5


def read(client: RegistryClient, access: Access, blob: Descriptor, offset: int = 0) -> t.Iterable[Chunk]:
    """Return the bytes of a blob from an offset on, like :class:`BlobReader`."""
    if blob.size < _LARGE:
        return BlobReader(client, access, blob, offset)
    return _LargeBlob(client, access, blob, offset)


class _LargeBlob:
    """A blob that is read as one stream, or in pieces, some of which helpers read."""

    def __init__(self, client: RegistryClient, access: Access, blob: Descriptor, offset: int) -> None:
        self._open = functools.partial(BlobReader, client, access, blob)
        self._ahead = _Ahead(client, access, blob)
        self._blob = blob
        self._offset = offset
        # Bytes a second of the stream alone.
        self._rate = 0.0

    def __iter__(self) -> t.Iterator[Chunk]:
        try:
            while self._offset < self._blob.size:
                yield from self._alone()
                yield from self._with_helpers()
        finally:
            self._ahead.stop()

    def _alone(self) -> t.Iterator[Chunk]:
        """Yield the stream up to the first piece that a helper has begun to read, and measure its rate."""
        meter = _Meter(_SAMPLE << self._ahead.dismissals)
        with contextlib.closing(iter(self._open(self._offset))) as stream:
            for chunk in meter.measured(stream):
                begun = self._ahead.first_begun(self._offset, self._offset + len(chunk))
                part = chunk if begun is None else chunk[: begun - self._offset]
                self._offset += len(part)
                yield part
                if begun is not None:
                    return
                if meter.is_complete:
                    self._rate, waiting_rate = meter.rates()
                    if waiting_rate < _SLOW:
                        self._ahead.help()

    def _with_helpers(self) -> t.Iterator[Chunk]:
        """Yield the pieces, as long as there are helpers and they speed up the download."""
        meter = _Meter(_SAMPLE_AHEAD)
        for chunk in meter.measured(self._pieces()):
            self._offset += len(chunk)
            yield chunk
            if meter.is_complete and meter.rates()[0] < self._rate * _GAIN:
                self._ahead.dismiss()

    def _pieces(self) -> t.Iterator[Chunk]:
        while self._offset < self._blob.size:
            piece, end = self._ahead.turn(self._offset)
            if piece is None and end is None:
                return
            yield from piece.chunks() if piece else self._open(self._offset, end)


class _Meter:
    """Measures how fast content arrives and how fast it is passed on, over samples of this many bytes."""

    def __init__(self, sample: int) -> None:
        self._sample = sample
        self._began = time.monotonic()
        self._waited = 0.0
        self._count = 0

    def measured(self, chunks: t.Iterator[Chunk]) -> t.Iterator[Chunk]:
        """Yield the chunks and measure them."""
        while True:
            began = time.monotonic()
            chunk = next(chunks, None)
            if chunk is None:
                return
            self._waited += time.monotonic() - began
            self._count += len(chunk)
            yield chunk

    @property
    def is_complete(self) -> bool:
        """Whether the sample is large enough."""
        return self._count >= self._sample

    def rates(self) -> tuple[float, float]:
        """Return the bytes per second of the sample, over its whole time and over the time spent waiting. Start the next sample."""
        now = time.monotonic()
        rates = (self._count / max(now - self._began, 1e-9), self._count / max(self._waited, 1e-9))
        self._began, self._waited, self._count = now, 0.0, 0
        return rates


class _Piece:
    """A range of the blob in the buffer of a helper."""

    def __init__(self, start: int, buffer: memoryview) -> None:
        self.start = start
        self.arrived = 0
        self._buffer = buffer
        self._changed = threading.Condition()
        self._is_over = False
        self._is_free = False

    @property
    def end(self) -> int:
        """The offset of the next piece."""
        return self.start + len(self._buffer)

    def chunks(self) -> t.Iterator[Chunk]:
        """Yield content as it arrives. It is incomplete if the helper fails."""
        passed = 0
        try:
            while passed < len(self._buffer):
                with self._changed:
                    while self.arrived == passed and not self._is_over:
                        self._changed.wait()
                if self.arrived == passed:
                    return
                end = min(self.arrived, passed + CHUNK)
                yield self._buffer[passed:end]
                passed = end
        finally:
            self.free()

    def fill(self, response: Response, goes_on: t.Callable[[], bool]) -> bool:
        """Read a body into the buffer. Return whether it contains the whole range. Raises :class:`ConnectionFailed`."""
        count = 1
        while count and self.arrived < len(self._buffer) and goes_on():
            count = response.into(self._buffer[self.arrived : self.arrived + CHUNK])
            with self._changed:
                self.arrived += count
                self._changed.notify_all()
        return self.arrived == len(self._buffer)

    def note_end(self) -> None:
        """Note that no more content will arrive."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def free(self) -> None:
        """Release the buffer for another piece."""
        with self._changed:
            self._is_free = True
            self._changed.notify_all()

    def await_free(self) -> None:
        """Wait until the buffer is released."""
        with self._changed:
            while not self._is_free:
                self._changed.wait()


class _Ahead:
    """The helpers of a blob, and the pieces that they have read or are reading, by offset."""

    def __init__(self, client: RegistryClient, access: Access, blob: Descriptor) -> None:
        self._client = client
        self._session = client.session
        self._access = access
        self._blob = blob
        self._lock = threading.Lock()
        self._pieces: dict[int, _Piece] = {}
        self._next = 0
        self._helpers = 0
        # How often helpers were called since one of them has read a piece.
        self._calls = 0
        # Where the registry redirected to, if it does; its own requests may be few.
        self._storage = ""
        # Whether the server does not answer as it should; whether no pieces are begun now, and how often that was so.
        self._is_refused = False
        self._is_paused = False
        self.dismissals = 0
        self._is_stopped = False

    def turn(self, offset: int) -> tuple[_Piece | None, int | None]:
        """Return the piece at this offset, or the end of a piece that the caller must read. Both are None without helpers."""
        with self._lock:
            piece = self._pieces.pop(offset, None)
            if piece or not self._helpers:
                return piece, None
            end = min([offset + _PIECE, self._blob.size, *self._pieces])
            self._next = max(self._next, end)
            return None, end

    def first_begun(self, offset: int, end: int) -> int | None:
        """Return the offset of the first piece before ``end`` with content. Earlier pieces without content are given up.

        If there is none, the caller reads up to ``end``, and no new piece begins so close that the caller would
        overtake it.
        """
        with self._lock:
            for start in sorted(self._pieces):
                if start >= end:
                    break
                if start >= offset and self._pieces[start].arrived:
                    return start
                self._pieces.pop(start).free()
            self._next = max(self._next, end + _PIECE)
        return None

    def help(self) -> None:
        """Start as many helpers as the limits allow."""
        is_over = self._is_refused or self._next >= self._blob.size
        if is_over or self._calls > self._session.policy.retries:
            return
        self._is_paused = False
        helpers = []
        while self._session.policy.helpers.acquire(blocking=False):
            leave = self._session.enter_at_once()
            if leave is None:
                self._session.policy.helpers.release()
                break
            # One that waits for a server when nobody needs it any more must not keep the program from ending.
            helpers.append(threading.Thread(target=self._work, args=(leave,), daemon=True))
        with self._lock:
            self._helpers += len(helpers)
            self._calls += bool(helpers)
        for helper in helpers:
            helper.start()

    def stop(self) -> None:
        """Stop everything: the caller needs no more content."""
        with self._lock:
            self._is_stopped = True
            for piece in self._pieces.values():
                piece.free()

    def dismiss(self) -> None:
        """Read no more pieces ahead until :meth:`help` is called again."""
        with self._lock:
            self._is_paused = True
            self.dismissals += 1

    def _goes_on(self) -> bool:
        return not self._is_stopped

    def _work(self, leave: t.Callable[[], None] | None) -> None:
        """Read pieces as long as this succeeds and the limits allow it; ``leave`` releases the connection."""
        buffer = memoryview(bytearray(_PIECE))
        try:
            while leave:
                piece = self._claim(buffer)
                try:
                    is_whole = piece is not None and self._read(piece)
                finally:
                    leave()
                if piece is None or not is_whole:
                    return
                self._note_success()
                piece.await_free()
                leave = self._session.enter_at_once()
        finally:
            with self._lock:
                self._helpers -= 1
            self._session.policy.helpers.release()

    def _note_success(self) -> None:
        with self._lock:
            self._calls = 0

    def _claim(self, buffer: memoryview) -> _Piece | None:
        with self._lock:
            start = self._next
            if self._is_stopped or self._is_refused or self._is_paused or start >= self._blob.size:
                return None
            piece = _Piece(start, buffer[: self._blob.size - start])
            self._pieces[start] = piece
            self._next = piece.end
            return piece

    def _open(self, piece: _Piece) -> Response:
        headers = {"Range": range_header(piece.start, piece.end)}
        storage = self._storage
        if storage:
            response = self._session.get_at_once(storage, headers)
            if _is_range(response, piece):
                return response
            response.close()  # such URLs expire
        url = "%s/v2/%s" % (self._session.base, blob_path(self._access, self._blob.digest))
        response = self._client.authorized(self._access, headers, lambda sent: self._session.get_at_once(url, sent))
        self._storage = "" if self._session.is_own(response.url) else response.url
        return response

    def _read(self, piece: _Piece) -> bool:
        """Read a piece, and return whether it is complete."""
        try:
            with contextlib.closing(self._open(piece)) as response:
                if _is_range(response, piece):
                    return piece.fill(response, self._goes_on)
                self._is_refused = True  # who ignores ranges, or wants no more requests, is not asked again
        except ImageError:
            pass  # the stream gets to the same error, if it is one
        finally:
            piece.note_end()
        return False


def _is_range(response: Response, piece: _Piece) -> bool:
    """Return whether a response contains the requested range, as it is stored: RFC 9110, 14.4 and 15.3.7."""
    content_range = response.headers.get("Content-Range", "")
    is_piece = re.fullmatch(r"bytes %d-%d/([0-9]+|\*)" % (piece.start, piece.end - 1), content_range)
    is_plain = response.headers.get("Content-Encoding", "identity") == "identity"
    return response.status == 206 and is_piece is not None and is_plain
