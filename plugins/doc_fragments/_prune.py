# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of image_sync for deletions and failures."""

    DOCUMENTATION = r"""
options:
  prune:
    description:
      - Delete tags from the destination repositories if no entry selects them.
      - The module deletes each tag individually, so other tags of the same image are kept. It never changes repositories that are not declared.
      - The module deletes nothing from a repository if it cannot list the tags at the source, or if one of the images in this repository failed. It also
        deletes nothing from a repository if an entry for this repository, or an expression in such an entry, selects no tags, for example because
        the source has none of the entry's tags and O(missing_ok=true) allows that. If it cannot resolve a pattern such as V(path/*), it deletes nothing from
        any repository.
      - With O(missing_ok=true), or for a pattern, the module sends HEAD and GET requests, even with O(existing=keep), until it has found one of the entry's
        tags at the source. It does so only if there are tags to delete.
      - A registry's tag list may be outdated or incomplete. If an entry would select a tag that the list of its source registry lacks, the module deletes
        this tag only after the source confirms that it does not exist. This costs one HEAD and one GET request for each such tag. The module
        keeps tags that exist or cannot be read, and shows a warning.
      - If O(src) is on disk and O(base) is set, the source may lack images that the site already has. If an entry would select such a tag, the module keeps
        each tag that the inventory lists. Without O(base), do not prune from an incremental bundle.
      - Tags that contain an image's digest, such as cosign's C(sha256-<hex>.sig) and tags from the referrers tag schema, are kept as long as this image
        exists. If an index is kept, its children are also kept, even if their own tags are deleted.
      - Before the module deletes the last tag of an image from a registry, it adds the annotation C(drayage.registry.pruning) to the manifests of these
        tags. If the task is interrupted, the next run thus finds them and deletes them. Their signatures stay valid. The module skips this if the
        registry refuses to overwrite these tags.
      - With O(referrers=true), the module also deletes untagged referrers, such as signatures and SBOMs, after it has deleted the last tag of the image
        that they belong to. It never deletes the referrers of an image that is kept.
        If the task is interrupted in between, the next run finds them only if the image is in a registry and still has a tag such as
        C(sha256-<hex>.sig). Otherwise, delete them with M(drayage.registry.image_delete), the image's digest,
        O(drayage.registry.image_delete#module:scope=manifest) and O(drayage.registry.image_delete#module:referrers=true).
      - The task fails if a repository is both a source and a destination, even of different entries. Use separate tasks for a chain of repositories.
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
      - The maximum number of tags that O(prune) may delete. If it would delete more, the task fails before it writes anything. This also applies in
        check mode.
      - With O(slice), each host also counts the tags that the other hosts would delete. If each share consists of whole repositories,
        each host counts only the tags in its own repositories.
    type: int
  keep_going:
    description:
      - Continue with the remaining images if an image fails. The task still fails at the end, and RV(images) contains the outcome for each image.
      - By default, the module writes nothing if it finds during planning that an image does not exist or cannot be read. If an image fails
        during the copy, the module starts no further copies.
    type: bool
    default: false
"""
