# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options for the conversion of images. The argument spec is plugins/module_utils/_argspec.py."""

    DOCUMENTATION = r"""
options:
  format:
    description:
      - The manifest format of the image at the destination. By default, the image keeps its format and its digest.
      - V(oci) converts manifests and indexes to the media types of the OCI image specification. V(docker) converts them to the media types of
        Docker image manifest version 2, schema 2. The digest changes unless the image already has this format. Layers and configurations do
        not change, so the image keeps its ID.
      - If you convert an image and then convert it back, you get the original digest, unless the first conversion dropped annotations, index
        entries or inlined data, or added a missing media type or platform.
      - V(docker) drops annotations and prints a warning. Each entry in a Docker manifest list must have a platform. If an entry in the index has none, the
        module reads the platform from the image's configuration. If two images have the same platform, the module drops the one with zstd-compressed
        layers.
      - The task fails if the format cannot represent the image. V(docker) cannot represent zstd-compressed or encrypted layers, attestations,
        artifacts, or manifests with a C(subject).
      - M(drayage.registry.image_sync) does not convert artifacts such as charts and signatures.
      - If O(format) is V(oci) or V(docker), the module reads the manifests of all selected platforms on every run.
      - This option has no effect if O(dest) is a container engine or a V(docker-archive) file, because these do not store manifests.
    type: str
    choices:
      - preserve
      - oci
      - docker
    default: preserve
  attestations:
    description:
      - Whether to copy the attestations (provenance and SBOMs) that BuildKit stores in an image's index.
      - V(drop) removes the attestations from the copy. If the index contained any, its digest changes.
    type: str
    choices:
      - keep
      - drop
    default: keep
  remove_signatures:
    description:
      - Convert the image with O(format) even if it is signed at the source. The copy is not signed, because a signature is valid for one digest only.
      - By default, the task fails if O(format) would convert an image that has a cosign signature under the tag C(sha256-<hex>.sig).
        For an index, only the signature of the index itself is looked for, not those of its images.
      - This option never removes signatures from the source.
    type: bool
    default: false
"""
