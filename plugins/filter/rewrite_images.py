# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rewrite_images
short_description: Replace the image references in documents
version_added: 0.1.0
description:
  - Replaces the image references that P(drayage.registry.find_images#filter) finds, for example with references to a mirror.
  - If the input is text, the filter leaves everything else unchanged, including comments, quotes and key order.
  - The filter writes a reference with a digest as C(name:tag@digest) on one line, so that tools that update pinned references can find it.
positional: _input
options:
  _input:
    description:
      - Text, a parsed document, or a list of parsed documents. The text can be a quadlet unit, or one or more YAML or JSON documents.
      - YAML aliases count each time. With them, a text can have at most 300,000 values, and its aliases can repeat at most 5,000,000 characters.
    type: raw
    required: true
  mapping:
    description:
      - The references to replace and their replacements. The value is one of the following, or a list of such values.
      - The result of M(drayage.registry.image_sync), or only its RV(drayage.registry.image_sync#module:images).
      - A parsed ImagesLock file.
      - A dictionary that maps old references to new references.
      - A dictionary that replaces one prefix with another. Its keys are C(from), such as V(docker.io), and C(to), such as V(registry.example.com/hub).
      - Complete references take precedence over prefixes, and longer prefixes take precedence over shorter ones.
    type: raw
    required: true
  default_tag:
    description:
      - The tag to use if Helm values contain a C(repository) with an empty C(tag), as in P(drayage.registry.find_images#filter).
    type: string
    default: ""
seealso:
  - plugin: drayage.registry.find_images
    plugin_type: filter
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Mirror the images of a release
  drayage.registry.image_sync:
    images: "{{ manifests | drayage.registry.find_images | selectattr('certain') | map(attribute='reference') }}"
    dest: registry.example.com/mirror
  register: mirrored
  vars:
    manifests: "{{ lookup('ansible.builtin.file', '/srv/release/manifests.yaml') }}"

- name: Write manifests that use the mirror
  ansible.builtin.copy:
    content: "{{ (manifests | drayage.registry.rewrite_images(mirrored)).content }}"
    dest: /srv/release/manifests.mirrored.yaml
    mode: "0644"
  vars:
    manifests: "{{ lookup('ansible.builtin.file', '/srv/release/manifests.yaml') }}"
"""

RETURN = r"""
_value:
  description: The rewritten documents and the replaced references.
  type: dictionary
  contains:
    content:
      description: The rewritten documents. The value has the same type as the input.
      type: raw
      sample: "image: registry.example.com/mirror/app:1.4"
    replaced:
      description: A mapping of each replaced reference to its new reference.
      type: dictionary
      sample: {"quay.io/example/app:1.4": "registry.example.com/mirror/app:1.4"}
    missing:
      description:
        - The references that have no replacement in O(mapping).
        - The list also contains the references in an annotation C(artifacthub.io/images) that the filter cannot find in the annotation's text.
        - The list also contains references that share a value in the text, such as a C(repository) in a YAML merge key, if they need different
          replacements for it. The filter leaves these references unchanged.
        - A reference that the filter replaces only in some places is also a key of RV(_value.replaced).
      type: list
      elements: string
      sample: []
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.plugin_utils._rewrite_images import Mapping, rewrite


def rewrite_images(content: t.Any, mapping: t.Any, default_tag: str = "") -> dict[str, t.Any]:
    """Replace references in a text, a document or a list of documents. Raises AnsibleFilterError."""
    if not isinstance(content, (str, dict, list, tuple)):
        kind = type(content).__name__
        raise AnsibleFilterError("rewrite_images: the input is of type %s. Pass text or a parsed document." % kind)
    try:
        rewritten = rewrite(content, Mapping(mapping), default_tag)
    except ImageError as error:
        raise AnsibleFilterError("rewrite_images: %s" % error) from None
    return {"content": rewritten.content, "replaced": rewritten.replaced, "missing": rewritten.missing}


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By the name that templates use."""
        return {"rewrite_images": rewrite_images}
