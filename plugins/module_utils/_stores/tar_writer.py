# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Write a tar archive that is byte-for-byte the same if its members are the same."""

from __future__ import annotations

import tarfile
import typing as t

# Two empty blocks.
END = bytes(2 * tarfile.BLOCKSIZE)


class TarWriter:
    """Appends members to a stream. Times are 0 and the owner is root, so nothing shows who wrote the archive or when.

    Members have the order of the calls. Headers follow POSIX.1-2001, with extended headers only if a name or size
    needs them.
    """

    def __init__(self, stream: t.BinaryIO) -> None:
        self._stream = stream
        self._written = 0

    def add_directory(self, name: str) -> None:
        """Add an empty directory. Raises OSError."""
        info = _info(name, tarfile.DIRTYPE, 0o755)
        self._write(info.tobuf(tarfile.PAX_FORMAT))

    def add_link(self, name: str, target: str) -> None:
        """Add a symbolic link. Raises OSError."""
        info = _info(name, tarfile.SYMTYPE, 0o777)
        info.linkname = target
        self._write(info.tobuf(tarfile.PAX_FORMAT))

    def add_file(self, name: str, size: int, chunks: t.Iterable[bytes]) -> None:
        """Add a file of exactly ``size`` bytes. Raises OSError; ValueError if the content has a different size."""
        for chunk in file_chunks(name, size, chunks):
            self._write(chunk)

    def add_bytes(self, name: str, content: bytes) -> None:
        """Add a file with this content. Raises OSError."""
        self.add_file(name, len(content), [content])

    def write_end(self) -> None:
        """Write the end of the archive. Raises OSError."""
        self._write(END)
        self._pad(tarfile.RECORDSIZE)

    def _pad(self, size: int) -> None:
        self._write(bytes(-self._written % size))

    def _write(self, content: bytes) -> None:
        self._stream.write(content)
        self._written += len(content)


def file_chunks(name: str, size: int, chunks: t.Iterable[bytes]) -> t.Iterator[bytes]:
    """Yield the header, content and padding of a file. Raises ValueError if the content does not have ``size`` bytes."""
    info = _info(name, tarfile.REGTYPE, 0o644)
    info.size = size
    yield info.tobuf(tarfile.PAX_FORMAT)
    passed = 0
    for chunk in chunks:
        passed += len(chunk)
        yield chunk
    if passed != size:
        raise ValueError("%s has %d bytes, not %d" % (name, passed, size))
    yield bytes(-size % tarfile.BLOCKSIZE)


def _info(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = mode
    return info
