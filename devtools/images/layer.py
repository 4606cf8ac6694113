# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make layers: gzip-compressed tar archives of one file, streamed, the same bytes on every Python."""

from __future__ import annotations

import hashlib
import io
import random
import struct
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

_CHUNK = 1 << 20
_TAR_BLOCK = 512
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_STORED_MAXIMUM = 0xFFFF


class Layer(NamedTuple):
    """A layer as a descriptor needs it (``digest``, ``size``) and as a config does (``diff_id``)."""

    digest: str
    size: int
    diff_id: str


class File(NamedTuple):
    """The file that a layer holds."""

    name: str
    size: int
    chunks: Iterable[bytes]
    mode: int = 0o644


def content_file(name: str, content: bytes, mode: int = 0o644) -> File:
    """Return a file with this content."""
    return File(name, len(content), (content,), mode)


def random_file(name: str, size: int, seed: str) -> File:
    """Return a file of this size with content that does not compress and depends on the seed alone."""
    return File(name, size, _random_chunks(size, seed))


def in_memory(file: File) -> tuple[Layer, bytes]:
    """Return the layer that holds this file, and its bytes."""
    output = io.BytesIO()
    layer = write(file, output)
    return layer, output.getvalue()


def write(file: File, output: BinaryIO) -> Layer:
    """Write the layer that holds this file."""
    compressed, plain = hashlib.sha256(), hashlib.sha256()
    size = 0
    for chunk in _gzip(_hashed(_tar(file), plain)):
        compressed.update(chunk)
        size += len(chunk)
        output.write(chunk)
    return Layer(f"sha256:{compressed.hexdigest()}", size, f"sha256:{plain.hexdigest()}")


def _random_chunks(size: int, seed: str) -> Iterator[bytes]:
    generator = random.Random(seed)
    for start in range(0, size, _CHUNK):
        yield generator.randbytes(min(_CHUNK, size - start))


def _tar(file: File) -> Iterator[bytes]:
    entry = tarfile.TarInfo(file.name)
    entry.size = file.size
    entry.mode = file.mode
    yield entry.tobuf(tarfile.USTAR_FORMAT)
    yield from file.chunks
    padding = -file.size % _TAR_BLOCK
    yield bytes(padding + 2 * _TAR_BLOCK)


def _hashed(chunks: Iterable[bytes], digest) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Wrap chunks in gzip without compressing: what zlib makes of the same bytes differs between its versions."""
    checksum = length = 0
    yield _GZIP_HEADER
    for chunk in chunks:
        checksum = zlib.crc32(chunk, checksum)
        length += len(chunk)
        for start in range(0, len(chunk), _STORED_MAXIMUM):
            yield _stored_block(chunk[start : start + _STORED_MAXIMUM], last=False)
    yield _stored_block(b"", last=True)
    yield struct.pack("<II", checksum, length & 0xFFFFFFFF)


def _stored_block(data: bytes, last: bool) -> bytes:
    return struct.pack("<BHH", last, len(data), len(data) ^ 0xFFFF) + data
