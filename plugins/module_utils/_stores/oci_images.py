# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Images that an OCI index lists (OCI image spec, image-layout.md): the common part of layouts and archives."""

from __future__ import annotations

import abc
import contextlib
import copy
import os
import typing as t

from .._errors import ContentMissing, ImageError, InvalidContent, NotFound, file_errors, tag_moved
from .._files import ReentrantLock
from .._image import digest as digests
from .._image import media_types
from .._image.descriptor import Descriptor
from .._image.graph import is_whole, reachable
from .._image.manifest import Manifest
from .._image.referrers import COSIGN_SUFFIXES
from .content_location import Location
from .layout_referrers import IndexedStore, LayoutReferrers, is_image, own_images
from .named import AllNames, RepositoryNames, names_of
from .oci_index import Index, IndexEntry, Latest, digests_of, name_of, new_entry
from .repository import Batching, Listing, Lockable, Publication, Removal

VERSION = {"imageLayoutVersion": "1.0.0"}

# The name of an image, empty if it has none, its reference, and its descriptor.
_Image = tuple[str, str, Descriptor]


class OciImages(IndexedStore, Listing, Lockable, Batching):
    """The images of an index. For names, see :class:`Index`. Subclasses define where the files are and how they are replaced."""

    transport: t.ClassVar[str]

    def __init__(self, path: str, warn: t.Callable[[str], None]) -> None:
        self._path = path
        self._real_path = ""
        self._warn = warn
        self._names = AllNames()
        self._locks = ReentrantLock()
        self._index: Latest[Index] = Latest()
        self._images: Latest[list[_Image]] = Latest()
        self.referrers = LayoutReferrers(self)

    def repository(self, name: str) -> OciImages:
        """Return the images of one repository. It shares the cached index and the lock with this object."""
        other = copy.copy(self)
        other._names = RepositoryNames(name)
        other.referrers = self.referrers.of_repository(other)
        return other

    @property
    def path(self) -> str:
        """The path on disk."""
        return self._path

    @property
    def location(self) -> Location:
        """All images of a layout or archive share its blobs."""
        if not self._real_path:
            self._real_path = os.path.realpath(self._path)
        return Location(self.transport, "%s:%s" % (self.transport, self._real_path), self._names.repository)

    # What subclasses know

    @abc.abstractmethod
    def _document(self) -> dict[str, t.Any]:
        """Read the index again. If there is none yet, return a new one."""

    @abc.abstractmethod
    def _identity(self) -> object:
        """Return a value that differs whenever the index has changed; None if changes cannot be detected."""

    @abc.abstractmethod
    def _check_exists(self) -> None:
        """Raise NotFound if the layout or archive does not exist."""

    @abc.abstractmethod
    def _read_manifest(self, digest: str) -> Manifest:
        """Read a manifest. Raises NotFound, or another ImageError."""

    @abc.abstractmethod
    def _prepare(self) -> None:
        """Create what is needed to hold the lock."""

    @abc.abstractmethod
    def _hold(self) -> t.ContextManager[object]:
        """Hold the lock for replacing the index."""

    @abc.abstractmethod
    def _rewrite(self, document: dict[str, t.Any], entries: list[IndexEntry]) -> None:
        """Replace the entries of the index, and remove content that only removed entries needed."""

    # Reading

    def reference(self, name: str) -> str:
        """Return ``oci:PATH:NAME``, or the same with another transport."""
        full = self._names.full(name) or self._names.repository
        return "%s:%s%s" % (self.transport, self._path, ":" + full if full and not digests.is_digest(full) else "")

    def resolve(self, name: str) -> Descriptor | None:
        """Return the entry with this name or digest."""
        full = self._names.full(name)
        with file_errors("read", self._path):
            return self._by_digest(full) if digests.is_digest(full) else self._choose(name)

    def find(self, name: str) -> Descriptor | None:
        """Return the entry like :meth:`resolve`; for a digest, return any entry of the layout."""
        found = self.resolve(name)
        if found or not digests.is_digest(name):
            return found
        with file_errors("read", self._path):
            return self._by_digest(name)

    def tags(self) -> list[str]:
        """Return the names of the images."""
        with file_errors("read", self._path):
            self._check_exists()
            found = list(dict.fromkeys(tag for tag, _entry in self._names.entries(self.index())))
        if self._names.repository and not found:
            raise NotFound("the repository contains no images", self.reference(""), "Check the repository name")
        return found

    def pointers(self, without: t.Iterable[str] = ()) -> list[tuple[str, Descriptor | None]]:
        """Return the entries with a name in this repository. Names in ``without`` may be full names."""
        with file_errors("read", self._path):
            index = self.index()
        gone = {id(entry) for name in without for entry in index.entries_named(self._names.full(name))}
        return [(tag, _descriptor_of(entry)) for tag, entry in self._names.entries(index) if id(entry) not in gone]

    def neighbours(self) -> dict[str, Descriptor]:
        """Return the images of other repositories in the layout, because all repositories share the lists of referrers.

        Entries without a unique name have their digest instead. Referrers without a name are not images.
        """
        with file_errors("read", self._path):
            index = self.index()
            ours = {self._names.full(tag) for tag, _entry in self._names.entries(index)}
            images = self._images.get(index, lambda: list(self._read_images(index)))
        return {reference: descriptor for name, reference, descriptor in images if name not in ours}

    def _read_images(self, index: Index) -> t.Iterator[_Image]:
        attached = self.referrers.unnamed_digests()
        root = "%s:%s" % (self.transport, self._path)
        for entry in filter(is_image, index.entries):
            name, descriptor = name_of(entry), Descriptor.from_document(entry)
            if name and len(digests_of(index.entries_named(name))) == 1:
                yield name, "%s:%s" % (root, name), descriptor
            elif name or descriptor.digest not in attached:
                yield name, "%s@%s" % (root, descriptor.digest), descriptor

    def manifest(self, name: str, legacy: bool = False) -> Manifest:
        """Return the manifest with this name. Raises NotFound, or another ImageError."""
        with file_errors("read", self._path):
            self._check_exists()
            entry = None if digests.is_digest(name) else self._choose(name)
            if entry is None and not digests.is_digest(name):
                cause = "the %s contains no images" % self.kind
                if name:
                    cause = "the %s contains no image named %s" % (self.kind, name)
                raise NotFound(cause, hint=self._choices(name).names_hint())
            return self._read_manifest(entry.digest if entry else name)

    def has_manifest(self, digest: str, wanted: t.Collection[str] | None = None) -> bool:
        """Return whether all files that the manifest needs exist."""
        with file_errors("read", self._path):
            descriptor = self._descriptor(digest)
            return descriptor is not None and self.is_complete(descriptor, wanted)

    def is_complete(self, image: Descriptor, wanted: t.Collection[str] | None) -> bool:
        """Return whether all files that the image needs exist."""
        with file_errors("read", self._path):
            return is_whole(image, wanted, self.has_blob, self._read_manifest)

    def missing_blobs(self, blobs: t.Iterable[Descriptor]) -> list[str]:
        """Return the digests of blobs that do not exist."""
        return [blob.digest for blob in blobs if not self.has_blob(blob)]

    # Writing

    def publish(self, manifest: Manifest, tags: t.Sequence[str], wanted: t.Collection[str] | None) -> None:
        """Add the manifest to the index, and move these names to it."""
        self.publish_all([self.stage(manifest, tags, wanted)])

    def stage(self, manifest: Manifest, tags: t.Sequence[str], wanted: t.Collection[str] | None) -> Publication:
        """Store the manifest."""
        names = self._names.of_published(tags, manifest.digest)
        self.put_manifest(manifest)
        return Publication(manifest, tuple(names), wanted)

    def publish_all(self, publications: t.Sequence[Publication]) -> None:
        """Add the manifests to the index in one change."""
        with file_errors("write", self._path), self._lock():
            for manifest, _names, wanted in publications:
                if not self.is_complete(manifest.descriptor, wanted):
                    cause = "content of image %s was removed from the %s during this run"
                    raise ContentMissing(cause % (manifest.digest, self.kind), hint="Run the task again")
            document = self._document()
            self._replace(document, self._with(document["manifests"], publications))
        for manifest, names, _wanted in publications:
            self._warn_of_format(manifest, names)

    def _with(self, entries: list[IndexEntry], publications: t.Sequence[Publication]) -> list[IndexEntry]:
        """Return the entries of the index with these images, to which their names are moved."""
        kept = Index(entries, self.kind).without(name for image in publications for name in image.names)
        unnamed = {image.manifest.digest for image in publications if not image.names}
        if unnamed:
            kept = [entry for entry in kept if entry.get("digest") not in unnamed or name_of(entry)]
        named = ((image.manifest, name) for image in publications for name in image.names or ("",))
        added = {name or (manifest.digest,): new_entry(manifest, name) for manifest, name in named}
        return [*kept, *added.values()]

    def retag(self, manifests: t.Mapping[str, Manifest]) -> None:
        """Move all names in one change of the index, because names may be swapped."""
        with file_errors("write", self._path), self._lock():
            for manifest in manifests.values():
                if not self.has_blob(manifest.descriptor):
                    cause = "image %s was removed from the %s during this run" % (manifest.digest, self.kind)
                    raise ContentMissing(cause, hint="Run the task again")
            document = self._document()
            named = {self._names.full(tag): manifest for tag, manifest in manifests.items()}
            kept = Index(document["manifests"], self.kind).without(named)
            self._replace(document, kept + [new_entry(manifest, name) for name, manifest in named.items()])
        for name, manifest in named.items():
            self._warn_of_format(manifest, [name])

    def commit(self) -> None:
        """Write pending changes."""
        if self._is_pending:
            self.change_entries(lambda entries: entries)

    @property
    def _is_pending(self) -> bool:
        """Whether anything has to be written with the index."""
        return self.referrers.is_pending

    def change_entries(self, change: t.Callable[[list[IndexEntry]], list[IndexEntry]]) -> None:
        """Replace the entries of the index with the result of ``change``, under the lock."""
        with self.exclusive():
            document = self._document()
            self._replace(document, change(document["manifests"]))

    @contextlib.contextmanager
    def exclusive(self) -> t.Iterator[None]:
        """Hold the lock, so that nobody else can move names and remove their content.

        An archive gives up the lock when it is written first. Each later change takes the lock again.
        """
        with file_errors("write", self._path):
            self._prepare()
            with self._lock():
                yield

    def delete_tag(self, tag: str, digest: str) -> str:
        """Delete the entries with this name, and the files that no other entry needs. Raises ImageError if it has moved."""
        name = self._names.full(tag)
        return "tag" if self._remove(lambda index: _unmoved(index, name, digest)) else ""

    def delete_tags(self, removals: t.Sequence[Removal]) -> dict[Removal, ImageError]:
        """Delete the entries with these names, and the files that no other entry needs, in one change."""
        errors: dict[Removal, ImageError] = {}

        def unmoved(index: Index) -> list[IndexEntry]:
            errors.clear()
            found = []
            for removal in removals:
                try:
                    found += _unmoved(index, names_of(removal.repository).full(removal.tag), removal.digest)
                except ImageError as error:
                    errors[removal] = error
            return found

        self._remove(unmoved)
        return errors

    def delete_all(self, digests: t.Collection[str], listed: t.Mapping[str, t.Collection[str]]) -> None:
        """Delete the entries with these digests and the entries of lists, and the files that no other entry needs, in one change."""

        def change(entries: list[IndexEntry]) -> list[IndexEntry]:
            kept = [entry for entry in entries if entry.get("digest") not in digests]
            return self.referrers.without(kept, listed)

        self.change_entries(change)

    def delete(self, digest: str) -> bool:
        """Delete the entries with this digest, and the files that no other entry needs."""
        return self._remove(lambda index: index.by_digest.get(digest, []))

    def _remove(self, find: t.Callable[[Index], list[IndexEntry]]) -> bool:
        with file_errors("read", self._path):
            if not find(self.index()):  # there may be nothing at all, and so nothing to lock
                return False
        with file_errors("write", self._path), self._lock():
            document = self._document()
            gone = {id(entry) for entry in find(Index(document["manifests"], self.kind))}
            if not gone:
                return False
            self._replace(document, [entry for entry in document["manifests"] if id(entry) not in gone])
        return True

    def _replace(self, document: dict[str, t.Any], entries: list[IndexEntry]) -> None:
        with self.referrers.writing(entries) as complete:
            self._rewrite(document, complete)

    def _warn_of_format(self, manifest: Manifest, names: t.Sequence[str]) -> None:
        """Warn once for each task, because equal warnings are merged."""
        if names and manifest.media_type in media_types.DOCKER:
            self._warn(
                "%s:%s contains images in Docker's format. umoci cannot find them by name, and neither can versions of skopeo and "
                "podman that use containers/image before 5.35 (as in Debian 12). If you use one of these tools, copy the images with "
                "format: oci." % (self.transport, self._path)
            )

    def _lock(self) -> t.ContextManager[None]:
        return self._locks.hold(self._hold)

    # The index

    def index(self) -> Index:
        """Return the index, which callers must not change. It is read again only if it has changed. Writers read it under the lock."""
        return self._index.get(self._identity(), lambda: Index(self._document()["manifests"], self.kind))

    def _by_digest(self, digest: str) -> Descriptor | None:
        found = self.index().by_digest.get(digest)
        return Descriptor.from_document(found[-1]) if found else None

    def _choose(self, name: str) -> Descriptor | None:
        index = self._choices(name)
        found = index.find(self._names.full(name))
        if not found and name.endswith(COSIGN_SUFFIXES):
            found = [entry for other in self._names.others_of(name, index) for entry in index.named(other)]
        return Descriptor.from_document(found[-1]) if found else None

    def _choices(self, name: str) -> Index:
        """Return the entries that a name can refer to. An empty name cannot refer to an attached artifact."""
        index = self.index()
        return index if name else Index(own_images(index.entries, self._read_manifest), self.kind)

    def _reachable(self, entries: list[IndexEntry]) -> tuple[set[str], bool]:
        """Return the digests of all content that the entries need, as :func:`reachable` does."""
        manifests = digests_of(entry for entry in entries if media_types.may_be_manifest(entry.get("mediaType")))
        blobs = set(filter(digests.is_digest, digests_of(entries) - manifests))
        found, is_certain = reachable(digests_of(entries) - blobs, self._read_manifest)
        return found | blobs, is_certain

    def _descriptor(self, digest: str) -> Descriptor | None:
        try:
            return self._read_manifest(digest).descriptor
        except ImageError:
            return None


def _unmoved(index: Index, name: str, digest: str) -> list[IndexEntry]:
    """Return the entries with this name. Raises ImageError if it points to another digest, or is ambiguous."""
    found = index.named(name)
    for now in digests_of(found) - {digest}:
        raise tag_moved(now)
    return found


def _descriptor_of(entry: IndexEntry) -> Descriptor | None:
    try:
        return Descriptor.from_document(entry)
    except InvalidContent:
        return None
