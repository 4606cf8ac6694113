# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Known facts about a destination, so that many images can be planned with few requests."""

from __future__ import annotations

import typing as t

from .._image import signature_file
from .._image.descriptor import Descriptor
from .._image.referrers import is_digest_tag
from .._stores.repository import Store


class Known:
    """What is known about a store. No request is sent if the answer is certain, and none is sent twice.

    ``tags`` is None if they could not be listed, so that each tag has to be resolved. Content that other images of
    the run will add is not included.
    """

    def __init__(self, store: Store, tags: t.Iterable[str] | None = None) -> None:
        self.store = store
        self.tags = None if tags is None else frozenset(tags)
        self._absent: set[str] = set()
        self._manifests: dict[tuple[str, frozenset[str] | None], bool] = {}
        self._blobs: dict[str, bool] = {}
        self._has_content: bool | None = None

    def resolve(self, name: str) -> Descriptor | None:
        """Resolve a name like :meth:`Repository.resolve`, unless it is certainly absent."""
        return None if self._is_absent(name) else self.store.resolve(name)

    def note_absent(self, tag: str) -> None:
        """Remember that a tag was resolved and does not exist."""
        self._absent.add(tag)

    def _is_absent(self, name: str) -> bool:
        """Return whether a name certainly does not exist. A manifest whose digest is the name may have no tag.

        The list of a registry may be outdated or incomplete, so only an empty one is certain. Tags that contain a digest
        are an exception, because there are several of them for each image. The tree of a directory does not list its
        signatures.
        """
        if name in self._absent:
            return True
        if self.tags is None or ":" in name or name in self.tags:
            return False
        location, is_signature = self.store.location, bool(signature_file.subject_of(name))
        if location.is_registry:
            return not self.tags or is_signature or is_digest_tag(name)
        return not (location.kind == "dir" and is_signature)

    @property
    def is_empty(self) -> bool:
        """Whether the store has no tags and does not share the content of other repositories."""
        return self.tags is not None and not self.tags and self.store.location.owner != ""

    def has_content(self) -> bool:
        """Return whether the store has content, like :meth:`Store.has_content`."""
        if self._has_content is None:
            self._has_content = not self.is_empty and (bool(self.tags) or self.store.has_content())
        return self._has_content

    def has_manifest(self, digest: str, wanted: frozenset[str] | None = None) -> bool:
        """Return whether a manifest exists, like :meth:`Store.has_manifest`."""
        key = digest, wanted
        if key not in self._manifests:
            self._manifests[key] = self.store.has_manifest(digest, wanted)
        return self._manifests[key]

    def has_blob(self, blob: Descriptor) -> bool:
        """Return whether a blob exists, like :meth:`Store.has_blob`."""
        if blob.digest not in self._blobs:
            self._blobs[blob.digest] = self.store.has_blob(blob)
        return self._blobs[blob.digest]

    @property
    def blobs(self) -> list[str]:
        """The digests of blobs that were found."""
        return [digest for digest, is_present in self._blobs.items() if is_present]
