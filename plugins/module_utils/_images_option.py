# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The option ``images``: mappings, which AnsibleModule cannot check because an element may also be a plain reference."""

from __future__ import annotations

import typing as t

from ._module import validated
from ._operations.sync.declaration import Entry

_TEXTS = ("tags", "include", "exclude", "semver")


def image_options() -> dict[str, dict[str, t.Any]]:
    """The argument spec of an element that is a mapping; its documentation is the fragment _images."""
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
    """The entries of ``images``, which are mappings or plain references. Raises ImageError."""
    if values is None:
        return None
    return [
        Entry.of_reference(value)
        if isinstance(value, str)
        else Entry(**validated("images[%d]" % number, value, image_options(), _TEXTS))
        for number, value in enumerate(values)
    ]
