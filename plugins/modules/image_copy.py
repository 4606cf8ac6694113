#!/usr/bin/python
# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_copy
short_description: Copy a container image between registries, layouts, archives and engines
version_added: 0.1.0
description:
  - Copies a single or multi-platform image between registries, OCI layouts, archives, directories and container engines. The digest stays the same.
  - The managed node needs neither a container engine nor a program such as C(skopeo).
  - Content that already exists at the destination is not transferred again. Within one registry, blobs are mounted from one repository
    into the other. Within one repository, only the tag is written.
  - If the destination is up to date, the task sends one HEAD request to each side.
extends_documentation_fragment:
  - drayage.registry._attributes
  - drayage.registry._conversion
  - drayage.registry._referrers
  - drayage.registry._transfer
  - drayage.registry._progress
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
      - V([docker://]host[:port]/path[:tag][@digest]) is an image in a registry. Short names of Docker Hub, such as V(alpine), are
        accepted. The tag defaults to V(latest). If there is a tag and a digest, the digest takes precedence.
      - V(oci:PATH[:REF]) is an image in an OCI layout on the managed node, and V(oci-archive:FILE[:REF]) is one in a tar archive of a
        layout. V(REF) can be omitted if there is only one image.
      - V(dir:PATH) is the image in a directory that C(skopeo copy) wrote.
      - V(docker-daemon:NAME[:TAG]) is an image in a Docker Engine. The module finds the engine like C(docker) does, with
        E(DOCKER_HOST).
      - V(containers-storage:NAME[:TAG]) is an image in the storage of Podman, Buildah and CRI-O. The module connects to the Podman service
        (E(CONTAINER_HOST) or the default socket), or else runs the program C(podman).
      - In a container engine, V(sha256:ID) instead of the name selects an image by its ID.
      - V(docker-archive:FILE[:NAME[:TAG]]) is an image in a file that C(docker save) or C(podman save) wrote.
    type: str
    required: true
  dest:
    description:
      - The destination, in the same notation as O(src).
      - Without a tag, digest or V(REF), the tag of O(src) is used. The image in a directory has no name. Without a name,
        V(docker-archive) uses the full name of O(src).
      - Container engines and V(docker-archive) files identify an image by its ID, which is the digest of its configuration, and
        store images for one platform only. See O(platforms).
      - If O(dest) has a digest and the image has a different one, the task fails before it writes anything.
    type: str
    required: true
  tags:
    description:
      - Additional tags for the image at O(dest). In a layout or archive, these are additional names.
      - Put tags in quotes. Without quotes, YAML reads V(1.10) as the number 1.1, which the module rejects.
    type: list
    elements: str
    default: []
  platforms:
    description:
      - Copy only these platforms of a multi-platform image, in the form V(os/architecture[/variant]), such as V(linux/arm64).
        By default, all platforms are copied.
      - An architecture matches older variants that it can run. V(linux/arm/v7) selects V(linux/arm/v6) if the image has no V(linux/arm/v7).
      - Attestations, such as provenance and SBOMs, are copied together with their platform.
      - If O(src) is a single image, it must match every platform in the list.
      - The module has to read the index of O(src), which costs one request more than without this option.
      - To a container engine, the module copies the image for the platform of the engine, unless you select another one here. For a
        V(docker-archive), select one platform if the image has several.
    type: list
    elements: str
    default: []
  platform_mode:
    description:
      - How to handle the index if O(platforms) selects only some of its platforms.
      - With V(strip), the index lists only the copied platforms. Its digest changes.
      - With V(sparse), the index and its digest stay unchanged, although some of the listed images do not exist at O(dest). Many
        registries reject such an index.
      - With V(image), the image for one platform is copied without the index, for services that accept no index, such as AWS
        Lambda. O(platforms) must list exactly one platform, unless O(src) has only one. Attestations belong to the index and are not
        copied.
      - This option has no effect if O(dest) is a container engine or a V(docker-archive), which store no index.
    type: str
    choices:
      - strip
      - sparse
      - image
    default: strip
  force:
    description:
      - Check every manifest and blob at O(dest), even if O(dest) has the expected digest, and copy those that are missing.
      - Use it to repair a destination that has lost content. The task is changed only if something was missing.
    type: bool
    default: false
seealso:
  - name: OCI distribution specification
    description: The API that registries implement.
    link: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Copy a release to the private registry
  drayage.registry.image_copy:
    src: docker.io/library/alpine:3.20
    dest: registry.example.com/library/alpine:3.20

- name: Promote an image from staging to production
  drayage.registry.image_copy:
    src: registry.example.com/staging/app@sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    dest: registry.example.com/prod/app:1.4.2
    tags:
      - "1.4"
      - stable

- name: Copy a release with its signatures and SBOMs
  drayage.registry.image_copy:
    src: registry.example.com/staging/app:1.4.2
    dest: registry.example.com/prod/app:1.4.2
    referrers: true

- name: Copy two platforms of an image to an OCI layout for an air-gapped site
  drayage.registry.image_copy:
    src: quay.io/prometheus/node-exporter:v1.8.2
    dest: oci:/srv/transfer/images:node-exporter-v1.8.2
    platforms:
      - linux/amd64
      - linux/arm64

- name: Copy one platform without its index, for AWS Lambda
  drayage.registry.image_copy:
    src: quay.io/prometheus/node-exporter:v1.8.2
    dest: registry.example.com/lambda/node-exporter:v1.8.2
    platforms:
      - linux/arm64
    platform_mode: image

- name: Copy an image to a registry that accepts only the Docker format
  drayage.registry.image_copy:
    src: quay.io/prometheus/node-exporter:v1.8.2
    dest: legacy.example.com/monitoring/node-exporter:v1.8.2
    format: docker
    attestations: drop

- name: Push an image from the OCI layout, with credentials and a private CA
  drayage.registry.image_copy:
    src: oci:/srv/transfer/images:node-exporter-v1.8.2
    dest: registry.site.example/monitoring/node-exporter:v1.8.2
    registries:
      - host: registry.site.example
        username: deploy
        password: "{{ vault_registry_password }}"
        ca_path: /etc/pki/site-ca.pem

- name: Export an image to a reproducible tar archive
  drayage.registry.image_copy:
    src: registry.example.com/prod/app:1.4.2
    dest: oci-archive:/srv/transfer/app.tar:1.4.2

- name: Load an image into the Docker Engine of the node
  drayage.registry.image_copy:
    src: registry.example.com/prod/app:1.4.2
    dest: docker-daemon:registry.example.com/prod/app:1.4.2

- name: Export an image for another architecture to a file for docker load
  drayage.registry.image_copy:
    src: registry.example.com/prod/app:1.4.2
    dest: docker-archive:/srv/transfer/app-arm64.tar
    platforms:
      - linux/arm64

- name: Load that file into the storage of podman
  drayage.registry.image_copy:
    src: docker-archive:/srv/transfer/app-arm64.tar
    dest: containers-storage:registry.example.com/prod/app:1.4.2

- name: Copy the layers of an image to a directory
  drayage.registry.image_copy:
    src: registry.example.com/prod/app:1.4.2
    dest: dir:/srv/look/app
"""

RETURN = r"""
image:
  description:
    - The reference of the image at the destination by its digest, V(repository@digest).
    - For a container engine or a V(docker-archive), it is the reference by ID. For layouts, archives and directories, which have
      no references by digest, it is RV(dest).
  returned: success
  type: str
  sample: registry.example.com/prod/app@sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
dest:
  description: The full reference of the image at the destination.
  returned: success
  type: str
  sample: registry.example.com/prod/app:1.4.2
digest:
  description:
    - The digest of the image at the destination.
    - In a container engine or a V(docker-archive), it is the ID of the image. The same applies to RV(src_digest).
  returned: success
  type: str
  sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
src_digest:
  description:
    - The digest of the image at the source.
    - It differs from RV(digest) only if O(platforms) or O(attestations) left something out, if O(format) converted the image, or if
      only one of the two is an image ID.
  returned: success
  type: str
  sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
media_type:
  description: The media type of the image's manifest or index.
  returned: success
  type: str
  sample: application/vnd.oci.image.index.v1+json
tags:
  description: The tags of O(dest) and O(tags), which now point to the image. Empty if O(dest) is a digest or a directory.
  returned: success
  type: list
  elements: str
  sample: ["1.4.2", "1.4", "stable"]
platforms:
  description:
    - The platforms of a multi-platform image that O(platforms) selected, in the order of its index.
    - Empty for a single image. Also empty without O(platforms), because the module then copies all platforms and does not read
      the index if the destination is up to date.
  returned: success
  type: list
  elements: str
  sample: ["linux/amd64", "linux/arm64/v8"]
blobs:
  description: The number of blobs (layers and configurations) by how they were handled.
  returned: success
  type: dict
  contains:
    copied:
      description: Blobs that were copied from the source to the destination.
      type: int
      sample: 4
    mounted:
      description: Blobs that the registry mounted from another repository.
      type: int
      sample: 0
    skipped:
      description: Blobs that the module checked individually and that already existed at the destination.
      type: int
      sample: 2
bytes_copied:
  description: The total size of the copied blobs, in bytes.
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
      description: The tag of cosign that it has, also for the signature files of a directory. Null for a referrer.
      type: str
    depth:
      description: 1 for referrers of the image or one of its children, 2 for referrers of these, and so on.
      type: int
      sample: 1
    action:
      description:
        - V(copied) if the destination lacked it, V(unchanged) if it did not, V(left_out) if it does not fit the image at the
          destination, or has no place there.
      type: str
      sample: copied
msg:
  description: What the task did, or would do in check mode, in one sentence.
  returned: success
  type: str
  sample: "Copied docker.io/library/alpine:3.20 to registry.example.com/alpine:3.20: 2 blobs copied (12.3 MB in 14 s), 1 mounted (61.0 MB)."
cost:
  description: What copying cost, or would cost in check mode.
  returned: success
  type: dict
  contains:
    download:
      description: Bytes to read from each registry.
      type: dict
    upload:
      description: Bytes to write to each registry.
      type: dict
    pulls:
      description: Pulls that Docker Hub counts. Check mode needs the same number, because it reads the manifests too.
      type: int
      sample: 2
    pulls_left:
      description: Pulls that Docker Hub still allows. Null if there are none to count, or it did not say so.
      type: int
    free:
      description: Free bytes on the disk of a local destination. Null for a registry or an engine.
      type: int
requests:
  description: The number of HTTP requests that the task sent, including retries and token requests.
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
    transfer_options,
    verification_options,
)
from ansible_collections.drayage.registry.plugins.module_utils._module import RegistryModule
from ansible_collections.drayage.registry.plugins.module_utils._operations.copy import Copied, CopyOptions, copy
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.gate import Gate
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.transports import LocalImages
from ansible_collections.drayage.registry.plugins.module_utils._run import Run


def sentence(copied: Copied, src: str, run: Run) -> str:
    """What was or would be done."""
    plan, moved = copied.job.planned, copied.job.moved
    written = messages.listing(copied.references)
    if not plan.changed:
        return "%s: up to date with %s." % (written, src)
    counts = [
        "%s copied (%s)"
        % (messages.count(moved.copied, "blob"), messages.size(moved.bytes) + messages.took(run.seconds)),
        "%d mounted (%s)" % (moved.mounted, messages.size(moved.bytes_mounted)) if moved.mounted else "",
        "%d already present" % plan.skipped if plan.skipped else "",
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
        "cost": copied.cost,
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
            **transfer_options(),
            **verification_options(),
            "force": {"type": "bool", "default": False},
        },
        local=LocalImages,
        texts=("tags",),
    )
    names = (field.name for field in dataclasses.fields(CopyOptions))
    options = CopyOptions(**{name: module.params[name] for name in names})

    def operation(stores: Stores) -> dict[str, t.Any]:
        gate = Gate.from_options(module.params, stores.run.run_command, stores.read_url)
        return describe(copy(options, stores, gate), options.src, stores.run)

    module.run(operation)


if __name__ == "__main__":
    main()
