# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: image_digest
short_description: Look up the digests of container images
version_added: 0.1.0
description:
  - Returns the digest that each reference points to. The lookup runs on the controller.
  - If you pass several references, the lookup resolves them in parallel. It sends one HEAD request for each reference.
  - The lookup caches the digests for all hosts and tasks until C(ansible-playbook) ends; see O(cache).
extends_documentation_fragment:
  - drayage.registry._registries
options:
  _terms:
    description:
      - The references, in the form V(host[:port]/path[:tag]). You can use Docker Hub short names. The tag defaults to V(latest).
      - If a reference already contains a digest, the lookup returns this digest and sends no request.
    type: list
    elements: str
    required: true
  pin:
    description:
      - Whether to return references with digests, such as V(registry.example.com/app:1.4@sha256:...), instead of only the digests.
    type: bool
    default: false
  cache:
    description:
      - Whether to return digests cached by earlier lookups in the same run. Set this to V(false) after a task has moved a tag.
    type: bool
    default: true
  registries:
    vars:
      - name: drayage_registry_registries
  authfile:
    vars:
      - name: drayage_registry_authfile
notes:
  - Module defaults (C(module_defaults)) do not apply to lookups. Set the variables C(drayage_registry_registries) and C(drayage_registry_authfile)
    instead. You can also use these variables in C(module_defaults).
seealso:
  - module: drayage.registry.image_lock
  - module: drayage.registry.image_inspect
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Show a command that runs exactly the image the tag points to now
  ansible.builtin.debug:
    msg: "podman run {{ lookup('drayage.registry.image_digest', 'registry.example.com/prod/app:1.4.2', pin=true) }}"

- name: Look up several digests at the same time
  ansible.builtin.set_fact:
    digests: "{{ dict(images | zip(query('drayage.registry.image_digest', images))) }}"
  vars:
    images:
      - quay.io/example/app:1.4.2
      - quay.io/example/proxy:1.9.0
"""

RETURN = r"""
_raw:
  description: The digests, in the same order as the references. With O(pin=true), the references with their digests.
  type: list
  elements: str
  sample: ["sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0"]
"""

import dataclasses
import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import RegistryReference
from ansible_collections.drayage.registry.plugins.module_utils._operations.resolve import parse_image, require_digests
from ansible_collections.drayage.registry.plugins.plugin_utils._lookup import DigestCache, RegistryLookup


class LookupModule(RegistryLookup):
    """The lookup of this file."""

    name = "image_digest"

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        """Return a digest, or a pinned reference, for each term. Raises AnsibleLookupError."""
        self.set_options(var_options=variables, direct=kwargs)
        with self.reporting():
            references = [_parse(term) for term in self._flatten(terms)]
            found = self._digests(references, kwargs)
        if not self.get_option("pin"):
            return [found[reference] for reference in references]
        return [str(dataclasses.replace(reference, digest=found[reference])) for reference in references]

    def _digests(self, references: list[RegistryReference], direct: dict[str, t.Any]) -> dict[RegistryReference, str]:
        found = {reference: reference.digest for reference in references if reference.digest}
        params = self.registry_params(direct)
        with DigestCache(params).hold() as known:
            if self.get_option("cache"):
                found.update((each, known[str(each)]) for each in references if str(each) in known)
            missing = [reference for reference in references if reference not in found]
            if missing:
                with self.stores(params) as stores:
                    found.update(require_digests(missing, stores))
                known.update((str(reference), found[reference]) for reference in missing)
        return found


def _parse(term: t.Any) -> RegistryReference:
    if not isinstance(term, str):
        raise ImageError("%r is not a valid image reference" % (term,), hint="Write host[:port]/path[:tag]")
    return parse_image(str(term))
