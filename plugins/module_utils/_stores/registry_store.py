# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""One repository of a registry as a store.

Code that writes is imported only when it is needed: most tasks have nothing to write, and each task pays for its
imports.
"""

from __future__ import annotations

import functools
import threading
import typing as t

from .._errors import AccessDenied, naming
from .._image import referrers
from .._image.descriptor import Descriptor, OpenBlob
from .._image.manifest import Manifest
from .._image.reference import RegistryReference
from .._image.verified import Verified
from .._imports import importing
from .._registry import ranges
from .._registry.auth import Access
from .._registry.referrers_client import ReferrersClient
from .._registry.registry_client import RegistryClient
from .._registry.tag_list import list_tags
from .content_location import Location
from .repository import Paging, Store

if t.TYPE_CHECKING:
    from .._registry.deletion import TagDeleter
    from .._registry.upload import BlobUploader


class RegistryStore(Store, Paging):
    """One repository. ``actions`` are the permissions to request in addition to pull, so that one token serves the whole run.

    ``mount_from`` is a repository of the same registry from which blobs may be mounted.
    """

    def __init__(
        self, client: RegistryClient, repository: RegistryReference, actions: t.Iterable[str], mount_from: str = ""
    ) -> None:
        self._client = client
        self._name = repository
        actions = frozenset(("pull", *actions))
        self._access = Access(repository.repository, actions, mount_from)
        self._is_destination = "push" in actions
        self._lock = threading.Lock()
        self._uploader: BlobUploader | None = None
        self._deleter: TagDeleter | None = None
        self.referrers = ReferrersClient(client, self._access, reads_tags=not self._is_destination)

    @property
    def location(self) -> Location:
        """The repository. Other repositories of the registry have separate content, which can be mounted."""
        return Location("docker", "docker://%s" % self._name.host, self._name.repository, shares_content=False)

    def reference(self, name: str) -> str:
        """Return ``host/repository:tag``, or ``host/repository@digest``."""
        if not name:
            return self._name.context
        return self._name.context + ("@" if ":" in name else ":") + name

    def resolve(self, name: str) -> Descriptor | None:
        """Send one HEAD.

        For a destination, 403 means that the image is absent, because some registries return it for tags that do not
        exist. If it is a real refusal, pushing fails later.
        """
        try:
            found = self._client.head_manifest(self._access, name)
        except AccessDenied as error:
            if not self._is_destination or error.status != 403:
                raise
            return None
        if found:
            self.referrers.note_repository()
            self.referrers.note_tag(name)
        return found

    def find(self, name: str) -> Descriptor | None:
        """Send one HEAD, and one GET to confirm that the image is absent."""
        return self._client.head_manifest(self._access, name, legacy=True, is_certain=True)

    def tags(self) -> list[str]:
        """Send one GET for each page."""
        return self.tags_by_page(lambda _names: None)

    def tags_by_page(self, note: t.Callable[[list[str]], object]) -> list[str]:
        """Send one GET for each page."""
        found = list_tags(self._client, self._access, note)
        self.referrers.note_tags(found)
        return found

    def manifest(self, name: str, legacy: bool = False) -> Manifest:
        """Send one GET."""
        found = self._client.get_manifest(self._access, name, legacy)
        self.referrers.note_repository()
        self.referrers.note_tag(name)
        return found

    def open_blob(self, blob: Descriptor) -> Verified:
        """Send one GET, and more if the connection breaks."""
        return Verified(functools.partial(ranges.read, self._client, self._access, blob), blob.digest, blob.size)

    def has_content(self) -> bool:
        """Send one GET for the tag list."""
        return self._client.has_repository(self._access)

    def has_blob(self, blob: Descriptor) -> bool:
        """Send one HEAD. If nothing will be pushed, which would show it, send one GET to confirm that the blob is absent."""
        if self._client.has_blob(self._access, blob.digest):
            return True
        return not self._is_destination and self._client.can_read_blob(self._access, blob.digest)

    def put_blob(self, blob: Descriptor, open_blob: OpenBlob, mount_from: str) -> bool:
        """Send one POST to mount the blob, or POST and PUT to upload it."""
        with importing:
            from .._registry.upload import BlobUploader

        with self._lock:
            self._uploader = self._uploader or BlobUploader(self._client, self._access)
        return self._uploader.push(blob, open_blob, mount_from)

    def put_manifest(self, manifest: Manifest) -> None:
        """Send one PUT with the digest. Call ``referrers.attach`` to list a referrer."""
        if referrers.subject_of(manifest):
            self.referrers.push(manifest)
            return
        self._client.put_manifest(self._access, manifest.digest, manifest)

    def publish(self, manifest: Manifest, tags: t.Sequence[str], wanted: t.Collection[str] | None) -> None:
        """Send one PUT for each tag."""
        for name in tags or [manifest.digest]:
            with naming(self.reference(name)):  # a registry may refuse only one of the tags
                self._client.put_manifest(self._access, name, manifest)

    def delete_tag(self, tag: str, digest: str) -> str:
        """Send one DELETE if the registry can delete tags."""
        with importing:
            from .._registry.deletion import TagDeleter

        with self._lock:
            self._deleter = self._deleter or TagDeleter(self._client, self._access)
        return self._deleter.delete(tag, digest)

    def delete(self, digest: str) -> bool:
        """Send one DELETE."""
        return self._client.delete_manifest(self._access, digest)
