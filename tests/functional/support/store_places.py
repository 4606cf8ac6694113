# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places of every kind, opened with the stores of the collection, and what brings images there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.plugins.module_utils._stores import repository as contract
from devtools import images

if TYPE_CHECKING:
    from collections.abc import Callable

REGISTRIES = {"docker-registry 2.8": "registry", "distribution 3": "modern_registry"}
ENGINES = {"docker-daemon": "dockerd", "containers-storage": "podman"}
FILES = ("oci", "oci-archive", "docker-archive", "dir")
SETS = {"a repository of a layout": "oci", "a tree of directories": "dir"}


@dataclass
class Place:
    """A repository without images. ``reopen`` opens it as another task does, and ``tags`` are names that it can have.

    Of a place with several repositories, ``reopen`` takes the name of another one.
    """

    kind: str
    reopen: Callable[..., contract.Repository]
    tags: tuple[str, ...] = ("1", "2")

    @property
    def tag(self) -> str:
        """Return the first name: the empty one for the only image of a directory."""
        return self.tags[0] if self.tags else ""

    @property
    def is_registry(self) -> bool:
        return self.kind in REGISTRIES

    @property
    def is_engine(self) -> bool:
        return self.kind in ENGINES


def manifest_of(image: images.Image, digest: str | None = None) -> Manifest:
    """Return the manifest of an image, or another one of its manifests."""
    digest = digest or image.digest
    return Manifest.parse(image.manifests[digest][1], digest=digest, content_type=image.manifests[digest][0])


def put_content(store: contract.Store, image: images.Image) -> None:
    """Put all blobs of an image."""
    for digest in image.manifests:
        for blob in manifest_of(image, digest).blobs:
            store.put_blob(blob, lambda blob=blob: iter([image.blobs[blob.digest]]), "")


def bring(place: Place, image: images.Image, *tags: str) -> Manifest:
    """Publish an image under tags, as one task does, and return its manifest."""
    repository = place.reopen()
    for tag in tags or [place.tag]:
        store = repository.open(tag)
        put_content(store, image)
        store.publish(manifest_of(image), [tag] if place.tags else [""], None)
    return manifest_of(image)
