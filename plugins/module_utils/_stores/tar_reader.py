# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Read a tar archive from an untrusted source, without unpacking it.

Members are found by name and read in place. The archive is rejected if a name or a link leads out of it, if it
contains anything other than files, directories and links, or if it is truncated. It is also rejected if other tools
could see a different image in it: some use the first of several members with the same name and others the last, and
they treat several extended headers for one member differently.
"""

from __future__ import annotations

import os
import posixpath
import tarfile
import typing as t

from .._errors import InvalidContent, NotFound, file_errors
from .._files import open_regular
from .._image.digest import CHUNK
from .decompression import decompressed

_BLOCK = tarfile.BLOCKSIZE
# An archive of 100 images with 100 layers each has a tenth of this.
_MAX_MEMBERS = 100_000
# Extended headers hold paths and times; nobody needs more for one member.
_MAX_EXTENDED = 64 * 1024
# Digits of the length of a record in them.
_LONGEST_LENGTH = 6
# Archives of Docker before 1.10 link layers to layers; a chain of links has no use at all.
_MAX_LINKS = 8
_HINT = "Recreate the archive"

_FILES = frozenset((tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE))
_LINKS = frozenset((tarfile.SYMTYPE, tarfile.LNKTYPE))


class _Member(t.NamedTuple):
    """A file at an offset, with its size in bytes, or a link to the member ``target``."""

    offset: int
    size: int
    target: str = ""


class TarImage:
    """The members of one archive, which may be compressed as a whole. A context manager.

    Several threads may read at the same time.
    """

    def __init__(self, path: str, stream: t.BinaryIO | None = None) -> None:
        """Read all headers. With an open ``stream``, ``path`` is only a name for messages.

        Raises NotFound if the file does not exist, InvalidContent, or LocalFailure.
        """
        self._path = path
        with file_errors("read", path):
            self._stream = stream or _open(path)
            try:
                plain = decompressed(self._stream, path)
                if plain is not self._stream:
                    self._stream.close()
                    self._stream = plain
                self._members = _Scan(self._stream).members
            except BaseException:
                self._stream.close()
                raise

    def __enter__(self) -> TarImage:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def names(self) -> list[str]:
        """Return the names of files and links, in order, without a leading ``./``."""
        return list(self._members)

    def size(self, name: str) -> int | None:
        """Return the size in bytes of the file with this name, or of the file that it links to; None if it does not exist."""
        member = self._find(name)
        return member.size if member else None

    def position(self, name: str) -> int | None:
        """Return the offset of this file in the archive, whichever of its names is given; None if it does not exist."""
        member = self._find(name)
        return member.offset if member else None

    def read(self, name: str, limit: int) -> bytes:
        """Return the whole file. Raises NotFound, or InvalidContent if it has more than ``limit`` bytes."""
        member = self._require(name)
        if member.size > limit:
            raise InvalidContent("%s in the archive is larger than %d bytes" % (name, limit), hint=_HINT)
        return b"".join(self.chunks(name))

    def chunks(self, name: str, start: int = 0) -> t.Iterator[bytes]:
        """Yield the file from an offset on, in large chunks. Raises NotFound, or LocalFailure."""
        offset, size, _target = self._require(name)
        end = offset + size
        offset += start
        while offset < end:
            with file_errors("read", self._path):
                chunk = os.pread(self._stream.fileno(), min(CHUNK, end - offset), offset)
            if not chunk:
                cause = "another process truncated the archive while this task was reading it"
                raise InvalidContent(cause, hint="Run the task again")
            offset += len(chunk)
            yield chunk

    def close(self) -> None:
        """Close the archive."""
        self._stream.close()

    def __del__(self) -> None:
        """Close an archive that was replaced after its last reader."""
        if hasattr(self, "_stream"):
            self._stream.close()

    def _require(self, name: str) -> _Member:
        member = self._find(name)
        if member is None:
            raise NotFound("the file %s is missing from the archive" % name, hint=_HINT)
        return member

    def _find(self, name: str) -> _Member | None:
        member = self._members.get(posixpath.normpath(name))
        for _step in range(_MAX_LINKS):
            if member is None or not member.target:
                return member
            member = self._members.get(member.target)
        raise InvalidContent("the link %s in the archive does not resolve to a file" % name, hint=_HINT)


class _Extension:
    """Values from the extended headers of a member."""

    def __init__(self) -> None:
        self.is_set = False
        self.name = self.link = ""
        self.size: int | None = None


class _Scan:
    """Reads the headers in order, without the content of files."""

    def __init__(self, stream: t.BinaryIO) -> None:
        self.members: dict[str, _Member] = {}
        self._descriptor = stream.fileno()
        self._end = os.fstat(self._descriptor).st_size
        self._directories: set[str] = set()
        self._extension = _Extension()
        offset = 0
        for _count in range(_MAX_MEMBERS):
            header = os.pread(self._descriptor, _BLOCK, offset)
            if not header.strip(b"\0"):
                break
            offset = self._take(header, offset + _BLOCK)
        else:
            raise InvalidContent(
                "the archive has more than %d members" % _MAX_MEMBERS, hint="Store fewer images in the archive"
            )
        if not offset:
            raise InvalidContent("the archive is empty", hint="Check the path")

    def _take(self, header: bytes, offset: int) -> int:
        """Add the member whose content begins at ``offset``. Return the offset of the next header."""
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except (tarfile.TarError, ValueError):
            if self.members:
                raise InvalidContent("the archive has a corrupt header", hint=_HINT) from None
            raise InvalidContent("the file is not a tar archive", hint="Check the path") from None
        if info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE):
            self._check_end(info.name, offset, info.size, _MAX_EXTENDED)
            self._extend(info.type, os.pread(self._descriptor, info.size, offset))
        elif info.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
            self._check_end(info.name, offset, info.size, _MAX_EXTENDED)
            text = _text(os.pread(self._descriptor, info.size, offset).partition(b"\0")[0])
            self._set("name" if info.type == tarfile.GNUTYPE_LONGNAME else "link", text)
        else:
            extension, self._extension = self._extension, _Extension()
            size = info.size if extension.size is None else extension.size
            return self._enter(info.type, extension.name or info.name, extension.link or info.linkname, offset, size)
        return _next(offset, info.size)

    def _extend(self, kind: bytes, content: bytes) -> None:
        """Read a POSIX.1-2001 extended header for the next member, or a global one."""
        records = _records(content)
        if records is None:
            raise InvalidContent("the archive has a malformed extended header", hint=_HINT)
        if kind == tarfile.XGLTYPE:
            if records.keys() & {b"path", b"linkpath", b"size"}:
                cause = "the archive has a global header that sets the same name or size for all members"
                raise InvalidContent(cause, hint=_HINT)
            return
        if self._extension.is_set:
            raise InvalidContent("the archive has several extended headers for one member", hint=_HINT)
        self._extension.is_set = True
        if any(key.startswith(b"GNU.sparse") for key in records):
            raise InvalidContent(
                "the archive contains a sparse file; image archives must not contain sparse files", hint=_HINT
            )
        self._set("name", _text(records.get(b"path", b"")))
        self._set("link", _text(records.get(b"linkpath", b"")))
        size = records.get(b"size")
        if size:
            if not size.isdigit() or len(size) > 19:
                raise InvalidContent("the archive has a malformed extended header", hint=_HINT)
            self._extension.size = int(size)

    def _set(self, field: str, text: str) -> None:
        """Set a name or link that overrides the header of the member. An empty one is ignored."""
        known = getattr(self._extension, field)
        if known and text and known != text:
            cause = "the archive contains two names for one member: %s and %s" % (_shown(known), _shown(text))
            raise InvalidContent(cause, hint=_HINT)
        setattr(self._extension, field, known or text)

    def _enter(self, kind: bytes, name: str, link: str, offset: int, size: int) -> int:
        path = self._inside(name, "")
        if kind in _LINKS:
            directory = posixpath.dirname(path) if kind == tarfile.SYMTYPE else ""
            self._keep(path, _Member(0, 0, self._inside(link, directory)))
            return _next(offset, 0)
        if kind == tarfile.DIRTYPE:
            self._keep_directory(path)
            return _next(offset, 0)
        if kind not in _FILES:
            cause = "the archive contains %s, which is not a file, a directory or a link" % _shown(name)
            raise InvalidContent(cause, hint=_HINT)
        self._check_end(name, offset, size)
        self._keep(path, _Member(offset, size))
        return _next(offset, size)

    def _keep(self, path: str, member: _Member) -> None:
        known = self.members.get(path)
        if path in self._directories or (known and not self._is_same(known, member)):
            raise self._duplicate(path)
        self.members[path] = member

    def _keep_directory(self, path: str) -> None:
        if path in self.members:
            raise self._duplicate(path)
        self._directories.add(path)

    def _duplicate(self, path: str) -> InvalidContent:
        return InvalidContent("the archive contains several different members named %s" % _shown(path), hint=_HINT)

    def _is_same(self, one: _Member, other: _Member) -> bool:
        if (one.target, one.size) != (other.target, other.size):
            return False
        positions = range(0, one.size, CHUNK)
        return all(self._piece(one, position) == self._piece(other, position) for position in positions)

    def _piece(self, member: _Member, position: int) -> bytes:
        return os.pread(self._descriptor, min(CHUNK, member.size - position), member.offset + position)

    def _check_end(self, name: str, offset: int, size: int, limit: int | None = None) -> None:
        if size < 0 or (limit is not None and size > limit):
            raise InvalidContent("the archive contains %s with an invalid size" % _shown(name), hint=_HINT)
        if offset + size > self._end:
            cause = "the archive is too short to contain the %d bytes of %s" % (size, _shown(name))
            raise InvalidContent(cause, hint=_HINT)

    def _inside(self, name: str, directory: str) -> str:
        """Return the normalized path of a name that is relative to ``directory``, if it stays in the archive."""
        path = posixpath.normpath(posixpath.join(directory, name))
        if name.startswith("/") or path.split("/")[0] == ".." or "\0" in name:
            raise InvalidContent("the archive contains %s, which points outside the archive" % _shown(name), hint=_HINT)
        return path


def _open(path: str) -> t.BinaryIO:
    try:
        return open_regular(path)
    except FileNotFoundError:
        raise NotFound("the archive %s does not exist" % path, hint="Check the path") from None


def _shown(name: str) -> str:
    """Return an untrusted name in a form that is safe for messages."""
    return repr(name[:100])


def _records(content: bytes) -> dict[bytes, bytes] | None:
    """The records ``<length> <key>=<value>\\n`` of an extended header; None where it is malformed."""
    found: dict[bytes, bytes] = {}
    start = 0
    while start < len(content):
        length, blank, _rest = content[start : start + _LONGEST_LENGTH + 1].partition(b" ")
        if not blank or not length.isdigit() or not len(length) < int(length) <= len(content) - start:
            return None
        end = start + int(length)
        key, equals, value = content[start + len(length) + 1 : end].partition(b"=")
        if not key or not equals or not value.endswith(b"\n"):
            return None
        found[key] = value[:-1]
        start = end
    return found


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _next(offset: int, size: int) -> int:
    return offset + -(-size // _BLOCK) * _BLOCK
