#!/usr/bin/python
# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_inspect
short_description: Inspect a container image without pulling it
version_added: 0.1.0
description:
  - Returns the digest, platforms, configuration, layers and labels of an image in a registry, OCI layout, archive, directory or container engine.
  - The module does not modify anything, so it never reports a change.
  - The module sends one request for a multi-platform image, two for a single-platform image, and three for one platform of a multi-platform image.
  - If the image does not exist, the module returns RV(exists=false). If access is denied, the task fails.
extends_documentation_fragment:
  - drayage.registry._attributes
  - drayage.registry._registries
attributes:
  check_mode:
    support: full
    details:
      - This module does not modify state.
  diff_mode:
    support: N/A
    details:
      - This module does not modify state.
  idempotent:
    support: full
    details:
      - This module does not modify state.
options:
  image:
    description:
      - The image to inspect.
      - V([docker://]host[:port]/path[:tag][@digest]) is an image in a registry. You can use Docker Hub short names, such as V(alpine). The tag defaults to
        V(latest). If the reference contains a tag and a digest, the digest takes precedence.
      - V(oci:PATH[:REF]) is an image in an OCI layout on the managed node, and V(oci-archive:FILE[:REF]) is an image in a tar archive of an OCI
        layout. You can omit V(REF) if there is only one image.
      - V(dir:PATH) is an image in a directory, in the format that C(skopeo copy) writes.
      - V(docker-daemon:NAME[:TAG]), V(containers-storage:NAME[:TAG]) and V(docker-archive:FILE[:NAME[:TAG]]) are images in a container engine or in a file
        that C(docker save) created. Engines and these files do not store manifests, so the module generates one, and RV(digest) is the image ID. If the
        image is in a container engine, the module must read the whole image.
    type: str
    required: true
  platform:
    description:
      - Which platform of a multi-platform image to inspect, in the form V(os/architecture[/variant]), such as V(linux/arm64).
      - If the image is a single-platform image, it must match this platform.
    type: str
  raw:
    description:
      - Whether to return RV(raw), which is the exact text of the manifest.
    type: bool
    default: false
  tags:
    description:
      - Whether to return RV(tags), which lists the tags in the repository or the names in the OCI layout. This costs one additional request, or several if
        the registry paginates the list.
    type: bool
    default: false
  verify:
    description:
      - Whether to check that every manifest and blob of the image exists, for all platforms. RV(missing) lists those that do not exist.
      - This costs one request for each manifest and blob. The module does not read the content of blobs, except in V(docker-archive) files.
    type: bool
    default: false
  referrers:
    description:
      - Whether to return RV(referrers), which lists referrers such as signatures, SBOMs and attestations. The list contains the referrers of the image and
        of its children. With O(platform), it contains only the referrers of the image itself and of its child for this platform.
      - The module finds referrers with the referrers API from version 1.1 of the OCI distribution specification, or with the tags that the specification
        defines for registries without this API. To find artifacts that are stored under cosign tags (C(sha256-<hex>.sig), C(.att) and C(.sbom)), it
        reads the tag list.
      - This costs one request for each manifest that can have referrers, one request for each referrer, and one request for the tag list.
      - For a signature file in a directory, RV(referrers[].tag) is the corresponding cosign tag (C(sha256-<hex>.sig)). For a GPG signature, it is
        C(sha256-<hex>.gpg).
      - The task fails for a container engine or a V(docker-archive) file, because these cannot store referrers.
    type: bool
    default: false
seealso:
  - module: drayage.registry.image_tags
  - module: drayage.registry.image_copy
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Resolve a tag to its digest
  drayage.registry.image_inspect:
    image: docker.io/library/alpine:3.20
  register: alpine

- name: Show the pinned reference
  ansible.builtin.debug:
    msg: "docker.io/library/alpine@{{ alpine.digest }}, for {{ alpine.platforms | join(' and ') }}"

- name: Inspect the image for one platform
  drayage.registry.image_inspect:
    image: docker.io/library/alpine:3.20
    platform: linux/arm64
  register: arm64

- name: Check whether a release is already published
  drayage.registry.image_inspect:
    image: registry.example.com/prod/app:1.4.2
  register: release

- name: Publish the release
  drayage.registry.image_copy:
    src: registry.example.com/staging/app:1.4.2
    dest: registry.example.com/prod/app:1.4.2
  when: not release.exists

- name: Check that a release has an SBOM
  drayage.registry.image_inspect:
    image: registry.example.com/prod/app:1.4.2
    referrers: true
  register: app
  failed_when: app.referrers | selectattr('artifact_type', 'eq', 'application/spdx+json') | length == 0

- name: Check that the exported image is complete before shipping it
  drayage.registry.image_inspect:
    image: oci:/srv/transfer/images:node-exporter-v1.8.2
    verify: true
  register: transfer
  failed_when: not transfer.exists or transfer.missing | length > 0
"""

RETURN = r"""
exists:
  description:
    - Whether the image exists. V(false) if the tag, the repository or the layout does not exist. The task fails if a layout or archive lists the image, but
      does not contain its manifest.
    - If the image does not exist, all values that describe it are null or empty.
  returned: success
  type: bool
  sample: true
digest:
  description: The digest of the index or of the single-platform image. Null if the image does not exist.
  returned: success
  type: str
  sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
platform_digest:
  description:
    - The digest of the image for the requested platform. For a single-platform image, it is the same as RV(digest). Null if O(platform) is not set.
    - With O(verify=true), null if the manifest of this image is missing. In this case, RV(missing) is not empty.
  returned: success
  type: str
  sample: sha256:33735bd63cf84d7e388d9f6d297d348c523c044410f553bd878c6d7829612735
media_type:
  description: The media type of the manifest or index. Null if the image does not exist.
  returned: success
  type: str
  sample: application/vnd.oci.image.index.v1+json
manifest:
  description: The decoded manifest or index. Null if the image does not exist.
  returned: success
  type: dict
  sample: {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}
raw:
  description:
    - The text of the manifest or index. The SHA-256 of this text is RV(digest), except for a schema 1 manifest, whose digest does not cover the
      signatures in the manifest.
    - Null unless O(raw=true).
  returned: success
  type: str
  sample: '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
platforms:
  description:
    - The platforms in the index, or the platform of a single-platform image. Attestations are not included.
    - For an index, these are the platforms of its own entries. Images in nested indexes, and entries without a platform, are not included.
  returned: success
  type: list
  elements: str
  sample: ["linux/amd64", "linux/arm64"]
children:
  description: The entries in the index. Empty for a single-platform image.
  returned: success
  type: list
  elements: dict
  contains:
    digest:
      description: The digest of the child.
      type: str
      sample: sha256:33735bd63cf84d7e388d9f6d297d348c523c044410f553bd878c6d7829612735
    media_type:
      description: The media type of the child.
      type: str
      sample: application/vnd.oci.image.manifest.v1+json
    size:
      description: The size of the child manifest, in bytes.
      type: int
      sample: 1022
    platform:
      description: The platform of the child. Null if the index does not specify it.
      type: str
      sample: linux/amd64
    artifact_type:
      description: The artifact type of the child. Null if the index does not specify it.
      type: str
      sample: null
    annotations:
      description: The annotations that the index contains for the child.
      type: dict
      sample: {}
    attests:
      description: The digest of the image that this attestation is for. Null if the child is not an attestation.
      type: str
      sample: null
annotations:
  description: The annotations in the manifest or index.
  returned: success
  type: dict
  sample: {"org.opencontainers.image.revision": "4b1c7f0"}
config:
  description:
    - The image's configuration. Null if the image has no configuration or the configuration is missing. The task fails if the configuration of an image is
      not valid.
    - For an artifact, null if the configuration is not a JSON object.
    - The module leaves out values that are nested more than 64 levels deep, and prints a warning.
    - Null for an index if O(platform) is not set, because an index refers to several images. In this case, RV(created), RV(architecture), RV(os)
      and RV(size) are also null, and RV(layers) and RV(labels) are empty.
  returned: success
  type: dict
  sample: {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/sh"]}}
layers:
  description: The layers of the image, starting with the base layer.
  returned: success
  type: list
  elements: dict
  contains:
    digest:
      description: The digest of the layer.
      type: str
      sample: sha256:c6a83fedfae6ed8a4f5f7cbb6a7b6f1c1ec3d86fea8cb9e5ba2e5e6673fde9f6
    media_type:
      description: The media type of the layer. Null for a schema 1 image, whose manifest does not contain it.
      type: str
      sample: application/vnd.oci.image.layer.v1.tar+gzip
    size:
      description: The size of the layer in bytes. Null for a schema 1 image.
      type: int
      sample: 3622892
labels:
  description: The labels of the image.
  returned: success
  type: dict
  sample: {"org.opencontainers.image.version": "3.20"}
created:
  description: The creation time of the image. Null if the configuration does not specify it as a string.
  returned: success
  type: str
  sample: "2026-01-14T22:09:47Z"
architecture:
  description: The architecture of the image. Null if the configuration does not specify it as a string.
  returned: success
  type: str
  sample: amd64
os:
  description: The operating system of the image. Null if the configuration does not specify it as a string.
  returned: success
  type: str
  sample: linux
size:
  description:
    - The total size of the configuration and the layers as stored, in bytes. Each blob is counted once. Null for a schema 1 image.
  returned: success
  type: int
  sample: 3623473
tags:
  description:
    - The tags in the repository, or the names in the OCI layout. Tags that are not versions come first, in alphabetical order. Versions follow, from lowest
      to highest.
    - Null unless O(tags=true).
  returned: success
  type: list
  elements: str
  sample: ["latest", "3.19", "3.20"]
missing:
  description: The digests of missing manifests and blobs. Empty if the image is complete. Null unless O(verify=true).
  returned: success
  type: list
  elements: str
  sample: []
msg:
  description: A one-sentence summary of the image.
  returned: success
  type: str
  sample: "registry.example.com/app:1.4 is an index with 2 platforms (sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0)."
referrers:
  description:
    - The referrers of the image and of its children. The referrers of a referrer follow it in the list.
    - Null if O(referrers=false), or if the image does not exist.
  returned: success
  type: list
  elements: dict
  contains:
    digest:
      description: The digest of the referrer.
      type: str
      sample: sha256:0d1f2d1c6f7e1a5b27c6ba1be2fe9d2b1a26d1e6a2fd93a4e4f1b64c4f7e6a11
    subject:
      description: The digest of the manifest that the referrer belongs to.
      type: str
      sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    artifact_type:
      description: The artifact type in the referrer's manifest, or else the media type of its config. Null if it has neither.
      type: str
      sample: application/vnd.dev.sigstore.bundle.v0.3+json
    media_type:
      description: The media type of the referrer's manifest.
      type: str
      sample: application/vnd.oci.image.manifest.v1+json
    size:
      description: The size of the referrer's manifest, in bytes.
      type: int
      sample: 843
    annotations:
      description: The annotations in the referrer's manifest.
      type: dict
      sample: {"dev.sigstore.bundle.content": "dsse-envelope"}
    scheme:
      description:
        - V(referrers) if the referrer's manifest has a C(subject). V(tag) if the referrer is stored under a cosign tag.
      type: str
      sample: referrers
    tag:
      description: The cosign tag of the referrer. Null if RV(referrers[].scheme) is V(referrers).
      type: str
      sample: null
    depth:
      description: V(1) for referrers of the image or one of its children, V(2) for the referrers of these referrers, and so on.
      type: int
      sample: 1
requests:
  description: The number of HTTP requests that the task sent, including retries and token requests.
  returned: success
  type: int
  sample: 1
"""

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils import _messages as messages
from ansible_collections.drayage.registry.plugins.module_utils._image import document as documents
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._module import RegistryModule
from ansible_collections.drayage.registry.plugins.module_utils._operations.inspect import (
    Inspected,
    InspectOptions,
    inspect,
)
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.transports import LocalImages

_OPTIONS = ("image", "platform", "tags", "verify", "referrers")
# Ansible and its callbacks recurse on a result, and fail from some 250 levels on.
_MAX_LEVELS = 64


def sentence(found: Inspected, image: str) -> str:
    """Describe the image."""
    if not found.top:
        return "%s does not exist." % image
    kind = "an image"
    if found.top.is_index:
        kind = "an index with %s" % messages.count(len(found.platforms), "platform")
    elif found.image and found.size:
        kind = "an image of %s" % messages.size(found.size)
    missing = ""
    if found.missing:
        missing = " Missing content: %s." % messages.listing(found.missing)
    return "%s is %s (%s).%s" % (image, kind, found.digest, missing)


def describe(found: Inspected, options: InspectOptions, raw: bool) -> dict[str, t.Any]:
    """Return the result as in RETURN."""
    top, image = found.top, found.image
    platform_digest = None
    if image and options.platform:
        platform_digest = found.digest if image is top else image.digest
    return {
        "changed": False,
        "msg": sentence(found, options.image),
        "exists": top is not None,
        "digest": found.digest if top else None,
        "platform_digest": platform_digest,
        "media_type": top.media_type if top else None,
        "manifest": top.document if top else None,
        "raw": top.raw.decode("utf-8") if top and raw else None,
        "platforms": found.platforms if top else [],
        "children": list(map(describe_child, top.children)) if top else [],
        "annotations": top.annotations if top else {},
        "tags": found.tags,
        "missing": found.missing,
        "referrers": None if found.referrers is None else [one.result for one in found.referrers],
        **describe_image(found),
    }


def describe_child(child: Descriptor) -> dict[str, t.Any]:
    """Describe an entry of an index."""
    return {
        "digest": child.digest,
        "media_type": child.media_type,
        "size": child.size,
        "platform": str(child.platform) if child.platform else None,
        "artifact_type": child.artifact_type,
        "annotations": child.annotations,
        "attests": child.attests,
    }


def describe_image(found: Inspected) -> dict[str, t.Any]:
    """Return the values that only a single image has."""
    has_image = found.image is not None
    config = (found.config or {}) if has_image else {}
    return {
        "config": found.config if has_image else None,
        "layers": found.layers if has_image else [],
        "labels": found.labels if has_image else {},
        **{name: _text_or_none(config.get(name)) for name in ("created", "architecture", "os")},
        "size": found.size if has_image else None,
    }


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def main() -> None:
    """Run the module."""
    module = RegistryModule(
        {
            "image": {"type": "str", "required": True},
            "platform": {"type": "str"},
            "raw": {"type": "bool", "default": False},
            "tags": {"type": "bool", "default": False},
            "verify": {"type": "bool", "default": False},
            "referrers": {"type": "bool", "default": False},
        },
        local=LocalImages,
    )
    options = InspectOptions(**{name: module.params[name] for name in _OPTIONS})

    def operation(stores: Stores) -> dict[str, t.Any]:
        found = inspect(options, stores)
        result = describe(found, options, module.params["raw"])
        if documents.cut_nested(result, _MAX_LEVELS):
            text = "%s: the manifest or config is nested more than %d levels deep; deeper levels were left out of the result"
            stores.run.warn(text % (options.image, _MAX_LEVELS))
        return result

    module.run(operation)


if __name__ == "__main__":
    main()
