# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: image_reference
short_description: Split an image reference into its parts
version_added: 0.1.0
description:
  - Splits an image reference into its parts. The filter accepts the same notation as this collection's modules, and also returns the full reference.
  - The filter expands Docker Hub short names. For example, V(alpine) becomes V(docker.io/library/alpine). It does not add a tag.
  - The filter does not read files or send requests.
positional: _input
options:
  _input:
    description:
      - The reference, in the form V([docker://]host[:port]/path[:tag][@digest]) or V(oci:PATH[:REF]). You can also use the other transports that
        M(drayage.registry.image_copy) supports.
    type: string
    required: true
seealso:
  - plugin: drayage.registry.image_reference
    plugin_type: test
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Copy an image to another registry under the same name and tag
  drayage.registry.image_copy:
    src: "{{ image }}"
    dest: "registry.example.com/{{ parts.repository }}:{{ parts.tag | default('latest', true) }}"
  vars:
    parts: "{{ image | drayage.registry.image_reference }}"

- name: Log in to the registries of all images
  drayage.registry.registry_login:
    host: "{{ item }}"
    username: deploy
    password: "{{ vault_registry_password }}"
  loop: "{{ images | map('drayage.registry.image_reference') | map(attribute='host') | unique }}"
"""

RETURN = r"""
_value:
  description: The parts of the reference. Parts that the reference does not contain are null.
  type: dictionary
  contains:
    name:
      description: The full reference.
      type: string
      sample: docker.io/library/alpine:3.20
    transport:
      description: The transport. V(docker) is a registry.
      type: string
      sample: docker
    host:
      description: The registry host, with its port if there is one.
      type: string
      sample: docker.io
    repository:
      description: The path of the repository. Image names in container engines also contain a repository.
      type: string
      sample: library/alpine
    tag:
      description: The tag.
      type: string
      sample: "3.20"
    digest:
      description: The digest. For an image in a container engine, the image ID.
      type: string
      sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    path:
      description: The path of a layout, archive or directory, as given.
      type: string
      sample: /srv/images
    ref:
      description: The name of an image in a layout or archive.
      type: string
      sample: alpine-3.20
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import (
    EngineReference,
    LocalReference,
    Reference,
    parse,
)

_PARTS = ("name", "transport", "host", "repository", "tag", "digest", "path", "ref")


def image_reference(text: t.Any) -> dict[str, str | None]:
    """Return the parts of a reference."""
    if not isinstance(text, str):
        raise AnsibleFilterError("image_reference: the input is not a string. Pass one image reference.")
    try:
        parts = _parts_of(parse(text), text.strip())
    except ImageError as error:
        raise AnsibleFilterError("image_reference: %s" % error) from None
    return {part: parts.get(part) or None for part in _PARTS}


def _parts_of(reference: Reference, text: str) -> dict[str, str]:
    if isinstance(reference, EngineReference):
        return _engine_parts(reference, text)
    if isinstance(reference, LocalReference):
        # The path belongs to the managed node, so what it is relative to is not known here.
        path = text[len(reference.transport) + 1 :]
        if reference.tag:
            path = path[: -len(reference.tag) - 1]
        return {"name": text, "transport": reference.transport, "path": path, "ref": reference.tag}
    return {
        "name": str(reference),
        "transport": "docker",
        "host": reference.host,
        "repository": reference.repository,
        "tag": reference.tag,
        "digest": reference.digest,
    }


def _engine_parts(reference: EngineReference, text: str) -> dict[str, str]:
    """Return the parts of an image in an engine, which has a full name. The path of a file is returned as given."""
    rest = text[len(reference.transport) + 1 :]
    path, _colon, ref = rest.partition(":") if reference.path else ("", "", rest)
    host, _slash, repository = reference.repository.partition("/")
    return {
        "name": text if reference.path else str(reference),
        "transport": reference.transport,
        "path": path,
        "ref": ref,
        "host": host,
        "repository": repository,
        "tag": reference.tag,
        "digest": reference.digest,
    }


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By the name that templates use."""
        return {"image_reference": image_reference}
