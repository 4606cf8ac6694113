# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A store in memory that remembers what it was asked."""

from __future__ import annotations

import collections
import functools
import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._errors import ContentMissing, NotFound
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.plugins.module_utils._image.verified import Verified, skipped
from ansible_collections.drayage.registry.plugins.module_utils._stores.content_location import Location
from ansible_collections.drayage.registry.plugins.module_utils._stores.repository import Store
from ansible_collections.drayage.registry.tests.unit.support.images import Image


class MemoryStore(Store):
    """A repository ``host/name``; repositories of one host mount from each other.

    ``asked`` holds each call that would be a request to a registry, as a pair of method and name. ``is_damaged`` makes
    it say that of what it has, something is missing.
    """

    # A mapping of instances; to call it is to list the tags, where a test needs that.
    tags: t.Any = None

    def __init__(self, host: str = "r.example", name: str = "app") -> None:
        self.host, self.name = host, name
        self.content: dict[str, bytes] = {}
        self.manifests: dict[str, Manifest] = {}
        self.tags = {}
        self.is_damaged = False
        self.asked: list[tuple[str, str]] = []

    def add(self, *added: Image | Manifest, tag: str = "") -> MemoryStore:
        """Have these images, and the tag for the last of them."""
        for image in added:
            if isinstance(image, Image):
                self.content.update((digests.of(content), content) for content in image.blobs)
            manifest = image.manifest if isinstance(image, Image) else image
            self.manifests[manifest.digest] = manifest
            if tag:
                self.tags[tag] = manifest.digest
        return self

    @property
    def location(self) -> Location:
        return Location("docker", "docker://%s" % self.host, self.name, shares_content=False)

    def counted(self) -> dict[str, int]:
        """How often each method was called."""
        return dict(collections.Counter(method for method, _name in self.asked))

    def names(self, method: str) -> list[str]:
        """What a method was called with, in order."""
        return [name for called, name in self.asked if called == method]

    def reference(self, name: str) -> str:
        return "%s/%s%s" % (self.host, self.name, name and ("@" if ":" in name else ":") + name)

    def resolve(self, name: str) -> Descriptor | None:
        self.asked.append(("resolve", name))
        manifest = self.manifests.get(self.tags.get(name, name))
        return manifest.descriptor if manifest else None

    def manifest(self, name: str, legacy: bool = False) -> Manifest:
        self.asked.append(("manifest", name))
        try:
            return self.manifests[self.tags.get(name, name)]
        except KeyError:
            raise NotFound("it is not there") from None

    def open_blob(self, blob: Descriptor) -> Verified:
        self.asked.append(("open_blob", blob.digest))
        return Verified(functools.partial(self._open_at, blob.digest), blob.digest, blob.size)

    def _open_at(self, digest: str, offset: int) -> t.Iterator[bytes]:
        if digest not in self.content:
            raise NotFound("blob %s is not there" % digest)
        content = self.content[digest]
        return skipped([content[:2], content[2:]], offset)

    def has_content(self) -> bool:
        self.asked.append(("has_content", ""))
        return bool(self.manifests)

    def has_manifest(self, digest: str, wanted: t.Collection[str] | None = None) -> bool:
        self.asked.append(("has_manifest", digest))
        return digest in self.manifests

    def is_complete(self, image: Descriptor, wanted: t.Collection[str] | None) -> bool:
        return not self.is_damaged

    def has_blob(self, blob: Descriptor) -> bool:
        self.asked.append(("has_blob", blob.digest))
        return blob.digest in self.content

    def put_blob(self, blob: Descriptor, open_blob: t.Callable[[], t.Iterable[bytes]], mount_from: str) -> bool:
        self.asked.append(("put_blob", blob.digest))
        if mount_from:
            self.content[blob.digest] = b""
            return True
        self.content[blob.digest] = b"".join(open_blob())
        return False

    def put_manifest(self, manifest: Manifest) -> None:
        self.asked.append(("put_manifest", manifest.digest))
        needed = [blob.digest for blob in manifest.blobs]
        needed += [child.digest for child in manifest.children]
        if not all(digest in self.content or digest in self.manifests for digest in needed):
            raise ContentMissing("content of %s is not there" % manifest.digest)
        self.manifests[manifest.digest] = manifest

    def publish(self, manifest: Manifest, tags: t.Sequence[str], wanted: t.Collection[str] | None) -> None:
        self.put_manifest(manifest)
        for tag in tags:
            self.asked.append(("publish", tag))
            self.tags[tag] = manifest.digest

    def delete(self, digest: str) -> bool:
        raise NotImplementedError

    def delete_tag(self, tag: str, digest: str) -> str:
        raise NotImplementedError
