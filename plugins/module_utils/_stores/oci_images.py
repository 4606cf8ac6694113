# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Images that an OCI index names (OCI image spec, image-layout.md): what a layout and an archive of one share."""

from __future__ import annotations

import contextlib
import os
import threading
import typing as t

from .._errors import ContentMissing, ImageError, LocalFailure, NotFound, file_errors
from .._image import digest as digests
from .._image import document as documents
from .._image import media_types
from .._image.descriptor import Descriptor, OpenBlob
from .._image.manifest import Manifest
from . import closure
from .base import Store

# An index lists 200 bytes an image.
MAX_INDEX = 64 * 1024 * 1024

VERSION = {"imageLayoutVersion": "1.0.0"}
_REF_NAME = "org.opencontainers.image.ref.name"


class Index:
    """The entries of an index, to be looked up by name and by digest; what is no text is left to who reads the entry."""

    def __init__(self, entries: list[dict[str, t.Any]]) -> None:
        self.entries = entries
        self.by_name: dict[str, list[dict[str, t.Any]]] = {}
        self.by_digest: dict[str, list[dict[str, t.Any]]] = {}
        for entry in entries:
            self.by_name.setdefault(_name_of(entry), []).append(entry)
            self.by_digest.setdefault(str(entry.get("digest")), []).append(entry)


class OciImages:
    """A name is the value of the annotation org.opencontainers.image.ref.name.

    An empty name means the only image there is; ``@N`` means the entry at that position, from 0. Subclasses say where
    the files are, and how they are replaced.
    """

    transport: t.ClassVar[str]
    kind: t.ClassVar[str]

    def __init__(self, path: str, warn: t.Callable[[str], None]) -> None:
        self._path = path
        self._warn = warn
        self._is_locked = False
        self._threads = threading.RLock()
        self._kept: tuple[object, Index] | None = None

    @property
    def place(self) -> tuple[str, str]:
        """All images of a layout or archive share its blobs."""
        return "%s:%s" % (self.transport, os.path.realpath(self._path)), ""

    # What subclasses know

    def _document(self) -> dict[str, t.Any]:
        """The index, read anew; a new one where there is none yet."""
        raise NotImplementedError

    def _identity(self) -> object:
        """What is another whenever the index was changed; None where it cannot be told."""
        raise NotImplementedError

    def _check_exists(self) -> None:
        """Raises NotFound where there is nothing at all."""
        raise NotImplementedError

    def _read_manifest(self, digest: str) -> Manifest:
        """Raises NotFound, or an error that says what is wrong with it."""
        raise NotImplementedError

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether there is content of the right size: none is ever put in place before it is verified."""
        raise NotImplementedError

    def lacks(self, blobs: t.Iterable[Descriptor]) -> list[str]:
        """What is not here."""
        return [blob.digest for blob in blobs if not self.has_blob(blob)]

    def open_blob(self, blob: Descriptor) -> t.Iterable[bytes]:
        """Read in large chunks, and verify."""
        raise NotImplementedError

    def put_blob(self, blob: Descriptor, open_blob: OpenBlob, mount_from: str) -> bool:
        """Take in a blob; it is never mounted."""
        raise NotImplementedError

    def put_manifest(self, manifest: Manifest) -> None:
        """Manifests are blobs here."""
        raise NotImplementedError

    def _prepare(self) -> None:
        """Make it possible to hold the lock."""

    def _hold(self) -> t.ContextManager[object]:
        """Under which the index is replaced."""
        raise NotImplementedError

    def _rewrite(self, document: dict[str, t.Any], entries: list[dict[str, t.Any]]) -> None:
        """Replace the entries of the index, and remove what only those which are gone needed."""
        raise NotImplementedError

    # Reading

    def reference(self, name: str) -> str:
        """``oci:PATH:NAME``, or with another transport."""
        return "%s:%s%s" % (self.transport, self._path, ":" + name if name and not digests.is_digest(name) else "")

    def resolve(self, name: str) -> Descriptor | None:
        """The entry of that name, or of that digest."""
        with file_errors("read", self._path):
            if not digests.is_digest(name):
                return self._choose(name)
            found = self._index().by_digest.get(name)
            return Descriptor.from_document(found[-1]) if found else None

    def find(self, name: str) -> Descriptor | None:
        """As :meth:`resolve`: an entry needs nothing to be found."""
        return self.resolve(name)

    def tags(self) -> list[str]:
        """The names of its images."""
        with file_errors("read", self._path):
            self._check_exists()
            return list(filter(None, self._index().by_name))

    def manifest(self, name: str, legacy: bool = False) -> Manifest:
        """The manifest of that name. Raises NotFound, or an error that says what is wrong."""
        with file_errors("read", self._path):
            self._check_exists()
            entry = None if digests.is_digest(name) else self._choose(name)
            if entry is None and not digests.is_digest(name):
                raise NotFound("the %s has no image of that name" % self.kind, hint=self._names_hint())
            return self._read_manifest(entry.digest if entry else name)

    def has_content(self) -> bool:
        """Looking costs nothing here."""
        return True

    def has_manifest(self, digest: str) -> bool:
        """Looks for all files that it needs."""
        with file_errors("read", self._path):
            descriptor = self._descriptor(digest)
            return descriptor is not None and self.is_complete(descriptor, None)

    def is_complete(self, descriptor: Descriptor, wanted: t.Collection[str] | None) -> bool:
        """Looks for all files that it needs."""
        with file_errors("read", self._path):
            return closure.is_whole(descriptor, wanted, self.has_blob, self._read_manifest)

    def mount_source(self, source: Store) -> str:
        """Never: blobs of another place are copied."""
        return ""

    # Writing

    def publish(self, manifest: Manifest, tags: t.Sequence[str], wanted: t.Collection[str] | None) -> None:
        """Enter the manifest into the index, in place of what had these names."""
        self.put_manifest(manifest)
        with file_errors("write", self._path), self._lock():
            if not self.is_complete(manifest.descriptor, wanted):
                raise ContentMissing("content of %s was removed from the %s meanwhile" % (manifest.digest, self.kind))
            document = self._document()
            kept = [entry for entry in document["manifests"] if _name_of(entry) not in tags]
            if not tags:
                kept = [entry for entry in kept if entry.get("digest") != manifest.digest or _name_of(entry)]
            self._rewrite(document, kept + [_entry(manifest, tag) for tag in tags or [""]])

    def retag(self, manifests: t.Mapping[str, Manifest]) -> None:
        """One change of the index: a name may move to what another one has named so far."""
        with file_errors("write", self._path), self._lock():
            for manifest in manifests.values():
                if not self.has_blob(manifest.descriptor):
                    raise ContentMissing("%s was removed from the %s meanwhile" % (manifest.digest, self.kind))
            document = self._document()
            kept = [entry for entry in document["manifests"] if _name_of(entry) not in manifests]
            self._rewrite(document, kept + [_entry(manifest, name) for name, manifest in manifests.items()])

    def commit(self) -> None:
        """What was put is there."""

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

    def close(self) -> None:
        """Nothing stays open."""

    def _remove(self, is_wanted: t.Callable[[dict[str, t.Any]], bool]) -> bool:
        with file_errors("write", self._path), self._lock():
            document = self._document()
            kept = [entry for entry in document["manifests"] if not is_wanted(entry)]
            if len(kept) == len(document["manifests"]):
                return False
            self._rewrite(document, kept)
        return True

    @contextlib.contextmanager
    def _lock(self) -> t.Iterator[None]:
        with self._threads:
            if self._is_locked:
                yield
                return
            with self._hold():
                self._is_locked = True
                try:
                    yield
                finally:
                    self._is_locked = False

    # The index

    def _index(self) -> Index:
        """To look into, and not to change: it is read again only where it is another. Writers read it under the lock."""
        identity, kept = self._identity(), self._kept
        if kept is None or identity is None or kept[0] != identity:
            # Should it be replaced between the two, it has another identity the next time.
            kept = self._kept = identity, Index(self._document()["manifests"])
        return kept[1]

    def _choose(self, name: str) -> Descriptor | None:
        index = self._index()
        if name.startswith("@") and name[1:].isdigit():
            found = index.entries[int(name[1:]) :][:1]
        elif name:
            found = index.by_name.get(name, [])
            if len({str(entry.get("digest")) for entry in found}) > 1:
                self._warn("%s has several images named %s: the last one is used" % (self._path, name))
        else:
            found = index.entries
            if len(index.by_digest) > 1:
                raise ImageError("the %s has several images" % self.kind, hint="Name one. " + self._names_hint())
        return Descriptor.from_document(found[-1]) if found else None

    def _names_hint(self) -> str:
        names = sorted(name or "(unnamed)" for name in self._index().by_name)
        return "It has: %s" % (", ".join(names[:20]) or "no image")

    def _descriptor(self, digest: str) -> Descriptor | None:
        try:
            return self._read_manifest(digest).descriptor
        except ImageError:
            return None


def new_index() -> dict[str, t.Any]:
    """The index of a place that has no image yet."""
    return {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": []}


def parse_index(content: bytes, path: str) -> dict[str, t.Any]:
    """Raises LocalFailure, which names the ``path`` that the content is from."""
    try:
        document = documents.decode(content)
    except ValueError:
        raise LocalFailure("%s is not JSON" % path) from None
    entries = document.get("manifests") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise LocalFailure("%s is not an OCI index" % path)
    return document


def digests_of(entries: t.Iterable[dict[str, t.Any]]) -> set[str]:
    """The digests that entries of an index have; what is no text is left to who reads the entry."""
    return {str(entry.get("digest")) for entry in entries}


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
