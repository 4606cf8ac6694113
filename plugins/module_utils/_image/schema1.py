# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Docker's schema 1 manifests (image manifest version 2, schema 1): old images that can only be inspected.

Their digest covers the text without its signatures. The fields of a config are embedded in the text as JSON strings.
"""

from __future__ import annotations

import typing as t

from .._errors import parsing
from . import digest as digests
from . import document as documents
from . import media_types, signed
from .manifest import Manifest

_FIELDS = frozenset(("schemaVersion", "name", "tag", "architecture", "fsLayers", "history", "signatures"))
_HINT = "Push the image again with an up-to-date tool"


def parse(raw: bytes, content_type: str = "", digest: str | None = None) -> Manifest:
    """Parse a manifest like :meth:`Manifest.parse`, but accept schema 1 as well."""
    if _decode(raw).get("schemaVersion") != 1:
        return Manifest.parse(raw, content_type, digest)
    document = documents.read(raw, "the manifest")
    documents.check_fields(document, _FIELDS, "the manifest")
    payload = signed.payload(raw)
    if digest:
        digests.verify(payload, digest)
    media_type = media_types.DOCKER_SCHEMA1 if payload is raw else media_types.DOCKER_SCHEMA1_SIGNED
    return Manifest(raw, media_type, digest or digests.of(payload), document)


def config(manifest: Manifest) -> dict[str, t.Any]:
    """Return the fields of the config, from the newest layer."""
    history = manifest.document.get("history")
    with parsing("the history in the Docker schema 1 manifest", hint=_HINT):
        return _decode(history[0]["v1Compatibility"]) if history else {}


def layers(manifest: Manifest) -> list[str]:
    """Return the digests of the layers, starting with the base layer, each as often as it is used."""
    items = manifest.document.get("fsLayers")
    with parsing("the list of layers (fsLayers) in the Docker schema 1 manifest", hint=_HINT):
        return [digests.check(item["blobSum"]) for item in reversed(items or [])]


def _decode(text: str | bytes) -> dict[str, t.Any]:
    """Decode a JSON object. Return an empty one if :class:`Manifest` reports the error in a better way."""
    try:
        document = documents.decode(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
