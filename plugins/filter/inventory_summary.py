# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: inventory_summary
short_description: Summarize an inventory of images
version_added: 0.1.0
description:
  - Computes how much space the images in an inventory need. If several images share a blob, the blob is counted once.
  - To write an inventory, use the O(drayage.registry.image_sync#module:inventory) option of M(drayage.registry.image_sync).
positional: _input
options:
  _input:
    description: The C(images) list from the inventory.
    type: list
    elements: dict
    required: true
seealso:
  - module: drayage.registry.image_sync
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Show how much space the mirror needs
  ansible.builtin.debug:
    msg: "{{ (lookup('ansible.builtin.file', '/var/lib/drayage/mirror.json') | from_json).images | drayage.registry.inventory_summary }}"
"""

RETURN = r"""
_value:
  description: The summary.
  type: dict
  contains:
    bytes:
      description: The total size of all blobs, in bytes. Each blob is counted once.
      type: int
      sample: 104857600
    repositories:
      description: The repositories, with the number of images and the size of the blobs in bytes. The largest repository comes first.
      type: list
      elements: dict
      sample: [{repository: registry.example.com/mirror/app, images: 3, bytes: 73400320}]
    unique:
      description:
        - For each reference, the total size, in bytes, of the blobs that only its image uses. References with the same digest count as one image.
        - Null if the inventory does not contain blob sizes.
      type: dict
      sample: {"registry.example.com/mirror/app:1.0": 1048576}
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.plugin_utils._inventory import summarize


def inventory_summary(images: t.Any) -> dict[str, t.Any]:
    """Sum up the records of an inventory."""
    try:
        return summarize(images)
    except (AttributeError, LookupError, TypeError):
        raise AnsibleFilterError(
            "inventory_summary: the input is not a list of image records. Pass the images list of an inventory that image_sync wrote."
        ) from None


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By the name that templates use."""
        return {"inventory_summary": inventory_summary}
