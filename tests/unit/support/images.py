# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images, indexes and attestations to test with, small but complete."""

from __future__ import annotations

import dataclasses
import json

from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
IN_TOTO = "application/vnd.in-toto+json"


@dataclasses.dataclass(frozen=True)
class Image:
    """A manifest, and the content of the blobs that it refers to."""

    manifest: Manifest
    blobs: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        return self.manifest.digest


def encode(document: object) -> bytes:
    return json.dumps(document).encode()


def described(content: bytes, media_type: str = LAYER, **more: object) -> dict:
    """The JSON of a descriptor."""
    return {"mediaType": media_type, "digest": digests.of(content), "size": len(content), **more}


def descriptor(content: bytes, media_type: str = LAYER) -> Descriptor:
    return Descriptor.from_document(described(content, media_type))


def platform(text: str) -> dict:
    """The JSON of a platform: ``os/architecture[/variant]``."""
    return dict(zip(("os", "architecture", "variant"), text.split("/")))


def image(
    text: str = "linux/amd64", *layers: bytes, config_type: str = CONFIG, layer_type: str = LAYER, **more: object
) -> Image:
    """An image whose config tells this platform; without layers, of one that no image for another platform has."""
    config = encode({**platform(text), "rootfs": {"type": "layers"}})
    contents = layers or (b"layer of " + text.encode(),)
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": described(config, config_type),
        "layers": [described(content, layer_type) for content in contents],
        **more,
    }
    return Image(Manifest.parse(encode(document)), (config, *contents))


def entry(child: Image | Manifest, text: str = "", **more: object) -> dict:
    """The JSON of a child in an index; without ``text`` it tells no platform."""
    manifest = child.manifest if isinstance(child, Image) else child
    document = {"mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.size}
    if text:
        document["platform"] = platform(text)
    return {**document, **more}


def index(*entries: dict, **more: object) -> Manifest:
    document = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": list(entries), **more}
    return Manifest.parse(encode(document))


def attestation(subject: Image) -> Image:
    return image("unknown/unknown", b"attests " + subject.digest.encode(), layer_type=IN_TOTO)


def attestation_entry(child: Image, subject: Image | Manifest) -> dict:
    """As buildkit writes it."""
    annotations = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": subject.digest,
    }
    return entry(child, "unknown/unknown", annotations=annotations)
