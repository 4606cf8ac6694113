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
import json
import os
import typing as t

from .._errors import ContentMissing, ImageError, InvalidContent, NotFound, local_failure
from .._image import digest as digests
from .._image import media_types
from .._image.descriptor import Descriptor
from .._image.manifest import MAX_SIZE, Manifest
from .base import OpenBlob, Store
from .files import STAGING, locked, remove_abandoned, staged, sync_directory, write_file

_REF_NAME = "org.opencontainers.image.ref.name"
_VERSION = {"imageLayoutVersion": "1.0.0"}
_CHUNK = 512 * 1024


class OciLayout:
    """The images of one layout; a name is the value of the annotation org.opencontainers.image.ref.name.

    An empty name means the only image there is; ``@N`` means the entry at that position, from 0.
    """

    def __init__(self, path: str, warn: t.Callable[[str], None]) -> None:
        self._path = path
        self._warn = warn
        self._prepared = False

    def reference(self, name: str) -> str:
        """``oci:PATH:NAME``."""
        return "oci:%s%s" % (self._path, ":" + name if name and not digests.is_digest(name) else "")

    # Reading

    def resolve(self, name: str) -> Descriptor | None:
        """The entry of that name, where it and all that it needs is there."""
        with _file_errors("read", self._path):
            entries = self._entries()
            if digests.is_digest(name):
                descriptor = self._descriptor(name)
            else:
                descriptor = self._choose(entries, name)
            return descriptor if descriptor and self._is_whole(descriptor) else None

    def manifest(self, name: str) -> Manifest:
        """The manifest of that name. Raises NotFound, or an error that says what is wrong with the layout."""
        with _file_errors("read", self._path):
            if not os.path.exists(os.path.join(self._path, "index.json")):
                raise NotFound("there is no OCI layout at %s" % self._path)
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

    def has_blob(self, blob: Descriptor) -> bool:
        """A file under the digest is trusted when its size is right: none is ever put there before it is verified."""
        try:
            return os.stat(self._blob_path(blob.digest)).st_size == blob.size
        except OSError:
            return False

    def mount_source(self, source: Store) -> str:
        """Never: blobs of another layout are copied."""
        return ""

    def is_same(self, source: Store) -> bool:
        """Whether both are the same directory."""
        return isinstance(source, OciLayout) and os.path.realpath(source._path) == os.path.realpath(self._path)

    # Writing

    def put_blob(self, blob: Descriptor, open_blob: OpenBlob, mount_from: str) -> bool:
        """Write beside, verify, then rename."""
        with _file_errors("write", self._path):
            self._prepare()
            with staged(self._path, self._new_blob_path(blob.digest)) as stream:
                for chunk in open_blob():
                    stream.write(chunk)
        return False

    def put_manifest(self, manifest: Manifest) -> None:
        """Manifests are blobs here."""
        with _file_errors("write", self._path):
            self._prepare()
            if self._descriptor(manifest.digest) is None:
                write_file(self._path, self._new_blob_path(manifest.digest), manifest.raw)

    def publish(self, manifest: Manifest, tags: t.Sequence[str]) -> None:
        """Enter the manifest into index.json, in place of what had these names."""
        self.put_manifest(manifest)
        with _file_errors("write", self._path), locked(os.path.join(self._path, "oci-layout")):
            if not self._is_whole(manifest.descriptor):
                raise ContentMissing("content of %s was removed from the layout meanwhile" % manifest.digest)
            document = self._document()
            before = document["manifests"]
            kept = [entry for entry in before if _name_of(entry) not in tags]
            if not tags:
                kept = [entry for entry in kept if entry.get("digest") != manifest.digest or _name_of(entry)]
            document["manifests"] = kept + [_entry(manifest, tag) for tag in tags or [""]]
            write_file(self._path, os.path.join(self._path, "index.json"), _encode(document))
            self._collect(before, document["manifests"])

    def close(self) -> None:
        """Nothing stays open."""

    # What is on the disk

    def _document(self) -> dict[str, t.Any]:
        path = os.path.join(self._path, "index.json")
        try:
            with open(path, "rb") as stream:
                document = json.loads(stream.read())
        except FileNotFoundError:
            return {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": []}
        except ValueError:
            raise InvalidContent("%s is not JSON" % path) from None
        entries = document.get("manifests") if isinstance(document, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise InvalidContent("%s is not an OCI index" % path)
        return document

    def _entries(self) -> list[dict[str, t.Any]]:
        return self._document()["manifests"]

    def _choose(self, entries: list[dict[str, t.Any]], name: str) -> Descriptor | None:
        if name.startswith("@") and name[1:].isdigit():
            found = entries[int(name[1:]) :][:1]
        elif name:
            found = [entry for entry in entries if _name_of(entry) == name]
            if len({entry.get("digest") for entry in found}) > 1:
                self._warn("%s has several images named %s: the last one is used" % (self._path, name))
        else:
            found = entries
            if len({entry.get("digest") for entry in found}) > 1:
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
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def _chunks(self, digest: str) -> t.Iterator[bytes]:
        try:
            with open(self._blob_path(digest), "rb", buffering=0) as stream:
                while True:
                    chunk = stream.read(_CHUNK)
                    if not chunk:
                        return
                    yield chunk
        except FileNotFoundError:
            raise NotFound("blob %s is missing in the layout" % digest) from None
        except OSError as error:
            raise local_failure(error, "read", self._path) from None

    def _is_whole(self, descriptor: Descriptor) -> bool:
        """Whether all files are there; a child that is missing altogether was left out on purpose (sparse)."""
        if not self.has_blob(descriptor):
            return False
        try:
            manifest = self._read_manifest(descriptor.digest)
        except ImageError:
            return False
        children = [child for child in manifest.children if os.path.exists(self._blob_path(child.digest))]
        return all(self._is_whole(child) for child in children if child.is_manifest) and all(
            self.has_blob(blob) for blob in manifest.blobs
        )

    def _reachable(self, entries: list[dict[str, t.Any]]) -> set[str]:
        """The digests of all files that these entries need."""
        found: set[str] = set()
        todo = [entry["digest"] for entry in entries if digests.is_digest(str(entry.get("digest")))]
        while todo:
            digest = todo.pop()
            if digest in found:
                continue
            found.add(digest)
            with contextlib.suppress(OSError, ImageError):
                manifest = self._read_manifest(digest)
                found.update(blob.digest for blob in manifest.blobs)
                todo += [child.digest for child in manifest.children]
        return found

    def _collect(self, before: list[dict[str, t.Any]], after: list[dict[str, t.Any]]) -> None:
        """Remove what only the entries that are gone needed. Anything else unreferenced is not ours to judge."""
        kept = {json.dumps(entry, sort_keys=True) for entry in after}
        gone = [entry for entry in before if json.dumps(entry, sort_keys=True) not in kept]
        if not gone:
            return
        for digest in self._reachable(gone) - self._reachable(after):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._blob_path(digest))

    def _prepare(self) -> None:
        """Make the directory a layout, and clear what killed runs left."""
        if self._prepared:
            return
        marker = os.path.join(self._path, "oci-layout")
        os.makedirs(self._path, exist_ok=True)
        names = {name for name in os.listdir(self._path) if not name.startswith(STAGING)}
        if "oci-layout" not in names and names - {"blobs", "index.json"}:
            raise ImageError("%s has files but is not an OCI layout" % self._path, hint="Name an empty directory")
        os.makedirs(os.path.join(self._path, "blobs"), exist_ok=True)
        with locked(marker) as stream:
            if not stream.read():
                stream.write(_encode(_VERSION))
                stream.flush()
                os.fsync(stream.fileno())
            if not os.path.exists(os.path.join(self._path, "index.json")):
                write_file(self._path, os.path.join(self._path, "index.json"), _encode(self._document()))
            remove_abandoned(self._path)
        sync_directory(self._path)
        self._prepared = True


def _name_of(entry: dict[str, t.Any]) -> str:
    annotations = entry.get("annotations")
    name = annotations.get(_REF_NAME) if isinstance(annotations, dict) else None
    return name if isinstance(name, str) else ""


def _entry(manifest: Manifest, name: str) -> dict[str, t.Any]:
    entry: dict[str, t.Any] = {"mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.size}
    if manifest.descriptor.artifact_type:
        entry["artifactType"] = manifest.descriptor.artifact_type
    if name:
        entry["annotations"] = {_REF_NAME: name}
    return entry


def _encode(document: dict[str, t.Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


@contextlib.contextmanager
def _file_errors(doing: str, path: str) -> t.Iterator[None]:
    try:
        yield
    except OSError as error:
        raise local_failure(error, doing, path) from None
