# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The empty image that a tag points to for a moment while it is deleted: create and recognize it.

A task that is killed at that moment leaves it behind. It must never be treated as an image.
"""

from __future__ import annotations

import secrets
import typing as t

from .._errors import ImageError, NotFound
from . import digest as digests
from . import document as documents
from . import media_types
from .descriptor import Descriptor
from .manifest import Manifest

# Its value is the digest that the tag pointed to. Docker's format has no annotations, so the config has it as a label too.
KEY = "drayage.registry.deleting"
_UNIQUE = "drayage.registry.unique"
# The config of the marker has about 300 bytes. Larger ones are not read to find out.
_MAX_CONFIG = 1024


def make(original: str, docker: bool) -> tuple[bytes, Manifest]:
    """Return a config and a manifest without layers, with a unique digest; ``original`` is the digest to delete."""
    notes = {KEY: original, _UNIQUE: secrets.token_hex(16)}
    content = {"architecture": "unknown", "os": "unknown", "config": {"Labels": notes}}
    config = documents.encode({**content, "rootfs": {"type": "layers", "diff_ids": []}})
    media_type = media_types.DOCKER_MANIFEST if docker else media_types.OCI_MANIFEST
    config_type = media_types.DOCKER_CONFIG if docker else media_types.OCI_CONFIG
    described = {"mediaType": config_type, "digest": digests.of(config), "size": len(config)}
    document = {"schemaVersion": 2, "mediaType": media_type, "config": described, "layers": []}
    if not docker:
        document["annotations"] = notes
    return config, Manifest.parse(documents.encode(document))


def original_of(manifest: Manifest, read_config: t.Callable[[Descriptor], bytes]) -> str | None:
    """Return the digest that a tag had before its deletion began, empty if unknown; None if this is not a marker.

    ``read_config`` is called only for an image without layers and annotations, so that others cost no request.
    """
    if manifest.is_index or manifest.media_type in media_types.SCHEMA1 or manifest.layers:
        return None
    notes: object = manifest.annotations
    if KEY not in manifest.annotations:
        notes = _labels(manifest.config, read_config)
    if not isinstance(notes, dict) or KEY not in notes:
        return None
    original = notes[KEY]
    return original if isinstance(original, str) and digests.is_digest(original) else ""


def refuse(manifest: Manifest, read_config: t.Callable[[Descriptor], bytes]) -> None:
    """Raise ImageError if a manifest is a marker. For the arguments, see :func:`original_of`."""
    original = original_of(manifest, read_config)
    if original is not None:
        was = " (previous digest: %s)" % original if original else ""
        raise ImageError(
            "the tag points to an empty image that an interrupted deletion left behind%s" % was,
            hint="Run image_delete for this tag again to complete the deletion, or push the image again",
        )


def _labels(config: Descriptor | None, read_config: t.Callable[[Descriptor], bytes]) -> object:
    if config is None or config.media_type not in media_types.IMAGE_CONFIGS or config.size > _MAX_CONFIG:
        return None
    try:
        document = documents.decode(read_config(config))
    except (ValueError, NotFound):
        return None
    run = document.get("config") if isinstance(document, dict) else None
    return run.get("Labels") if isinstance(run, dict) else None
