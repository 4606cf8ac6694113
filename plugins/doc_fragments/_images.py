# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The option C(images). The argument spec is plugins/module_utils/_images_option.py."""

    DOCUMENTATION = r"""
options:
  images:
    description:
      - The repositories to copy, and the tags to copy from each of them.
      - O(images[].tags) selects tags by name. O(images[].include), O(images[].semver) and O(images[].newest) select from all tags in the repository. An
        entry with none of these four options selects all tags. O(images[].exclude) always takes precedence.
      - Several entries can refer to the same repository. The task fails if two sources have the same destination, or if two entries select the same
        image for different platforms.
      - An entry can also be a string instead of a mapping. The string is V(name), V(name:tag), V(name@digest) or V(name:tag@digest), where V(name) has the
        same format as O(images[].name). V(name) selects the V(latest) tag. With V(name:tag@digest), the module copies the image with this digest and
        points the tag to it.
      - The option also accepts the lists that the P(drayage.registry.find_images#filter) filter and the P(drayage.registry.images_of#lookup) lookup return.
        Do not set O(src) in this case.
      - If none of O(images), O(source_file) and O(lock_file) is set, the module copies all images from O(src), which must then be an OCI layout or a
        directory tree.
    type: list
    elements: raw
    suboptions:
      name:
        description:
          - The repository, as a path below O(src) or as a full name such as V(quay.io/prometheus/node-exporter).
          - V(path/*) selects all repositories below a path, and V(*) selects all repositories. For these patterns, the registry must support
            the catalog API. Repositories without a matching tag are skipped, but the task fails if no repository has a matching tag.
          - A pattern can match up to 10,000 repositories. A repository with an invalid name counts as a failed image; see O(keep_going).
        type: str
        required: true
      dest:
        description:
          - The destination repository, as a path below O(dest), or as a full name if the task does not set O(dest).
          - The default is the path of the source repository, without the registry host. In an OCI layout or a directory tree, the default is the
            full name, including the host. You can then use the same names in O(images) when you copy the images from there.
        type: str
      tags:
        description:
          - The tags or digests to copy. If O(images[].name) is a pattern, each of them must exist in at least one of the repositories.
          - Put tags in quotes. Without quotes, YAML reads V(1.10) as the number 1.1, which the module rejects.
        type: list
        elements: str
        default: []
      include:
        description:
          - Copy the tags that match at least one of these regular expressions. An expression must match the whole tag. The task fails if an
            expression does not match any tag.
        type: list
        elements: str
        default: []
      exclude:
        description:
          - Do not copy tags that match any of these regular expressions. An expression must match the whole tag.
        type: list
        elements: str
        default: []
      semver:
        description:
          - Copy the tags that are versions in this range, such as V(">=1.25, <2"), V(^1.4) or V(1.x || 3.x). For the notation, see
            O(drayage.registry.image_tags#module:semver).
        type: str
      semver_strict:
        description:
          - Whether only tags with three numbers, such as V(1.25.2) and V(v1.25.2), count as versions. With V(false), tags such as V(1.25) and
            V(20240101) also count as versions. An underscore after three numbers introduces build metadata, as in V(1.25.2_build).
        type: bool
        default: true
      newest:
        description:
          - Copy at most this many tags, starting with the highest version. The module first applies O(images[].include), O(images[].exclude)
            and O(images[].semver).
        type: int
      platforms:
        description:
          - Like O(platforms), but only for this entry. It takes precedence over O(platforms).
        type: list
        elements: str
      missing_ok:
        description:
          - Like O(missing_ok), but only for this entry. It takes precedence over O(missing_ok).
        type: bool
"""
