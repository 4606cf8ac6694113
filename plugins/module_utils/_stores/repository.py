# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The interface between operations and transports: a repository and its images.

A transport must implement the abstract methods. The defaults of the other methods fit most transports. Features that
only some transports have are in separate interfaces.
"""

from __future__ import annotations

import abc
import concurrent.futures
import contextlib
import typing as t

from .._errors import ImageError, naming
from .._image.descriptor import Descriptor, OpenBlob
from .._image.manifest import Manifest
from .._image.platform import Platform
from .._image.verified import Verified
from .content_location import Location


class Repository(abc.ABC):
    """Images with names. Every method may raise :class:`ImageError`.

    A name is a tag or a digest. An empty name refers to the only image of a location without names.
    """

    @property
    @abc.abstractmethod
    def location(self) -> Location:
        """The location of the images."""

    @abc.abstractmethod
    def reference(self, name: str) -> str:
        """Return the full reference of the image with this name, or of the repository if the name is empty, for messages."""

    @abc.abstractmethod
    def resolve(self, name: str) -> Descriptor | None:
        """Return what the name points to now; None if there is no such image."""

    @abc.abstractmethod
    def tags(self) -> list[str]:
        """Return all names, without duplicates. Raises NotFound if the repository does not exist."""

    @abc.abstractmethod
    def open(self, name: str) -> Store:
        """Return the store with the content of the image that has this name, or will get it. Nothing is read yet."""

    @abc.abstractmethod
    def delete_tag(self, tag: str, digest: str) -> str:
        """Delete a tag that points to ``digest``, and nothing that another tag needs.

        Returns the method: ``tag``, or ``unique_manifest`` (the tag was pointed to a manifest created for this, which
        was deleted; ``digest`` stays without this tag); empty if the tag did not exist. If the tag points to something
        else by now, raises ImageError, except for registries that delete tags.
        """

    def neighbours(self) -> dict[str, Descriptor]:
        """Return the images of other repositories that share referrers with this one, by their full references."""
        return {}

    def find(self, name: str) -> Descriptor | None:
        """Return what the name points to like :meth:`resolve`, for manifests of any kind including schema 1. None is certain."""
        return self.resolve(name)


class Store(Repository):
    """A repository whose images share their content."""

    # False if an image is known by the digest of its config and a manifest is made whenever the image is read. Such a store
    # keeps no indexes.
    keeps_manifests: t.ClassVar[bool] = True

    def open(self, name: str) -> Store:
        """Return this store, which has the content of all its images."""
        return self

    # Reading

    @abc.abstractmethod
    def manifest(self, name: str, legacy: bool = False) -> Manifest:
        """Return the verified manifest with this name; with ``legacy`` also a schema 1 manifest. Raises NotFound."""

    @abc.abstractmethod
    def open_blob(self, blob: Descriptor) -> Verified:
        """Open the content, which is verified while it is read: the last chunk comes only if digest and size match. Raises NotFound."""

    @abc.abstractmethod
    def has_blob(self, blob: Descriptor) -> bool:
        """Return whether the blob exists."""

    def has_content(self) -> bool:
        """Return False only if the store is certainly empty, so that no blob need be looked for."""
        return True

    def has_manifest(self, digest: str, wanted: t.Collection[str] | None = None) -> bool:
        """Return whether a manifest exists together with all its content. Of the children of an index, only ``wanted`` ones count.

        By default, an index does not show that its children exist.
        """
        return self.resolve(digest) is not None

    def is_complete(self, image: Descriptor, wanted: t.Collection[str] | None) -> bool:
        """Return whether an existing image has all its content. Of the children of an index, only ``wanted`` ones count.

        By default, the store guarantees this.
        """
        return True

    def is_intact(self, image: Descriptor, wanted: t.Collection[str] | None) -> bool:
        """Return whether the image is complete like :meth:`is_complete`, and read and verify content that the store does not guarantee."""
        return self.is_complete(image, wanted)

    def missing_blobs(self, blobs: t.Iterable[Descriptor]) -> list[str]:
        """Return the digests of blobs that are certainly absent. No request is sent for this."""
        return []

    def registry_form(self, manifest: Manifest, pool: concurrent.futures.Executor) -> Manifest:
        """Return the manifest of an image in this store as registries store it. Its blobs can be read from this store."""
        return manifest

    # What an image is known by

    def identity(self, manifest: Manifest) -> Descriptor:
        """Return the descriptor by which this store identifies an image, which :meth:`resolve` returns for its names."""
        return manifest.descriptor

    def holds(self, image: Descriptor, read_config: t.Callable[[], bytes]) -> bool:
        """Return whether an image exists under any name, so that only names may have to be added.

        Return False if only the manifest shows this. ``read_config`` reads the config of the image from elsewhere.
        """
        return False

    def platform(self) -> Platform | None:
        """Return the platform of the images that run here; None if no images run here."""
        return None

    def check(self, manifest: Manifest, read_config: t.Callable[[], bytes]) -> None:
        """Raise ImageError if this store does not support the image. ``read_config`` reads its config from elsewhere."""

    # Writing

    @abc.abstractmethod
    def put_blob(self, blob: Descriptor, open_blob: OpenBlob, mount_from: str) -> bool:
        """Store a blob. Return True if it was mounted from the repository ``mount_from`` instead of being transferred."""

    @abc.abstractmethod
    def put_manifest(self, manifest: Manifest) -> None:
        """Store a manifest under its digest. Raises ContentMissing if content that it refers to is absent."""

    @abc.abstractmethod
    def publish(self, manifest: Manifest, tags: t.Sequence[str], wanted: t.Collection[str] | None) -> None:
        """Store a manifest and point these tags to it. Without tags, it has only its digest.

        Raises ContentMissing if its content is absent. Of the children of an index, only ``wanted`` ones count.
        """

    @abc.abstractmethod
    def delete(self, digest: str) -> bool:
        """Delete an image with all its tags. Return False if it does not exist."""

    def retag(self, manifests: t.Mapping[str, Manifest]) -> None:
        """Point each tag to an existing image, even if another image loses its tag."""
        for tag, manifest in manifests.items():
            with naming(self.reference(tag)):
                self.publish(manifest, [tag], None)

    def set_tags(self, identities: t.Mapping[str, str]) -> None:
        """Set tags like :meth:`retag`, by the identities of images. Raises ContentMissing if one of them does not exist."""
        self.retag({tag: self.manifest(digest) for tag, digest in identities.items()})


class StoreRoot(abc.ABC):
    """A location with any number of repositories."""

    @abc.abstractmethod
    def repository(self, name: str) -> Repository:
        """Return the repository with this name, which may not exist. Raises InvalidReference for an invalid name."""

    @abc.abstractmethod
    def repositories(self) -> list[str]:
        """Return the names of all repositories, in order. Raises NotFound if the location does not exist."""


class Closing(abc.ABC):
    """A store that keeps files open."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the files. The store can be used again."""


class Lockable(abc.ABC):
    """A store that supports locking."""

    @abc.abstractmethod
    def exclusive(self) -> t.ContextManager[None]:
        """Prevent others from removing anything; in an archive, only until it is written, see :meth:`ReentrantLock.note_loss`."""


class Committing(abc.ABC):
    """A store that writes some changes only on commit."""

    @abc.abstractmethod
    def commit(self) -> None:
        """Write pending changes, if no image is published afterwards."""


class Paging(abc.ABC):
    """A repository whose tag list has pages."""

    @abc.abstractmethod
    def tags_by_page(self, note: t.Callable[[list[str]], object]) -> list[str]:
        """Return the tags like :meth:`Repository.tags`. ``note`` is called with the names on each page but the last, once it is read."""


class Listing(abc.ABC):
    """A repository whose list of names also shows what they point to, so that no name has to be resolved."""

    @abc.abstractmethod
    def pointers(self, without: t.Iterable[str] = ()) -> list[tuple[str, Descriptor | None]]:
        """Return the name of each entry of the list with what it points to, except entries to which names in ``without`` refer.

        Several entries may have the same name. An entry that cannot be understood has None.
        """


class Publication(t.NamedTuple):
    """An image whose manifest is stored, with its ``names`` in the whole location. See :meth:`Store.publish`."""

    manifest: Manifest
    names: tuple[str, ...]
    wanted: t.Collection[str] | None


class Removal(t.NamedTuple):
    """A tag to delete like :meth:`Repository.delete_tag`, with its repository in the location."""

    repository: str
    tag: str
    digest: str


class Batching(Committing):
    """A store that lists its images in one document, so that changing many images costs little more than changing one.

    The same document contains the lists of referrers.
    """

    @abc.abstractmethod
    def stage(self, manifest: Manifest, tags: t.Sequence[str], wanted: t.Collection[str] | None) -> Publication:
        """Store a manifest, and return the argument for :meth:`publish_all`."""

    @abc.abstractmethod
    def publish_all(self, publications: t.Sequence[Publication]) -> None:
        """Publish images of any repositories in the location like :meth:`Store.publish`: either all of them, or none if it raises."""

    @abc.abstractmethod
    def delete_tags(self, removals: t.Sequence[Removal]) -> dict[Removal, ImageError]:
        """Delete tags of any repositories in the location, and return the errors of tags that have moved. If it raises, none is deleted."""

    @abc.abstractmethod
    def delete_all(self, digests: t.Collection[str], listed: t.Mapping[str, t.Collection[str]]) -> None:
        """Delete images like :meth:`Store.delete`, and remove the ``listed`` referrers from the lists of their subjects.

        Either all of this is done, or nothing if it raises.
        """


def exclusive(store: Store) -> t.ContextManager[None]:
    """Return the lock of a store, or a context manager without effect."""
    return store.exclusive() if isinstance(store, Lockable) else contextlib.nullcontext()


def commit(store: Store) -> None:
    """Write the pending changes of a store, if it has any."""
    if isinstance(store, Committing):
        store.commit()


def is_listed(store: Store, name: str) -> bool:
    """Return whether a name still exists whose manifest was not found, so that the image is damaged rather than absent.

    A registry is not asked again, because for a registry both are the same.
    """
    return not store.location.is_registry and store.find(name) is not None
