#!/usr/bin/python
# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_copy
short_description: Copy a container image between registries, files and engines
version_added: 0.1.0
description:
  - Makes O(dest) be the image that O(src) is, with the same digest, whether it is a single image or a multi-platform one.
  - Neither a container runtime nor a tool like skopeo is needed on the managed node.
  - Nothing is moved that is there already. Within one registry blobs are mounted from repository to repository,
    and within one repository only the tag is written.
  - If O(dest) has the image already, one look at each side is all that happens.
extends_documentation_fragment:
  - drayage.registry._attributes
  - drayage.registry._conversion
  - drayage.registry._referrers
  - drayage.registry._registries
  - drayage.registry._verification
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  src:
    description:
      - The image to copy.
      - V([docker://]host[:port]/path[:tag][@digest]) for one of a registry. Docker Hub's short names are understood, and a
        reference without a tag means V(latest). With both a tag and a digest, the digest decides.
      - V(oci:PATH[:REF]) for one of an OCI layout on the managed node, V(oci-archive:FILE[:REF]) for one of a layout in a tar
        archive. Without V(REF) there must be one image only.
      - V(dir:PATH) for the only image of a directory, as C(skopeo copy) makes it.
      - V(docker-daemon:NAME[:TAG]) for one of a Docker Engine, found by E(DOCKER_HOST) as C(docker) finds it, and
        V(containers-storage:NAME[:TAG]) for one of Podman, Buildah and CRI-O, by the service of Podman (E(CONTAINER_HOST), or
        its usual socket) or else by the program C(podman). V(sha256:ID) instead of the name stands for the image of that ID.
      - V(docker-archive:FILE[:NAME[:TAG]]) for one of a file of C(docker save) or C(podman save).
    type: str
    required: true
  dest:
    description:
      - What to make of it, in the same notations.
      - Without a tag, digest or V(REF) the tag of O(src) is taken. The image of a directory has no name. A
        V(docker-archive) without a name takes the whole name of O(src).
      - Engines and V(docker-archive) know an image by its ID, which is the digest of its configuration, and have images for
        one platform only. See O(platforms).
      - With a digest, the copy fails before anything is written if the image has another one.
    type: str
    required: true
  tags:
    description:
      - Further tags (or names of a layout or archive) that are to name the same image at O(dest).
      - Put tags in quotes, or YAML reads V(1.10) as the number 1.1, which is an error.
    type: list
    elements: str
    default: []
  platforms:
    description:
      - Copy only these platforms of a multi-platform image, written V(os/architecture[/variant]) such as V(linux/arm64).
        The default is to copy all of them.
      - An architecture includes those that it runs, so V(linux/arm/v7) takes V(linux/arm/v6) where there is no V(v7).
      - Attestations, such as provenance and SBOMs, stay with the platforms they belong to.
      - If O(src) is a single image, it must be for every platform listed.
      - Reading the index of O(src) is necessary to know the result, which costs one request more than without this option.
      - Into an engine goes the image for the platform that the engine runs on, unless another one is named here. For a
        V(docker-archive) one must be named if there are several.
    type: list
    elements: str
    default: []
  platform_mode:
    description:
      - What becomes of the index when O(platforms) selects a part of it.
      - With V(strip) the index lists what was copied, and so gets a digest of its own.
      - With V(sparse) the index stays as it is, with its digest, and lists children that are not there. Many registries
        refuse this.
      - With V(image) the image for the one platform is copied without its index, for places that accept no index, such as AWS
        Lambda. O(platforms) must list one platform, unless O(src) has only one. Attestations belong to the index and are not copied.
      - It has no effect if O(dest) is a container engine or a V(docker-archive), which never keep an index.
    type: str
    choices:
      - strip
      - sparse
      - image
    default: strip
  force:
    description:
      - Look for every manifest and blob at O(dest), even if O(dest) has the right digest, and copy what is missing.
      - This repairs a destination that has lost content. The task is changed only if something was missing.
    type: bool
    default: false
seealso:
  - name: OCI distribution specification
    description: What a registry must answer.
    link: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Put a release into the private registry
  drayage.registry.image_copy:
    src: docker.io/library/alpine:3.20
    dest: registry.example.com/library/alpine:3.20

- name: Promote what staging runs to production, without moving a byte
  drayage.registry.image_copy:
    src: registry.example.com/staging/app@sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    dest: registry.example.com/prod/app:1.4.2
    tags:
      - "1.4"
      - stable

- name: Publish a release with its signatures and SBOMs
  drayage.registry.image_copy:
    src: registry.example.com/staging/app:1.4.2
    dest: registry.example.com/prod/app:1.4.2
    referrers: true

- name: Take two platforms of an image to a disk for an air-gapped site
  drayage.registry.image_copy:
    src: quay.io/prometheus/node-exporter:v1.8.2
    dest: oci:/srv/transfer/images:node-exporter-v1.8.2
    platforms:
      - linux/amd64
      - linux/arm64

- name: Copy one platform as a plain image to a registry for AWS Lambda
  drayage.registry.image_copy:
    src: quay.io/prometheus/node-exporter:v1.8.2
    dest: registry.example.com/lambda/node-exporter:v1.8.2
    platforms:
      - linux/arm64
    platform_mode: image

- name: Bring an image to a registry that takes Docker's format only
  drayage.registry.image_copy:
    src: quay.io/prometheus/node-exporter:v1.8.2
    dest: legacy.example.com/monitoring/node-exporter:v1.8.2
    format: docker
    attestations: drop

- name: Push from that disk, with credentials and the site's own CA
  drayage.registry.image_copy:
    src: oci:/srv/transfer/images:node-exporter-v1.8.2
    dest: registry.site.example/monitoring/node-exporter:v1.8.2
    registries:
      - host: registry.site.example
        username: deploy
        password: "{{ vault_registry_password }}"
        ca_path: /etc/pki/site-ca.pem

- name: Make one file of an image, the same bytes every time
  drayage.registry.image_copy:
    src: registry.example.com/prod/app:1.4.2
    dest: oci-archive:/srv/transfer/app.tar:1.4.2

- name: Load an image into the Docker Engine of the node
  drayage.registry.image_copy:
    src: registry.example.com/prod/app:1.4.2
    dest: docker-daemon:registry.example.com/prod/app:1.4.2

- name: Make a file that docker load reads, for another kind of machine
  drayage.registry.image_copy:
    src: registry.example.com/prod/app:1.4.2
    dest: docker-archive:/srv/transfer/app-arm64.tar
    platforms:
      - linux/arm64

- name: Load such a file into the images of podman
  drayage.registry.image_copy:
    src: docker-archive:/srv/transfer/app-arm64.tar
    dest: containers-storage:registry.example.com/prod/app:1.4.2

- name: Have the layers of an image as files
  drayage.registry.image_copy:
    src: registry.example.com/prod/app:1.4.2
    dest: dir:/srv/look/app
"""

RETURN = r"""
image:
  description:
    - The image at the destination by its digest, V(repository@digest).
    - For a container engine or a V(docker-archive) it is the reference by ID. For layouts, archives and directories, which have
      no references by digest, it is RV(dest).
  returned: success
  type: str
  sample: registry.example.com/prod/app@sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
dest:
  description: The reference of the image at the destination, in full.
  returned: success
  type: str
  sample: registry.example.com/prod/app:1.4.2
digest:
  description:
    - The digest of the image at the destination.
    - With a container engine or V(docker-archive) it is the ID of the image, and the same holds for RV(src_digest).
  returned: success
  type: str
  sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
src_digest:
  description:
    - The digest of the image at the source.
    - It differs from RV(digest) only if O(platforms) or O(attestations) removed a part of it, or O(format) changed it, or if
      only one of both is the ID of an image.
  returned: success
  type: str
  sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
media_type:
  description: The media type of the image's manifest or index.
  returned: success
  type: str
  sample: application/vnd.oci.image.index.v1+json
tags:
  description: The tags of O(dest) and O(tags), all of which name the image now. Empty if O(dest) is a digest or a directory.
  returned: success
  type: list
  elements: str
  sample: ["1.4.2", "1.4", "stable"]
platforms:
  description:
    - The platforms of a multi-platform image that O(platforms) selected, as its index lists them.
    - Empty for a single image, and without O(platforms), because all platforms are copied then and the index need not be read
      if the destination is up to date.
  returned: success
  type: list
  elements: str
  sample: ["linux/amd64", "linux/arm64/v8"]
blobs:
  description: How many blobs (layers and configurations) went which way.
  returned: success
  type: dict
  contains:
    copied:
      description: Blobs that were read from the source and written to the destination.
      type: int
      sample: 4
    mounted:
      description: Blobs that the registry took over from the other repository.
      type: int
      sample: 0
    skipped:
      description: Blobs that were found at the destination when looking for them one by one.
      type: int
      sample: 2
bytes_copied:
  description: The size of the blobs that were copied, in bytes.
  returned: success
  type: int
  sample: 3626897
referrers:
  description:
    - What is attached to the image at the source. Empty without O(referrers).
    - For an image that is up to date, it is what the source lists for the image itself.
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
      description: Its artifact type, null if it has none.
      type: str
      sample: application/vnd.dev.sigstore.bundle.v0.3+json
    tag:
      description: The tag of cosign that it has, null for a referrer.
      type: str
      sample: null
    depth:
      description: 1 for what is attached to the image or a child of it, 2 for what is attached to that, and so on.
      type: int
      sample: 1
    action:
      description:
        - V(copied) if the destination lacked it, V(unchanged) if it did not, V(left_out) if it does not fit the image at the
          destination.
      type: str
      sample: copied
msg:
  description: What the task did, or would do in check mode, in one sentence.
  returned: success
  type: str
  sample: "Copied docker.io/library/alpine:3.20 to registry.example.com/alpine:3.20: 2 blobs copied (12.3 MB in 14 s), 1 mounted."
requests:
  description: How many HTTP requests the task sent, retries and requests for tokens included.
  returned: success
  type: int
  sample: 13
"""

import dataclasses
import typing as t

from ansible_collections.drayage.registry.plugins.module_utils import _messages as messages
from ansible_collections.drayage.registry.plugins.module_utils._argspec import (
    conversion_options,
    referrers_options,
    verification_options,
)
from ansible_collections.drayage.registry.plugins.module_utils._module import RegistryModule
from ansible_collections.drayage.registry.plugins.module_utils._operations.copy import Copied, CopyOptions, copy
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.gate import Gate
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._run import Run


def sentence(copied: Copied, src: str, run: Run) -> str:
    """What was or would be done."""
    plan, moved = copied.job.planned, copied.job.moved
    written = messages.listing(copied.references)
    if not plan.changed:
        return "%s: up to date with %s." % (written, src)
    counts = [
        "%s copied (%s)" % (messages.count(moved.copied, "blob"), messages.copied(moved.bytes, run.seconds)),
        "%d mounted" % moved.mounted if moved.mounted else "",
        "%d already there" % plan.skipped if plan.skipped else "",
        messages.count(len(plan.attached.missing), "referrer") if plan.attached and plan.attached.missing else "",
    ]
    verb = "Would copy" if run.dry_run else "Copied"
    return "%s %s to %s: %s." % (verb, src, written, ", ".join(filter(None, counts)))


def describe(copied: Copied, src: str, run: Run) -> dict[str, t.Any]:
    """What was or would be done, in the terms of RETURN."""
    plan, moved = copied.job.planned, copied.job.moved
    before = dict(zip(copied.references, plan.previous.values()))
    after = dict.fromkeys(copied.references, plan.top.digest)
    attached = plan.attached.diff() if plan.attached else ({}, {})
    return {
        "changed": plan.changed,
        "msg": sentence(copied, src, run),
        "image": copied.image,
        "dest": copied.references[0],
        "digest": plan.top.digest,
        "src_digest": plan.source_digest,
        "media_type": plan.top.media_type,
        "tags": list(filter(None, plan.request.tags)),
        "blobs": {"copied": moved.copied, "mounted": moved.mounted, "skipped": plan.skipped},
        "platforms": plan.selection.platforms if plan.selection and plan.request.platforms else [],
        "bytes_copied": moved.bytes,
        "referrers": copied.job.referrers,
        "diff": {"before": {**before, **attached[0]}, "after": {**after, **attached[1]}},
    }


def main() -> None:
    """Run the module."""
    module = RegistryModule(
        {
            "src": {"type": "str", "required": True},
            "dest": {"type": "str", "required": True},
            "tags": {"type": "list", "elements": "str", "default": []},
            "platforms": {"type": "list", "elements": "str", "default": []},
            "platform_mode": {"type": "str", "choices": ["strip", "sparse", "image"], "default": "strip"},
            **conversion_options(),
            **referrers_options(),
            **verification_options(),
            "force": {"type": "bool", "default": False},
        },
        texts=("tags",),
    )
    names = (field.name for field in dataclasses.fields(CopyOptions))
    options = CopyOptions(**{name: module.params[name] for name in names})

    def operation(stores: Stores) -> dict[str, t.Any]:
        gate = Gate.from_options(module.params, stores.run.run_command)
        return describe(copy(options, stores, gate), options.src, stores.run)

    module.run(operation)


if __name__ == "__main__":
    main()
