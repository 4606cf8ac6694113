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
      - The manifest format of the image at O(dest). By default, the image keeps its format and its digest.
      - V(oci) and V(docker) convert the manifests, and the index if there is one, to the media types of the OCI image specification or of Docker image
        manifest version 2, schema 2. The digest changes, unless the image already has that format. Layers and configurations do not change, and
        the image keeps its ID.
      - If you convert an image and convert the result back, it has the original digest, unless the conversion left something out.
      - V(docker) drops annotations, with a warning. A Docker manifest list requires a platform for each entry. If the index has none, it is taken from
        the configuration of the image. If two images have the same platform, the one with zstd layers is left out.
      - It is an error if the format cannot represent the image. V(docker) cannot represent zstd-compressed or encrypted layers, attestations, artifacts,
        and manifests with a C(subject).
      - In a set of images (M(drayage.registry.image_sync)), artifacts such as charts and signatures keep their format.
      - A conversion reads all manifests of the source on every run, those of all platforms included.
      - This option has no effect if O(dest) is a container engine or a C(docker-archive) file, which store no manifests.
    type: str
    choices:
      - preserve
      - oci
      - docker
    default: preserve
  attestations:
    description:
      - Whether to copy the attestations (provenance and SBOMs) that BuildKit stores in the index of an image.
      - With V(drop), they are left out. The digest of the index changes if it had any.
    type: str
    choices:
      - keep
      - drop
    default: keep
  remove_signatures:
    description:
      - Convert an image with O(format) even if it has a cosign signature at O(src), stored under the tag that belongs to its digest. The copy has no
        signature, because a signature is valid for one digest only.
      - Without this option, converting a signed image is an error. Nothing is removed from O(src).
    type: bool
    default: false
"""
