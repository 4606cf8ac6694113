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
      - Copy the referrers of the image and of its copied children as well, such as signatures, SBOMs and attestations, and
        their own referrers. They arrive before the tags of the image move.
      - Referrers are found and listed by the API of the OCI distribution specification 1.1, or by its tag schema
        (C(sha256-<hex>)) on either side that has no API. The tags of cosign (C(sha256-<hex>.sig), C(.att) and C(.sbom)) are copied
        too. In OCI layouts and archives the lists of referrers are entries of C(index.json) with the names of the tag schema.
      - Referrers that exist only at the destination stay there. Referrers that were added at the source since the last run are copied.
      - Referrers of a manifest whose digest changes are left out, because they no longer match. This concerns an index that loses
        platforms, and an image that O(format) converts. The latter is an error unless O(remove_signatures=true).
      - For an image that is up to date, only the referrers of the image itself are compared, and not those of its
        children. With C(force=true), where there is that option, all of it is compared.
      - A directory (V(dir:PATH)), and each directory of a tree, can only store signatures, in the files
        C(signature-N) and C(<hex>.signature-N). cosign's signatures (C(.sig)) are converted from and to them. GPG signatures are copied
        from one directory to another. Everything else is left out with a warning.
      - It is an error if the source or the destination cannot store referrers, such as an engine or a C(docker-archive) file.
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
