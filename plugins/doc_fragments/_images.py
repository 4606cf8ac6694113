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
      - The repositories to copy, and the tags to copy from each.
      - O(images[].tags) selects tags by name. O(images[].include), O(images[].semver) and O(images[].newest) select from all tags of the
        repository. An entry with none of these four selects all tags. O(images[].exclude) always takes precedence.
      - A repository can have several entries. It is an error if two sources have the same destination, or if two entries
        select one image with different platforms.
      - Instead of a mapping, an entry can be a reference, V(name:tag), V(name@digest) or V(name:tag@digest). V(name:tag@digest) copies the image with
        this digest and points the tag to it. The tag defaults to V(latest). V(name) has the format of O(images[].name).
      - The option accepts the lists of the filter P(drayage.registry.find_images#filter) and the lookup P(drayage.registry.images_of#lookup). Do not set
        O(src) in this case.
      - Without O(images), and without a file that declares images, all images in O(src) are copied, which must then be a layout or a directory tree.
    type: list
    elements: raw
    suboptions:
      name:
        description:
          - The repository, as a path below O(src) or a full name such as V(quay.io/prometheus/node-exporter).
          - V(path/*) selects all repositories below a path, and V(*) selects all repositories. The registry must support the catalog API. Repositories
            without a matching tag are skipped. It is an error if no repository has one.
          - A pattern can match up to 10,000 repositories. A repository with an invalid name counts as a failed image and does not affect the
            others.
        type: str
        required: true
      dest:
        description:
          - The destination repository, as a path below O(dest), or as a full name if the task has no O(dest).
          - The default is the path of the source repository without its registry host. In a layout, the default is the full name
            with the host, so that a later task can copy the image from there.
        type: str
      tags:
        description:
          - The tags or digests to copy. Put tags in quotes. Without quotes, YAML reads V(1.10) as the number 1.1, which the module rejects.
        type: list
        elements: str
        default: []
      include:
        description:
          - Copy tags that match one of these regular expressions. An expression must match the whole tag. It is an error if an expression matches
            no tag.
        type: list
        elements: str
        default: []
      exclude:
        description:
          - Leave out tags that match one of these regular expressions. An expression must match the whole tag.
        type: list
        elements: str
        default: []
      semver:
        description:
          - Copy tags that are versions in this range, such as V(">=1.25, <2"), V(^1.4) or V(1.x || 3.x), in the notation of the option
            O(drayage.registry.image_tags#module:semver).
        type: str
      semver_strict:
        description:
          - Whether only tags with three numbers, such as V(1.25.2) and V(v1.25.2), are versions. With V(false), V(1.25) and
            V(20240101) are versions, too. An underscore after three numbers starts build metadata, as in V(1.25.2_build).
        type: bool
        default: true
      newest:
        description:
          - Copy at most this many tags, those with the highest versions, after O(images[].include), O(images[].exclude) and O(images[].semver) are
            applied.
        type: int
      platforms:
        description:
          - The platforms to copy, like O(platforms) but for this entry.
        type: list
        elements: str
      missing_ok:
        description:
          - Like O(missing_ok), but for this entry.
        type: bool
"""
