# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Manifests under cosign tags such as ``sha256-<hex>.sig``: images whose layers are signatures or attestations.

Two locations may have different signatures for the same image. Both sets are valid, because each layer is signed
separately.
"""

from __future__ import annotations

import typing as t

from .._errors import parsing
from . import digest as digests
from . import document as documents
from . import media_types
from .manifest import Manifest

Layers = list[dict[str, t.Any]]


def merged(ours: Manifest, theirs: Manifest) -> tuple[Manifest, bytes] | None:
    """Return ``theirs`` with the missing layers of ``ours``, and its config; None if no layer is missing.

    If ``ours`` has all layers of ``theirs``, it is returned unchanged, with an empty config.
    """
    known = set(map(_key, _layers(theirs)))
    missing = [layer for layer in _layers(ours) if _key(layer) not in known]
    if not missing:
        return None
    if known.issubset(map(_key, _layers(ours))):
        return ours, b""
    return image_of(_layers(theirs) + missing, theirs)


def image_of(layers: Layers, like: Manifest | None = None) -> tuple[Manifest, bytes]:
    """Return an image with these layers, and its config; ``like`` is the image whose layers they replace."""
    config = documents.encode(
        {
            "architecture": "",
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
            "config": {},
        }
    )
    described = {"mediaType": media_types.OCI_CONFIG, "digest": digests.of(config), "size": len(config)}
    document = dict(like.document) if like else {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST}
    document.update(config=described, layers=layers)
    return Manifest.parse(documents.encode(document), like.media_type if like else ""), config


def _layers(manifest: Manifest) -> Layers:
    found = manifest.document.get("layers")
    return list(found) if isinstance(found, list) and not manifest.is_index else []


def _key(layer: dict[str, t.Any]) -> tuple[str, str, str]:
    """Return what identifies a signature, regardless of other fields in its descriptor."""
    annotations = layer.get("annotations")
    named = sorted(annotations.items()) if isinstance(annotations, dict) else []
    with parsing("the signature image", hint="Sign the image again"):
        return str(layer.get("mediaType")), str(layer.get("digest")), documents.encode(named).decode("utf-8")
