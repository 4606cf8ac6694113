#!/usr/bin/python
# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_sync
short_description: Synchronize a declared set of container images
version_added: 0.1.0
description:
  - Copies a declared set of images to many repositories of a registry, or to an OCI layout. Images keep their digests. Use it instead of a loop over
    M(drayage.registry.image_copy), and instead of C(skopeo sync).
  - The module plans all changes before it writes anything. It then copies images in parallel. A layer that several images share is uploaded to a
    registry once and mounted into the other repositories.
  - If the destination is up to date, the task requests, from each side, one tag list for each repository and one HEAD for each tag.
extends_documentation_fragment:
  - drayage.registry._attributes
  - drayage.registry._conversion
  - drayage.registry._images
  - drayage.registry._prune
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
      - The source of the repositories in O(images). V(host[:port]) is a registry, V(host[:port]/path) a path in a registry, and V(oci:PATH) an OCI
        layout in which the names of images are full references.
      - V(dir:PATH) is a tree of directories that C(skopeo sync) wrote, with one directory V(repository:tag) for each image. A directory
        without a tag in its name has the tag V(latest).
      - Without O(src), each O(images[].name) must begin with a registry.
    type: str
  dest:
    description:
      - The destination, in the same notation as O(src).
      - Without O(dest), each O(images[].dest) must begin with a registry.
    type: str
  source_file:
    description:
      - A file on the managed node that declares images in the format of C(skopeo sync --src yaml), or the same content as JSON. Its entries are
        added after those of O(images).
      - The module recognizes a file of C(regsync), an C(ImageSetConfiguration) of C(oc-mirror) with C(additionalImages), and C(Images) of
        Hauler by their content. A key that it cannot follow is an error that names the key. Keys that say when and how fast
        C(regsync) works are ignored with a warning.
      - In a file of C(regsync), each entry has its destination. Do not set O(dest) in this case.
      - All keys of the format of C(skopeo) are supported, including C(credentials), C(tls-verify) and C(cert-dir). An entry of O(registries) for the
        same host takes precedence. Credentials and certificates that the entry lacks are taken from the file. C(tls-verify) of the file is then
        ignored.
      - YAML requires the Python library PyYAML on the managed node.
    type: path
  lock_file:
    description:
      - An ImagesLock file on the managed node, as M(drayage.registry.image_lock) writes it. Its images are copied in addition to those
        of O(images) and O(source_file).
      - Each tag gets the image with the digest in the file, wherever the tag points to at the source.
      - The annotation C(drayage.registry/platforms) of an entry takes precedence over O(platforms).
    type: path
  scoped:
    description:
      - How to build the destination names of entries without O(images[].dest). V(true) puts the full name of the source, including its host, below
        O(dest). V(false) uses only the last component of the name. These are the names that C(skopeo sync) uses with and without C(--scoped).
      - By default, entries of O(source_file) get the names that C(skopeo sync) uses without C(--scoped), except in a layout. All other entries get
        the names that O(images[].dest) describes.
      - If two images have the same destination, the task fails before it writes anything.
    type: bool
  platforms:
    description:
      - Copy only these platforms of multi-platform images, in the form V(os/architecture[/variant]). By default, all platforms are copied. If this leaves
        out a platform, the digest of the index changes.
      - The index does not need to have every platform in the list. It is an error if it has none of them. Single images and
        artifacts, such as charts and signatures, are copied unchanged, whatever their platform.
    type: list
    elements: str
    default: []
  missing_ok:
    description:
      - Ignore repositories and tags that do not exist, and entries that select nothing. By default, these are errors.
    type: bool
    default: false
  existing:
    description:
      - What to do with tags that already exist at the destination.
      - V(update) points them to the image that they point to at the source.
      - V(keep) leaves them unchanged, without a request to the source. Use it for tags that never move.
    type: str
    choices:
      - update
      - keep
    default: update
  report:
    description:
      - What RV(images) contains if the task fails. V(changes) leaves out unchanged images, so that a failure in a large set
        does not fill the terminal; RV(images_left_out) counts them. V(all) leaves out none.
      - If the task succeeds, RV(images) always contains all images.
    type: str
    choices:
      - changes
      - all
    default: changes
  slice:
    description:
      - Process only this share of the set, such as V(2/5) for the second of five shares. Each image is in exactly one share, so several hosts can
        divide the work.
      - The share of an image depends only on its name at the destination. With at least one hundred entries for each share, whole
        repositories are divided instead of single images.
    type: str
  inventory:
    description:
      - A JSON file on the managed node in which the module records the images at the destination. A record contains the reference (C(ref)), source (C(src)),
        digest, media type, platforms, size in bytes, creation date, and the digests of all manifests and blobs.
      - C(attached) lists whether the image has a C(signature), C(sbom), C(provenance) or another C(attestation). With O(referrers), a record
        also contains the digests of what is attached to the image (C(referrers)) and their C(artifact_types).
      - The module does not request images again that are already recorded. Records of images outside this run are kept, unless O(prune)
        deleted the image.
      - The task is changed if the file changes.
    type: path
  exclusive:
    description:
      - A file on the managed node that only one task holds at a time, in a directory that exists. If another task holds it,
        this one fails with RV(busy=true) before it sends a request. The file exists only while the task runs.
      - Check mode ignores it.
    type: path
  base:
    description:
      - The O(inventory) of an air-gapped site, as a file on the managed node.
      - If O(dest) is a layout, it receives only what the site does not have. Images that the site has under the same name and with the same
        digest are left out. For all other images, blobs that the site has are left out.
      - If O(src) is such a layout, blobs that it does not contain are mounted from the repositories of the destination that have them
        according to this inventory.
    type: path
seealso:
  - module: drayage.registry.image_copy
  - module: drayage.registry.image_tags
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Mirror a list of images
  drayage.registry.image_sync:
    dest: registry.example.com/mirror
    images:
      - name: docker.io/library/alpine
        tags: ["3.20", latest]
      - name: quay.io/prometheus/node-exporter
        semver: ">=1.8"
        newest: 3
      - name: ghcr.io/example/app
        include: ['1\.4\..*']
        exclude: ['.*-debug']
        platforms: [linux/amd64, linux/arm64]
    prune: true
    prune_keep: ['rollback-.*']
    max_delete: 20

- name: Promote all repositories of a team
  drayage.registry.image_sync:
    src: registry.example.com/staging
    dest: registry.example.com/prod
    images:
      - name: "team/*"
        dest: team
        semver: ">=1.0"

- name: Copy a release to an OCI layout for an air-gapped site
  drayage.registry.image_sync:
    dest: oci:/srv/transfer/bundle
    images:
      - name: docker.io/library/alpine
        tags: ["3.20"]
      - name: ghcr.io/example/app
        tags: ["1.4.2"]

- name: Copy all images of the layout to the registry of the site
  drayage.registry.image_sync:
    src: oci:/srv/transfer/bundle
    dest: registry.site.example
    images:
      - name: "*"

- name: Copy the share of this host of the images in a skopeo sync file
  drayage.registry.image_sync:
    source_file: /etc/mirror/sync.yaml
    scoped: true
    dest: registry.example.com/mirror
    slice: "{{ ansible_play_hosts.index(inventory_hostname) + 1 }}/{{ ansible_play_hosts | length }}"
    keep_going: true
"""

RETURN = r"""
images:
  description: The outcome for each image, in the order of the declaration. Deleted images come last.
  returned: success, and if images failed
  type: list
  elements: dict
  contains:
    src:
      description: The source. Empty for a deleted image.
      type: str
      sample: docker.io/library/alpine:3.20
    dest:
      description: The destination.
      type: str
      sample: registry.example.com/mirror/library/alpine:3.20
    digest:
      description:
        - The digest at the destination, or the digest of the deleted image.
        - Empty if the image failed. Also empty if O(existing=keep) kept the tag, because the module then does not resolve it.
      type: str
      sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    action:
      description: V(created), V(updated), V(unchanged), V(deleted) or V(failed).
      type: str
      sample: created
    bytes_copied:
      description:
        - The total size of the blobs that were copied for this image, in bytes. A blob that several images share counts for the first of
          them.
      type: int
      sample: 3626897
    referrers:
      description:
        - What is attached to the image at the source, or what is deleted with a deleted image. Empty without O(referrers).
        - For an image that is up to date, it is what the source lists for the image itself.
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
          sample: null
        depth:
          description: 1 for referrers of the image or one of its children, 2 for referrers of these, and so on.
          type: int
          sample: 1
        action:
          description:
            - V(copied) if the destination lacked it, V(unchanged) if it did not, V(left_out) if it does not fit the image at the
              destination or has no place there, V(deleted) if it is deleted with the image.
          type: str
          sample: copied
    error:
      description: The error message of a failed image, otherwise null.
      type: str
      sample: "registry.example.com/app:1.4: not found."
summary:
  description: The number of images by outcome, and the amount of copied data.
  returned: success, and if images failed
  type: dict
  contains:
    created:
      description: Tags that did not exist at the destination.
      type: int
    updated:
      description: Tags that pointed to a different image.
      type: int
    unchanged:
      description: Tags that were up to date.
      type: int
    deleted:
      description: Deleted tags.
      type: int
    failed:
      description: Images that could not be copied, and repositories that could not be listed.
      type: int
    bytes_copied:
      description: The total size of the copied blobs, in bytes.
      type: int
busy:
  description: Whether another task locks the file of O(exclusive). Nothing was done then.
  returned: success, and if images failed
  type: bool
  sample: false
error:
  description: What went wrong, as in C(msg). Null if nothing did.
  returned: success, and if images failed
  type: str
  sample: null
cost:
  description: What copying cost, or would cost in check mode.
  returned: success, and if images failed
  type: dict
  contains:
    download:
      description: Bytes to read from each registry.
      type: dict
    upload:
      description: Bytes to write to each registry.
      type: dict
    pulls:
      description: Pulls that Docker Hub counts. Check mode needs them too, because it reads the manifests.
      type: int
    pulls_left:
      description: Pulls that Docker Hub still allows. Null if there are none to count, or it did not say so.
      type: int
    free:
      description: Free bytes on the disk of a local destination. Null for a registry or an engine.
      type: int
images_left_out:
  description: How many unchanged images RV(images) does not contain, because the task failed and O(report=changes).
  returned: success, and if images failed
  type: int
  sample: 0
msg:
  description: What the task did, or would do in check mode, in one sentence. If it failed, the references of up to ten images and the first error.
  returned: success, and if images failed
  type: str
  sample: 2 created, 1 updated, 2,997 unchanged; 12.3 MB copied in 14 s, 61.0 MB mounted.
requests:
  description: The number of HTTP requests that the task sent, including retries and token requests.
  returned: success, and if images failed
  type: int
  sample: 202
"""

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._argspec import (
    conversion_options,
    referrers_options,
    transfer_options,
    verification_options,
)
from ansible_collections.drayage.registry.plugins.module_utils._files import claimed
from ansible_collections.drayage.registry.plugins.module_utils._images_option import image_options, read_images
from ansible_collections.drayage.registry.plugins.module_utils._module import RegistryModule
from ansible_collections.drayage.registry.plugins.module_utils._operations.cost import cost_of
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.gate import Gate
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.declaration import SyncOptions
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.outcome import Synced
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.sync import sync
from ansible_collections.drayage.registry.plugins.module_utils._run import Run


def describe(synced: Synced, report: str, run: Run) -> dict[str, t.Any]:
    """What was or would be done, in the terms of RETURN."""
    before, after = synced.diff()
    result = {
        "changed": synced.changed,
        "msg": synced.sentence(run),
        "images": synced.results(report),
        "images_left_out": synced.left_out(report),
        "summary": synced.summary(),
        "busy": False,
        "error": synced.failure or None,
        "cost": synced.cost or cost_of([], run.statistics),
        "diff": {"before": before, "after": after},
    }
    if synced.failure:
        result["failure"] = synced.failure
    return result


def busy(path: str, run: Run) -> dict[str, t.Any]:
    """The result of a task that found another one at work."""
    message = (
        "Another run is in progress: its task locks %s. Nothing was done. Run the task again when the other run has ended."
        % path
    )
    return {**describe(Synced([], message), "all", run), "busy": True}


def main() -> None:
    """Run the module."""
    spec: dict[str, dict[str, t.Any]] = {
        "src": {"type": "str"},
        "dest": {"type": "str"},
        "images": {"type": "list", "elements": "raw", "options": image_options()},
        "source_file": {"type": "path"},
        "lock_file": {"type": "path"},
        "scoped": {"type": "bool"},
        "platforms": {"type": "list", "elements": "str", "default": []},
        "missing_ok": {"type": "bool", "default": False},
        "existing": {"type": "str", "choices": ["update", "keep"], "default": "update"},
        "prune": {"type": "bool", "default": False},
        "prune_keep": {"type": "list", "elements": "str", "default": []},
        "max_delete": {"type": "int"},
        "keep_going": {"type": "bool", "default": False},
        "slice": {"type": "str"},
        "inventory": {"type": "path"},
        "exclusive": {"type": "path"},
        "base": {"type": "path"},
        "report": {"type": "str", "choices": ["changes", "all"], "default": "changes"},
        **transfer_options(),
        **conversion_options(),
        **referrers_options(),
    }
    declared = tuple(spec)
    spec.update(verification_options())
    module = RegistryModule(spec, texts=("prune_keep",))
    given = {name: module.params[name] for name in declared if name not in ("exclusive", "progress_file", "report")}
    lock, report = module.params["exclusive"], module.params["report"]

    def operation(stores: Stores) -> dict[str, t.Any]:
        options = SyncOptions(**dict(given, images=read_images(given["images"])))
        gate = Gate.from_options(module.params, stores.run.run_command, stores.read_url)
        if not lock or module.check_mode:
            return describe(sync(options, stores, gate), report, stores.run)
        with claimed(lock) as is_free:
            return describe(sync(options, stores, gate), report, stores.run) if is_free else busy(lock, stores.run)

    module.run(operation)


if __name__ == "__main__":
    main()
