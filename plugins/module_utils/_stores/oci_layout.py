# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""An OCI image layout (OCI image spec, image-layout.md) as a store: safe for several writers and for crashes.

Blobs appear whole or not at all. ``index.json`` is replaced under a lock, after checking that everything the new entry
needs is still there; then what only the replaced entry needed is removed.
"""

from __future__ import annotations

import contextlib
import os
import threading
import typing as t

from .._errors import ContentMissing, ImageError, LocalFailure, NotFound, file_errors, local_failure
from .._files import STAGING, locked, remove_abandoned, staged, sync_directory, write_file
from .._image import digest as digests
from .._image import document as documents
from .._image import media_types
from .._image.descriptor import Descriptor, OpenBlob
from .._image.digest import CHUNK
from .._image.manifest import MAX_SIZE, Manifest
from .base import Store

_REF_NAME = "org.opencontainers.image.ref.name"
_VERSION = {"imageLayoutVersion": "1.0.0"}


class OciLayout:
    """The images of one layout; a name is the value of the annotation org.opencontainers.image.ref.name.

    An empty name means the only image there is; ``@N`` means the entry at that position, from 0. Blobs whose digests
    are ``elsewhere`` count as being here: a layout that is carried to where they are needs no second copy of them.
    """

    def __init__(self, path: str, warn: t.Callable[[str], None], elsewhere: t.Collection[str] = frozenset()) -> None:
        self._path = path
        self._warn = warn
        self._elsewhere = elsewhere
        self._prepared = False
        self._is_locked = False
        self._threads = threading.RLock()

    @property
    def place(self) -> tuple[str, str]:
        """All images of a layout share its blobs."""
        return "oci:%s" % os.path.realpath(self._path), ""

    def reference(self, name: str) -> str:
        """``oci:PATH:NAME``."""
        return "oci:%s%s" % (self._path, ":" + name if name and not digests.is_digest(name) else "")

    # Reading

    def resolve(self, name: str) -> Descriptor | None:
        """The entry of that name, or of that digest."""
        with file_errors("read", self._path):
            entries = self._entries()
            if not digests.is_digest(name):
                return self._choose(entries, name)
            found = [entry for entry in entries if entry.get("digest") == name]
            return Descriptor.from_document(found[-1]) if found else None

    def find(self, name: str) -> Descriptor | None:
        """As :meth:`resolve`: an entry needs nothing to be found."""
        return self.resolve(name)

    def tags(self) -> list[str]:
        """The names of its images."""
        with file_errors("read", self._path):
            self._check_exists()
            return list(dict.fromkeys(filter(None, map(_name_of, self._entries()))))

    def manifest(self, name: str, legacy: bool = False) -> Manifest:
        """The manifest of that name. Raises NotFound, or an error that says what is wrong with the layout."""
        with file_errors("read", self._path):
            self._check_exists()
            entry = None if digests.is_digest(name) else self._choose(self._entries(), name)
            if entry is None and not digests.is_digest(name):
                raise NotFound("the layout has no image of that name", hint=self._names_hint())
            return self._read_manifest(entry.digest if entry else name)

    def open_blob(self, blob: Descriptor) -> t.Iterable[bytes]:
        """Read the file in large chunks."""
        return digests.verified(self._chunks(blob.digest), blob.digest, blob.size)

    def has_content(self) -> bool:
        """Looking costs nothing here."""
        return True

    def has_manifest(self, digest: str) -> bool:
        """Looks for all files that it needs."""
        with file_errors("read", self._path):
            descriptor = self._descriptor(digest)
            return descriptor is not None and self._is_whole(descriptor, None)

    def is_complete(self, descriptor: Descriptor, wanted: t.Collection[str] | None) -> bool:
        """Looks for all files that it needs."""
        with file_errors("read", self._path):
            return self._is_whole(descriptor, wanted)

    def has_blob(self, blob: Descriptor) -> bool:
        """A file under the digest is trusted when its size is right: none is ever put there before it is verified."""
        return blob.digest in self._elsewhere or self._has_file(blob)

    def _has_file(self, blob: Descriptor) -> bool:
        try:
            return os.stat(self._blob_path(blob.digest)).st_size == blob.size
        except OSError:
            return False

    def lacks(self, blobs: t.Iterable[Descriptor]) -> list[str]:
        """What has no file."""
        return [blob.digest for blob in blobs if not self._has_file(blob)]

    def mount_source(self, source: Store) -> str:
        """Never: blobs of another layout are copied."""
        return ""

    def is_same(self, source: Store) -> bool:
        """Whether both are the same directory."""
        return isinstance(source, OciLayout) and os.path.realpath(source._path) == os.path.realpath(self._path)

    # Writing

    def put_blob(self, blob: Descriptor, open_blob: OpenBlob, mount_from: str) -> bool:
        """Write beside, verify, then rename."""
        with file_errors("write", self._path):
            self._prepare()
            target = self._new_blob_path(blob.digest)
            with staged(self._staging_for(target), target) as stream:
                for chunk in open_blob():
                    stream.write(chunk)
        return False

    def put_manifest(self, manifest: Manifest) -> None:
        """Manifests are blobs here."""
        with file_errors("write", self._path):
            self._prepare()
            if self._descriptor(manifest.digest) is None:
                target = self._new_blob_path(manifest.digest)
                write_file(self._staging_for(target), target, manifest.raw)

    def publish(self, manifest: Manifest, tags: t.Sequence[str], wanted: t.Collection[str] | None) -> None:
        """Enter the manifest into index.json, in place of what had these names."""
        self.put_manifest(manifest)
        with file_errors("write", self._path), self._lock():
            if not self._is_whole(manifest.descriptor, wanted):
                raise ContentMissing("content of %s was removed from the layout meanwhile" % manifest.digest)
            document = self._document()
            kept = [entry for entry in document["manifests"] if _name_of(entry) not in tags]
            if not tags:
                kept = [entry for entry in kept if entry.get("digest") != manifest.digest or _name_of(entry)]
            self._rewrite(document, kept + [_entry(manifest, tag) for tag in tags or [""]])

    def retag(self, manifests: t.Mapping[str, Manifest]) -> None:
        """One change of index.json: a name may move to what another one has named so far."""
        with file_errors("write", self._path), self._lock():
            for manifest in manifests.values():
                if not self.has_blob(manifest.descriptor):
                    raise ContentMissing("%s was removed from the layout meanwhile" % manifest.digest)
            document = self._document()
            kept = [entry for entry in document["manifests"] if _name_of(entry) not in manifests]
            self._rewrite(document, kept + [_entry(manifest, name) for name, manifest in manifests.items()])

    @contextlib.contextmanager
    def exclusive(self) -> t.Iterator[None]:
        """Holds the lock under which others would replace names and remove what these needed."""
        with file_errors("write", self._path):
            self._prepare()
            with self._lock():
                yield

    def delete_tag(self, tag: str, digest: str, others: t.Mapping[str, Descriptor]) -> str:
        """Remove the entries of that name, and the files that no other entry needs."""
        return "tag" if self._remove(lambda entry: _name_of(entry) == tag) else ""

    def delete_manifest(self, digest: str) -> bool:
        """Remove the entries with that digest, and the files that no other entry needs."""
        return self._remove(lambda entry: entry.get("digest") == digest)

    def _remove(self, is_wanted: t.Callable[[dict[str, t.Any]], bool]) -> bool:
        with file_errors("write", self._path), self._lock():
            document = self._document()
            kept = [entry for entry in document["manifests"] if not is_wanted(entry)]
            if len(kept) == len(document["manifests"]):
                return False
            self._rewrite(document, kept)
        return True

    def _rewrite(self, document: dict[str, t.Any], entries: list[dict[str, t.Any]]) -> None:
        """Replace the entries of index.json, and remove the files that only those which are gone needed."""
        before, document["manifests"] = document["manifests"], entries
        write_file(self._path, os.path.join(self._path, "index.json"), documents.encode(document))
        self._collect(before, entries)

    def close(self) -> None:
        """Nothing stays open."""

    # What is on the disk

    def _check_exists(self) -> None:
        if not os.path.exists(os.path.join(self._path, "index.json")):
            raise NotFound("there is no OCI layout at %s" % self._path)

    def _document(self) -> dict[str, t.Any]:
        path = os.path.join(self._path, "index.json")
        try:
            with open(path, "rb") as stream:
                document = documents.decode(stream.read())
        except FileNotFoundError:
            self._refuse_other_directories()
            return {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": []}
        except ValueError:
            raise LocalFailure("%s is not JSON" % path) from None
        entries = document.get("manifests") if isinstance(document, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise LocalFailure("%s is not an OCI index" % path)
        return document

    def _refuse_other_directories(self) -> None:
        """A directory with files of its own is named by mistake: nothing may be written into it."""
        with contextlib.suppress(FileNotFoundError):
            names = {name for name in os.listdir(self._path) if not name.startswith(STAGING)}
            if "oci-layout" not in names and names - {"blobs", "index.json"}:
                raise ImageError("%s has files but is not an OCI layout" % self._path, hint="Name an empty directory")

    def _entries(self) -> list[dict[str, t.Any]]:
        return self._document()["manifests"]

    def _choose(self, entries: list[dict[str, t.Any]], name: str) -> Descriptor | None:
        if name.startswith("@") and name[1:].isdigit():
            found = entries[int(name[1:]) :][:1]
        elif name:
            found = [entry for entry in entries if _name_of(entry) == name]
            if len({str(entry.get("digest")) for entry in found}) > 1:
                self._warn("%s has several images named %s: the last one is used" % (self._path, name))
        else:
            found = entries
            if len({str(entry.get("digest")) for entry in found}) > 1:
                raise ImageError("the layout has several images", hint="Name one. " + self._names_hint())
        return Descriptor.from_document(found[-1]) if found else None

    def _names_hint(self) -> str:
        names = sorted({_name_of(entry) or "(unnamed)" for entry in self._entries()})
        return "It has: %s" % (", ".join(names[:20]) or "no image")

    def _descriptor(self, digest: str) -> Descriptor | None:
        try:
            return self._read_manifest(digest).descriptor
        except ImageError:
            return None

    def _read_manifest(self, digest: str) -> Manifest:
        try:
            with open(self._blob_path(digest), "rb") as stream:
                return Manifest.parse(stream.read(MAX_SIZE + 1), digest=digest)
        except FileNotFoundError:
            raise NotFound("the manifest %s is missing in the layout" % digest) from None

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
        """Where to write beside: a rename cannot leave its file system, and blobs may be shared by way of a link."""
        directory = os.path.dirname(target)
        return self._path if os.stat(directory).st_dev == os.stat(self._path).st_dev else directory

    def _chunks(self, digest: str) -> t.Iterator[bytes]:
        try:
            with open(self._blob_path(digest), "rb", buffering=0) as stream:
                while True:
                    chunk = stream.read(CHUNK)
                    if not chunk:
                        return
                    yield chunk
        except FileNotFoundError:
            raise NotFound("blob %s is missing in the layout" % digest) from None
        except OSError as error:
            raise local_failure(error, "read", self._path) from None

    def _is_whole(self, descriptor: Descriptor, wanted: t.Collection[str] | None) -> bool:
        """Whether all files are there; with ``wanted``, other children may have been left out on purpose (sparse)."""
        seen: set[str] = set()
        todo = [descriptor]
        while todo:
            current = todo.pop()
            if current.digest in seen:
                continue
            seen.add(current.digest)
            if not self.has_blob(current):
                return False
            if current.is_manifest:
                try:
                    manifest = self._read_manifest(current.digest)
                except ImageError:
                    return False
                todo += [child for child in manifest.children if wanted is None or child.digest in wanted]
                todo += manifest.blobs
        return True

    def _collect(self, before: list[dict[str, t.Any]], after: list[dict[str, t.Any]]) -> None:
        """Remove what only the entries that are gone needed. Anything else unreferenced is not ours to judge.

        Blobs that are kept elsewhere, by way of a link, may have other users, and are left alone.
        """
        kept = {str(entry.get("digest")) for entry in after}
        gone = {str(entry.get("digest")) for entry in before} - kept
        blobs = os.path.join(self._path, "blobs")
        if not gone or os.path.islink(blobs) or any(entry.is_symlink() for entry in os.scandir(blobs)):
            return
        needed, complete = self._reachable(kept)
        if not complete:
            return
        for digest in self._reachable(gone)[0] - needed:
            with contextlib.suppress(OSError):
                os.unlink(self._blob_path(digest))

    def _reachable(self, roots: t.Iterable[str]) -> tuple[set[str], bool]:
        """The digests of all files that these images need, and whether that is certain.

        It is not where a manifest cannot be read or understood: it may need anything.
        """
        found: set[str] = set()
        complete = True
        named = {digest for digest in roots if digests.is_digest(digest)}
        todo = list(named)
        while todo:
            digest = todo.pop()
            if digest in found:
                continue
            found.add(digest)
            try:
                manifest = self._read_manifest(digest)
            except NotFound:
                complete = complete and digest not in named  # children may be left out on purpose (sparse)
                continue
            except (ImageError, OSError):
                complete = False
                continue
            found.update(blob.digest for blob in manifest.blobs)
            todo += [child.digest for child in manifest.children]
        return found, complete

    @contextlib.contextmanager
    def _lock(self) -> t.Iterator[None]:
        with self._threads:
            if self._is_locked:
                yield
                return
            with locked(os.path.join(self._path, "oci-layout")):
                self._is_locked = True
                try:
                    yield
                finally:
                    self._is_locked = False

    def _prepare(self) -> None:
        """Make the directory a layout, and clear what killed runs left."""
        if self._prepared:
            return
        marker = os.path.join(self._path, "oci-layout")
        self._refuse_other_directories()
        blobs = os.path.join(self._path, "blobs")
        os.makedirs(blobs, exist_ok=True)
        with contextlib.suppress(OSError):  # the directory above may be closed to us
            sync_directory(os.path.dirname(self._path))
        with locked(marker) as stream:
            if not stream.read():
                stream.write(documents.encode(_VERSION))
                stream.flush()
                os.fsync(stream.fileno())
            if not os.path.exists(os.path.join(self._path, "index.json")):
                write_file(self._path, os.path.join(self._path, "index.json"), documents.encode(self._document()))
            for directory in (self._path, *(entry.path for entry in os.scandir(blobs) if entry.is_symlink())):
                remove_abandoned(directory)
        sync_directory(self._path)
        self._prepared = True


def _name_of(entry: dict[str, t.Any]) -> str:
    annotations = entry.get("annotations")
    name = annotations.get(_REF_NAME) if isinstance(annotations, dict) else None
    return name if isinstance(name, str) else ""


def _entry(manifest: Manifest, name: str) -> dict[str, t.Any]:
    entry: dict[str, t.Any] = {"mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.size}
    if isinstance(manifest.document.get("artifactType"), str):
        entry["artifactType"] = manifest.document["artifactType"]
    if name:
        entry["annotations"] = {_REF_NAME: name}
    return entry
