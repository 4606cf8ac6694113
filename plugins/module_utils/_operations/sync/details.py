# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What the inventory tells of an image, read from where it is now."""

from __future__ import annotations

import collections
import contextlib
import typing as t

from ..._errors import ImageError, NotFound, naming
from ..._image import config as configs
from ..._image.descriptor import Descriptor
from ..._image.manifest import Manifest, check_extent
from ..._image.platform import Platform
from ..._stores.base import Store
from ..._transfer.known import bare
from .images import Image, Target
from .inventory import Record


def record(image: Image, target: Target) -> Record:
    """The record of an image that is at its destination. Raises ImageError."""
    store = bare(target.pair.destination)
    with naming(image.dest):
        top = store.manifest(image.digest)
        manifests = list(_below(store, top))
        blobs = {blob.digest: blob for manifest in manifests for blob in manifest.blobs}
        config = _config(manifests, store, target.pair.source)
        created = config.get("created")
        return {
            "ref": image.dest,
            "src": image.src,
            "digest": image.digest,
            "media_type": top.media_type,
            "platforms": _platforms(top, config),
            "size": sum(blob.size for blob in blobs.values()),
            "created": created if isinstance(created, str) else None,
            "manifests": [manifest.digest for manifest in manifests],
            "blobs": list(blobs),
        }


def _below(store: Store, top: Manifest) -> t.Iterator[Manifest]:
    """The manifest and all below it, each once; children that are not there were left out on purpose."""
    seen = {top.digest}
    todo = collections.deque([(top, 0)])
    while todo:
        manifest, depth = todo.popleft()
        yield manifest
        for child in manifest.children:
            if child.is_manifest and child.digest not in seen:
                seen.add(child.digest)
                check_extent(depth + 1, len(seen))
                with contextlib.suppress(NotFound):
                    todo.append((store.manifest(child.digest), depth + 1))


def _platforms(top: Manifest, config: dict[str, t.Any]) -> list[str]:
    """What an index tells of its images, or the config of a single one."""
    found = [child.platform for child in top.children if child.platform and not child.attests]
    if not top.is_index and config.get("os"):
        found = [Platform.from_document(config)]
    names = dict.fromkeys(map(str, found))
    return [name for name in names if name != "unknown/unknown"]


def _config(manifests: t.Sequence[Manifest], *stores: Store) -> dict[str, t.Any]:
    """The config of the first image, from the first store that has it; empty where none can be had."""
    config = next((manifest.config for manifest in manifests if manifest.config), None)
    if config is None or config.size > configs.MAX_CONFIG:
        return {}
    for store in stores:
        try:
            return configs.read(_read(store, config))
        except ImageError:
            continue
    return {}


def _read(store: Store, blob: Descriptor) -> bytes:
    return b"".join(map(bytes, store.open_blob(blob)))
