# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Delete one tag and nothing else, on registries that can delete tags and on those that can only delete manifests.

The distribution spec allows a registry to refuse deletion by tag. Deleting a manifest by its digest removes every tag
that points to it, including tags that no list shows. So the tag is first pointed to a manifest that nothing else
points to, and then that manifest is deleted.
"""

from __future__ import annotations

import secrets

from .._errors import ImageError, ImmutableTag, NotFound, Refused, tag_moved
from .._image import deletion_marker, media_types
from .._image import digest as digests
from .._image.manifest import Manifest
from .auth import Access
from .registry_client import RegistryClient
from .upload import BlobUploader

# Distribution 2 returns 400 because the name is not a digest; others, that there is no such method or path.
_CANNOT_DELETE_TAGS = frozenset((400, 404, 405, 501))


class TagDeleter:
    """Deletes tags of one repository. It remembers what the registry cannot do."""

    def __init__(self, client: RegistryClient, access: Access) -> None:
        self._client = client
        self._access = access
        # The right to push is requested only if it is needed.
        self._push_access = Access(access.repository, access.actions | {"push"})
        self._deletes_tags = True
        self._deletes_manifests = False

    def delete(self, tag: str, digest: str) -> str:
        """Delete a tag that points to ``digest``.

        Returns the method: ``tag``, or ``unique_manifest`` (``digest`` stays in the registry); empty if the tag does
        not exist. If it raises ImageError, the tag still points to the same manifest, or the hint says which manifest
        that was.
        """
        if self._deletes_tags:
            deleted = self._delete_by_tag(tag)
            if deleted is not None:
                return "tag" if deleted else ""
            self._deletes_tags = False
        return self._delete_with_unique_manifest(tag, digest)

    def _delete_by_tag(self, tag: str) -> bool | None:
        """Return whether there was a tag to delete; None if this registry cannot delete tags."""
        try:
            return self._client.delete_manifest(self._access, tag)
        except ImmutableTag:
            raise
        except Refused as error:
            if error.status not in _CANNOT_DELETE_TAGS:
                raise
            return None

    def _delete_with_unique_manifest(self, tag: str, digest: str) -> str:
        self._check_deletion()
        client, access = self._client, self._push_access
        try:
            original = client.get_manifest(access, tag, legacy=True)
        except NotFound:
            return ""
        if digest not in (original.digest, digests.of(original.raw, digests.split(digest)[0])):
            raise tag_moved(original.digest)
        config, unique = deletion_marker.make(digest, docker=original.media_type in media_types.DOCKER)
        BlobUploader(client, access).push(unique.blobs[0], lambda: [config])
        try:
            client.put_manifest(access, tag, unique)
            if not client.delete_manifest(access, unique.digest):
                cause = "%s returned 404 for a manifest that this task has just pushed" % client.session.host
                raise ImageError(cause, hint="Run the task again")
        except ImageError as error:
            if not self._is_gone(tag, unique, original, error):
                raise
        return "unique_manifest"

    def _check_deletion(self) -> None:
        """Raise an error if the registry cannot delete anything, by deleting a manifest that cannot exist."""
        if not self._deletes_manifests:
            self._client.delete_manifest(self._access, digests.of(secrets.token_bytes(32)), exists=False)
            self._deletes_manifests = True

    def _is_gone(self, tag: str, unique: Manifest, original: Manifest, cause: ImageError) -> bool:
        """Return whether the tag was deleted in spite of the error. Otherwise restore it, or say in the hint of ``cause`` that this failed."""
        client, access = self._client, self._push_access
        try:
            now = client.head_manifest(access, tag, legacy=True)
            if now and now.digest == unique.digest:
                client.put_manifest(access, tag, original)
            return now is None
        except ImageError:
            cause.hint = (
                "The tag may now point to an empty image (previous digest: %s). "
                "Run the task again to complete the deletion, or push the image again" % original.digest
            )
            return False
