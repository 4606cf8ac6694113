# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The inventory record of an image, read from its destination."""

from __future__ import annotations

import typing as t

from ..._errors import ImageError, naming
from ..._image.attached_kinds import kinds_of
from ..._image.graph import Content, Graph
from ..._image.manifest import Manifest
from ..._image.platform import Platform
from ..._transfer.job import Job
from ..._transfer.request import CopyRequest
from .inventory import Record


def record(image: Job, request: CopyRequest, digest: str) -> Record:
    """Return the record of an image that exists at its destination with this digest. Raises ImageError."""
    store = request.destination
    with naming(image.dest):
        top = store.manifest(digest)
        content = Content(store.manifest, store.open_blob)
        graph = Graph([top], content.load_present)  # children that are absent were left out on purpose
        manifests, blobs = list(graph.manifests.values()), graph.blobs()
        at_source = Content(request.source.manifest, request.source.open_blob)
        config = _config(manifests, content, at_source)
        created = config.get("created")
        return {
            "ref": image.dest,
            "src": image.src,
            "digest": digest,
            "media_type": top.media_type,
            "platforms": _platforms(top, config),
            "size": sum(blob.size for blob in blobs),
            "created": created if isinstance(created, str) else None,
            "manifests": [manifest.digest for manifest in manifests],
            "blobs": [blob.digest for blob in blobs],
            "blob_sizes": [blob.size for blob in blobs],
            "attached": sorted(set().union(*map(kinds_of, manifests))),
        }


def _platforms(top: Manifest, config: dict[str, t.Any]) -> list[str]:
    """Return the platforms in an index, or the platform in the config of a single image."""
    found = [child.platform for child in top.children if child.platform and not child.attests]
    if not top.is_index and config.get("os"):
        found = [Platform.from_document(config)]
    names = dict.fromkeys(map(str, found))
    return [name for name in names if name != "unknown/unknown"]


def _config(manifests: t.Iterable[Manifest], *contents: Content) -> dict[str, t.Any]:
    """Return the config of the first image that has one, from the first place that returns it; empty if none does."""
    image = next((manifest for manifest in manifests if manifest.config), None)
    if image is None:
        return {}
    for content in contents:
        try:
            return content.config(image)
        except ImageError:
            continue
    return {}
