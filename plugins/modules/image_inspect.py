#!/usr/bin/python
# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_inspect
short_description: Tell what a container image is, without pulling it
version_added: 0.1.0
description:
  - Tells digest, platforms, configuration, layers and labels of an image in a registry, a file or directory, or a container engine.
  - This module only reads, and never changes anything.
  - A multi-platform image costs one request, a single image two, and one platform of a multi-platform image three.
  - An image that is not there is a result, RV(exists=false). No access to it is an error.
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
      - The image to look at.
      - V([docker://]host[:port]/path[:tag][@digest]) for one of a registry. Docker Hub's short names are understood, and a
        reference without a tag means V(latest). With both a tag and a digest, the digest decides.
      - V(oci:PATH[:REF]) for one of an OCI layout on the managed node, V(oci-archive:FILE[:REF]) for one of a layout in a tar
        archive. Without V(REF) there must be one image only.
      - V(dir:PATH) for the only image of a directory.
      - V(docker-daemon:NAME[:TAG]), V(containers-storage:NAME[:TAG]) or V(docker-archive:FILE[:NAME[:TAG]]) for one of an
        engine, or of a file that C(docker save) made. These have no manifest, so that one is made up to be looked at.
        The digest is the ID of the image. An engine must hand out the whole image for this.
    type: str
    required: true
  platform:
    description:
      - Look into a multi-platform image and tell of its image for this platform, written V(os/architecture[/variant])
        such as V(linux/arm64).
      - A single image must be for this platform.
    type: str
  raw:
    description:
      - Return the text of the manifest as well, byte for byte.
    type: bool
    default: false
  tags:
    description:
      - List the tags of the repository, or the names in the layout, as well. This costs one request more, or several
        where a registry sends the list in pages.
    type: bool
    default: false
  verify:
    description:
      - Look for every child and every blob of the image, on all platforms, and return what is not there as RV(missing).
      - This costs one request for each of them. Contents of blobs are not read, but for those in files of C(docker save).
    type: bool
    default: false
  referrers:
    description:
      - List what is attached to the image and to its children, such as signatures, SBOMs and attestations, as RV(referrers).
        With O(platform), only what is attached to the image itself and to its child for this platform.
      - Referrers are found by the API of the OCI distribution specification 1.1, or by the tags that it defines for registries
        without this API. cosign's tags (C(sha256-<hex>.sig), C(.att) and C(.sbom)) are found in the list of tags.
      - This costs one request for each manifest that something can be attached to, one for each that is attached, and one
        for the list of tags.
      - It is an error for an engine, a C(docker save) file or a directory, because these cannot hold referrers.
    type: bool
    default: false
seealso:
  - module: drayage.registry.image_tags
  - module: drayage.registry.image_copy
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Pin an image to what its tag means today
  drayage.registry.image_inspect:
    image: docker.io/library/alpine:3.20
  register: alpine

- name: Show the pinned reference
  ansible.builtin.debug:
    msg: "docker.io/library/alpine@{{ alpine.digest }}, for {{ alpine.platforms | join(' and ') }}"

- name: Look at the image that an arm64 machine would run
  drayage.registry.image_inspect:
    image: docker.io/library/alpine:3.20
    platform: linux/arm64
  register: arm64

- name: See whether a release is published already
  drayage.registry.image_inspect:
    image: registry.example.com/prod/app:1.4.2
  register: release

- name: Publish it if it is not
  drayage.registry.image_copy:
    src: registry.example.com/staging/app:1.4.2
    dest: registry.example.com/prod/app:1.4.2
  when: not release.exists

- name: Make sure that a release has an SBOM
  drayage.registry.image_inspect:
    image: registry.example.com/prod/app:1.4.2
    referrers: true
  register: app
  failed_when: app.referrers | selectattr('artifact_type', 'eq', 'application/spdx+json') | length == 0

- name: Make sure that a layout is complete before it goes on a journey
  drayage.registry.image_inspect:
    image: oci:/srv/transfer/images:node-exporter-v1.8.2
    verify: true
  register: transfer
  failed_when: not transfer.exists or transfer.missing | length > 0
"""

RETURN = r"""
exists:
  description:
    - Whether the image is there. It is not if the tag, the repository or the layout is missing.
    - All other values but RV(tags) are returned only if it is.
  returned: success
  type: bool
  sample: true
digest:
  description: The digest of what O(image) names, be it an index or a single image. Null if the image does not exist.
  returned: success
  type: str
  sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
platform_digest:
  description: The digest of the image for O(platform). It is RV(digest) if that is a single image. Null without O(platform).
  returned: success
  type: str
  sample: sha256:33735bd63cf84d7e388d9f6d297d348c523c044410f553bd878c6d7829612735
media_type:
  description: The media type of the manifest or index. Null if the image does not exist.
  returned: success
  type: str
  sample: application/vnd.oci.image.index.v1+json
manifest:
  description: The manifest or index, decoded. Null if the image does not exist.
  returned: success
  type: dict
  sample: {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}
raw:
  description:
    - The text of the manifest or index. Its SHA-256 is RV(digest), unless it is of schema 1, which carries signatures
      that do not count.
    - Null unless O(raw=true).
  returned: success
  type: str
  sample: '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
platforms:
  description: The platforms that an index lists, or the platform of a single image. Attestations are none.
  returned: success
  type: list
  elements: str
  sample: ["linux/amd64", "linux/arm64"]
children:
  description: What an index lists. Empty for a single image.
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
      description: The length of the child's manifest, in bytes.
      type: int
      sample: 1022
    platform:
      description: The platform of the child, null if the index tells none.
      type: str
      sample: linux/amd64
    artifact_type:
      description: The artifact type of the child, null if the index tells none.
      type: str
      sample: null
    annotations:
      description: The annotations that the index has for the child.
      type: dict
      sample: {}
    attests:
      description: The digest of the child that this one is an attestation of, null if it is none.
      type: str
      sample: null
annotations:
  description: The annotations of the manifest or index.
  returned: success
  type: dict
  sample: {"org.opencontainers.image.revision": "4b1c7f0"}
config:
  description:
    - The configuration of the image, null if it has none that is a JSON object.
    - What is nested more than 64 levels deep is left out, with a warning.
    - Null for an index without O(platform), because it has several images. RV(created), RV(architecture), RV(os) and RV(size)
      are null then too, and RV(layers) and RV(labels) are empty.
  returned: success
  type: dict
  sample: {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/sh"]}}
layers:
  description: The layers of the image, from the lowest.
  returned: success
  type: list
  elements: dict
  contains:
    digest:
      description: The digest of the layer.
      type: str
      sample: sha256:c6a83fedfae6ed8a4f5f7cbb6a7b6f1c1ec3d86fea8cb9e5ba2e5e6673fde9f6
    media_type:
      description: The media type of the layer, null for a schema 1 image, which does not tell.
      type: str
      sample: application/vnd.oci.image.layer.v1.tar+gzip
    size:
      description: The size of the layer in bytes, null for a schema 1 image.
      type: int
      sample: 3622892
labels:
  description: The labels of the image.
  returned: success
  type: dict
  sample: {"org.opencontainers.image.version": "3.20"}
created:
  description: When the image was made, as its configuration tells, null if it does not.
  returned: success
  type: str
  sample: "2026-01-14T22:09:47Z"
architecture:
  description: The architecture of the image, null if its configuration does not tell.
  returned: success
  type: str
  sample: amd64
os:
  description: The operating system of the image, null if its configuration does not tell.
  returned: success
  type: str
  sample: linux
size:
  description:
    - The size of configuration and layers in bytes, each blob counted once, as it is in the registry. Null for a
      schema 1 image.
  returned: success
  type: int
  sample: 3623473
tags:
  description:
    - The tags of the repository, or the names in the layout. Those that are no versions come first, by name, and then
      the versions from the oldest to the newest.
    - Null unless O(tags=true).
  returned: success
  type: list
  elements: str
  sample: ["latest", "3.19", "3.20"]
missing:
  description: The digests of the children and blobs that are not there. Empty if the image is whole, and null unless O(verify=true).
  returned: success
  type: list
  elements: str
  sample: []
msg:
  description: What was found, in one sentence.
  returned: success
  type: str
  sample: "registry.example.com/app:1.4 is an index of 2 platforms (sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0)."
referrers:
  description:
    - What is attached to the image and its children, each followed by what is attached to it.
    - Null unless O(referrers=true), and if the image does not exist.
  returned: success
  type: list
  elements: dict
  contains:
    digest:
      description: The digest of the manifest that is attached.
      type: str
      sample: sha256:0d1f2d1c6f7e1a5b27c6ba1be2fe9d2b1a26d1e6a2fd93a4e4f1b64c4f7e6a11
    subject:
      description: The digest of the manifest that it is attached to.
      type: str
      sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    artifact_type:
      description: What it is. The artifact type of its manifest, or else the media type of its config. Null if it has neither.
      type: str
      sample: application/vnd.dev.sigstore.bundle.v0.3+json
    media_type:
      description: The media type of its manifest.
      type: str
      sample: application/vnd.oci.image.manifest.v1+json
    size:
      description: The length of its manifest, in bytes.
      type: int
      sample: 843
    annotations:
      description: The annotations of its manifest.
      type: dict
      sample: {"dev.sigstore.bundle.content": "dsse-envelope"}
    scheme:
      description:
        - How it is attached. V(referrers) if its manifest names the subject, V(tag) if it has one of cosign's tags.
      type: str
      sample: referrers
    tag:
      description: The tag that it has, null if C(scheme) is V(referrers).
      type: str
      sample: null
    depth:
      description: 1 for what is attached to the image or a child of it, 2 for what is attached to that, and so on.
      type: int
      sample: 1
requests:
  description: How many HTTP requests the task sent, retries and requests for tokens included.
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

_OPTIONS = ("image", "platform", "tags", "verify", "referrers")
# Ansible and its callbacks recurse on a result, and fail from some 250 levels on.
_MAX_LEVELS = 64


def sentence(found: Inspected, image: str) -> str:
    """What was found."""
    if not found.top:
        return "%s does not exist." % image
    kind = "an image"
    if found.top.is_index:
        kind = "an index of %s" % messages.count(len(found.platforms), "platform")
    elif found.image and found.size:
        kind = "an image of %s" % messages.size(found.size)
    missing = ""
    if found.missing:
        missing = " Content that is missing: %s." % messages.listing(found.missing)
    return "%s is %s (%s).%s" % (image, kind, found.digest, missing)


def describe(found: Inspected, options: InspectOptions, raw: bool) -> dict[str, t.Any]:
    """What was found, in the terms of RETURN."""
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
    """An entry of an index."""
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
    """What only a single image has."""
    has_image = found.image is not None
    config = (found.config or {}) if has_image else {}
    return {
        "config": found.config if has_image else None,
        "layers": found.layers if has_image else [],
        "labels": found.labels if has_image else {},
        "created": config.get("created"),
        "architecture": config.get("architecture"),
        "os": config.get("os"),
        "size": found.size if has_image else None,
    }


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
        }
    )
    options = InspectOptions(**{name: module.params[name] for name in _OPTIONS})

    def operation(stores: Stores) -> dict[str, t.Any]:
        found = inspect(options, stores)
        result = describe(found, options, module.params["raw"])
        if documents.cut_nested(result, _MAX_LEVELS):
            text = (
                "%s: manifest or config is nested more than %d levels deep; what is deeper was left out of the result"
            )
            stores.run.warn(text % (options.image, _MAX_LEVELS))
        return result

    module.run(operation)


if __name__ == "__main__":
    main()
