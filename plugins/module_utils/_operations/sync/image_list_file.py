# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Read the image lists of oc-mirror (ImageSetConfiguration) and Hauler (Images).

Keys for anything other than images are errors, because it would be missing at the destination.
"""

from __future__ import annotations

import typing as t

from ..._errors import ImageError
from ..._image import reference as references
from .plain_document import Node

_OC_MIRROR = "ImageSetConfiguration"
_HAULER = "Images"
_APIS = {_OC_MIRROR: "mirror.openshift.io/", _HAULER: "content.hauler.cattle.io/"}
# Where oc-mirror keeps its work, not what it brings.
_UNUSED = ("storageConfig", "archiveSize", "metadata")


def is_image_list(node: Node) -> bool:
    """Return whether a document is one of these lists."""
    if not isinstance(node.value, dict):
        return False
    prefix = _APIS.get(str(node.value.get("kind")))
    return prefix is not None and str(node.value.get("apiVersion")).startswith(prefix)


def read_image_list(node: Node) -> list[dict[str, t.Any]]:
    """Return the entries of a file. Raises ImageError with the file and the key."""
    parts = node.mapping()
    body, key = ("mirror", "additionalImages") if parts["kind"].value == _OC_MIRROR else ("spec", "images")
    _only(node, parts, ("apiVersion", "kind", body, *_UNUSED))
    inner = parts[body].mapping() if body in parts else {}
    _only(parts.get(body, node), inner, (key,))
    items = inner[key].items() if key in inner else []
    return [_entry(Node(item.value, "%s[%d]" % (item.where, number))) for number, item in enumerate(items)]


def _only(node: Node, parts: t.Mapping[str, Node], known: t.Collection[str]) -> None:
    for key, value in parts.items():
        if key not in known and not value.is_empty and value.value != []:
            raise node.wrong(
                "the key %r is not supported" % key, "Use one of the supported keys: %s" % ", ".join(known)
            )


def _entry(node: Node) -> dict[str, t.Any]:
    parts = node.mapping()
    _only(node, parts, ("name", "platform"))
    if "name" not in parts:
        raise node.wrong("the key 'name' is missing", "Add the key")
    try:
        reference = references.parse_registry(parts["name"].text())
    except ImageError as error:
        raise parts["name"].wrong(error.cause, error.hint) from None
    entry: dict[str, t.Any] = {"name": reference.context, "tags": [reference.tag or reference.digest or "latest"]}
    if reference.tag and reference.digest:
        entry["digest"] = reference.digest
    if "platform" in parts:
        entry["platforms"] = [parts["platform"].text()]
    return entry
