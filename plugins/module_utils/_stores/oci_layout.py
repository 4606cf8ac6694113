# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""An OCI image layout (OCI image spec, image-layout.md) as a store: safe for concurrent writers and crashes.

A blob is either complete or absent. ``index.json`` is replaced under a lock, after a check that everything the new
entry needs still exists. Then content that only the replaced entry needed is removed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import typing as t

from .._errors import ImageError, InvalidContent, LocalFailure, NotFound, file_errors, local_failure
from .._files import (
    STAGING,
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
from .._image import document as documents
from .._image.descriptor import Descriptor, OpenBlob
from .._image.digest import CHUNK
from .._image.manifest import MAX_SIZE, Manifest
from .._image.verified import Verified
from .named import repositories
from .oci_images import VERSION, OciImages
from .oci_index import MAX_INDEX, digests_of, new_index, parse_index
from .repository import StoreRoot

_HINT = "Copy the image to the layout again"


class OciLayout(OciImages, StoreRoot):
    """The images of one layout.

    Blobs whose digests are in ``external_blobs`` count as present: a layout for a site that has them does not need a
    second copy.
    """

    transport = "oci"
    kind = "layout"

    def __init__(
        self, path: str, warn: t.Callable[[str], None], external_blobs: t.Collection[str] = frozenset()
    ) -> None:
        super().__init__(path, warn)
        self._external_blobs = external_blobs
        self._prepared = threading.Event()

    def repositories(self) -> list[str]:
        """Return the repositories of the image names. Warn about names that have none."""
        return repositories(self.tags(), self.reference(""), self._warn)

    # Reading

    def open_blob(self, blob: Descriptor) -> Verified:
        """Open the file, which is read in large chunks."""
        return Verified(functools.partial(self._chunks, blob.digest), blob.digest, blob.size)

    def has_blob(self, blob: Descriptor) -> bool:
        """Return whether the file exists with the right size. Its content is trusted, because files are verified before they are renamed."""
        return blob.digest in self._external_blobs or self._has_file(blob)

    def _has_file(self, blob: Descriptor) -> bool:
        status = status_of(self._blob_path(blob.digest))
        return status is not None and status.st_size == blob.size

    def missing_blobs(self, blobs: t.Iterable[Descriptor]) -> list[str]:
        """Return the digests of blobs that have no file."""
        return [blob.digest for blob in blobs if not self._has_file(blob)]

    # Writing

    def put_blob(self, blob: Descriptor, open_blob: OpenBlob, mount_from: str) -> bool:
        """Write to a temporary file, verify it, and rename it."""
        with file_errors("write", self._path):
            self._prepare()
            target = self._new_blob_path(blob.digest)
            with staged(self._staging_for(target), target, syncs_directory=False) as stream:
                for chunk in open_blob():
                    stream.write(chunk)
        return False

    def put_manifest(self, manifest: Manifest) -> None:
        """Store the manifest, which is a blob here."""
        with file_errors("write", self._path):
            self._prepare()
            if self._descriptor(manifest.digest) is None:
                target = self._new_blob_path(manifest.digest)
                write_file(self._staging_for(target), target, manifest.raw, syncs_directory=False)

    def _rewrite(self, document: dict[str, t.Any], entries: list[dict[str, t.Any]]) -> None:
        """Sync the directories of all blobs once, so that they are on disk before the index refers to them, and write the index.

        Some of these blobs may have been written by an earlier run that was killed.
        """
        for directory in os.scandir(os.path.join(self._path, "blobs")):
            if directory.is_dir():
                sync_directory(directory.path)
        before, document["manifests"] = document["manifests"], entries
        write_file(self._path, os.path.join(self._path, "index.json"), documents.encode(document))
        self._collect(before, entries)

    # What is on the disk

    def _check_exists(self) -> None:
        if status_of(os.path.join(self._path, "index.json")) is None:
            raise NotFound("the OCI layout %s does not exist" % self._path, hint="Check the path")

    def _identity(self) -> object:
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(os.path.join(self._path, "index.json"))
            return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
        return None

    def _document(self) -> dict[str, t.Any]:
        path = os.path.join(self._path, "index.json")
        try:
            return parse_index(read_regular(path, MAX_INDEX), path)
        except FileNotFoundError:
            self._refuse_other_directories()
            return new_index()
        except InvalidContent as error:  # what is not to be replaced by an index of ours
            raise LocalFailure(error.cause) from None

    def _refuse_other_directories(self) -> None:
        """Refuse a directory with unrelated files, which is probably a mistake: nothing may be written there."""
        with contextlib.suppress(FileNotFoundError):
            names = {name for name in os.listdir(self._path) if not name.startswith(STAGING)}
            if "oci-layout" not in names and names - {"blobs", "index.json"}:
                raise ImageError(
                    "the directory %s contains files, but is not an OCI layout" % self._path,
                    hint="Use an empty directory",
                )

    def _read_manifest(self, digest: str) -> Manifest:
        try:
            return Manifest.parse(read_regular(self._blob_path(digest), MAX_SIZE), digest=digest)
        except FileNotFoundError:
            raise NotFound("manifest %s is missing from the layout" % digest, hint=_HINT) from None

    def _blob_path(self, digest: str) -> str:
        return os.path.join(self._path, "blobs", *digests.split(digest))

    def _new_blob_path(self, digest: str) -> str:
        path = self._blob_path(digest)
        directory = os.path.dirname(path)
        if not os.path.isdir(directory):
            os.makedirs(directory, exist_ok=True)
            sync_directory(os.path.dirname(directory))
        return path

    def _staging_for(self, target: str) -> str:
        """Return the directory for temporary files: a rename must stay in its file system, and blobs may be shared through a link."""
        directory = os.path.dirname(target)
        return directory if self._is_elsewhere(directory) else self._path

    def _is_elsewhere(self, directory: str) -> bool:
        return os.stat(directory).st_dev != os.stat(self._path).st_dev

    def _chunks(self, digest: str, offset: int) -> t.Iterator[bytes]:
        try:
            with open_regular(self._blob_path(digest)) as stream:
                stream.seek(offset)
                while True:
                    chunk = stream.read(CHUNK)
                    if not chunk:
                        return
                    yield chunk
        except FileNotFoundError:
            raise NotFound("blob %s is missing from the layout" % digest, hint=_HINT) from None
        except OSError as error:
            raise local_failure(error, "read", self._path) from None

    def _collect(self, before: list[dict[str, t.Any]], after: list[dict[str, t.Any]]) -> None:
        """Remove content that only removed entries needed. Other unreferenced files are kept.

        Blobs in another directory that is reached through a link may have other users and are not deleted.
        """
        kept = digests_of(after)
        gone = [entry for entry in before if str(entry.get("digest")) not in kept]
        blobs = os.path.join(self._path, "blobs")
        if not gone or os.path.islink(blobs) or any(entry.is_symlink() for entry in os.scandir(blobs)):
            return
        needed, complete = self._reachable(after)
        if not complete:
            return
        for digest in self._reachable(gone)[0] - needed:
            with contextlib.suppress(OSError):
                os.unlink(self._blob_path(digest))

    def _hold(self) -> t.ContextManager[object]:
        return locked(os.path.join(self._path, "oci-layout"))

    def _prepare(self) -> None:
        """Create the layout, and remove the temporary files of killed runs."""
        if self._prepared.is_set():
            return
        marker = os.path.join(self._path, "oci-layout")
        self._refuse_other_directories()
        blobs = os.path.join(self._path, "blobs")
        os.makedirs(blobs, exist_ok=True)
        with contextlib.suppress(OSError):  # the directory above may be closed to us
            sync_directory(os.path.dirname(self._path))
        with locked(marker) as stream:
            if not stream.read(1):
                stream.write(documents.encode(VERSION))
                stream.flush()
                os.fsync(stream.fileno())
            if not os.path.exists(os.path.join(self._path, "index.json")):
                write_file(self._path, os.path.join(self._path, "index.json"), documents.encode(self._document()))
            directories = [entry.path for entry in os.scandir(blobs) if entry.is_dir()]
            for directory in (self._path, *filter(self._is_elsewhere, directories)):
                remove_abandoned(directory)
        sync_directory(self._path)
        self._prepared.set()
