# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The interface between operations and transports: a repository and its images.

Abstract methods are what a transport must implement. The other methods have a default that fits most transports. What only
some transports can do is an interface of its own.
"""

from __future__ import annotations

import abc
import concurrent.futures
import contextlib
import typing as t

from .._errors import naming
from .._image.descriptor import Descriptor, OpenBlob
from .._image.manifest import Manifest
from .._image.platform import Platform
from .._image.verified import Verified
from .location import Location


class Repository(abc.ABC):
    """Images with names. Every method may raise :class:`ImageError`.

    A name is a tag or a digest; the empty one stands for the only image of a place without names.
    """

    @property
    @abc.abstractmethod
    def location(self) -> Location:
        """Where the images are."""

    @abc.abstractmethod
    def reference(self, name: str) -> str:
        """The full reference of the image with this name, or of the repository if the name is empty, for messages."""

    @abc.abstractmethod
    def resolve(self, name: str) -> Descriptor | None:
        """What the name points to now; None if there is no such image."""

    @abc.abstractmethod
    def tags(self) -> list[str]:
        """All names that could be resolved, each once. Raises NotFound if there is no such repository."""

    @abc.abstractmethod
    def open(self, name: str) -> Store:
        """The store with the content of the image that has this name, or will get it. Nothing is read yet."""

    @abc.abstractmethod
    def delete_tag(self, tag: str, digest: str) -> str:
        """Remove a tag that points to ``digest``, and nothing that another tag needs.

        Returns how: ``tag``, or ``unique_manifest`` (the tag was pointed to a manifest made for this, which was deleted;
        ``digest`` remains without this tag); empty if the tag did not exist.
        """

    def neighbours(self) -> dict[str, Descriptor]:
        """What names of other repositories point to that share what is attached to images, by their full references."""
        return {}

    def find(self, name: str) -> Descriptor | None:
        """As :meth:`resolve`, for manifests of any kind, schema 1 included. None is certain."""
        return self.resolve(name)


class Store(Repository):
    """A repository whose images share their content."""

    # False if an image is known by the digest of its config and a manifest is made whenever the image is read. Such a store
    # keeps no indexes.
    keeps_manifests: t.ClassVar[bool] = True

    def open(self, name: str) -> Store:
        """This store: it has the content of all its images."""
        return self

    # Reading

    @abc.abstractmethod
    def manifest(self, name: str, legacy: bool = False) -> Manifest:
        """The manifest under a name, verified; with ``legacy`` also one of schema 1. Raises NotFound."""

    @abc.abstractmethod
    def open_blob(self, blob: Descriptor) -> Verified:
        """The content, verified as it is read: the last chunk comes only if digest and size are right. Raises NotFound."""

    @abc.abstractmethod
    def has_blob(self, blob: Descriptor) -> bool:
        """Whether the content is present."""

    def has_content(self) -> bool:
        """False only if it is certain that nothing is present, so that no blob need be looked for."""
        return True

    def has_manifest(self, digest: str) -> bool:
        """Whether a manifest is present with everything that it needs."""
        return self.resolve(digest) is not None

    def is_complete(self, image: Descriptor, wanted: t.Collection[str] | None) -> bool:
        """Whether an image that was found has everything that it needs; of the children of an index only the ``wanted`` count.

        By default the place vouches for that.
        """
        return True

    def is_intact(self, image: Descriptor, wanted: t.Collection[str] | None) -> bool:
        """As :meth:`is_complete`, but content that nobody vouches for is read and verified."""
        return self.is_complete(image, wanted)

    def missing_blobs(self, blobs: t.Iterable[Descriptor]) -> list[str]:
        """The digests of those blobs that are certainly absent. No request is sent for this."""
        return []

    def registry_form(self, manifest: Manifest, pool: concurrent.futures.Executor) -> Manifest:
        """The manifest of an image of this store in the form that registries keep; its blobs can be read here."""
        return manifest

    # What an image is known by

    def identity(self, manifest: Manifest) -> Descriptor:
        """What this store knows an image by: what :meth:`resolve` returns for its names."""
        return manifest.descriptor

    def holds(self, image: Descriptor, read_config: t.Callable[[], bytes]) -> bool:
        """Whether an image is present, under whatever name, and needs nothing but names.

        False if only its manifest tells. ``read_config`` reads the config of the image from elsewhere.
        """
        return False

    def platform(self) -> Platform | None:
        """The platform of the images that run here; None if none do."""
        return None

    def check(self, manifest: Manifest, read_config: t.Callable[[], bytes]) -> None:
        """Raise ImageError if this store cannot keep the image. ``read_config`` reads its config from elsewhere."""

    # Writing

    @abc.abstractmethod
    def put_blob(self, blob: Descriptor, open_blob: OpenBlob, mount_from: str) -> bool:
        """Store a blob; True if it was mounted from the repository ``mount_from`` rather than transferred."""

    @abc.abstractmethod
    def put_manifest(self, manifest: Manifest) -> None:
        """Store a manifest under its digest. Raises ContentMissing if what it refers to is absent."""

    @abc.abstractmethod
    def publish(self, manifest: Manifest, tags: t.Sequence[str], wanted: t.Collection[str] | None) -> None:
        """Store a manifest and point these tags to it; without tags it has its digest alone.

        Raises ContentMissing if what it needs is absent; of the children of an index only the ``wanted`` count.
        """

    @abc.abstractmethod
    def delete(self, digest: str) -> bool:
        """Remove an image with all its tags; False if it is not present."""

    def retag(self, manifests: t.Mapping[str, Manifest]) -> None:
        """Point each tag to an image that is present, even if that loses its own name by this."""
        for tag, manifest in manifests.items():
            with naming(self.reference(tag)):
                self.publish(manifest, [tag], None)

    def set_tags(self, identities: t.Mapping[str, str]) -> None:
        """As :meth:`retag`, by what this store knows the images by. Raises ContentMissing if one is absent."""
        self.retag({tag: self.manifest(digest) for tag, digest in identities.items()})


class Root(abc.ABC):
    """A place with any number of repositories."""

    @abc.abstractmethod
    def repository(self, name: str) -> Repository:
        """The repository of this name, which may be absent. Raises InvalidReference for a name that none can have."""

    @abc.abstractmethod
    def repositories(self) -> list[str]:
        """The names of all repositories, in order. Raises NotFound if there is no such place."""


class Closing(abc.ABC):
    """A store that keeps files open."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close them. The store can be used again."""


class Lockable(abc.ABC):
    """A store that can keep others from changing it."""

    @abc.abstractmethod
    def exclusive(self) -> t.ContextManager[None]:
        """While this is held, nobody else removes anything."""


class Committing(abc.ABC):
    """A store that does not write what was put into it before it is told to."""

    @abc.abstractmethod
    def commit(self) -> None:
        """Write what was put last, if no image is published with it."""


class Paging(abc.ABC):
    """A repository whose list of tags comes in pages."""

    @abc.abstractmethod
    def tags_by_page(self, note: t.Callable[[list[str]], object]) -> list[str]:
        """As :meth:`Repository.tags`; ``note`` is called with the names on each page but the last as soon as it is read."""


class Publication(t.NamedTuple):
    """An image whose manifest is stored, with its ``names`` as the whole place has them; otherwise as :meth:`Store.publish`."""

    manifest: Manifest
    names: tuple[str, ...]
    wanted: t.Collection[str] | None


class Batching(Committing):
    """A store in a place that lists its images in one document, so that listing many costs hardly more than listing one.

    Lists of referrers are written with it too.
    """

    @abc.abstractmethod
    def stage(self, manifest: Manifest, tags: t.Sequence[str], wanted: t.Collection[str] | None) -> Publication:
        """Store a manifest, and return what :meth:`publish_all` needs."""

    @abc.abstractmethod
    def publish_all(self, publications: t.Sequence[Publication]) -> None:
        """As :meth:`Store.publish` for images of any repositories of the place: all of them, or none if it raises."""


def exclusive(store: Store) -> t.ContextManager[None]:
    """The lock of a store; nothing if it has none."""
    return store.exclusive() if isinstance(store, Lockable) else contextlib.nullcontext()


def commit(store: Store) -> None:
    """Write what was put into a store that waits for this."""
    if isinstance(store, Committing):
        store.commit()
