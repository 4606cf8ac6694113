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

from .._errors import ContentMissing, ImageError, NotFound, file_errors
from .._image import digest as digests
from .._image import media_types
from .._image.descriptor import Descriptor, OpenBlob
from .._image.graph import is_whole
from .._image.manifest import Manifest
from .base import Store
from .layout_referrers import LayoutReferrers, own_images
from .oci_index import Entry, Index, name_of, new_entry

VERSION = {"imageLayoutVersion": "1.0.0"}


class OciImages:
    """What a name means is the subject of :class:`Index`. Subclasses say where the files are, and how they are replaced."""

    transport: t.ClassVar[str]
    kind: t.ClassVar[str]

    def __init__(self, path: str, warn: t.Callable[[str], None]) -> None:
        self._path = path
        self._warn = warn
        self._is_locked = False
        self._threads = threading.RLock()
        self._kept: tuple[object, Index] | None = None
        self.referrers = LayoutReferrers(self)

    @property
    def path(self) -> str:
        """Where it is on disk."""
        return self._path

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

    def _rewrite(self, document: dict[str, t.Any], entries: list[Entry]) -> None:
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
            found = self.index().by_digest.get(name)
            return Descriptor.from_document(found[-1]) if found else None

    def find(self, name: str) -> Descriptor | None:
        """As :meth:`resolve`: an entry needs nothing to be found."""
        return self.resolve(name)

    def tags(self) -> list[str]:
        """The names of its images."""
        with file_errors("read", self._path):
            self._check_exists()
            return self.index().names()

    def manifest(self, name: str, legacy: bool = False) -> Manifest:
        """The manifest of that name. Raises NotFound, or an error that says what is wrong."""
        with file_errors("read", self._path):
            self._check_exists()
            entry = None if digests.is_digest(name) else self._choose(name)
            if entry is None and not digests.is_digest(name):
                raise NotFound("the %s has no image of that name" % self.kind, hint=self.index().names_hint())
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
            return is_whole(descriptor, wanted, self.has_blob, self._read_manifest)

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
            kept = Index(document["manifests"], self.kind).without(tags)
            if not tags:
                kept = [entry for entry in kept if entry.get("digest") != manifest.digest or name_of(entry)]
            kept += [new_entry(manifest, tag) for tag in tags or [""]]
            self._replace(document, kept)
        self._warn_of_format(manifest, tags)

    def retag(self, manifests: t.Mapping[str, Manifest]) -> None:
        """One change of the index: a name may move to what another one has named so far."""
        with file_errors("write", self._path), self._lock():
            for manifest in manifests.values():
                if not self.has_blob(manifest.descriptor):
                    raise ContentMissing("%s was removed from the %s meanwhile" % (manifest.digest, self.kind))
            document = self._document()
            kept = Index(document["manifests"], self.kind).without(manifests)
            self._replace(document, kept + [new_entry(manifest, name) for name, manifest in manifests.items()])
        for name, manifest in manifests.items():
            self._warn_of_format(manifest, [name])

    def commit(self) -> None:
        """What was put is there."""

    def lists_changed(self) -> None:
        """Write the lists of referrers that are pending."""
        self.change_entries(lambda entries: entries)

    def change_entries(self, change: t.Callable[[list[Entry]], list[Entry]]) -> None:
        """Replace the entries of the index by what ``change`` makes of them under the lock."""
        with self.exclusive():
            document = self._document()
            self._replace(document, change(document["manifests"]))

    @contextlib.contextmanager
    def exclusive(self) -> t.Iterator[None]:
        """Holds the lock under which others would replace names and remove what these needed."""
        with file_errors("write", self._path):
            self._prepare()
            with self._lock():
                yield

    def delete_tag(self, tag: str, digest: str) -> str:
        """Remove the entries of that name, and the files that no other entry needs."""
        return "tag" if self._remove(lambda index: index.named(tag)) else ""

    def delete_manifest(self, digest: str) -> bool:
        """Remove the entries with that digest, and the files that no other entry needs."""
        return self._remove(lambda index: index.by_digest.get(digest, []))

    def close(self) -> None:
        """Nothing stays open."""

    def _remove(self, find: t.Callable[[Index], list[Entry]]) -> bool:
        with file_errors("write", self._path), self._lock():
            document = self._document()
            gone = {id(entry) for entry in find(Index(document["manifests"], self.kind))}
            if not gone:
                return False
            self._replace(document, [entry for entry in document["manifests"] if id(entry) not in gone])
        return True

    def _replace(self, document: dict[str, t.Any], entries: list[Entry]) -> None:
        self._rewrite(document, self.referrers.with_pending(entries))

    def _warn_of_format(self, manifest: Manifest, names: t.Sequence[str]) -> None:
        """Once a task: the same text is kept once."""
        if names and manifest.media_type in media_types.DOCKER:
            self._warn(
                "%s:%s has images in Docker's format. skopeo and podman with containers/image before 5.35 (Debian 12) and "
                "umoci cannot find these by name. If such a tool will read the %s, copy with format: oci"
                % (self.transport, self._path, self.kind)
            )

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

    def index(self) -> Index:
        """To look into, and not to change: it is read again only where it is another. Writers read it under the lock."""
        identity, kept = self._identity(), self._kept
        if kept is None or identity is None or kept[0] != identity:
            # Should it be replaced between the two, it has another identity the next time.
            kept = self._kept = identity, Index(self._document()["manifests"], self.kind)
        return kept[1]

    def _choose(self, name: str) -> Descriptor | None:
        index = self.index()
        if not name and len(index.by_digest) > 1:
            index = Index(own_images(index.entries, self._read_manifest), self.kind)
        found = index.find(name)
        return Descriptor.from_document(found[-1]) if found else None

    def _descriptor(self, digest: str) -> Descriptor | None:
        try:
            return self._read_manifest(digest).descriptor
        except ImageError:
            return None
