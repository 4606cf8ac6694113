# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!


"""The index of a layout or archive (OCI image spec, image-layout.md): its entries and their names.

The name of an entry is the annotation org.opencontainers.image.ref.name. ``docker save`` writes only the tag there,
so several images may have the same name. The full name is then in io.containerd.image.name.
"""

from __future__ import annotations

import functools
import typing as t

from .._errors import ImageError, InvalidContent, LocalFailure
from .._image import digest as digests
from .._image import document as documents
from .._image import media_types
from .._image import reference as references
from .._image.descriptor import FIELDS as ENTRY_FIELDS
from .._image.manifest import FIELDS, Manifest
from .._image.saved import full_name

# An index lists 200 bytes an image.
MAX_INDEX = 64 * 1024 * 1024
# Each entry takes a name, a request or a file: a layout with more of them is made to keep a task busy.
MAX_ENTRIES = 100_000

_REF_NAME = "org.opencontainers.image.ref.name"
_FULL_NAME = "io.containerd.image.name"
# How many names a hint has.
_SHOWN = 20
_HINT = "Use another path, or copy the images again"

IndexEntry = dict[str, t.Any]
_Value = t.TypeVar("_Value")


class Index:
    """The entries of an index, by name and by digest. Values that are not text are left to the reader of the entry."""

    def __init__(self, entries: list[IndexEntry], kind: str) -> None:
        """``kind`` says in messages what the index belongs to."""
        self.entries = entries
        self.by_digest: dict[str, list[IndexEntry]] = {}
        self._kind = kind
        self._by_name: dict[str, list[IndexEntry]] = {}
        self._by_full_name: dict[str, list[IndexEntry]] = {}
        for entry in entries:
            self.by_digest.setdefault(str(entry.get("digest")), []).append(entry)
            self._by_name.setdefault(name_of(entry), []).append(entry)
            if _full_name_of(entry):
                self._by_full_name.setdefault(_full_name_of(entry), []).append(entry)

    def find(self, name: str) -> list[IndexEntry]:
        """Return the entries of one image, by its name, its full name, or its position ``@N``; an empty name means the only image.

        Raises :class:`ImageError` if the name is ambiguous.
        """
        position = references.position(name)
        if position is not None:
            return self.entries[position : position + 1]
        if not name:
            if len(self.by_digest) > 1:
                raise ImageError("the %s contains several images" % self._kind, hint=self.names_hint())
            return self.entries
        return self.named(name)

    def named(self, name: str) -> list[IndexEntry]:
        """Return the entries with this name or full name; an empty name means entries without one. Raises the errors of :meth:`find`."""
        found = self.entries_named(name)
        if name and len(digests_of(found)) > 1:
            raise self._ambiguous(name, found)
        return found

    def entries_named(self, name: str) -> list[IndexEntry]:
        """Return the entries like :meth:`named`, even if they are different images."""
        return self._by_name.get(name) or (self._by_full_name.get(full_name(name), []) if name else [])

    def names(self) -> list[str]:
        """Return the names of the images, without duplicates. If several images share a name, return their full names."""
        return list(dict.fromkeys(name for name, _entry in self.named_entries()))

    def named_entries(self) -> t.Iterator[tuple[str, IndexEntry]]:
        """Yield the entries that have a name, each with the name that :meth:`names` returns for it."""
        for name, entries in self._by_name.items():
            is_ambiguous = len(digests_of(entries)) > 1
            named = ((is_ambiguous and _full_name_of(entry) or name, entry) for entry in entries)
            yield from ((shown, entry) for shown, entry in named if shown)

    def entries_of(self, repository: str) -> list[tuple[str, IndexEntry]]:
        """Return the entries whose names begin with a repository, each with the tag or digest in its name."""
        return self._by_repository.get(repository, [])

    @functools.cached_property
    def _by_repository(self) -> dict[str, list[tuple[str, IndexEntry]]]:
        """The entries by repository. A mirror has thousands of repositories, for each of which its entries are looked up."""
        found: dict[str, list[tuple[str, IndexEntry]]] = {}
        for name, entry in self.named_entries():
            repository, tag = split_name(name)
            if tag:
                found.setdefault(repository, []).append((tag, entry))
        return found

    def without(self, names: t.Iterable[str]) -> list[IndexEntry]:
        """Return the entries without those with these names.

        Raises :class:`ImageError` if a name belongs to several images that also have other names, because it is
        ambiguous.
        """
        gone: set[int] = set()
        for name in filter(None, names):
            found = self.entries_named(name)
            if len(set(map(_full_name_of, found))) > 1:
                raise self._ambiguous(name, found)
            gone.update(map(id, found))
        return [entry for entry in self.entries if id(entry) not in gone]

    def names_hint(self) -> str:
        """Return a hint for a name that is missing or ambiguous."""
        names = self.names()
        if "" in self._by_name:
            names.append("(unnamed)")
        if not names:
            return "Copy an image to the %s first" % self._kind
        return "Choose one of the available images: %s" % ", ".join(sorted(names)[:_SHOWN])

    def _ambiguous(self, name: str, entries: list[IndexEntry]) -> ImageError:
        cause = "the %s contains several images named %s" % (self._kind, name)
        full_names = list(dict.fromkeys(map(_full_name_of, entries)))
        if all(full_names) and len(full_names) == len(digests_of(entries)):
            return ImageError(cause, hint="Use one of these names: %s" % ", ".join(full_names[:_SHOWN]))
        known = set(map(id, entries))
        # Nobody can get these by name, so that an image which is to have the name may take the place of all.
        positions = ["@%d" % position for position, entry in enumerate(self.entries) if id(entry) in known]
        return InvalidContent(cause, hint="Use one of these positions: %s" % ", ".join(positions[:_SHOWN]))


class Latest(t.Generic[_Value]):
    """The value that was computed last, which all repositories of a layout share."""

    def __init__(self) -> None:
        self._kept: tuple[object, _Value] | None = None

    def get(self, identity: object, compute: t.Callable[[], _Value]) -> _Value:
        """Return the value. Compute it again if its identity is None or differs from the last one."""
        kept = self._kept
        if kept is None or identity is None or kept[0] != identity:
            # If the identity changes between the two, it is different the next time.
            kept = self._kept = identity, compute()
        return kept[1]


def new_index() -> dict[str, t.Any]:
    """Return an index without images."""
    return {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": []}


def parse_index(content: bytes, path: str) -> dict[str, t.Any]:
    """Parse an index. Raises LocalFailure with the ``path`` of the file, which must not be replaced."""
    try:
        document = documents.read(content, path, hint=_HINT)
        return _checked(document, path)
    except InvalidContent as error:
        raise LocalFailure(error.cause, hint=error.hint) from None


def _checked(document: t.Any, path: str) -> dict[str, t.Any]:
    if not isinstance(document, dict):
        raise InvalidContent("the file %s is not a valid OCI index" % path, hint=_HINT)
    documents.check_fields(document, FIELDS, path)
    if document.get("manifests") is None and ("manifests" in document or document.get("schemaVersion") == 2):
        document["manifests"] = []  # Go programs write a list without items as null, or leave it out
    entries = document.get("manifests")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidContent("the file %s is not a valid OCI index" % path, hint=_HINT)
    if len(entries) > MAX_ENTRIES:
        cause = "the file %s lists more than %d images" % (path, MAX_ENTRIES)
        raise InvalidContent(cause, hint="Split the images among several layouts")
    for entry in entries:
        documents.check_fields(entry, ENTRY_FIELDS, "an entry of %s" % path)
    return document


def digests_of(entries: t.Iterable[IndexEntry]) -> set[str]:
    """Return the digests of index entries. Values that are not text are left to the reader of the entry."""
    return {str(entry.get("digest")) for entry in entries}


def name_of(entry: IndexEntry) -> str:
    """Return the name of an entry; empty if it has none."""
    return _annotation(entry, _REF_NAME)


def split_name(name: str) -> tuple[str, str]:
    """Return the repository of a name, and its tag or digest. Both are empty if it has neither, as after the port of a host."""
    repository, _at, digest = name.rpartition("@")
    if digests.is_digest(digest):
        return repository, digest
    repository, _colon, tag = name.rpartition(":")
    return (repository, tag) if references.is_tag(tag) else ("", "")


def new_entry(manifest: Manifest, name: str) -> IndexEntry:
    """Return an entry for this manifest. It has no name if ``name`` is empty."""
    entry: IndexEntry = {"mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.size}
    artifact_type = manifest.document.get("artifactType")
    if artifact_type and isinstance(artifact_type, str):
        entry["artifactType"] = artifact_type
    if name:
        entry["annotations"] = {_REF_NAME: name}
    return entry


def _full_name_of(entry: IndexEntry) -> str:
    name = _annotation(entry, _FULL_NAME)
    return full_name(name) if name else ""


def _annotation(entry: IndexEntry, name: str) -> str:
    annotations = entry.get("annotations")
    value = annotations.get(name) if isinstance(annotations, dict) else None
    return value if isinstance(value, str) else ""
