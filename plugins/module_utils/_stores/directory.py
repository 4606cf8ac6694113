# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""One image in a directory (containers-transports(5), dir) as a store: safe for several writers and for crashes.

``manifest.json`` is the image; what it lists lies beside it under the hexadecimal part of its digest, children of an
index as ``<hex>.manifest.json``, signatures as ``signature-N`` and ``<hex>.signature-N``. Content that is
there stays for the next image. Only when all that a new image needs is in place, ``manifest.json`` is replaced, under
a lock and in one step; then what the new image does not need is removed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import typing as t

from .._errors import ContentMissing, ImageError, InvalidContent, LocalFailure, NotFound, file_errors
from .._files import (
    STAGING,
    ReentrantLock,
    locked,
    open_regular,
    read_regular,
    remove_abandoned,
    staged,
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
from .directory_signatures import DirectorySignatures
from .location import Location
from .repository import Lockable, Store

_VERSION = b"Directory Transport Version: %s\n"
# 1.2 differs in that other algorithms than sha256 are part of the names.
_VERSIONS = (b"1.1", b"1.2")
_TOP, _CHILD = "manifest.json", ".manifest.json"
# How often to begin a file in a directory that others delete at the same time, which is less likely each time.
_ATTEMPTS = 10
_HEX = r"(?:[a-z0-9]+-)?[0-9a-f]{64,128}"
# dir-put-blob is what other tools call a blob under way.
_NAMES = re.compile(
    r"version|manifest\.json|signature-[0-9]+|dir-put-blob[0-9]+|%s(?:\.manifest\.json|\.signature-[0-9]+)?|%s.*"
    % (_HEX, re.escape(STAGING))
)


class Directory(Store, Lockable):
    """The image of one directory. It has no name: the empty one and its digest stand for it."""

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
        """``dir:PATH``."""
        return "dir:%s" % self._path

    # Reading

    def resolve(self, name: str) -> Descriptor | None:
        """The image, if ``name`` is empty or its digest; its signatures, if it is their tag."""
        with file_errors("read", self._path):
            try:
                if self._is_attached(name):
                    return self.referrers.signatures(name).descriptor
                found = self._top(name if digests.is_digest(name) else None).descriptor
            except NotFound:
                self._refuse_other_directories()
                return None
            return found if name in ("", found.digest) else None

    def tags(self) -> list[str]:
        """None: the image has no name."""
        self._top(None)
        return []

    def manifest(self, name: str, legacy: bool = False) -> Manifest:
        """The image, a manifest that it refers to, or signatures by their tag. Raises NotFound, or what is wrong with it."""
        with file_errors("read", self._path):
            if self._is_attached(name):
                return self.referrers.signatures(name)
            return self._read_manifest(name) if digests.is_digest(name) else self._top(None)

    def open_blob(self, blob: Descriptor) -> Verified:
        """Read the file in large chunks."""
        return Verified(functools.partial(self._chunks, blob.digest), blob.digest, blob.size)

    def has_manifest(self, digest: str) -> bool:
        """Looks for all files that it needs."""
        with file_errors("read", self._path):
            try:
                return self.is_complete(self._read_manifest(digest).descriptor, None)
            except ImageError:
                return False

    def is_complete(self, image: Descriptor, wanted: t.Collection[str] | None) -> bool:
        """Looks for all files that it needs."""
        with file_errors("read", self._path):
            return is_whole(image, wanted, self._has, self._read_manifest)

    def has_blob(self, blob: Descriptor) -> bool:
        """A file under the digest is trusted when its size is right: none is ever put there before it is verified."""
        return self._size(self.blob_path(blob.digest)) == blob.size

    def missing_blobs(self, blobs: t.Iterable[Descriptor]) -> list[str]:
        """What has no file, and is no part of a signature."""
        return [blob.digest for blob in blobs if not (self.has_blob(blob) or self.referrers.has_blob(blob.digest))]

    # Writing

    def put_blob(self, blob: Descriptor, open_blob: OpenBlob, mount_from: str) -> bool:
        """Write beside, verify, then rename."""
        with file_errors("write", self._path):
            self._prepare()
            with self._staged(_name(blob.digest)) as stream:
                for chunk in open_blob():
                    stream.write(chunk)
        return False

    def put_manifest(self, manifest: Manifest) -> None:
        """A child of the image, under a name of its own."""
        with file_errors("write", self._path):
            self._prepare()
            if self._has(manifest.descriptor):
                with contextlib.suppress(ImageError):
                    self._read_manifest(manifest.digest)
                    return
            with self._staged(_name(manifest.digest) + _CHILD) as stream:
                stream.write(manifest.raw)

    def publish(self, manifest: Manifest, tags: t.Sequence[str], wanted: t.Collection[str] | None) -> None:
        """Make this the image of the directory, or these the signatures of an image that is there or will be."""
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
        """Holds the lock under which others would replace the image and remove what it needed."""
        with file_errors("write", self._path):
            self._prepare()
            with self._lock():
                yield

    def delete_tag(self, tag: str, digest: str) -> str:
        """Remove the signatures that belong to a tag; the image has no name to remove."""
        if not self._is_attached(tag) or self.resolve(tag) is None:
            return ""
        with file_errors("write", self._path), self._lock():
            self.referrers.remove(tag)
        return "tag"

    def delete(self, digest: str) -> bool:
        """Remove the image with its directory, if it is this one still."""
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
                os.rmdir(self._path)
        return True

    def _replace(self, manifest: Manifest) -> None:
        needed, _complete = reachable(
            [manifest.digest],
            lambda digest: manifest if digest == manifest.digest else self._read_manifest(digest),
        )
        self._keep_as_child(needed - {manifest.digest})
        names = {_name(digest) for digest in needed}
        version = _VERSIONS[any("-" in name for name in names)]
        outdated = 0 if self._is_image(manifest.digest) else self.referrers.become(manifest.digest)
        if version == _VERSIONS[1]:
            self._write_version(version)  # older readers would not find what the image lists
        write_file(self._path, os.path.join(self._path, _TOP), manifest.raw)
        self._write_version(version)
        names.update(digests.split(digest)[1] for digest in needed)  # as version 1.1 has them
        names -= {_name(manifest.digest), digests.split(manifest.digest)[1]}  # it may have been a child of the last one
        self.referrers.forget(outdated)
        self._remove(
            lambda name: (
                name != _TOP and name.partition(".")[0] not in names and not name.startswith(signature_files.NAME)
            )
        )

    def _is_attached(self, name: str) -> bool:
        """Whether a name stands for what is attached to the image or its children."""
        return name.endswith(signature_file.ATTACHED_SUFFIXES)

    def _put_signatures(self, tag: str, manifest: Manifest) -> None:
        """Write signatures into files, in place of the blobs that they came in."""
        self.referrers.put(tag, manifest, self._read_blob)
        needed, _complete = reachable([self._top_digest("")], self._read_manifest)
        for blob in manifest.blobs:
            if blob.digest not in needed:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.blob_path(blob.digest))

    def _keep_as_child(self, needed: set[str]) -> None:
        """What the new image needs may have been the image so far, which is lost with its name unless it has another."""
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
        """The digest of the image, by the algorithm of another one; empty if there is no image, or a broken one."""
        try:
            return self._top(like).digest
        except ImageError:
            return ""

    def _remove(self, is_wanted: t.Callable[[str], bool]) -> None:
        """Remove such files of an image; others in the directory are not ours to judge."""
        for name in os.listdir(self._path):
            if _NAMES.fullmatch(name) and name != "version" and not name.startswith(STAGING) and is_wanted(name):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(self._path, name))

    # What is on the disk

    def _top(self, digest: str | None) -> Manifest:
        path = os.path.join(self._path, _TOP)
        try:
            raw = read_regular(path, MAX_SIZE)
        except FileNotFoundError:
            raise NotFound("the directory %s contains no image" % self._path, hint="Check the path") from None
        self._check_version()
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
        """Manifests have names of their own; what else an index lists is a blob."""
        if not descriptor.is_manifest:
            return self.has_blob(descriptor)
        if self._size(self._child_path(descriptor.digest)) == descriptor.size:
            return True
        return self._is_image(descriptor.digest) and self._size(os.path.join(self._path, _TOP)) == descriptor.size

    def blob_path(self, digest: str) -> str:
        """The file of a blob. Version 1.1 had no algorithms in its names, so what it wrote is found without one too."""
        path = os.path.join(self._path, _name(digest))
        plain = os.path.join(self._path, digests.split(digest)[1])
        return plain if not os.path.exists(path) and os.path.exists(plain) else path

    def _child_path(self, digest: str) -> str:
        return os.path.join(self._path, _name(digest) + _CHILD)

    def _size(self, path: str) -> int | None:
        try:
            return os.stat(path).st_size
        except OSError:
            return None

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

    def _check_version(self) -> None:
        """Raises LocalFailure where the directory follows rules that are not known here."""
        try:
            found = read_regular(os.path.join(self._path, "version"), 100)
        except FileNotFoundError:
            return
        except InvalidContent as error:
            raise LocalFailure(error.cause) from None
        if found and found.strip() not in [(_VERSION % version).strip() for version in _VERSIONS]:
            raise LocalFailure("the file %s/version has unknown content" % self._path, hint="Use another directory")

    def _refuse_other_directories(self) -> None:
        """A directory with files of its own is named by mistake: nothing may be written into it, or removed."""
        with contextlib.suppress(FileNotFoundError):
            names = os.listdir(self._path)
            if "version" not in names and _TOP not in names and not all(map(_NAMES.fullmatch, names)):
                cause = "the directory %s contains files, but no image" % self._path
                raise LocalFailure(cause, hint="Use an empty directory")
            self._check_version()

    def _write_version(self, version: bytes) -> None:
        """In place, as its lock is held."""
        content = _VERSION % version
        with open(os.path.join(self._path, "version"), "r+b") as stream:
            if stream.read() != content:
                stream.seek(0)
                stream.truncate()
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())

    def _staged(self, name: str) -> t.ContextManager[t.BinaryIO]:
        return self._made(lambda: staged(self._path, os.path.join(self._path, name)), _ATTEMPTS)

    def _lock(self, attempts: int = _ATTEMPTS) -> t.ContextManager[None]:
        return self._locks.hold(lambda: self._made(lambda: locked(os.path.join(self._path, "version")), attempts))

    @contextlib.contextmanager
    def _made(self, make: t.Callable[[], t.ContextManager[t.BinaryIO]], attempts: int) -> t.Iterator[t.BinaryIO]:
        """Use a file of the directory, which is made again if others remove it before this one can use it."""
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
        """Make the directory, and clear what killed runs left."""
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


def _name(digest: str) -> str:
    algorithm, encoded = digests.split(digest)
    return encoded if algorithm == "sha256" else "%s-%s" % (algorithm, encoded)
