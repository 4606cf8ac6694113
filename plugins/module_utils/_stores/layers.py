# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Layers, compressed for registries and uncompressed for engines. They are streamed and spooled in unnamed files."""

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
_HINT = "Rebuild the image, or copy it from another source"
_GZIP_WINDOW = zlib.MAX_WBITS | 16


class SpooledBlob:
    """Content in a temporary file. ``size`` is in bytes, and ``digest`` is the sha256 digest of the content."""

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
        """Yield the content in large chunks. Several threads may read at the same time."""
        for offset in range(0, self.size, CHUNK):
            with file_errors("read", "a temporary file"):
                yield os.pread(self._stream.fileno(), CHUNK, offset)

    def release(self) -> t.BinaryIO:
        """Return the file. The caller must close it."""
        return self._stream

    def close(self) -> None:
        """Close the file, which frees its space."""
        self._stream.close()


class ExpansionLimit:
    """The number of bytes by which all layers together may exceed the usual compression ratio: many small layers could fill a disk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = ALWAYS_ALLOWED

    def take(self, size: int) -> bool:
        """Use this many bytes of the limit. Return False if not enough are left."""
        with self._lock:
            self._left -= size
            return self._left >= 0


def compression(start: bytes) -> str:
    """Return how content with this beginning is compressed: ``gzip``, ``zstd``, or an empty string."""
    if start.startswith(_GZIP):
        return "gzip"
    return "zstd" if start.startswith(_ZSTD) else ""


def plain(chunks: t.Iterable[Chunk], size: int, expansion: ExpansionLimit | None = None) -> t.Iterator[bytes]:
    """Yield the decompressed content of a layer of ``size`` bytes, in chunks of a limited size.

    Raises :class:`InvalidContent` if it is damaged or a decompression bomb, and :class:`MissingLibrary` if zstd is
    not supported here.
    """
    iterator = iter(chunks)
    start = bytes(next(iterator, b""))
    kind = compression(start)
    content = _after(start, iterator)
    if not kind:
        return content
    return _bounded(_gunzipped(content) if kind == "gzip" else _unzstd(content), size, expansion or ExpansionLimit())


def require_zstd() -> None:
    """Raise :class:`MissingLibrary` if zstd is not supported here."""
    if zstandard is None:
        raise MissingLibrary("zstandard")


def gzipped(chunks: t.Iterable[Chunk]) -> t.Iterator[bytes]:
    """Yield the compressed content. The same version of zlib always gives the same result."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    for chunk in chunks:
        yield compressor.compress(chunk)
    yield compressor.flush()


def digest_of(chunks: t.Iterable[Chunk]) -> str:
    """Return the sha256 digest of content of any size."""
    return measured(chunks)[0]


def measured(chunks: t.Iterable[Chunk]) -> tuple[str, int]:
    """Return the sha256 digest of content, and its size in bytes."""
    hasher, size = hashlib.sha256(), 0
    for chunk in chunks:
        hasher.update(chunk)
        size += len(chunk)
    return "sha256:" + hasher.hexdigest(), size


class ExaminedLayer(t.NamedTuple):
    """How a layer is compressed, see :func:`compression`, its digest as it is stored, and what it decompresses to.

    If it is not compressed, ``digest`` and ``plain_digest`` are empty, because its content was not read. If it cannot
    be decompressed, ``plain_digest`` is empty, and ``error`` says why. ``size`` is in bytes.
    """

    kind: str
    digest: str
    plain_digest: str
    size: int
    error: InvalidContent | None = None


def examine(layer: Layer) -> ExaminedLayer:
    """Read a layer if it is compressed. Raises :class:`MissingLibrary` if zstd is not supported here."""
    kind = compression(bytes(next(iter(layer.open()), b"")))
    if not kind:
        return ExaminedLayer("", "", "", layer.size)
    digest = digest_of(layer.open())
    try:
        return ExaminedLayer(kind, digest, *measured(plain(layer.open(), layer.size)))
    except InvalidContent as error:
        return ExaminedLayer(kind, digest, "", layer.size, error)


def is_intact(layer: Layer) -> bool:
    """Return whether the content of a layer matches the config of its image. All of it is read."""
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
            raise InvalidContent(cause, hint="If this is intended, use the engine's commands to pull or load the image")
        yield chunk


def _after(start: bytes, rest: t.Iterator[Chunk]) -> t.Iterator[Chunk]:
    if start:
        yield start
    yield from rest


def _gunzipped(chunks: t.Iterable[Chunk]) -> t.Iterator[bytes]:
    try:
        yield from decompress(chunks, GZIP)
    except GZIP.failures:
        raise InvalidContent("a layer is corrupt: its content cannot be decompressed", hint=_HINT) from None
    except EOFError:
        raise InvalidContent("a layer is corrupt: its compressed content is incomplete", hint=_HINT) from None


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
        raise InvalidContent("a layer is corrupt: its content cannot be decompressed", hint=_HINT) from None


class _Stream:
    """Chunks as a file object for reading."""

    def __init__(self, chunks: t.Iterable[Chunk]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return at most this many bytes; no bytes only at the end."""
        content = self._rest or bytes(next(self._chunks, b""))
        self._rest = content[size:]
        return content[:size]


def _write(stream: t.BinaryIO, chunk: bytes) -> None:
    """Write everything. An unbuffered file may write less at once."""
    view = memoryview(chunk)
    with file_errors("write", "a temporary file"):
        while view:
            view = view[stream.write(view) :]
