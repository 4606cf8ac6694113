# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""One repository of several in a place whose images are named by full references, as in an OCI layout of a mirror.

An image that was asked for by its digest is named ``repository@digest``, so that it can be found again.
"""

from __future__ import annotations

import typing as t

from .._errors import NotFound
from .._image import digest as digests
from .._image import reference as references
from .._image import referrers
from .._image.descriptor import Descriptor
from .._image.manifest import Manifest
from .base import Store
from .referrers import referrers_of

# How many names a warning has.
_SHOWN = 10


class NamedRepository:
    """The images of a store whose names begin with ``repository:`` or ``repository@``; a tag or a digest follows."""

    def __init__(self, store: Store, repository: str) -> None:
        self._store = store
        self._repository = repository

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._store, name)

    def _name(self, tag: str) -> str:
        return tag and "%s%s%s" % (self._repository, "@" if digests.is_digest(tag) else ":", tag)

    def _is_ours(self, name: str, tag: str) -> bool:
        return name == self._name(tag) and (references.is_tag(tag) or digests.is_digest(tag))

    def reference(self, name: str) -> str:
        """``oci:PATH:REPOSITORY:TAG``."""
        return self._store.reference(self._name(name) or self._repository)

    def resolve(self, name: str) -> Descriptor | None:
        """What the tag or digest stands for; content that is here for the sake of another name would go with that."""
        return self._store.resolve(self._name(name))

    def find(self, name: str) -> Descriptor | None:
        """As :meth:`resolve`; of digests, any image."""
        return self.resolve(name) or self._store.find(name if digests.is_digest(name) else self._name(name))

    def tags(self) -> list[str]:
        """Its tags, and the digests that images were asked for by. Raises NotFound where there are none."""
        start = len(self._repository) + 1
        found = [name[start:] for name in self._store.tags() if self._is_ours(name, name[start:])]
        if not found:
            raise NotFound("there is no image of that repository", self.reference(""))
        return found

    def manifest(self, name: str, legacy: bool = False) -> Manifest:
        """The manifest under a tag or digest."""
        return self._store.manifest(name if digests.is_digest(name) else self._name(name), legacy)

    def publish(self, manifest: Manifest, tags: t.Sequence[str], wanted: t.Collection[str] | None) -> None:
        """Make the tags of this repository, or else its digest here, name a manifest."""
        self._store.publish(manifest, [self._name(tag) for tag in tags or [manifest.digest]], wanted)

    def retag(self, manifests: t.Mapping[str, Manifest]) -> None:
        """Make tags of this repository name manifests that are here."""
        self._store.retag({self._name(tag): manifest for tag, manifest in manifests.items()})

    def delete_tag(self, tag: str, digest: str) -> str:
        """Remove a tag of this repository."""
        return self._store.delete_tag(self._name(tag), digest)

    @property
    def referrers(self) -> NamedReferrers:
        """Lists of referrers belong to the whole store, cosign's tags to the repository."""
        return NamedReferrers(self, self._store)

    def is_same(self, source: Store) -> bool:
        """Whether both are in the same store: its repositories share all content."""
        return isinstance(source, NamedRepository) and self._store.is_same(source._store)


class NamedReferrers:
    """The referrers that a store keeps, with the tags of cosign among those of one repository."""

    def __init__(self, repository: NamedRepository, store: Store) -> None:
        self._repository = repository
        self._referrers = referrers_of(store)

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._referrers, name)

    def cosign_tags(self, subject: str) -> list[str]:
        """The tags of the repository under which cosign keeps something for a digest."""
        return [tag for tag in referrers.cosign_tags(subject) if self._repository.resolve(tag)]


def repositories(store: Store, warn: t.Callable[[str], None]) -> list[str]:
    """The repositories that the names of a store's images tell, in order; names that tell none are warned of."""
    found = {name: _repository(name) for name in store.tags()}
    unnamed = sorted(name for name, repository in found.items() if not (repository or referrers.is_digest_tag(name)))
    if unnamed:
        warn(
            "%s: left out what is not named by a repository and a tag: %s"
            % (store.reference(""), ", ".join(unnamed[:_SHOWN]) + (" and others" if len(unnamed) > _SHOWN else ""))
        )
    return sorted(set(filter(None, found.values())))


def _repository(name: str) -> str:
    """Empty where what follows is neither a tag nor a digest, as the port of a host is not."""
    start, _at, digest = name.rpartition("@")
    if digests.is_digest(digest):
        return start
    repository, _colon, tag = name.rpartition(":")
    return repository if references.is_tag(tag) else ""
