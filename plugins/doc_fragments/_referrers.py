# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of what travels with images; their argument spec is plugins/module_utils/_argspec.py."""

    DOCUMENTATION = r"""
options:
  referrers:
    description:
      - Copy what is attached to the image and to its copied children as well, such as signatures, SBOMs and attestations, and
        what is attached to these in turn. It arrives before the tags of the image are moved.
      - Referrers are found and listed by the API of the OCI distribution specification 1.1, or by its tag schema
        (C(sha256-<hex>)) on either side that has no API. The tags of cosign (C(sha256-<hex>.sig), C(.att) and C(.sbom)) are copied
        too. In OCI layouts and archives the lists of referrers are entries of C(index.json) with the names of the tag schema.
      - What is attached at the destination only stays. What was attached at the source since the last run is copied.
      - What is attached to a manifest that gets another digest no longer fits, and is left out. That is an index that loses
        platforms, and an image that O(format) converts. The latter is an error unless O(remove_signatures=true).
      - For an image that is up to date, only what is attached to the image itself is compared, and not what is attached to its
        children. With C(force=true), where there is that option, all of it is compared.
      - In a directory (V(dir:PATH)), and in each directory of a tree, there is only a place for signatures, in the files
        C(signature-N) and C(<hex>.signature-N). cosign's signatures (C(.sig)) are converted from and to them. GPG signatures are copied
        from one directory to another. Everything else is left out with a warning.
      - It is an error if the source or the destination cannot hold referrers, as engines and C(docker-archive) files cannot.
      - Without this option, the task warns once if it has learned that something is attached to images that it copies. It sends
        no request to find that out.
    type: bool
    default: false
  artifact_types:
    description:
      - With O(referrers), copy only what has one of these artifact types, such as V(application/spdx+json), and all that is
        attached to it. For cosign's tags, the media type of a layer counts as well.
      - The default is to copy all of it.
    type: list
    elements: str
    default: []
"""
