# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of how images change on their way; their argument spec is plugins/module_utils/_argspec.py."""

    DOCUMENTATION = r"""
options:
  format:
    description:
      - The format that the image is to have at O(dest). The default is to leave it as it is, so that its digest stays.
      - V(oci) and V(docker) write its manifests, and the index if it has one, in the media types of the OCI image
        specification or of Docker's image manifest version 2, schema 2. The digest changes, unless the image has that
        format already. Layers and configurations keep their bytes, and the image keeps its ID.
      - Converting an image and converting the result back gives the first digest, as long as nothing was left out.
      - V(docker) leaves annotations out, with a warning, and takes the platforms that Docker's lists must have from the
        configurations of the images where the index does not tell them. Of two images for one platform, those with zstd
        layers are left out if there is another.
      - What the format cannot express is an error that names it. For V(docker) these are layers that are compressed with
        zstd or encrypted, attestations, artifacts, and what refers to another image by C(subject).
      - In a set of images, as in M(drayage.registry.image_sync), artifacts such as charts and signatures keep their format.
      - The manifests of the source have to be read each time to know the result, those of all platforms included.
      - Container engines and C(docker-archive) files keep no manifest, so that this has no effect where O(dest) is one.
    type: str
    choices:
      - preserve
      - oci
      - docker
    default: preserve
  attestations:
    description:
      - What becomes of the attestations (provenance and SBOMs) that buildkit stores in the index of an image.
      - With V(drop) they are left out, and the index gets a digest of its own if it had any.
    type: str
    choices:
      - keep
      - drop
    default: keep
  remove_signatures:
    description:
      - Convert an image with O(format) even if O(src) has a signature of it, made by cosign and stored under the tag
        that belongs to its digest. The copy has no signature, as none fits its new digest.
      - Without this such an image is not converted. Nothing is removed from O(src).
    type: bool
    default: false
"""
