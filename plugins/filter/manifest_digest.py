# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: manifest_digest
short_description: The digest of a manifest
version_added: 0.1.0
description:
  - Computes the digest that registries know an image manifest or index by, from its text.
  - This is the SHA-256 of the bytes. For a signed manifest of Docker's old schema 1 it is that of the manifest without
    the signatures, as C(skopeo manifest-digest) does it.
  - The filter does not look at what the text says. Whether it is a manifest at all is not checked.
positional: _input
options:
  _input:
    description:
      - The text of the manifest, to the byte. Blanks and line ends count, so give what a registry or a file said as it is.
    type: string
    required: true
notes:
  - Ansible's P(ansible.builtin.file#lookup) lookup removes line ends from the end of a file. Turn that off with C(rstrip=false).
  - Before ansible-core 2.19, templates decode text that looks like JSON when it goes through a variable of its own. Give
    the result of a lookup or a task to the filter directly.
seealso:
  - plugin: drayage.registry.image_reference
    plugin_type: filter
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Tell the digest of a manifest in a file
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.file', 'manifest.json', rstrip=false) | drayage.registry.manifest_digest }}"
"""

RETURN = r"""
_value:
  description: The digest.
  type: string
  sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image import signed


def manifest_digest(text: t.Any) -> str:
    """The digest of a manifest's text."""
    if not isinstance(text, (str, bytes)):
        raise AnsibleFilterError("manifest_digest takes the text of a manifest: what is decoded has lost its bytes.")
    try:
        return signed.manifest_digest(text.encode("utf-8") if isinstance(text, str) else text)
    except UnicodeEncodeError:
        raise AnsibleFilterError("manifest_digest was given text that is not valid Unicode.") from None
    except ImageError as error:
        raise AnsibleFilterError("manifest_digest: %s" % error) from None


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By the name that templates use."""
        return {"manifest_digest": manifest_digest}
