# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The option C(images); its argument spec is plugins/module_utils/_images_option.py."""

    DOCUMENTATION = r"""
options:
  images:
    description:
      - The repositories to bring, and which of their tags.
      - Tags that are named in O(images[].tags) are wanted as they are. O(images[].include), O(images[].semver) and
        O(images[].newest) choose among all tags of the repository, and so does an entry that has none of these four.
        What matches O(images[].exclude) is not wanted in any case.
      - A repository may have several entries. Two sources for one destination are an error, and so are two entries that
        bring one image with different platforms.
      - An entry may be a plain reference, V(name:tag), V(name@digest), or V(name:tag@digest) for a tag that must have this
        digest. Without either the tag is V(latest). The name is what O(images[].name) takes.
      - The filter P(drayage.registry.find_images#filter) and the lookup P(drayage.registry.images_of#lookup) return lists that
        this option takes as they are, without O(src).
      - Without O(images) and O(source_file) it is all images that are in O(src), which must be a layout or a tree then.
    type: list
    elements: raw
    suboptions:
      name:
        description:
          - The repository. A path below O(src), or a whole reference such as V(quay.io/prometheus/node-exporter).
          - V(path/*) means all repositories below a path, and V(*) all there are. Registries are asked for their catalog then,
            which not all of them have. Those without a tag that is wanted are passed over, unless it is all of them.
          - A pattern may find up to 10,000 repositories. A repository under an invalid name is a failed image, and does not
            affect the others.
        type: str
        required: true
      dest:
        description:
          - The repository to write to. A path below O(dest), or a whole reference where the task has no O(dest).
          - The default is the path that the source has in its registry, without the host. In a layout it is the full name
            with the host, so that it can be brought back from there.
        type: str
      tags:
        description:
          - Tags to bring, or digests of images. Put tags in quotes, or YAML reads V(1.10) as the number 1.1, which is an error.
        type: list
        elements: str
        default: []
      include:
        description:
          - Bring tags that match one of these regular expressions as a whole. One that matches none is an error.
        type: list
        elements: str
        default: []
      exclude:
        description:
          - Leave out tags that match one of these regular expressions as a whole.
        type: list
        elements: str
        default: []
      semver:
        description:
          - Bring tags that are versions in this range, such as V(">=1.25, <2"), V(^1.4) or V(1.x || 3.x), as the option
            O(drayage.registry.image_tags#module:semver) takes it.
        type: str
      semver_strict:
        description:
          - Whether only tags of three numbers, such as V(1.25.2) and V(v1.25.2), are versions. If V(false), V(1.25) and
            V(20240101) are as well. What follows an underscore after three numbers, as in V(1.25.2_build), is build metadata.
        type: bool
        default: true
      newest:
        description:
          - Of the tags that O(images[].include), O(images[].exclude) and O(images[].semver) leave, bring this many of the
            highest versions.
        type: int
      platforms:
        description:
          - Bring these platforms only, as O(platforms) does for all entries.
        type: list
        elements: str
      missing_ok:
        description:
          - As O(missing_ok), for this entry.
        type: bool
"""
