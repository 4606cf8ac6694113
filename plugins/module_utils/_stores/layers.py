# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Layers, compressed for registries and plain for engines, streamed and kept in files without a name."""

from __future__ import annotations

import hashlib
import os
import threading
import typing as t
import zlib

from .._errors import InvalidContent, MissingLibrary, file_errors
from .._image.digest import CHUNK, Chunk
from .._image.saved import Layer
from .decompression import ALWAYS_ALLOWED, GZIP, MAX_RATIO, decompress, spool

try:
    import zstandard
except ImportError:
    zstandard = None

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
# The level that Docker compresses with. zlib writes neither a time nor a name into this header.
_LEVEL = 6
_HINT = "Build the image again, or copy it from another source"
_GZIP_WINDOW = zlib.MAX_WBITS | 16


class SpooledBlob:
    """Content that waits in a temporary file. ``size`` is in bytes, ``digest`` that of the content (sha256)."""

    def __init__(self, chunks: t.Iterable[Chunk]) -> None:
        self._stream = spool()
        hasher = hashlib.sha256()
        self.size = 0
        try:
            for chunk in chunks:
                hasher.update(chunk)
                self.size += len(chunk)
                _write(self._stream, chunk)
        except BaseException:
            self._stream.close()
            raise
        self.digest = "sha256:" + hasher.hexdigest()

    def chunks(self) -> t.Iterator[bytes]:
        """The content in large pieces; several threads may read at the same time."""
        for offset in range(0, self.size, CHUNK):
            with file_errors("read", "a temporary file"):
                yield os.pread(self._stream.fileno(), CHUNK, offset)

    def release(self) -> t.BinaryIO:
        """The file itself, for who closes it."""
        return self._stream

    def close(self) -> None:
        """Let go of the file, and so of its space."""
        self._stream.close()


class ExpansionLimit:
    """How many bytes all layers together may exceed their ratio by: many small ones could fill a disk too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = ALWAYS_ALLOWED

    def take(self, size: int) -> bool:
        """Use so many bytes of the limit; False if not as many are left."""
        with self._lock:
            self._left -= size
            return self._left >= 0


def compression(start: bytes) -> str:
    """How content that begins so is compressed: ``gzip``, ``zstd`` or empty."""
    if start.startswith(_GZIP):
        return "gzip"
    return "zstd" if start.startswith(_ZSTD) else ""


def plain(chunks: t.Iterable[Chunk], size: int, expansion: ExpansionLimit | None = None) -> t.Iterator[bytes]:
    """The content of a layer of ``size`` bytes without its compression, in pieces of a limited size.

    Raises :class:`InvalidContent` where it is damaged or made to fill disks, :class:`MissingLibrary` where zstd cannot be
    read here.
    """
    iterator = iter(chunks)
    start = bytes(next(iterator, b""))
    kind = compression(start)
    content = _after(start, iterator)
    if not kind:
        return content
    return _bounded(_gunzipped(content) if kind == "gzip" else _unzstd(content), size, expansion or ExpansionLimit())


def require_zstd() -> None:
    """Raises :class:`MissingLibrary` where zstd cannot be read here."""
    if zstandard is None:
        raise MissingLibrary("zstandard")


def gzipped(chunks: t.Iterable[Chunk]) -> t.Iterator[bytes]:
    """The content compressed, the same each time by the same zlib."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    for chunk in chunks:
        yield compressor.compress(chunk)
    yield compressor.flush()


def digest_of(chunks: t.Iterable[Chunk]) -> str:
    """The sha256 digest of content of any size."""
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
    return "sha256:" + hasher.hexdigest()


def is_intact(layer: Layer) -> bool:
    """Whether the content of a layer is what the config of its image says; all of it is read."""
    try:
        return digest_of(plain(layer.open(), layer.size)) == layer.diff_id
    except InvalidContent:
        return False


def _bounded(chunks: t.Iterable[Chunk], size: int, expansion: ExpansionLimit) -> t.Iterator[bytes]:
    left = MAX_RATIO * size
    for chunk in chunks:
        left -= len(chunk)
        if left < 0 and not expansion.take(min(-left, len(chunk))):
            cause = "a layer of %d bytes decompresses to more than %d times its size" % (
                size,
                MAX_RATIO,
            )
            raise InvalidContent(
                cause, hint="If this is intended, use the commands of the engine to pull or load the image"
            )
        yield chunk


def _after(start: bytes, rest: t.Iterator[Chunk]) -> t.Iterator[Chunk]:
    if start:
        yield start
    yield from rest


def _gunzipped(chunks: t.Iterable[Chunk]) -> t.Iterator[bytes]:
    try:
        yield from decompress(chunks, GZIP)
    except GZIP.failures:
        raise InvalidContent("a layer is damaged: its content cannot be decompressed", hint=_HINT) from None
    except EOFError:
        raise InvalidContent("a layer is damaged: its compressed content is incomplete", hint=_HINT) from None


def _unzstd(chunks: t.Iterable[Chunk]) -> t.Iterator[bytes]:
    require_zstd()
    reader = zstandard.ZstdDecompressor().stream_reader(_Stream(chunks), read_across_frames=True)
    try:
        while True:
            chunk = reader.read(CHUNK)
            if not chunk:
                return
            yield chunk
    except zstandard.ZstdError:
        raise InvalidContent("a layer is damaged: its content cannot be decompressed", hint=_HINT) from None


class _Stream:
    """Chunks as a file to read."""

    def __init__(self, chunks: t.Iterable[Chunk]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def read(self, size: int) -> bytes:
        """At most so many bytes; none only at the end."""
        content = self._rest or bytes(next(self._chunks, b""))
        self._rest = content[size:]
        return content[:size]


def _write(stream: t.BinaryIO, chunk: bytes) -> None:
    """All of it: a file without a buffer may take less at once."""
    view = memoryview(chunk)
    with file_errors("write", "a temporary file"):
        while view:
            view = view[stream.write(view) :]
