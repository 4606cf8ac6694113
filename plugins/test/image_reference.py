# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: image_reference
short_description: Test whether a value is an image reference
version_added: 0.1.0
description:
  - Tests whether a string is a valid image reference in the notation that this collection's modules use. It does not check whether the image exists.
positional: _input
options:
  _input:
    description:
      - The value to test.
    type: raw
    required: true
seealso:
  - plugin: drayage.registry.image_reference
    plugin_type: filter
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Fail if a variable is not an image reference
  ansible.builtin.assert:
    that:
      - image is drayage.registry.image_reference
    fail_msg: "{{ image }} is not an image reference."

- name: Show the list entries that are not image references
  ansible.builtin.debug:
    msg: "{{ images | reject('drayage.registry.image_reference') }}"
"""

RETURN = r"""
_value:
  description: Whether the value is a valid image reference. V(false) for values that are not strings.
  type: boolean
  sample: true
"""

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidReference
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import parse


def image_reference(value: t.Any) -> bool:
    """Return whether this is an image reference."""
    if not isinstance(value, str):
        return False
    try:
        parse(value)
    except InvalidReference:
        return False
    return True


class TestModule:
    """The test of this file."""

    def tests(self) -> dict[str, t.Callable[..., bool]]:
        """By the name that templates use."""
        return {"image_reference": image_reference}
