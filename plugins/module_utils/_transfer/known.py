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
from .._stores.repository import Store


class Known:
    """What is known about a store. No request is sent if the tag list has the answer, and none is sent twice.

    ``tags`` is None if they could not be listed, so that each tag has to be resolved. Content that other images of
    the run will add is not included.
    """

    def __init__(self, store: Store, tags: t.Iterable[str] | None = None) -> None:
        self.store = store
        self.tags = None if tags is None else frozenset(tags)
        self._manifests: dict[str, bool] = {}
        self._blobs: dict[str, bool] = {}
        self._has_content: bool | None = None

    def resolve(self, name: str) -> Descriptor | None:
        """Resolve a name like :meth:`Repository.resolve`. Digests are always resolved, because a manifest may have no tag.

        Tags of signatures in a directory are always resolved as well, because its tree does not list them.
        """
        is_listed = ":" not in name and not (self.store.location.kind == "dir" and signature_file.subject_of(name))
        if self.tags is not None and is_listed and name not in self.tags:
            return None
        return self.store.resolve(name)

    @property
    def is_empty(self) -> bool:
        """Whether the store has no tags and does not share the content of other repositories."""
        return self.tags is not None and not self.tags and self.store.location.owner != ""

    def has_content(self) -> bool:
        """Return whether the store has content, like :meth:`Store.has_content`."""
        if self._has_content is None:
            self._has_content = not self.is_empty and (bool(self.tags) or self.store.has_content())
        return self._has_content

    def has_manifest(self, digest: str) -> bool:
        """Return whether a manifest exists, like :meth:`Store.has_manifest`."""
        if digest not in self._manifests:
            self._manifests[digest] = self.store.has_manifest(digest)
        return self._manifests[digest]

    def has_blob(self, blob: Descriptor) -> bool:
        """Return whether a blob exists, like :meth:`Store.has_blob`."""
        if blob.digest not in self._blobs:
            self._blobs[blob.digest] = self.store.has_blob(blob)
        return self._blobs[blob.digest]

    @property
    def blobs(self) -> list[str]:
        """The digests of blobs that were found."""
        return [digest for digest, is_present in self._blobs.items() if is_present]
