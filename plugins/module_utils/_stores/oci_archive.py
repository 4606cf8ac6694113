# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""An OCI layout in a tar archive (containers-transports(5), oci-archive) as a store.

Each change replaces the file atomically, under a lock. Until then, new content is in an unnamed temporary file, which
disappears with the process. The same images give exactly the same archive.
"""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import threading
import typing as t

from .._errors import InvalidContent, LocalFailure, NotFound, file_errors
from .._files import (
    keep_access,
    replaced,
    reserved,
    status_of_regular,
    sync_directory,
    target_of,
)
from .._image import digest as digests
from .._image import document as documents
from .._image.descriptor import Descriptor, OpenBlob
from .._image.digest import CHUNK
from .._image.manifest import MAX_SIZE, Manifest
from .._image.verified import Verified, skipped
from .._run import Count, uncounted
from .oci_images import VERSION, OciImages
from .oci_index import MAX_INDEX, new_index, parse_index
from .repository import Closing
from .tar_reader import TarImage
from .tar_writer import TarWriter

# New content is kept in pieces of at most so many bytes, so that several can grow at the same time.
_PIECE = 16 * 1024 * 1024
_HINT = "Recreate the archive"


class OciArchive(OciImages, Closing):
    """The images of one archive, as it was when it was first read, or when its lock was taken."""

    transport = "oci-archive"
    kind = "archive"

    def __init__(self, path: str, warn: t.Callable[[str], None], count: Count = uncounted) -> None:
        super().__init__(path, warn)
        self._count = count
        self._target = target_of(path)
        self._opened: TarImage | None = None
        self._opening = threading.Lock()
        self._new = _Spool(os.path.dirname(self._target))

    # Reading

    def open_blob(self, blob: Descriptor) -> Verified:
        """Open the member, which is read in large chunks."""
        return Verified(functools.partial(self._chunks, blob.digest), blob.digest, blob.size)

    def has_blob(self, blob: Descriptor) -> bool:
        """Return whether a member exists with the right size. Its content is trusted."""
        return self._size(blob.digest) == blob.size

    # Writing

    def put_blob(self, blob: Descriptor, open_blob: OpenBlob, mount_from: str) -> bool:
        """Spool the blob for the next version of the archive."""
        with file_errors("write", self._path):
            self._prepare()
            self._new.add(blob.digest, blob.size, open_blob())
        return False

    def put_manifest(self, manifest: Manifest) -> None:
        """Store the manifest, which is a blob here."""
        with file_errors("write", self._path):
            if self._descriptor(manifest.digest) is None:
                self._prepare()
                self._new.add(manifest.digest, manifest.size, [manifest.raw])

    @property
    def _is_pending(self) -> bool:
        """Whether anything has to be written, including content that was missing in the archive."""
        return bool(self._new) or super()._is_pending

    def close(self) -> None:
        """Close the archive."""
        if self._opened:
            self._opened.close()
        self._opened = None
        self._new.clear()

    def _prepare(self) -> None:
        os.makedirs(os.path.dirname(self._target), exist_ok=True)

    @contextlib.contextmanager
    def _hold(self) -> t.Iterator[None]:
        self._prepare()
        with reserved(self._target):
            self._opened = None
            yield

    def _rewrite(self, document: dict[str, t.Any], entries: list[dict[str, t.Any]]) -> None:
        """Write an archive with exactly what its entries need. An archive without entries is deleted.

        New content that no entry needs yet is kept for the next version, because an image may be published after its
        referrers.
        """
        document["manifests"] = entries
        needed: dict[str, int] = {}
        if entries:
            needed = self._needed(entries)
            with replaced(self._target) as stream:
                keep_access(stream, self._target)
                self._write(TarWriter(stream), documents.encode(document), needed)
            self._locks.note_loss()
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._target)
            sync_directory(os.path.dirname(self._target))
        self._opened = None
        self._new.remove(needed)

    def _needed(self, entries: list[dict[str, t.Any]]) -> dict[str, int]:
        """Return the size in bytes of each digest that the archive must contain."""
        found, complete = self._reachable(entries)
        archive = self._archive()
        if not complete and archive:  # what cannot be understood may need anything
            for name in archive.names():
                digest = ":".join(name.split("/")[1:])
                if name.startswith("blobs/") and digests.is_well_formed(digest):
                    found.add(digest)
        sizes = {digest: self._size(digest) for digest in found}
        return {digest: size for digest, size in sizes.items() if size is not None}

    def _write(self, writer: TarWriter, index: bytes, needed: dict[str, int]) -> None:
        contents = {
            digest: self._count("writing", self._path, size, self._chunks(digest)) for digest, size in needed.items()
        }
        writer.add_directory("blobs")
        for algorithm in sorted({digests.split(digest)[0] for digest in needed}):
            writer.add_directory("blobs/" + algorithm)
            for digest in sorted(digest for digest in needed if digests.split(digest)[0] == algorithm):
                writer.add_file(_member(digest), needed[digest], contents[digest])
        writer.add_bytes("index.json", index)
        writer.add_bytes("oci-layout", documents.encode(VERSION))
        writer.write_end()

    # What is in the archive

    def _archive(self) -> TarImage | None:
        """Open the archive; None if it does not exist. Raises LocalFailure for any other file, which must not be replaced."""
        with self._opening, file_errors("read", self._path):
            if self._opened is None:
                try:
                    if not _has_content(self._target):
                        return None
                    self._opened = TarImage(self._target)
                except NotFound:  # it was removed just now
                    return None
                except InvalidContent as error:
                    raise LocalFailure(error.cause, hint=error.hint) from None
            return self._opened

    def _check_exists(self) -> None:
        if self._archive() is None:
            raise NotFound("the archive %s does not exist" % self._path, hint="Check the path")

    def _identity(self) -> object:
        return self._archive()

    def _document(self) -> dict[str, t.Any]:
        archive = self._archive()
        if archive is None:
            return new_index()
        if archive.size("index.json") is None:
            is_docker = archive.size("manifest.json") is not None
            hint = (
                "The archive is from docker save. Use the docker-archive transport"
                if is_docker
                else "Use an archive that contains an OCI layout"
            )
            raise LocalFailure("the archive has no index.json, so it is not an OCI layout", hint=hint)
        return parse_index(archive.read("index.json", MAX_INDEX), "index.json in the archive")

    def _read_manifest(self, digest: str) -> Manifest:
        size = self._size(digest)
        if size is None:
            raise NotFound("manifest %s is missing from the archive" % digest, hint=_HINT)
        if size > MAX_SIZE:
            raise InvalidContent("manifest %s is larger than %d bytes" % (digest, MAX_SIZE), hint=_HINT)
        return Manifest.parse(b"".join(self._chunks(digest)), digest=digest)

    def _size(self, digest: str) -> int | None:
        size = self._new.size(digest)
        archive = self._archive() if size is None else None
        return archive.size(_member(digest)) if archive else size

    def _chunks(self, digest: str, offset: int = 0) -> t.Iterator[bytes]:
        if self._new.size(digest) is not None:
            return skipped(self._new.chunks(digest), offset)
        archive = self._archive()
        if archive is None or archive.size(_member(digest)) is None:
            raise NotFound("blob %s is missing from the archive" % digest, hint=_HINT)
        return archive.chunks(_member(digest), offset)


class _Spool:
    """New content in an unnamed file in this directory. Several threads may add and read at the same time."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._stream: t.BinaryIO | None = None
        self._end = 0
        self._adding = 0
        self._pieces: dict[str, list[tuple[int, int]]] = {}

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, digest: str, size: int, chunks: t.Iterable[digests.Chunk]) -> None:
        """Add content of this size chunk by chunk, because the stated size may be wrong.

        Raises OSError, and the errors of the chunks.
        """
        with self._lock:
            self._adding += 1
        try:
            pieces = self._write(size, chunks)
            with self._lock:
                self._pieces[digest] = pieces
        finally:
            with self._lock:
                self._adding -= 1

    def _write(self, size: int, chunks: t.Iterable[digests.Chunk]) -> list[tuple[int, int]]:
        pieces: list[tuple[int, int]] = []
        descriptor = offset = room = 0
        for chunk in chunks:
            view = memoryview(chunk)
            while view:
                if not room:
                    room = min(max(size, len(view)), _PIECE)
                    descriptor, offset = self._reserve(room)
                    pieces.append((offset, 0))
                written = os.pwrite(descriptor, view[:room], offset)
                pieces[-1] = (pieces[-1][0], pieces[-1][1] + written)
                offset, room, size, view = offset + written, room - written, size - written, view[written:]
        return pieces

    def _reserve(self, size: int) -> tuple[int, int]:
        """Reserve room for this many bytes. Return the file descriptor and the offset."""
        with self._lock:
            if self._stream is None:
                self._stream = tempfile.TemporaryFile(dir=self._directory, buffering=0)
            self._end += size
            return self._stream.fileno(), self._end - size

    def size(self, digest: str) -> int | None:
        """Return the size of this content in bytes; None if it was not added."""
        pieces = self._pieces.get(digest)
        return None if pieces is None else sum(size for _offset, size in pieces)

    def chunks(self, digest: str) -> t.Iterator[bytes]:
        """Yield the content in large chunks."""
        for start, size in self._pieces[digest]:
            offset, end = start, start + size
            while self._stream and offset < end:
                chunk = os.pread(self._stream.fileno(), min(CHUNK, end - offset), offset)
                offset += len(chunk)
                yield chunk

    def remove(self, digests: t.Iterable[str]) -> None:
        """Remove the content with these digests."""
        with self._lock:
            for digest in digests:
                self._pieces.pop(digest, None)
            if not self._pieces and not self._adding:  # other threads may be writing to the file
                self._clear()

    def clear(self) -> None:
        """Remove all content."""
        with self._lock:
            self._clear()

    def _clear(self) -> None:
        if self._stream:
            self._stream.close()
        self._stream = None
        self._end = 0
        self._pieces = {}


def _member(digest: str) -> str:
    return "blobs/%s/%s" % digests.split(digest)


def _has_content(path: str) -> bool:
    """Return False for an empty file, such as one from ansible.builtin.tempfile. Raises InvalidContent if it is not a file."""
    try:
        return status_of_regular(path).st_size > 0
    except FileNotFoundError:
        return False
