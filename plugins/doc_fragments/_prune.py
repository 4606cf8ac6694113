# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of image_sync about what it removes, and about failures."""

    DOCUMENTATION = r"""
options:
  prune:
    description:
      - Delete tags from the destination repositories if no entry selects them.
      - Each deletion removes exactly one tag and no other tag of the same image. Repositories that are not declared are never changed.
      - Nothing is deleted from a repository if its source could not be listed, if one of its entries or their expressions selects nothing, or if
        one of its images failed. Nothing at all is deleted if V(path/*) could not be resolved.
      - Tags that belong to an image by its digest, such as C(sha256-<digest>.sig) of cosign or those of the referrers tag schema, are kept as
        long as the image is. A child of an index that stays is kept, even if its own tag is deleted.
      - With O(referrers=true), everything else that is attached to an image is deleted after the last tag of the image, such as
        signatures and SBOMs that the registry lists as referrers. Referrers of an image that stays are never deleted.
      - It is an error if a repository is its own source.
    type: bool
    default: false
  prune_keep:
    description:
      - Regular expressions for tags that O(prune) never deletes. An expression must match the whole tag.
    type: list
    elements: str
    default: []
  max_delete:
    description:
      - The maximum number of tags that O(prune) may delete. If it would delete more, the task fails before it writes anything, also in check mode.
      - With O(slice), tags that other hosts would delete count as well, unless whole repositories are divided among the hosts.
    type: int
  keep_going:
    description:
      - Continue with the other images if an image fails. The task still fails at the end, and RV(images) contains the outcome for each image.
      - By default, nothing is written if the plan already shows that an image does not exist or cannot be read. After an image fails during the copy, no
        further copies are started.
    type: bool
    default: false
"""
