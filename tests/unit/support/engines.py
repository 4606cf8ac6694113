# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images whose layers are plain, and archives that keep them."""

from __future__ import annotations

import gzip
import pathlib

from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._image import reference as references
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.plugins.module_utils._image.saved import Layer, SavedImage
from ansible_collections.drayage.registry.plugins.module_utils._stores.config_store import ConfigStore
from ansible_collections.drayage.registry.plugins.module_utils._stores.docker_archive import DockerArchive
from ansible_collections.drayage.registry.plugins.module_utils._stores.staging import Staging
from ansible_collections.drayage.registry.tests.unit.support.images import Image, described, encode, platform


def config_for(*layers: bytes, text: str = "linux/amd64") -> bytes:
    return encode({**platform(text), "rootfs": {"diff_ids": [digests.of(layer) for layer in layers]}})


def saved(*layers: bytes, names: tuple[str, ...] = (), text: str = "linux/amd64") -> SavedImage:
    kept = tuple(Layer(digests.of(layer), len(layer), lambda layer=layer: [layer]) for layer in layers)
    return SavedImage(config_for(*layers, text=text), kept, names)


def pushed(*layers: bytes, text: str = "linux/amd64", level: int = 9, **more: object) -> Image:
    """The same image as a registry has it, with layers compressed by somebody else."""
    config = config_for(*layers, text=text)
    compressed = [gzip.compress(layer, level) for layer in layers]
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": described(config, media_types.OCI_CONFIG),
        "layers": [described(layer) for layer in compressed],
        **more,
    }
    return Image(Manifest.parse(encode(document)), (config, *compressed))


def by_id(image: SavedImage) -> Descriptor:
    return Descriptor(media_types.DOCKER_CONFIG, image.id, 0)


def store(path: pathlib.Path, name: str = "r.example/app", staging: Staging | None = None) -> ConfigStore:
    """A repository of the archive at this path."""
    reference = references.parse("docker-archive:%s%s" % (path, name and ":" + name))
    return ConfigStore(DockerArchive(str(path)), staging or Staging(), reference)


def names(path: pathlib.Path) -> dict[str, str]:
    """The IDs of all names in an archive."""
    return {name: image.id for image in DockerArchive(str(path))._read() for name in image.names}
