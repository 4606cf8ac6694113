# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Deleting one tag and nothing else, on registries that can and on those that cannot.

The distribution spec lets a registry refuse to delete by tag, and deleting by digest takes every tag of that digest
away. Where others share it, the tag is first pointed at a manifest that nothing else names, which then goes with it.
"""

from __future__ import annotations

import secrets
import typing as t

from .._errors import ImageError, ImmutableTag, NotFound, Refused
from .._image import digest as digests
from .._image import document as documents
from .._image import media_types
from .._image.descriptor import Descriptor
from .._image.manifest import Manifest
from .auth import Access
from .client import RegistryClient
from .upload import BlobUploader

# Distribution 2 answers 400 where the name is no digest; others say that there is no such method.
_CANNOT_DELETE_TAGS = frozenset((400, 405, 501))


def delete_tag(
    client: RegistryClient, access: Access, tag: str, digest: str, others: t.Mapping[str, Descriptor]
) -> str:
    """Delete a tag that names ``digest``; ``others`` are the other tags of the repository and what they name.

    Returns how it was done: ``tag``, ``digest`` or ``unique_manifest``; empty where the tag is absent.
    Raises :class:`ImageError`.
    """
    deleted = _delete_by_tag(client, access, tag)
    if deleted is not None:
        return "tag" if deleted else ""
    # An index may list the manifest as its child, and would be broken without it.
    if any(other.digest == digest or other.is_index for other in others.values()):
        return _delete_with_unique_manifest(client, access, tag, digest)
    return "digest" if client.delete_manifest(access, digest) else ""


def _delete_by_tag(client: RegistryClient, access: Access, tag: str) -> bool | None:
    """Whether there was a tag to delete; None where this registry does not delete tags."""
    try:
        if client.delete_manifest(access, tag):
            return True
    except ImmutableTag:
        raise
    except Refused as error:
        if error.status not in _CANNOT_DELETE_TAGS:
            raise
        return None
    # "Not found" may be said of the tag, or of the very idea.
    return False if client.head_manifest(access, tag, legacy=True) is None else None


def _delete_with_unique_manifest(client: RegistryClient, access: Access, tag: str, digest: str) -> str:
    _check_deletion(client, access)
    access = Access(access.repository, access.actions | {"push"})
    try:
        original = client.get_manifest(access, digest, legacy=True)
    except NotFound:
        return ""
    config, unique = _unique_manifest(docker=original.media_type in media_types.DOCKER)
    BlobUploader(client, access).push(unique.blobs[0], lambda: [config])
    client.put_manifest(access, tag, unique)
    try:
        if not client.delete_manifest(access, unique.digest):
            raise ImageError("%s does not find the manifest that it has just taken" % client.session.host)
    except ImageError as error:
        _put_back(client, access, tag, original, error)
        raise
    return "unique_manifest"


def _check_deletion(client: RegistryClient, access: Access) -> None:
    """Raise where the registry deletes nothing at all: asked of a manifest that cannot be there."""
    client.delete_manifest(access, digests.of(secrets.token_bytes(32)))


def _unique_manifest(docker: bool) -> tuple[bytes, Manifest]:
    """A config and an image of no layers, of the format that the registry has taken already, with a digest of its own."""
    label = {"drayage.registry.deleting": secrets.token_hex(32)}
    rootfs = {"type": "layers", "diff_ids": []}
    content = {"architecture": "unknown", "os": "unknown", "config": {"Labels": label}, "rootfs": rootfs}
    config = documents.encode(content)
    media_type = media_types.DOCKER_MANIFEST if docker else media_types.OCI_MANIFEST
    config_type = media_types.DOCKER_CONFIG if docker else media_types.OCI_CONFIG
    described = {"mediaType": config_type, "digest": digests.of(config), "size": len(config)}
    document = {"schemaVersion": 2, "mediaType": media_type, "config": described, "layers": []}
    return config, Manifest.parse(documents.encode(document))


def _put_back(client: RegistryClient, access: Access, tag: str, original: Manifest, cause: ImageError) -> None:
    """Make the tag name again what it did; where that fails too, the error that is raised says so."""
    try:
        client.put_manifest(access, tag, original)
    except ImageError:
        cause.hint = "The tag names an empty image now: it was %s" % original.digest
