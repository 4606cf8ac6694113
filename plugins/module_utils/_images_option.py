# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The option ``images``. AnsibleModule cannot check its elements, because they may be mappings or plain references."""

from __future__ import annotations

import typing as t

from ._module import validated
from ._operations.sync.declaration import Entry

# The keys of what find_images and images_of return.
_FOUND = frozenset(("reference", "kind", "path", "certain", "file"))
_TEXTS = ("tags", "include", "exclude", "semver")


def image_options() -> dict[str, dict[str, t.Any]]:
    """Return the options of an element that is a mapping. The fragment _images has their documentation."""
    return {
        "name": {"type": "str", "required": True},
        "dest": {"type": "str"},
        "tags": {"type": "list", "elements": "str", "default": []},
        "include": {"type": "list", "elements": "str", "default": []},
        "exclude": {"type": "list", "elements": "str", "default": []},
        "semver": {"type": "str"},
        "semver_strict": {"type": "bool", "default": True},
        "newest": {"type": "int"},
        "platforms": {"type": "list", "elements": "str"},
        "missing_ok": {"type": "bool"},
    }


def read_images(values: list[t.Any] | None) -> list[Entry] | None:
    """Return the entries of ``images``: mappings, plain references, or references found in documents. Raises ImageError."""
    if values is None:
        return None
    return [_read("images[%d]" % number, value) for number, value in enumerate(values)]


def _read(name: str, value: object) -> Entry:
    if isinstance(value, dict) and isinstance(value.get("reference"), str) and not set(value) - _FOUND:
        value = value["reference"]
    if isinstance(value, str):
        return Entry.of_reference(value)
    return Entry(**validated(name, value, image_options(), _TEXTS))
