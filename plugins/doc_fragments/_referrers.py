# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options for referrers. The argument spec is plugins/module_utils/_argspec.py."""

    DOCUMENTATION = r"""
options:
  referrers:
    description:
      - Also copy the image's referrers, such as signatures, SBOMs and attestations, and the referrers of its copied children. Referrers of these referrers
        are also copied. The module copies all referrers before it writes the image's tags.
      - Artifacts that cosign stores under the tags C(sha256-<hex>.sig), C(.att) and C(.sbom) also count as referrers.
      - The module uses the referrers API from version 1.1 of the OCI distribution specification. For a registry without this API, it uses the
        specification's referrers tag schema (C(sha256-<hex>)). OCI layouts and archives store lists of referrers as entries in C(index.json), with names
        from the same tag schema.
      - Referrers that exist only at the destination are kept. Referrers that were added at the source since the last run are copied.
      - If the digest of a manifest changes, its referrers are not copied, because they are valid only for the original digest. For example, the
        digest of an index changes if platforms are removed from it. If O(format) or O(attestations) changes an image that has referrers, the task
        fails unless O(remove_signatures=true).
      - If an image is up to date, the module compares only the referrers of the image itself, not those of its children. To compare them
        all, use M(drayage.registry.image_copy) with C(force=true).
      - A directory (V(dir:PATH)) can store only signatures, in files named C(signature-N) and C(<hex>.signature-N). This also applies to each
        directory in a tree. The module converts cosign signatures (C(.sig)) to and from these files, and copies GPG signatures from one
        directory to another. It does not copy any other referrers, and prints a warning about them.
      - The task fails if the source or the destination cannot store referrers, which is the case for container engines and V(docker-archive)
        files.
      - Without this option, the module sends no requests to look for referrers. If other requests show that an image has referrers, the task shows a
        warning.
    type: bool
    default: false
  artifact_types:
    description:
      - With O(referrers=true), copy only referrers with one of these artifact types, such as V(application/spdx+json). The referrers of a selected
        referrer are copied regardless of their type. For artifacts under cosign tags, the module also compares the media types of the layers.
      - By default, all referrers are copied.
    type: list
    elements: str
    default: []
"""
