# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: manifest_digest
short_description: Compute the digest of a manifest
version_added: 0.1.0
description:
  - Computes the digest of an image manifest or index from its text. Registries identify manifests and indexes by this digest.
  - The digest is the SHA-256 of the text. For a signed Docker schema 1 manifest, it is the SHA-256 of the manifest without its
    signatures, as C(skopeo manifest-digest) computes it.
  - The filter does not check whether the text is a valid manifest.
positional: _input
options:
  _input:
    description:
      - The exact text of the manifest. Spaces and line endings affect the digest, so pass the content of the file or response unchanged.
    type: string
    required: true
notes:
  - By default, the P(ansible.builtin.file#lookup) lookup removes trailing whitespace, including line endings. Set C(rstrip=false) to keep it.
  - In ansible-core before 2.19, if you assign text that looks like JSON to a variable with a template, the variable contains the parsed data instead. To
    avoid this, pass the result of a lookup or a task directly to the filter.
seealso:
  - plugin: drayage.registry.image_reference
    plugin_type: filter
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Show the digest of a manifest file
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
    """Return the digest of a manifest, given its text."""
    if not isinstance(text, (str, bytes)):
        raise AnsibleFilterError(
            "manifest_digest: the input is not a string. Pass the manifest as text: a parsed manifest no longer has its original bytes."
        )
    try:
        return signed.manifest_digest(text.encode("utf-8") if isinstance(text, str) else text)
    except UnicodeEncodeError:
        raise AnsibleFilterError(
            "manifest_digest: the input is not valid Unicode. Pass the manifest as UTF-8 text."
        ) from None
    except ImageError as error:
        raise AnsibleFilterError("manifest_digest: %s" % error) from None


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By the name that templates use."""
        return {"manifest_digest": manifest_digest}
