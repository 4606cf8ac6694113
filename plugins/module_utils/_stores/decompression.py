# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Decompress content, and archives that are compressed as a whole, within limits."""

from __future__ import annotations

import importlib
import os
import tempfile
import typing as t
import zlib

from .._errors import InvalidContent, file_errors
from .._files import temporary_directory
from .._image.digest import CHUNK, Chunk

# Programs and libraries compress to a third or a fifth. What becomes a hundred times as large, and is large, is made
# to fill disks; who has such an archive for a good reason can decompress it beforehand.
MAX_RATIO = 100
ALWAYS_ALLOWED = 64 * 1024 * 1024

# The most that gzip's window and its header need of the input at once.
_READ = 64 * 1024


class _Decompressor(t.Protocol):
    """The interface of the decompressors in bz2 and lzma. gzip gets a wrapper with the same interface."""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream is reached."""

    @property
    def needs_input(self) -> bool:
        """Whether more input is needed before there is more output."""

    @property
    def unused_data(self) -> bytes:
        """The data after the end of the stream."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Return at most this many bytes. The rest of the data is kept for the next call."""


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class Format(t.NamedTuple):
    """A function that creates a decompressor, and the exceptions that it raises for content in another format."""

    make: t.Callable[[], _Decompressor]
    failures: tuple[type[Exception], ...]


GZIP = Format(_Gzip, (zlib.error,))


_MODULES = ((b"\x1f\x8b", "gzip"), (b"BZh", "bz2"), (b"\xfd7zXZ\0", "lzma"))
_ZSTD = b"\x28\xb5\x2f\xfd"


def decompressed(stream: t.BinaryIO, path: str) -> t.BinaryIO:
    """Return the stream, or if it is compressed, a temporary file with its content, which is deleted when it is closed.

    ``path`` is for messages. Raises InvalidContent, or LocalFailure.
    """
    with file_errors("read", path):
        start = os.pread(stream.fileno(), 8, 0)
    if start.startswith(_ZSTD):
        cause = "the archive is compressed with zstd, which is not supported"
        raise InvalidContent(cause, hint="Decompress the archive first")
    for magic, module in _MODULES:
        if start.startswith(magic):
            return _spooled(stream, path, _format(module))
    return stream


def spool() -> t.BinaryIO:
    """Return an unnamed temporary file for content of any size."""
    directory = temporary_directory()
    with file_errors("write", directory):
        return tempfile.TemporaryFile(dir=directory, buffering=0)


def _format(name: str) -> Format:
    """Return the format with this name. Python may have been built without the module for it."""
    if name == "gzip":
        return GZIP
    try:
        module = importlib.import_module(name)
    except ImportError:
        cause = "the archive is compressed, but Python on this node has no %s module" % name
        raise InvalidContent(cause, hint="Decompress the archive first") from None
    if name == "bz2":
        return Format(module.BZ2Decompressor, (OSError,))
    return Format(module.LZMADecompressor, (module.LZMAError,))


def decompress(chunks: t.Iterable[Chunk], format_: Format) -> t.Iterator[bytes]:
    """Yield the uncompressed content. Several compressed streams in a row count as one (RFC 1952, 2.2), and zeros may follow.

    Raises the exceptions of the format for invalid content, and EOFError for truncated content.
    """
    rest = iter(chunks)
    decompressor = format_.make()
    data: bytes | None = b""
    while True:
        if decompressor.eof:
            data = decompressor.unused_data.lstrip(b"\0")
            while data == b"":
                data = _next(rest, b"\0")
            if data is None:
                return
            decompressor = format_.make()
        if not data and decompressor.needs_input:
            data = _next(rest)
        chunk = decompressor.decompress(data or b"", CHUNK)
        if data is None and not chunk and not decompressor.eof:
            raise EOFError
        data = b""
        yield chunk


def _next(chunks: t.Iterator[Chunk], padding: bytes = b"") -> bytes | None:
    """Return the next chunk, without padding at its start; None at the end."""
    chunk = next(chunks, None)
    return None if chunk is None else bytes(chunk).lstrip(padding) if padding else bytes(chunk)


def _spooled(stream: t.BinaryIO, path: str, format_: Format) -> t.BinaryIO:
    size = os.fstat(stream.fileno()).st_size
    limit = max(ALWAYS_ALLOWED, MAX_RATIO * size)
    failures: tuple[type[Exception], ...] = (EOFError, *format_.failures)
    plain = spool()
    try:
        written = 0
        for chunk in decompress(_read(stream, path), format_):
            written += len(chunk)
            if written > limit:
                cause = "the archive (%d bytes) decompresses to more than %d bytes" % (size, limit)
                raise InvalidContent(cause, hint="If this is intended, decompress the archive first")
            with file_errors("write", "the temporary file for %s" % path):
                plain.write(chunk)
    except failures:
        plain.close()
        cause = "the archive is corrupt: its content cannot be decompressed"
        raise InvalidContent(cause, hint="Recreate the archive") from None
    except BaseException:
        plain.close()
        raise
    return plain


def _read(stream: t.BinaryIO, path: str) -> t.Iterator[bytes]:
    offset = 0
    while True:
        with file_errors("read", path):
            data = os.pread(stream.fileno(), _READ, offset)
        if not data:
            return
        offset += len(data)
        yield data
