# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A destination of which much is known already, so that many images can be planned with few questions."""

from __future__ import annotations

import typing as t

from .._image.descriptor import Descriptor
from .._stores.base import Store


class KnownDestination:
    """A store whose names were listed; nothing is asked that the list tells, and nothing twice.

    ``names`` is None where the list could not be had, so that every name must be asked for. What other images of the
    run will bring is not known here.
    """

    def __init__(self, store: Store, names: t.Iterable[str] | None) -> None:
        self.store = store
        self.names = None if names is None else frozenset(names)
        self._manifests: dict[str, bool] = {}
        self._blobs: dict[str, bool] = {}
        self._has_content: bool | None = None

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self.store, name)

    def resolve(self, name: str) -> Descriptor | None:
        """Asked only of what is listed, and of digests: a manifest may be there without a tag."""
        if self.names is not None and ":" not in name and name not in self.names:
            return None
        return self.store.resolve(name)

    @property
    def is_empty(self) -> bool:
        """Whether no tag is there; where several repositories share their content, there may be that of others."""
        return self.names is not None and not self.names and self.store.place[1] != ""

    def has_content(self) -> bool:
        """Asked only where the list does not tell, and once."""
        if self._has_content is None:
            self._has_content = not self.is_empty and (bool(self.names) or self.store.has_content())
        return self._has_content

    def has_manifest(self, digest: str) -> bool:
        """Asked once."""
        if digest not in self._manifests:
            self._manifests[digest] = self.store.has_manifest(digest)
        return self._manifests[digest]

    def has_blob(self, blob: Descriptor) -> bool:
        """Asked once."""
        if blob.digest not in self._blobs:
            self._blobs[blob.digest] = self.store.has_blob(blob)
        return self._blobs[blob.digest]

    @property
    def blobs(self) -> list[str]:
        """The digests of blobs that were found here."""
        return [digest for digest, is_there in self._blobs.items() if is_there]

    def mount_source(self, source: Store) -> str:
        """The repository of the source, where it is another one of the same registry."""
        place, other = self.store.place, source.place
        return other[1] if place[0] == other[0] and place != other and other[1] else ""


def bare(store: t.Any) -> Store:
    """The store itself, of which nothing is taken for known."""
    return store.store if isinstance(store, KnownDestination) else store
