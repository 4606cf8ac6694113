# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories of many tags, in the storage of a registry."""

from __future__ import annotations

import dataclasses
import functools
import random
from collections.abc import Iterator
from pathlib import Path

from devtools import images
from devtools.images.value import Blob
from devtools.servers import DockerRegistry

_SHARED_SIZE = 1_000_000
_OWN_SIZE = 50_000
_SMALL_SIZE = 10_000


def push_releases(storage: Path, repository: str, count: int) -> dict[str, str]:
    """Push images of three layers each, of which all have two in common; return the digest for each tag."""
    digests = {}
    shared: set[str] = set()
    with DockerRegistry(storage) as registry:
        for tag in _tags(count):
            image = images.single(layers=[*_shared_layers(), _OWN_SIZE], seed=tag)
            fresh = {digest: content for digest, content in image.blobs.items() if digest not in shared}
            shared.update(image.blobs)
            images.push(dataclasses.replace(image, blobs=fresh), registry.host, repository, tag)
            digests[tag] = image.digest
    return digests


def store_images(storage: Path, repository: str, count: int) -> dict[str, str]:
    """Store images of one small layer each, as distribution keeps them: pushing takes too long for very many.

    Returns the digest for each tag.
    """
    place = _Storage(storage, repository)
    digests = {}
    for tag in _tags(count):
        image = images.single(layers=[_SMALL_SIZE], seed=f"{repository}:{tag}")
        place.add(image)
        place.tag(tag, image.digest)
        digests[tag] = image.digest
    return digests


def link_tags(storage: Path, repository: str, count: int) -> None:
    """Give one image many tags."""
    image = images.single(seed="linked")
    place = _Storage(storage, repository)
    place.add(image)
    for tag in _tags(count):
        place.tag(tag, image.digest)


class _Storage:
    """A repository in the storage of distribution."""

    def __init__(self, storage: Path, repository: str) -> None:
        self._blobs = storage / "docker/registry/v2/blobs"
        self._repository = storage / "docker/registry/v2/repositories" / repository

    def add(self, image: images.Image) -> None:
        """Store a single image without a tag."""
        for digest, content in image.blobs.items():
            self._store(digest, content)
            self._link("_layers", digest)
        for digest, (_media_type, content) in image.manifests.items():
            self._store(digest, content)
            self._link("_manifests/revisions", digest)

    def tag(self, tag: str, digest: str) -> None:
        """Point a tag to an image."""
        current = self._repository / "_manifests/tags" / tag / "current"
        current.mkdir(parents=True)
        (current / "link").write_text(digest, encoding="ascii")

    def _store(self, digest: str, content: Blob) -> None:
        algorithm, _colon, value = digest.partition(":")
        directory = self._blobs / algorithm / value[:2] / value
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "data").write_bytes(content if isinstance(content, bytes) else content.read_bytes())

    def _link(self, kind: str, digest: str) -> None:
        directory = self._repository / kind / digest.replace(":", "/")
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "link").write_text(digest, encoding="ascii")


def _tags(count: int) -> Iterator[str]:
    return (f"1.{number}.0" for number in range(count))


@functools.cache
def _shared_layers() -> list[bytes]:
    return [random.Random(number).randbytes(_SHARED_SIZE) for number in range(2)]
