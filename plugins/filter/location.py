# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: location
short_description: Split an image location into its parts
version_added: 0.1.0
description:
  - Splits an image reference into its location, such as a registry or an OCI layout, and the image's name at that location. The filter also accepts the values
    of the O(drayage.registry.image_sync#module:src) and O(drayage.registry.image_sync#module:dest) options of M(drayage.registry.image_sync).
  - The filter treats an input without a slash as a registry if it contains a dot or a colon, or if it is V(localhost). Otherwise, the filter treats it as
    an image on Docker Hub. To split references that may be short names, use the P(drayage.registry.image_reference#filter) filter.
  - The filter does not read files or send requests.
positional: _input
options:
  _input:
    description:
      - The location, in the form V([docker://]host[:port][/path][:tag][@digest]) or V(oci:PATH[:NAME]). You can also use the other transports that
        M(drayage.registry.image_copy) supports.
    type: string
    required: true
seealso:
  - plugin: drayage.registry.image_reference
    plugin_type: filter
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Create the directory for a local mirror
  ansible.builtin.file:
    path: "{{ mirror.root }}"
    state: directory
    mode: "0755"
  when: mirror.is_local
  vars:
    mirror: "{{ mirror_dest | drayage.registry.location }}"

- name: Show the names of all images in a bundle, without their registries
  ansible.builtin.debug:
    msg: "{{ synced.images | map(attribute='dest') | map('drayage.registry.location') | map(attribute='name') }}"
"""

RETURN = r"""
_value:
  description: The parts of the location. Parts that the input does not contain are null.
  type: dictionary
  contains:
    kind:
      description: The transport. V(docker) is a registry.
      type: string
      sample: oci
    root:
      description:
        - The registry, or the path of the OCI layout, file or directory, as given. Null for a container engine.
      type: string
      sample: /srv/images
    full_name:
      description: The full name of the image, without the path of the OCI layout or file that contains the image.
      type: string
      sample: registry.example.com/team/app:1.0
    host:
      description: The registry in the name, with its port if there is one. Names in an OCI layout can also contain a registry.
      type: string
      sample: registry.example.com
    name:
      description: The name of the image without the registry. It is the same in every mirror of the image.
      type: string
      sample: team/app:1.0
    repository:
      description: The name of the image without the registry, tag and digest.
      type: string
      sample: team/app
    tag:
      description: The tag.
      type: string
      sample: "1.0"
    digest:
      description: The digest. For an image in a container engine, the image ID.
      type: string
      sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    is_local:
      description: Whether the images are on the managed node rather than in a registry.
      type: boolean
      sample: true
    is_loopback:
      description: Whether the location is a registry with a loopback host, such as V(localhost:5000).
      type: boolean
      sample: false
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import reference as references
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import is_loopback

_SCHEME = "docker://"


def location(text: t.Any) -> dict[str, t.Any]:
    """Return the parts of a location."""
    if not isinstance(text, str):
        raise AnsibleFilterError(
            "location: the input is not a string. Pass one image reference, or src or dest of image_sync."
        )
    try:
        return _location(text.strip())
    except ImageError as error:
        raise AnsibleFilterError("location: %s" % error) from None


def _location(text: str) -> dict[str, t.Any]:
    host = text[len(_SCHEME) :] if text.startswith(_SCHEME) else text
    host = host.rstrip("/")
    is_of_node = text.partition(":")[0] in references.LOCAL_TRANSPORTS + references.ENGINE_TRANSPORTS
    if not is_of_node and "/" not in host and references.is_host(host):
        references.parse_registry("%s/any" % host)
        return _described("docker", host, host, "")
    reference = references.parse(text)
    if isinstance(reference, references.RegistryReference):
        return _described("docker", reference.host, reference.host, str(reference)[len(reference.host) + 1 :])
    rest = text[len(reference.transport) + 1 :]
    if reference.transport in references.ENGINES:
        path, full_name = "", str(reference)[len(reference.transport) + 1 :]
    elif reference.has_names:
        path, _colon, full_name = rest.partition(":")  # the path belongs to the managed node, and stays as it is given
    else:
        path, full_name = rest, ""
    first, slash, name = full_name.partition("/")
    has_host = bool(slash) and references.is_host(first)
    return _described(reference.transport, path, first if has_host else "", name if has_host else full_name)


def _described(kind: str, root: str, host: str, name: str) -> dict[str, t.Any]:
    rest, at, digest = name.partition("@")
    if not at and digests.is_digest(name):
        rest, digest = "", name
    repository, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = rest, ""
    texts = {
        "kind": kind,
        "root": root,
        "full_name": "/".join(filter(None, (host, name))) if name else "",
        "host": host,
        "name": name,
        "repository": repository,
        "tag": tag,
        "digest": digest,
    }
    parts: dict[str, t.Any] = {key: value or None for key, value in texts.items()}
    is_registry = kind == "docker"
    return {**parts, "is_local": not is_registry, "is_loopback": is_registry and is_loopback(host)}


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By the name that templates use."""
        return {"location": location}
