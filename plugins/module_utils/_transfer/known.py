# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What is known of a destination, so that many images can be planned with few requests."""

from __future__ import annotations

import typing as t

from .._image import signature_file
from .._image.descriptor import Descriptor
from .._stores.repository import Store


class Known:
    """What was found out about a store: nothing is asked that the list of its tags answers, and nothing twice.

    ``tags`` is None if they could not be listed, so that each has to be resolved. What other images of the run will bring is not
    known here.
    """

    def __init__(self, store: Store, tags: t.Iterable[str] | None = None) -> None:
        self.store = store
        self.tags = None if tags is None else frozenset(tags)
        self._manifests: dict[str, bool] = {}
        self._blobs: dict[str, bool] = {}
        self._has_content: bool | None = None

    def resolve(self, name: str) -> Descriptor | None:
        """As :meth:`Repository.resolve`. Digests are always asked for: a manifest may be present without a tag.

        So are the tags of signatures in a directory, which its tree does not list.
        """
        is_listed = ":" not in name and not (self.store.location.kind == "dir" and signature_file.subject_of(name))
        if self.tags is not None and is_listed and name not in self.tags:
            return None
        return self.store.resolve(name)

    @property
    def is_empty(self) -> bool:
        """Whether there is no tag, and other repositories have no content that counts as this one's."""
        return self.tags is not None and not self.tags and self.store.location.owner != ""

    def has_content(self) -> bool:
        """As :meth:`Store.has_content`."""
        if self._has_content is None:
            self._has_content = not self.is_empty and (bool(self.tags) or self.store.has_content())
        return self._has_content

    def has_manifest(self, digest: str) -> bool:
        """As :meth:`Store.has_manifest`."""
        if digest not in self._manifests:
            self._manifests[digest] = self.store.has_manifest(digest)
        return self._manifests[digest]

    def has_blob(self, blob: Descriptor) -> bool:
        """As :meth:`Store.has_blob`."""
        if blob.digest not in self._blobs:
            self._blobs[blob.digest] = self.store.has_blob(blob)
        return self._blobs[blob.digest]

    @property
    def blobs(self) -> list[str]:
        """The digests of blobs that were found."""
        return [digest for digest, is_present in self._blobs.items() if is_present]
