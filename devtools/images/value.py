# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image is: documents and blobs, each under the digest of its bytes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Union

# A blob that is too big for memory is a file.
Blob = Union[bytes, Path]


class MediaTypes(NamedTuple):
    """The media types of one of the two families of image formats."""

    manifest: str
    index: str
    config: str
    layer: str


OCI = MediaTypes(
    manifest="application/vnd.oci.image.manifest.v1+json",
    index="application/vnd.oci.image.index.v1+json",
    config="application/vnd.oci.image.config.v1+json",
    layer="application/vnd.oci.image.layer.v1.tar+gzip",
)
DOCKER = MediaTypes(
    manifest="application/vnd.docker.distribution.manifest.v2+json",
    index="application/vnd.docker.distribution.manifest.list.v2+json",
    config="application/vnd.docker.container.image.v1+json",
    layer="application/vnd.docker.image.rootfs.diff.tar.gzip",
)


@dataclass
class Image:
    """An image, an index or an artifact.

    ``manifests`` maps a digest to media type and bytes, children before the index that lists them;
    ``blobs`` maps a digest to bytes, or to a file for blobs that are too big for memory.
    """

    digest: str
    media_type: str
    manifests: dict[str, tuple[str, bytes]] = field(repr=False)
    blobs: dict[str, Blob] = field(repr=False)

    def document(self, digest: str | None = None) -> dict:
        """Return the parsed manifest or index, the top one unless a digest is given."""
        return json.loads(self.manifests[digest or self.digest][1])

    def child(self, platform: str) -> str:
        """Return the digest of the top index's child for a platform such as ``linux/arm64``."""
        wanted = platform_of(platform)
        for descriptor in self.document()["manifests"]:
            if descriptor.get("platform") == wanted:
                return descriptor["digest"]
        raise KeyError(platform)

    def descriptor(self, **more: object) -> dict:
        """Return the descriptor of the top document."""
        return {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": len(self.manifests[self.digest][1]),
            **more,
        }


def image_of(document: dict, parts: tuple[Image, ...] = (), blobs: dict[str, Blob] | None = None) -> Image:
    """Serialise the top document of an image that consists of ``parts`` and ``blobs``."""
    # Docker indents its manifests, and everybody else does not: whoever re-serialises one of the two is found out.
    indented = document["mediaType"] in DOCKER
    content = to_json(document, indent=3 if indented else None)
    digest = digest_of(content)
    manifests: dict[str, tuple[str, bytes]] = {}
    all_blobs = dict(blobs or {})
    for part in parts:
        manifests.update(part.manifests)
        all_blobs.update(part.blobs)
    manifests[digest] = (document["mediaType"], content)
    return Image(digest, document["mediaType"], manifests, all_blobs)


def changed(image: Image, **members: object) -> Image:
    """Return an image with other members in its top document, such as ``layers``, and the same parts below."""
    below = {digest: found for digest, found in image.manifests.items() if digest != image.digest}
    rest = Image("", "", below, image.blobs)
    return image_of({**image.document(), **members}, (rest,))


def digest_of(content: bytes) -> str:
    """Return the sha256 digest as registries write it."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def to_json(document: dict, indent: int | None = None) -> bytes:
    """Serialise a document; the result is the same on every Python."""
    separators = (",", ": ") if indent else (",", ":")
    return json.dumps(document, indent=indent, separators=separators).encode()


def platform_of(text: str) -> dict[str, str]:
    """Return the platform object of ``os/architecture[/variant]``."""
    names = ("architecture", "os", "variant")
    system, architecture, *variant = text.split("/")
    return dict(zip(names, (architecture, system, *variant)))
