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
from devtools.servers import DockerRegistry

_SHARED_SIZE = 1_000_000
_OWN_SIZE = 50_000


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


def link_tags(storage: Path, repository: str, count: int) -> None:
    """Give one image many tags, in the way in which distribution keeps them: pushing each would take too long."""
    image = images.single(seed="linked")
    with DockerRegistry(storage) as registry:
        images.push(image, registry.host, repository, "first")
    tags = storage / "docker" / "registry" / "v2" / "repositories" / repository / "_manifests" / "tags"
    for tag in _tags(count - 1):
        (tags / tag / "current").mkdir(parents=True)
        (tags / tag / "current" / "link").write_text(image.digest, encoding="ascii")


def _tags(count: int) -> Iterator[str]:
    return (f"1.{number}.0" for number in range(count))


@functools.cache
def _shared_layers() -> list[bytes]:
    return [random.Random(number).randbytes(_SHARED_SIZE) for number in range(2)]
