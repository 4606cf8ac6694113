# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Referrers in an OCI layout or archive, for which the image spec has no rule.

Two habits exist. One keeps the list of a subject as an image of the layout, whose name is the tag of the distribution
spec's tag schema (regclient). The other makes each referrer an entry of index.json without a name (oras). Both are read,
and the first is written, as both tools read that.
"""

from __future__ import annotations

import abc
import copy
import threading
import typing as t

from .._errors import ContentMissing, ImageError, Refused, file_errors
from .._image import media_types, referrers, signature_file
from .._image.descriptor import Descriptor
from .._image.manifest import Manifest
from .oci_index import Index, IndexEntry, name_of, new_entry
from .repository import Store

_HINT = "Delete the image with this name, or copy the image without referrers"


class IndexedStore(Store):
    """A store whose images are the entries of an index, where lists of referrers are images too."""

    kind: t.ClassVar[str]

    @property
    @abc.abstractmethod
    def path(self) -> str:
        """Where it is on disk."""

    @abc.abstractmethod
    def index(self) -> Index:
        """The index as it is now, to look into and not to change."""

    @abc.abstractmethod
    def change_entries(self, change: t.Callable[[list[IndexEntry]], list[IndexEntry]]) -> None:
        """Replace the entries of the index by what ``change`` makes of them, while nobody else changes it."""


class LayoutReferrers:
    """The referrers of the manifests in one layout or archive; changes of lists are kept until the index is written."""

    def __init__(self, images: IndexedStore) -> None:
        self._images = images
        self._named = images
        self._lock = threading.Lock()
        self._pending: dict[str, list[Manifest]] = {}
        self._unnamed: tuple[Index, dict[str, list[Descriptor]]] | None = None

    def of_repository(self, repository: IndexedStore) -> LayoutReferrers:
        """The same lists, with the tags of cosign among those of a repository of the layout."""
        other = copy.copy(self)
        other._named = repository
        return other

    @property
    def is_pending(self) -> bool:
        """Whether a list is to be written with the index."""
        return bool(self._pending)

    def keeps(self, tag: str) -> bool:
        """All but GPG signatures, which no other tool looks for in a layout."""
        return not signature_file.is_gpg(tag)

    def seen(self, subject: str, without: t.Collection[str] = ()) -> bool:
        """Whether the index has anything for a digest."""
        return bool(self.entries(subject)) or not set(without).issuperset(self.cosign_tags(subject))

    def entries(self, subject: str, artifact_type: str = "", is_only: bool = False) -> list[Descriptor]:
        """The list of a subject, and what refers to it without a list."""
        with file_errors("read", self._images.path):
            index = self._images.index()
            try:
                current = self._list(index, subject)
            except ImageError:
                current = None
            added = [manifest.descriptor for manifest in self._pending.get(subject, ())]
            listed = current.children if current else []
            return referrers.hints([*listed, *self._unnamed_of(index).get(subject, ()), *added])

    def cosign_tags(self, subject: str) -> list[str]:
        """The names here under which cosign keeps something for a digest."""
        return [tag for tag in referrers.cosign_tags(subject) if self._named.resolve(tag)]

    def attach(self, subject: str, manifests: t.Sequence[Manifest]) -> None:
        """Make the list of a subject have these manifests, when the index is written next."""
        known = {entry.digest for entry in self.entries(subject)}
        missing = [manifest for manifest in manifests if manifest.digest not in known]
        if missing:
            self._check(self._images.index(), subject)
            with self._lock:
                self._pending.setdefault(subject, []).extend(missing)

    def detach(self, subject: str, digests: t.Collection[str]) -> None:
        """Remove entries from the list of a subject, and entries of the index that have no name."""

        def change(entries: list[IndexEntry]) -> list[IndexEntry]:
            index = Index(entries, self._images.kind)
            current = self._check(index, subject)
            unnamed = {entry.digest for entry in self._unnamed_of(index).get(subject, ())}.intersection(digests)
            entries = [entry for entry in entries if name_of(entry) or entry.get("digest") not in unnamed]
            if current is None:
                return entries
            return self._replaced(entries, subject, referrers.without_entries(current, digests))

        if self.entries(subject):
            self._images.change_entries(change)

    def with_pending(self, entries: list[IndexEntry]) -> list[IndexEntry]:
        """Entries of an index with the lists that are to be written; the lock must be held."""
        with self._lock:
            pending = dict(self._pending)
            self._pending.clear()
        index = Index(entries, self._images.kind)
        for subject, manifests in pending.items():
            if not all(self._images.is_complete(manifest.descriptor, None) for manifest in manifests):
                cause = "a referrer of %s was removed from the %s during this run"
                raise ContentMissing(cause % (subject, self._images.kind), hint="Run the task again")
            entries = self._replaced(entries, subject, referrers.with_entries(self._check(index, subject), manifests))
        return entries

    def _replaced(self, entries: list[IndexEntry], subject: str, wanted: Manifest) -> list[IndexEntry]:
        tag = referrers.list_tag(subject)
        kept = [entry for entry in entries if name_of(entry) != tag]
        if not wanted.children:
            return kept
        self._images.put_manifest(wanted)
        return [*kept, new_entry(wanted, tag)]

    def _list(self, index: Index, subject: str) -> Manifest | None:
        """The list of a subject, which may be something else; None if there is none. Raises ImageError."""
        found = index.named(referrers.list_tag(subject))
        return self._images.manifest(Descriptor.from_document(found[-1]).digest) if found else None

    def _check(self, index: Index, subject: str) -> Manifest | None:
        """As :meth:`_list`. Raises :class:`Refused` for something else than a list."""
        tag = referrers.list_tag(subject)
        try:
            current = self._list(index, subject)
        except ImageError as error:
            raise Refused("cannot list the referrers of %s: %s" % (subject, error.cause), hint=_HINT) from None
        if current and not referrers.is_list(current, subject):
            raise Refused(
                "cannot list the referrers of %s: the image %s in the %s is not a list of referrers"
                % (subject, tag, self._images.kind),
                hint=_HINT,
            )
        return current

    def _unnamed_of(self, index: Index) -> dict[str, list[Descriptor]]:
        """The referrers among the entries without a name, by subject; read once for an index."""
        kept = self._unnamed
        if kept is None or kept[0] is not index:
            found: dict[str, list[Descriptor]] = {}
            for entry in index.entries:
                manifest = None if name_of(entry) else self._read(entry)
                if manifest and referrers.subject_of(manifest):
                    found.setdefault(referrers.subject_of(manifest), []).append(manifest.descriptor)
            kept = self._unnamed = index, found
        return kept[1]

    def _read(self, entry: IndexEntry) -> Manifest | None:
        try:
            descriptor = Descriptor.from_document(entry)
            return self._images.manifest(descriptor.digest) if descriptor.is_manifest else None
        except ImageError:
            return None


def is_image(entry: IndexEntry) -> bool:
    """Whether an entry of an index is an image of its own, rather than what is attached to one."""
    return not referrers.is_digest_tag(name_of(entry))


def own_images(entries: list[IndexEntry], read: t.Callable[[str], Manifest]) -> list[IndexEntry]:
    """The entries that are images: without lists of referrers, and without unnamed parts and referrers of the others.

    oras enters each manifest of an image that it copies, children and referrers too.
    """
    images = [entry for entry in entries if is_image(entry)]
    named = [entry for entry in images if name_of(entry)]
    if not named or len(images) == len(named):
        return images
    parts: set[str] = set()
    for entry in images:
        try:
            if entry.get("mediaType") in media_types.INDEXES:
                parts.update(child.digest for child in read(str(entry.get("digest"))).children)
        except ImageError:
            continue
    return [entry for entry in images if name_of(entry) or not _belongs(entry, parts, read)]


def _belongs(entry: IndexEntry, parts: set[str], read: t.Callable[[str], Manifest]) -> bool:
    """Whether an entry without a name is a part of an image with a name, or refers to something."""
    if entry.get("digest") in parts:
        return True
    if entry.get("mediaType") not in (media_types.OCI_MANIFEST, media_types.OCI_INDEX):
        return False
    try:
        return bool(referrers.subject_of(read(str(entry.get("digest")))))
    except ImageError:
        return False
