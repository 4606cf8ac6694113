# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: find_images
short_description: Find the container images that documents refer to
version_added: 0.1.0
description:
  - Returns every image reference in Kubernetes manifests, compose files, kustomizations, Helm values, chart metadata, quadlet units and ImagesLock files.
    The filter also supports Tekton tasks, Argo workflows, OLM bundles, and Flux and Argo CD sources.
  - If the document's format defines a value as an image reference, the filter returns it with RV(_value[].certain=true). The filter also returns other
    values that look like references, with RV(_value[].certain=false).
  - The filter does not read files or send requests.
positional: _input
options:
  _input:
    description:
      - Text, a parsed document, or a list of parsed documents. The text can be a quadlet unit, or one or more YAML or JSON documents.
      - YAML aliases count each time. With them, a text can have at most 300,000 values, and its aliases can repeat at most 5,000,000 characters.
    type: raw
    required: true
  default_tag:
    description:
      - The tag to use if Helm values contain a C(repository) with an empty C(tag). In this case, charts use their C(appVersion).
    type: string
    default: ""
seealso:
  - plugin: drayage.registry.rewrite_images
    plugin_type: filter
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Mirror all images in a rendered chart
  drayage.registry.image_sync:
    images: "{{ manifests | drayage.registry.find_images | selectattr('certain') | map(attribute='reference') }}"
    dest: registry.example.com/mirror
  vars:
    manifests: "{{ lookup('ansible.builtin.file', '/srv/release/manifests.yaml') }}"
"""

RETURN = r"""
_value:
  description: The references, without duplicates.
  type: list
  elements: dictionary
  contains:
    reference:
      description: The reference, as written in the document.
      type: string
      sample: quay.io/prometheus/node-exporter:v1.8.2
    kind:
      description:
        - The context of the reference.
        - RV(_value[].certain) is V(true) for V(container), V(volume), V(compose), V(kustomize), V(chart), V(quadlet), V(lock), V(operator) (OLM bundles
          and catalogs), V(stream) (OpenShift image streams) and V(artifact) (a chart or a set of manifests in a registry).
        - RV(_value[].certain) is V(false) for V(values) (a repository and a tag in Helm values), V(key) (the value of a key such as C(image)),
          V(environment), V(argument) and V(text).
      type: string
      sample: container
    path:
      description: The path to the value in its document.
      type: string
      sample: spec.template.spec.containers[0].image
    certain:
      description: Whether the document's format defines this value as an image reference.
      type: boolean
      sample: true
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.plugin_utils._find_images import describe, find, once


def find_images(content: t.Any, default_tag: str = "") -> list[dict[str, t.Any]]:
    """Return the references in a text, a document or a list of documents. Raises AnsibleFilterError."""
    if not isinstance(content, (str, dict, list, tuple)):
        raise AnsibleFilterError(
            "find_images: the input is of type %s. Pass text or a parsed document." % type(content).__name__
        )
    try:
        return [describe(found) for found in once(find(content, default_tag))]
    except ImageError as error:
        raise AnsibleFilterError("find_images: %s" % error) from None


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By the name that templates use."""
        return {"find_images": find_images}
