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
  - Copies a single-platform or multi-platform image between registries, OCI layouts, archives, directories and container engines. By default, the
    image keeps its digest.
  - The managed node needs neither a container engine nor a program such as C(skopeo).
  - The module does not transfer content that already exists at the destination. If the source and the destination are in the same registry, it
    mounts the blobs instead of copying them. If they are in the same repository, it writes only the tags.
  - If the destination is up to date, the task sends one HEAD request to the source, and one HEAD request to the destination for each tag.
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
      - V([docker://]host[:port]/path[:tag][@digest]) is an image in a registry. You can use Docker Hub short names, such as V(alpine). The tag defaults to
        V(latest). If the reference contains a tag and a digest, the digest takes precedence.
      - V(oci:PATH[:REF]) is an image in an OCI layout on the managed node, and V(oci-archive:FILE[:REF]) is an image in a tar archive of an OCI
        layout. You can omit V(REF) if there is only one image.
      - V(dir:PATH) is an image in a directory, in the format that C(skopeo copy) writes.
      - V(docker-daemon:NAME[:TAG]) is an image in Docker Engine. Like C(docker), the module uses E(DOCKER_HOST) to find the engine.
      - V(containers-storage:NAME[:TAG]) is an image in the storage that Podman, Buildah and CRI-O share. The module connects to the Podman service
        (E(CONTAINER_HOST) or the default socket). If there is no such service, it runs C(podman).
      - To select an image in a container engine by ID, write V(sha256:ID) instead of the name.
      - V(docker-archive:FILE[:NAME[:TAG]]) is an image in a file that C(docker save) or C(podman save) created.
    type: str
    required: true
  dest:
    description:
      - The destination, in the same notation as O(src).
      - If O(dest) has no tag, digest or V(REF), the module uses the tag from O(src). In a V(docker-archive) file, it uses the full name from O(src) if
        O(dest) has no name. An image in a directory has neither a name nor a tag.
      - Container engines and V(docker-archive) files identify an image by its ID, which is the digest of its configuration. They can store an image for
        only one platform; see O(platforms).
      - If O(dest) contains a digest and the image has a different one, the task fails before it writes anything.
    type: str
    required: true
  tags:
    description:
      - Additional tags for the image at the destination. In a layout or archive, these are additional names.
      - Put tags in quotes. Without quotes, YAML reads V(1.10) as the number 1.1, which the module rejects.
    type: list
    elements: str
    default: []
  platforms:
    description:
      - Copy only these platforms of a multi-platform image, in the form V(os/architecture[/variant]), such as V(linux/arm64).
        By default, all platforms are copied.
      - If the image does not have the requested variant of an architecture, the module selects an older, compatible variant. For example, V(linux/arm/v7)
        selects V(linux/arm/v6) if the image has no V(linux/arm/v7).
      - Attestations, such as provenance and SBOMs, are copied together with the image that they belong to.
      - If O(src) is a single-platform image, it must match every platform in the list.
      - With this option, the module must read the index at the source, which costs one additional request.
      - If O(dest) is a container engine, the module copies the image for the engine's platform, unless you select another platform here. If O(dest) is a
        V(docker-archive) file and the image has several platforms, you must select one.
    type: list
    elements: str
    default: []
  platform_mode:
    description:
      - How to handle the index if O(platforms) selects only some of its platforms.
      - V(strip) removes all other platforms from the index. The digest of the index changes.
      - V(sparse) keeps the index and its digest unchanged, even though some of the listed images do not exist at the destination. Many registries reject
        such an index. To copy more platforms later, keep V(sparse) and add them to O(platforms), or set O(force=true) once. Otherwise, the module sees
        the expected digest in a registry, and does not check whether all listed images exist.
      - V(image) copies the image for one platform without the index. Use it for services that do not accept an index, such as AWS Lambda.
        O(platforms) must list exactly one platform, unless O(src) has only one. Attestations are not copied, because they belong to the index.
      - This option has no effect if O(dest) is a container engine or a V(docker-archive) file, because these do not store an index.
    type: str
    choices:
      - strip
      - sparse
      - image
    default: strip
  force:
    description:
      - Check whether every manifest and blob of the image exists at the destination, and copy those that are missing. The module does this even if O(dest)
        already points to the expected digest.
      - Use this option to repair a destination that has lost content. The task reports a change only if something was missing.
      - If O(src) is in the same repository as O(dest), nothing can be repaired, and the task fails if something is missing.
      - A container engine or a V(docker-archive) file as O(src) generates a new manifest, which replaces the one at O(dest) if it differs.
    type: bool
    default: false
seealso:
  - name: OCI distribution specification
    description: The specification of the API that registries implement.
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

- name: Copy the image for one platform without the index, for AWS Lambda
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

- name: Push an image from an OCI layout, with credentials and a private CA
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

- name: Load an image into the Docker Engine on the managed node
  drayage.registry.image_copy:
    src: registry.example.com/prod/app:1.4.2
    dest: docker-daemon:registry.example.com/prod/app:1.4.2

- name: Save an arm64 image to a file that docker load can read
  drayage.registry.image_copy:
    src: registry.example.com/prod/app:1.4.2
    dest: docker-archive:/srv/transfer/app-arm64.tar
    platforms:
      - linux/arm64

- name: Load the image from the file into Podman
  drayage.registry.image_copy:
    src: docker-archive:/srv/transfer/app-arm64.tar
    dest: containers-storage:registry.example.com/prod/app:1.4.2

- name: Copy an image to a directory to inspect its layers
  drayage.registry.image_copy:
    src: registry.example.com/prod/app:1.4.2
    dest: dir:/srv/inspect/app
"""

RETURN = r"""
image:
  description:
    - A digest reference to the image at the destination, in the form V(repository@digest).
    - For a container engine or a V(docker-archive) file, the reference contains the image ID instead. Layouts, archives and directories do not
      support references with digests, so the value is the same as RV(dest).
  returned: success
  type: str
  sample: registry.example.com/prod/app@sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
dest:
  description: The full reference to the image at the destination.
  returned: success
  type: str
  sample: registry.example.com/prod/app:1.4.2
digest:
  description:
    - The digest of the image at the destination.
    - For an image in a container engine or a V(docker-archive) file, the value is the image ID. The same applies to RV(src_digest).
  returned: success
  type: str
  sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
src_digest:
  description:
    - The digest of the image at the source.
    - It differs from RV(digest) only if O(platforms), O(attestations) or O(format) changed the image, or if only one of the two values is an image ID.
  returned: success
  type: str
  sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
media_type:
  description: The media type of the image's manifest or index.
  returned: success
  type: str
  sample: application/vnd.oci.image.index.v1+json
tags:
  description: The tags from O(dest) and O(tags), which now point to the image. Empty if O(dest) contains only a digest, or if it is a directory.
  returned: success
  type: list
  elements: str
  sample: ["1.4.2", "1.4", "stable"]
platforms:
  description:
    - The platforms that O(platforms) selected from a multi-platform image, in the same order as in the index.
    - Empty for a single-platform image. Also empty if O(platforms) is not set. In this case, the module copies all platforms, and it does not read the
      index if the destination is up to date.
  returned: success
  type: list
  elements: str
  sample: ["linux/amd64", "linux/arm64/v8"]
blobs:
  description: The number of blobs (layers and configurations) that were copied, mounted and skipped.
  returned: success
  type: dict
  contains:
    copied:
      description: The number of blobs that were copied from the source to the destination.
      type: int
      sample: 4
    mounted:
      description: The number of blobs that the registry mounted from another repository.
      type: int
      sample: 0
    skipped:
      description: The number of blobs that the module checked individually and found at the destination.
      type: int
      sample: 2
bytes_copied:
  description: The total size of the copied blobs, in bytes.
  returned: success
  type: int
  sample: 3626897
referrers:
  description:
    - The referrers of the image at the source. Empty unless O(referrers=true).
    - If the image is up to date, the list contains only the referrers of the image itself, not those of its children.
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
      description: The artifact type of the referrer. Null if it has none.
      type: str
      sample: application/vnd.dev.sigstore.bundle.v0.3+json
    tag:
      description: The cosign tag of the referrer, or the corresponding tag for a signature file in a directory. Null for all other referrers.
      type: str
    depth:
      description: V(1) for referrers of the image or one of its children, V(2) for the referrers of these referrers, and so on.
      type: int
      sample: 1
    action:
      description:
        - V(copied) if the destination did not have the referrer, and V(unchanged) if it did.
        - V(left_out) if the referrer was not copied, because the digest of its subject changed or because the destination cannot store it.
      type: str
      sample: copied
msg:
  description: A one-sentence summary of what the task did, or would do in check mode.
  returned: success
  type: str
  sample: "Copied docker.io/library/alpine:3.20 to registry.example.com/alpine:3.20: 2 blobs copied (12.3 MB in 14 s), 1 mounted (61.0 MB)."
cost:
  description: The cost of copying the image. In check mode, this is the expected cost.
  returned: success
  type: dict
  contains:
    download:
      description: The number of bytes to read from each registry.
      type: dict
    upload:
      description: The number of bytes to write to each registry.
      type: dict
    pulls:
      description: The number of pulls that Docker Hub counts for this task. Check mode uses the same number of pulls, because it also reads the manifests.
      type: int
      sample: 2
    pulls_left:
      description: The number of pulls that Docker Hub still allows. Null if the task needs no pulls, or if Docker Hub did not report the number.
      type: int
    free:
      description: The free disk space at a local destination, in bytes. Null for a registry or a container engine.
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
    """Describe what was or would be done."""
    plan, moved = copied.job.planned, copied.job.moved
    written = messages.listing(copied.references)
    if not plan.changed:
        return "%s %s up to date with %s." % (written, "are" if len(copied.references) > 1 else "is", src)
    copy, mount = ("to copy", "to mount") if run.dry_run else ("copied", "mounted")
    size = messages.size(moved.bytes) + messages.took(run.seconds)
    attached = len(plan.attached.missing) if plan.attached else 0
    counts = [
        "%s %s (%s)" % (messages.count(moved.copied, "blob"), copy, size),
        "%d %s (%s)" % (moved.mounted, mount, messages.size(moved.bytes_mounted)) if moved.mounted else "",
        "%d already present" % plan.skipped if plan.skipped else "",
        "%s %s" % (messages.count(attached, "referrer"), copy) if attached else "",
    ]
    verb = "Would copy" if run.dry_run else "Copied"
    return "%s %s to %s: %s." % (verb, src, written, ", ".join(filter(None, counts)))


def describe(copied: Copied, src: str, run: Run) -> dict[str, t.Any]:
    """Return what was or would be done, as in RETURN."""
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
        filled=("policy", "registries_d"),
    )
    names = (field.name for field in dataclasses.fields(CopyOptions))
    options = CopyOptions(**{name: module.params[name] for name in names})

    def operation(stores: Stores) -> dict[str, t.Any]:
        gate = Gate.from_options(module.params, stores.run.run_command, stores.read_url)
        return describe(copy(options, stores, gate), options.src, stores.run)

    module.run(operation)


if __name__ == "__main__":
    main()
