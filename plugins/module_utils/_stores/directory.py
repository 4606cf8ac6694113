# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""One image in a directory (containers-transports(5), dir) as a store: safe for concurrent writers and crashes.

``manifest.json`` is the image. Blobs are files named by the hexadecimal part of their digests, children of an index
are ``<hex>.manifest.json``, and signatures are ``signature-N`` and ``<hex>.signature-N``. Existing content is reused
for the next image. When it is complete, ``manifest.json`` is replaced atomically under a lock. Then the rest is removed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import typing as t

from .._errors import ContentMissing, ImageError, InvalidContent, LocalFailure, NotFound, file_errors, tag_moved
from .._files import (
    STAGING,
    ReentrantLock,
    locked,
    open_regular,
    read_regular,
    remove_abandoned,
    staged,
    status_of,
    sync_directory,
    write_file,
)
from .._image import digest as digests
from .._image import signature_file
from .._image.descriptor import Descriptor, OpenBlob
from .._image.digest import CHUNK
from .._image.graph import is_whole, reachable
from .._image.manifest import MAX_SIZE, Manifest
from .._image.verified import Verified
from . import signature_files
from .content_location import Location
from .directory_format import VERSIONS, has_version, is_file_of_image, name_of, write_version
from .directory_signatures import DirectorySignatures
from .repository import Lockable, Store

_TOP, _CHILD = "manifest.json", ".manifest.json"
# How often to begin a file in a directory that others delete at the same time, which is less likely each time.
_ATTEMPTS = 10


class Directory(Store, Lockable):
    """The image in one directory. It has no name: an empty name or its digest refers to it."""

    def __init__(self, path: str, warn: t.Callable[[str], None]) -> None:
        self._path = path
        self._warn = warn
        self._prepared = False
        self._locks = ReentrantLock()
        self.referrers = DirectorySignatures(path, self._top_digest)

    @property
    def location(self) -> Location:
        """The directory."""
        return Location("dir", "dir:%s" % os.path.realpath(self._path))

    def reference(self, name: str) -> str:
        """Return ``dir:PATH``."""
        return "dir:%s" % self._path

    # Reading

    def resolve(self, name: str) -> Descriptor | None:
        """Return the image like :meth:`find`. Refuse a directory with unrelated files, so that a dry run of a copy fails as well."""
        found = self.find(name)
        if found is None and not self._is_attached(name):
            with file_errors("read", self._path):
                self._refuse_other_directories()
        return found

    def find(self, name: str) -> Descriptor | None:
        """Return the image, if ``name`` is empty or its digest, or its signatures, if ``name`` is their tag."""
        with file_errors("read", self._path):
            try:
                if self._is_attached(name):
                    return self.referrers.signatures(name).descriptor
                found = self._top(name if digests.is_digest(name) else None).descriptor
            except NotFound:
                return None
            except InvalidContent:
                self._refuse_other_directories()
                raise
            return found if name in ("", found.digest) else None

    def tags(self) -> list[str]:
        """Return an empty list, because the image has no name."""
        self.manifest("")  # raises the error of a directory without an image
        return []

    def manifest(self, name: str, legacy: bool = False) -> Manifest:
        """Return the image, a manifest that it lists, or signatures by their tag. Raises NotFound, or another ImageError."""
        with file_errors("read", self._path):
            if self._is_attached(name):
                return self.referrers.signatures(name)
            return self._read_manifest(name) if digests.is_digest(name) else self._top(None)

    def open_blob(self, blob: Descriptor) -> Verified:
        """Open the file, which is read in large chunks."""
        return Verified(functools.partial(self._chunks, blob.digest), blob.digest, blob.size)

    def has_manifest(self, digest: str, wanted: t.Collection[str] | None = None) -> bool:
        """Return whether all files that the manifest needs exist."""
        with file_errors("read", self._path):
            try:
                return self.is_complete(self._read_manifest(digest).descriptor, wanted)
            except ImageError:
                return False

    def is_complete(self, image: Descriptor, wanted: t.Collection[str] | None) -> bool:
        """Return whether all files that the image needs exist."""
        with file_errors("read", self._path):
            return is_whole(image, wanted, self._has, self._read_manifest)

    def has_blob(self, blob: Descriptor) -> bool:
        """Return whether the file exists with the right size. Its content is trusted, because files are verified before they are renamed."""
        return self._size(self.blob_path(blob.digest)) == blob.size

    def missing_blobs(self, blobs: t.Iterable[Descriptor]) -> list[str]:
        """Return the digests of blobs that have no file and are not part of a signature."""
        return [blob.digest for blob in blobs if not (self.has_blob(blob) or self.referrers.has_blob(blob.digest))]

    # Writing

    def put_blob(self, blob: Descriptor, open_blob: OpenBlob, mount_from: str) -> bool:
        """Write to a temporary file, verify it, and rename it."""
        with file_errors("write", self._path):
            self._prepare()
            with self._staged(name_of(blob.digest)) as stream:
                for chunk in open_blob():
                    stream.write(chunk)
        return False

    def put_manifest(self, manifest: Manifest) -> None:
        """Store a child of the image in its own file."""
        with file_errors("write", self._path):
            self._prepare()
            if self._has(manifest.descriptor):
                with contextlib.suppress(ImageError):
                    self._read_manifest(manifest.digest)
                    return
            with self._staged(name_of(manifest.digest) + _CHILD) as stream:
                stream.write(manifest.raw)

    def publish(self, manifest: Manifest, tags: t.Sequence[str], wanted: t.Collection[str] | None) -> None:
        """Make this the image of the directory, or store the signatures of an image that exists or will exist."""
        with file_errors("write", self._path):
            self._prepare()
            with self._lock():
                if tags and self._is_attached(tags[0]):
                    self._put_signatures(tags[0], manifest)
                    return
                top = manifest.descriptor
                if not is_whole(
                    top,
                    wanted,
                    lambda part: part.digest == top.digest or self._has(part),
                    lambda digest: manifest if digest == top.digest else self._read_manifest(digest),
                ):
                    cause = "content of image %s was removed from the directory during this run"
                    raise ContentMissing(cause % manifest.digest, hint="Run the task again")
                self._replace(manifest)

    @contextlib.contextmanager
    def exclusive(self) -> t.Iterator[None]:
        """Hold the lock, so that nobody else can replace the image and remove its content."""
        with file_errors("write", self._path):
            self._prepare()
            with self._lock():
                yield

    def delete_tag(self, tag: str, digest: str) -> str:
        """Delete the signatures for a tag. The image itself has no name to delete. Raises ImageError if it has moved."""
        if not self._is_attached(tag) or self.find(tag) is None:
            return ""
        with file_errors("write", self._path), self._lock():
            now = self.find(tag)
            if now and now.digest != digest:
                raise tag_moved(now.digest)
            self.referrers.remove(tag)
        return "tag" if now else ""

    def delete(self, digest: str) -> bool:
        """Delete the image with its directory if it still has this digest."""
        with file_errors("write", self._path), contextlib.ExitStack() as stack:
            if not self._is_image(digest):
                return False
            try:
                stack.enter_context(self._lock(attempts=1))
            except FileNotFoundError:  # another one has removed it
                return False
            if not self._is_image(digest):
                return False
            os.unlink(os.path.join(self._path, _TOP))
            self._remove(lambda _name: True)
            os.unlink(os.path.join(self._path, "version"))
            with contextlib.suppress(OSError):  # there may be other files
                remove_abandoned(self._path)
                os.rmdir(self._path)
        return True

    def _replace(self, manifest: Manifest) -> None:
        needed, _complete = reachable(
            [manifest.digest],
            lambda digest: manifest if digest == manifest.digest else self._read_manifest(digest),
        )
        self._keep_as_child(needed - {manifest.digest})
        names = {name_of(digest) for digest in needed}
        version = VERSIONS[any("-" in name for name in names)]
        outdated = 0 if self._is_image(manifest.digest) else self.referrers.become(manifest.digest)
        if version == VERSIONS[1]:
            write_version(self._path, version)  # older readers would not find what the image lists
        write_file(self._path, os.path.join(self._path, _TOP), manifest.raw)
        write_version(self._path, version)
        names.update(digests.split(digest)[1] for digest in needed)  # as version 1.1 has them
        names -= {
            name_of(manifest.digest),
            digests.split(manifest.digest)[1],
        }  # it may have been a child of the last one
        self.referrers.forget(outdated)
        self._remove(
            lambda name: (
                name != _TOP and name.partition(".")[0] not in names and not name.startswith(signature_files.NAME)
            )
        )

    def _is_attached(self, name: str) -> bool:
        """Return whether a name refers to an artifact that is attached to the image or its children."""
        return name.endswith(signature_file.ATTACHED_SUFFIXES)

    def _put_signatures(self, tag: str, manifest: Manifest) -> None:
        """Write signatures to files, and remove the blobs that contained them."""
        self.referrers.put(tag, manifest, self._read_blob)
        needed, _complete = reachable([self._top_digest("")], self._read_manifest)
        for blob in manifest.blobs:
            if blob.digest not in needed:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.blob_path(blob.digest))

    def _keep_as_child(self, needed: set[str]) -> None:
        """If the new image lists the current image, store that under its digest, because the new image replaces manifest.json."""
        try:
            raw = self._top(None).raw
        except ImageError:  # there is none, or a broken one
            return
        algorithms = {digests.split(digest)[0] for digest in needed}
        for digest in needed & {digests.of(raw, algorithm) for algorithm in algorithms}:
            write_file(self._path, self._child_path(digest), raw)

    def _is_image(self, digest: str) -> bool:
        return self._top_digest(digest) == digest

    def _top_digest(self, like: str) -> str:
        """Return the digest of the image, with the algorithm of ``like``; empty if there is no valid image."""
        try:
            return self._top(like).digest
        except ImageError:
            return ""

    def _remove(self, is_wanted: t.Callable[[str], bool]) -> None:
        """Remove such files of an image. Other files in the directory, and subdirectories, are never removed."""
        for name in os.listdir(self._path):
            if is_file_of_image(name) and name != "version" and not name.startswith(STAGING) and is_wanted(name):
                path = os.path.join(self._path, name)
                with contextlib.suppress(FileNotFoundError):
                    if not os.path.isdir(path) or os.path.islink(path):
                        os.unlink(path)

    # What is on the disk

    def _top(self, digest: str | None) -> Manifest:
        path = os.path.join(self._path, _TOP)
        try:
            raw = read_regular(path, MAX_SIZE)
        except FileNotFoundError:
            raise NotFound("the directory %s contains no image" % self._path, hint="Check the path") from None
        has_version(self._path)  # raises the error of an unknown version
        algorithm = digests.split(digest)[0] if digest else "sha256"
        return Manifest.parse(raw, digest=digests.of(raw, algorithm))

    def _read_manifest(self, digest: str) -> Manifest:
        try:
            return Manifest.parse(read_regular(self._child_path(digest), MAX_SIZE), digest=digest)
        except FileNotFoundError:
            pass
        with contextlib.suppress(ImageError):
            top = self._top(digest)
            if top.digest == digest:
                return top
        return self.referrers.manifest(digest)

    def _has(self, descriptor: Descriptor) -> bool:
        """Return whether the file exists. Manifests have their own names; everything else in an index is a blob."""
        if not descriptor.is_manifest:
            return self.has_blob(descriptor)
        if self._size(self._child_path(descriptor.digest)) == descriptor.size:
            return True
        return self._is_image(descriptor.digest) and self._size(os.path.join(self._path, _TOP)) == descriptor.size

    def blob_path(self, digest: str) -> str:
        """Return the file of a blob. Version 1.1 had no algorithms in its file names, so names without one are accepted as well."""
        path = os.path.join(self._path, name_of(digest))
        plain = os.path.join(self._path, digests.split(digest)[1])
        return plain if not os.path.exists(path) and os.path.exists(plain) else path

    def _child_path(self, digest: str) -> str:
        return os.path.join(self._path, name_of(digest) + _CHILD)

    def _size(self, path: str) -> int | None:
        status = status_of(path)
        return status.st_size if status else None

    def _chunks(self, digest: str, offset: int) -> t.Iterator[bytes]:
        with file_errors("read", self._path):
            try:
                stream: t.BinaryIO = open_regular(self.blob_path(digest))
            except FileNotFoundError:
                stream = self.referrers.open_blob(digest)
        with stream:
            stream.seek(offset)
            while True:
                with file_errors("read", self._path):
                    chunk = stream.read(CHUNK)
                if not chunk:
                    return
                yield chunk

    def _read_blob(self, blob: Descriptor) -> bytes:
        return b"".join(map(bytes, self.open_blob(blob)))

    def _refuse_other_directories(self) -> None:
        """Refuse a directory with unrelated files, which is probably a mistake: nothing in it may be written or removed."""
        with contextlib.suppress(FileNotFoundError):
            if not has_version(self._path):
                self._check_usable_without_version()

    def _check_usable_without_version(self) -> None:
        """Raise LocalFailure unless manifest.json is an image, because other programs use this name too, or all files may be parts of one."""
        try:
            self._top(None)
        except NotFound:
            if not all(map(is_file_of_image, os.listdir(self._path))):
                cause = "the directory %s contains files, but no image" % self._path
                raise LocalFailure(cause, hint="Use an empty directory") from None
        except ImageError as error:  # it may also be the source, with an image that cannot be read
            cause = "the directory %s contains files, but no image (%s)" % (self._path, error.cause)
            hint = "Check the path. If this is the destination, use an empty directory"
            raise LocalFailure(cause, hint=hint) from None

    def _staged(self, name: str) -> t.ContextManager[t.BinaryIO]:
        return self._made(lambda: staged(self._path, os.path.join(self._path, name)), _ATTEMPTS)

    def _lock(self, attempts: int = _ATTEMPTS) -> t.ContextManager[None]:
        return self._locks.hold(lambda: self._made(lambda: locked(os.path.join(self._path, "version")), attempts))

    @contextlib.contextmanager
    def _made(self, make: t.Callable[[], t.ContextManager[t.BinaryIO]], attempts: int) -> t.Iterator[t.BinaryIO]:
        """Open a file in the directory. If another process removes the directory first, create it again."""
        with contextlib.ExitStack() as stack:
            for _attempt in range(attempts - 1):
                try:
                    stream = stack.enter_context(make())
                    break
                except FileNotFoundError:
                    os.makedirs(self._path, exist_ok=True)
            else:
                stream = stack.enter_context(make())
            yield stream

    def _prepare(self) -> None:
        """Create the directory, and remove the temporary files of killed runs."""
        if self._prepared:
            return
        os.makedirs(self._path, exist_ok=True)
        self._refuse_other_directories()
        with contextlib.suppress(OSError):  # the directory above may be closed to us
            sync_directory(os.path.dirname(self._path))
        with self._lock():
            remove_abandoned(self._path)
            sync_directory(self._path)
        self._prepared = True
