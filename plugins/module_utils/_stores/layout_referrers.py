# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Referrers in an OCI layout or archive, which the image spec does not define.

Tools follow two conventions. regclient stores the list of a subject as an image of the layout, named like the tag of
the distribution spec's tag schema. oras stores each referrer as an entry of index.json without a name. Both
conventions are read. The first one is written, because both tools can read it.
"""

from __future__ import annotations

import abc
import contextlib
import copy
import threading
import typing as t

from .._errors import ContentMissing, ImageError, InvalidContent, Refused, file_errors
from .._image import media_types, referrers, signature_file
from .._image.descriptor import Descriptor
from .._image.manifest import Manifest
from .oci_index import Index, IndexEntry, Latest, name_of, new_entry
from .repository import Store


class IndexedStore(Store):
    """A store whose images are entries of an index, including lists of referrers."""

    kind: t.ClassVar[str]

    @property
    @abc.abstractmethod
    def path(self) -> str:
        """The path on disk."""

    @abc.abstractmethod
    def index(self) -> Index:
        """Return the current index. Callers must not change it."""

    @abc.abstractmethod
    def change_entries(self, change: t.Callable[[list[IndexEntry]], list[IndexEntry]]) -> None:
        """Replace the entries of the index with the result of ``change``, under a lock."""


class LayoutReferrers:
    """The referrers in one layout or archive. Changes of lists are pending until the index is written."""

    def __init__(self, images: IndexedStore) -> None:
        self._images = images
        self._named = images
        self._lock = threading.Lock()
        self._pending: dict[str, list[Manifest]] = {}
        self._unnamed: Latest[dict[str, list[Descriptor]]] = Latest()

    def of_repository(self, repository: IndexedStore) -> LayoutReferrers:
        """Return the same lists, with the cosign tags of one repository in the layout."""
        other = copy.copy(self)
        other._named = repository
        return other

    @property
    def is_pending(self) -> bool:
        """Whether a list has to be written with the index."""
        return bool(self._pending)

    def keeps(self, tag: str) -> bool:
        """Return True, except for GPG signatures, which no other tool looks for in a layout."""
        return not signature_file.is_gpg(tag)

    def seen(self, subject: str, without: t.Collection[str] = ()) -> bool:
        """Return whether the index contains referrers of a digest."""
        return bool(self.entries(subject)) or not set(without).issuperset(self.cosign_tags(subject))

    def entries(self, subject: str, artifact_type: str = "", is_only: bool = False) -> list[Descriptor]:
        """Return the list of a subject, and referrers that are not in a list."""
        with file_errors("read", self._images.path):
            return self._entries(self._images.index(), subject)

    def _entries(self, index: Index, subject: str) -> list[Descriptor]:
        try:
            current = self._list(index, subject)
        except ImageError:
            current = None
        added = [manifest.descriptor for manifest in self._pending.get(subject, ())]
        listed = current.children if current else []
        return referrers.hints([*listed, *self._unnamed_of(index).get(subject, ()), *added])

    def unnamed_digests(self) -> set[str]:
        """Return the digests of the referrers that are entries of the index without a name."""
        with file_errors("read", self._images.path):
            unnamed = self._unnamed_of(self._images.index())
        return {entry.digest for entries in unnamed.values() for entry in entries}

    def cosign_tags(self, subject: str) -> list[str]:
        """Return the names here that are cosign tags for a digest."""
        return [tag for tag in referrers.cosign_tags(subject) if self._named.resolve(tag)]

    def attach(self, subject: str, manifests: t.Sequence[Manifest]) -> None:
        """Add manifests to the list of a subject the next time the index is written."""
        known = {entry.digest for entry in self.entries(subject)}
        missing = [manifest for manifest in manifests if manifest.digest not in known]
        if missing:
            self._check(self._images.index(), subject)
            with self._lock:
                self._pending.setdefault(subject, []).extend(missing)

    def detach(self, subject: str, digests: t.Collection[str]) -> None:
        """Remove entries from the list of a subject, and entries of the index that have no name."""
        if self.entries(subject):
            self._images.change_entries(lambda entries: self.without(entries, {subject: digests}))

    def without(self, entries: list[IndexEntry], listed: t.Mapping[str, t.Collection[str]]) -> list[IndexEntry]:
        """Return the entries of an index after these digests were removed like :meth:`detach`, by subject. The lock must be held."""
        index = Index(entries, self._images.kind)
        for subject, digests in listed.items():
            if not self._entries(index, subject):
                continue
            current = self._check(index, subject)
            unnamed = {entry.digest for entry in self._unnamed_of(index).get(subject, ())}.intersection(digests)
            entries = [entry for entry in entries if name_of(entry) or entry.get("digest") not in unnamed]
            if current:
                entries = self._replaced(entries, subject, referrers.without_entries(current, digests))
        return entries

    @contextlib.contextmanager
    def writing(self, entries: list[IndexEntry]) -> t.Iterator[list[IndexEntry]]:
        """Add all pending lists to the entries of an index, which the block writes. The lock must be held.

        If that fails, the lists are still pending, because they may belong to images that are published later.
        """
        with self._lock:
            pending = {subject: list(manifests) for subject, manifests in self._pending.items()}
        for subject, wanted in self._wanted(entries, pending).items():
            entries = self._replaced(entries, subject, wanted)
        yield entries
        self._drop(pending)

    def _wanted(self, entries: list[IndexEntry], pending: t.Mapping[str, list[Manifest]]) -> dict[str, Manifest]:
        """Return the lists with what is pending.

        If any of them cannot be written, raises ContentMissing, InvalidContent or Refused, and drops these lists,
        which would otherwise prevent every later change of the index.
        """
        index = Index(entries, self._images.kind)
        wanted: dict[str, Manifest] = {}
        errors: dict[str, ImageError] = {}
        for subject, manifests in pending.items():
            try:
                self._check_complete(subject, manifests)
                wanted[subject] = referrers.with_entries(self._check(index, subject), manifests)
            except (ContentMissing, InvalidContent, Refused) as error:
                errors[subject] = error
        self._drop({subject: pending[subject] for subject in errors})
        for first in errors.values():
            raise first
        return wanted

    def _drop(self, lists: t.Mapping[str, list[Manifest]]) -> None:
        """Remove these manifests from the pending lists, but none that were attached since."""
        with self._lock:
            for subject, manifests in lists.items():
                dropped = {manifest.digest for manifest in manifests}
                left = [manifest for manifest in self._pending.pop(subject, []) if manifest.digest not in dropped]
                if left:
                    self._pending[subject] = left

    def _check_complete(self, subject: str, manifests: t.Sequence[Manifest]) -> None:
        if not all(self._images.is_complete(manifest.descriptor, None) for manifest in manifests):
            cause = "a referrer of %s was removed from the %s during this run"
            raise ContentMissing(cause % (subject, self._images.kind), hint="Run the task again")

    def _replaced(self, entries: list[IndexEntry], subject: str, wanted: Manifest) -> list[IndexEntry]:
        tag = referrers.list_tag(subject)
        kept = [entry for entry in entries if name_of(entry) != tag]
        if not wanted.children:
            return kept
        self._images.put_manifest(wanted)
        return [*kept, new_entry(wanted, tag)]

    def _list(self, index: Index, subject: str) -> Manifest | None:
        """Return the list of a subject, which may be something else; None if there is none. Raises ImageError."""
        found = index.named(referrers.list_tag(subject))
        return self._images.manifest(Descriptor.from_document(found[-1]).digest) if found else None

    def _check(self, index: Index, subject: str) -> Manifest | None:
        """Return the list like :meth:`_list`. Raises :class:`Refused` if it is something else."""
        tag = referrers.list_tag(subject)
        try:
            current = self._list(index, subject)
        except ImageError as error:
            cause = "cannot list the referrers of %s: %s" % (subject, error.cause)
            raise Refused(cause, hint="Copy the image without referrers") from None
        if current and not referrers.is_list(current, subject):
            raise Refused(
                "cannot list the referrers of %s: the image %s in the %s is not a list of referrers"
                % (subject, tag, self._images.kind),
                hint="Delete the image %s, or copy the image without referrers" % tag,
            )
        return current

    def _unnamed_of(self, index: Index) -> dict[str, list[Descriptor]]:
        """Return the referrers among the entries without a name, by subject. They are read once for each index."""
        return self._unnamed.get(index, lambda: self._read_unnamed(index))

    def _read_unnamed(self, index: Index) -> dict[str, list[Descriptor]]:
        found: dict[str, list[Descriptor]] = {}
        for entry in index.entries:
            manifest = None if name_of(entry) else self._read(entry)
            if manifest and referrers.subject_of(manifest):
                found.setdefault(referrers.subject_of(manifest), []).append(manifest.descriptor)
        return found

    def _read(self, entry: IndexEntry) -> Manifest | None:
        try:
            descriptor = Descriptor.from_document(entry)
            return self._images.manifest(descriptor.digest) if descriptor.is_manifest else None
        except ImageError:
            return None


def is_image(entry: IndexEntry) -> bool:
    """Return whether an entry of an index can be an image: neither an attached artifact nor content that is not a manifest."""
    return not referrers.is_digest_tag(name_of(entry)) and media_types.may_be_manifest(entry.get("mediaType"))


def own_images(entries: list[IndexEntry], read: t.Callable[[str], Manifest]) -> list[IndexEntry]:
    """Return the entries that can be images, without unnamed children and referrers of other images.

    oras adds an entry for each manifest of an image that it copies, including children and referrers.
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
    """Return whether an entry without a name is a child of an image with a name, or a referrer."""
    if entry.get("digest") in parts:
        return True
    if entry.get("mediaType") not in (media_types.OCI_MANIFEST, media_types.OCI_INDEX):
        return False
    try:
        return bool(referrers.subject_of(read(str(entry.get("digest")))))
    except ImageError:
        return False
