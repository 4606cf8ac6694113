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
  - Copies a declared set of images to repositories in a registry, or to an OCI layout. By default, images keep their digests.
  - Use this module instead of C(skopeo sync), or instead of a loop over M(drayage.registry.image_copy).
  - The module plans all changes before it writes anything. It then copies images in parallel. If several images share a layer, the module uploads it
    to a registry once and mounts it into the other repositories.
  - If the destination is up to date, the task sends one HEAD request per tag to the source and one to the destination, and reads the tag list of each
    repository at the destination. It reads the tag list of a source repository only if an entry selects from all tags in the repository.
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
      - Where to find the repositories that O(images) lists. V(host[:port]) is a registry, V(host[:port]/path) is a path in a registry, and V(oci:PATH) is
        an OCI layout whose image names are full references.
      - V(dir:PATH) is a directory tree in the format that C(skopeo sync) writes, with one directory V(repository:tag) for each image. If a directory name
        contains no tag, the tag is V(latest).
      - Without O(src), each O(images[].name) must begin with a registry host.
    type: str
  dest:
    description:
      - The destination, in the same notation as O(src).
      - Without O(dest), each O(images[].dest) must begin with a registry host.
    type: str
  source_file:
    description:
      - A file on the managed node that declares images in the format that C(skopeo sync --src yaml) reads, or the same content as JSON. The module adds
        the entries from this file to those from O(images).
      - The file can also be a C(regsync) configuration, an C(ImageSetConfiguration) for C(oc-mirror) with C(additionalImages), or a Hauler manifest of
        kind C(Images). The module detects the format from the content of the file. The task fails if the file contains an unsupported key. The module
        ignores keys that control the schedule and speed of C(regsync), and prints a warning.
      - In a C(regsync) configuration, each entry contains its own destination, so do not set O(dest).
      - The module supports all keys of the C(skopeo) format, including C(credentials), C(tls-verify) and C(cert-dir). If O(registries) has an entry for
        the same host, that entry takes precedence. In this case, the module uses the file only for credentials and certificates that the entry does not
        contain, and ignores C(tls-verify).
      - To read YAML, the module needs the Python library PyYAML on the managed node.
    type: path
  lock_file:
    description:
      - An ImagesLock file on the managed node, in the format that M(drayage.registry.image_lock) writes. The module copies the images that this file
        lists, in addition to those from O(images) and O(source_file).
      - At the destination, each tag points to the digest in the file, even if the tag points to another image at the source.
      - An entry's C(drayage.registry/platforms) annotation takes precedence over O(platforms).
      - To read YAML, the module needs the Python library PyYAML on the managed node.
    type: path
  scoped:
    description:
      - How to name the destination repositories for entries without O(images[].dest). V(true) uses the full name of the source, including the host.
        V(false) uses only the last component of the name. These are the names that C(skopeo sync) uses with and without C(--scoped), respectively.
      - V(true) does not work for a source host with a port if O(dest) is a registry, because a repository name cannot contain a port.
      - If this option is not set, entries from an O(source_file) in the C(skopeo) format get the same names as with V(false), unless O(dest) is an OCI
        layout. All other entries get the default names described for O(images[].dest).
      - If two images have the same destination, the task fails before it writes anything.
    type: bool
  platforms:
    description:
      - Copy only these platforms of multi-platform images, in the form V(os/architecture[/variant]). By default, all platforms are copied. If this
        option removes a platform from an index, the digest of the index changes.
      - An index does not need to contain every platform in the list, but the task fails if it contains none of them. Single-platform images and
        artifacts, such as charts and signatures, are copied unchanged, even if their platform is not in the list.
    type: list
    elements: str
    default: []
  missing_ok:
    description:
      - Ignore repositories and tags that do not exist, and entries that select nothing. By default, the task fails in these cases.
    type: bool
    default: false
  existing:
    description:
      - What to do with tags that already exist at the destination.
      - V(update) updates them to match the source.
      - V(keep) leaves them unchanged and sends no HEAD or GET request for them to the source. Use it for tags that never move. To select from all tags
        in a repository, the module still reads its tag list.
      - If the tag list of a destination registry does not contain a tag, the module sends one HEAD request to confirm that the tag does not exist, because
        the list may be outdated or incomplete. With V(update), it sends no such request if the repository has no tags.
    type: str
    choices:
      - update
      - keep
    default: update
  report:
    description:
      - Which images to return in RV(images) if the task fails. V(all) returns all images.
      - V(changes) leaves out unchanged images, so that a failure in a large set does not fill the terminal. RV(images_left_out) is the number of
        images left out.
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
      - An image's share depends only on its name at the destination. If there are at least 100 entries per share, the module assigns whole
        repositories to the shares instead of individual images.
    type: str
  inventory:
    description:
      - A JSON file on the managed node. The module uses it to record the images at the destination. A record contains the reference (C(ref)), source
        (C(src)), digest, media type, platforms, size in bytes, creation date, and the digests of all manifests and blobs.
      - In each record, C(attached) lists the kinds of artifacts attached to the image. The possible values are C(signature), C(sbom), C(provenance)
        and C(attestation). With O(referrers=true), a record also contains the digests of the referrers (C(referrers)) and their artifact types
        (C(artifact_types)).
      - If the file already contains a record of the image, or a record with the same digest and without referrers, the module reuses this record instead
        of requesting the image. It keeps the record of an image that is not part of this run, unless O(prune) deleted the image.
      - The task reports a change if the file changes.
    type: path
  exclusive:
    description:
      - A file on the managed node that the module locks, so that only one task using this file runs at a time. If another task has locked the file, this
        task fails with RV(busy=true) before it sends a request.
      - The file's directory must exist. The file itself exists only while a task is running.
      - In check mode, the module ignores this option.
    type: path
  base:
    description:
      - The O(inventory) of an air-gapped site, as a file on the managed node.
      - If O(dest) is an OCI layout, the module copies only content that the site does not have. It leaves out images that the site has under the same
        name and with the same digest, unless the layout has another image with this name. For all other images, it leaves out the blobs that the
        site has.
      - If O(src) is such a layout, some blobs are missing from it. The module mounts these blobs from other repositories at the destination. The
        inventory shows which repositories contain them. O(prune) keeps the tags that the inventory lists.
    type: path
requirements:
  - PyYAML, if O(source_file) or O(lock_file) is a YAML file
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

- name: Promote all of a team's repositories
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

- name: Copy all images from the layout to the site's registry
  drayage.registry.image_sync:
    src: oci:/srv/transfer/bundle
    dest: registry.site.example
    images:
      - name: "*"

- name: Copy this host's share of the images in a skopeo sync file
  drayage.registry.image_sync:
    source_file: /etc/mirror/sync.yaml
    scoped: true
    dest: registry.example.com/mirror
    slice: "{{ ansible_play_hosts.index(inventory_hostname) + 1 }}/{{ ansible_play_hosts | length }}"
    keep_going: true
"""

RETURN = r"""
images:
  description: The outcome for each image, in the order in which the images are declared. Deleted images come last.
  returned: success, if any image failed, or if another task was running
  type: list
  elements: dict
  contains:
    src:
      description: The image at the source. Empty for a deleted image.
      type: str
      sample: docker.io/library/alpine:3.20
    dest:
      description: The image at the destination.
      type: str
      sample: registry.example.com/mirror/library/alpine:3.20
    digest:
      description:
        - The digest at the destination, or the digest of the deleted image.
        - Empty if the image failed. Also empty if O(existing=keep) kept the tag, because the module then does not resolve it.
      type: str
      sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    action:
      description: The outcome, which is V(created), V(updated), V(unchanged), V(deleted) or V(failed).
      type: str
      sample: created
    bytes_copied:
      description:
        - The total size of the blobs that were copied for this image, in bytes. If several images share a blob, the blob is
          counted once, for the first of these images.
      type: int
      sample: 3626897
    referrers:
      description:
        - The referrers of the image at the source, or the referrers that were deleted with the image. Empty unless O(referrers=true).
        - If the image is up to date, the list contains only the referrers of the image itself, not those of its children.
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
          sample: null
        depth:
          description: V(1) for referrers of the image or one of its children, V(2) for the referrers of these referrers, and so on.
          type: int
          sample: 1
        action:
          description:
            - V(copied) if the destination did not have the referrer, and V(unchanged) if it did. V(deleted) if the referrer was deleted with the image.
            - V(left_out) if the referrer was not copied, because the digest of its subject changed or because the destination cannot store it.
          type: str
          sample: copied
    error:
      description: The error message if the image failed, otherwise null.
      type: str
      sample: >-
        registry.example.com/app:1.4: cannot read the manifest: registry.example.com returned 404 MANIFEST_UNKNOWN (manifest unknown).
        Check the name and tag.
summary:
  description: The number of images by outcome, and the amount of copied data.
  returned: success, if any image failed, or if another task was running
  type: dict
  contains:
    created:
      description: The number of tags that did not exist at the destination.
      type: int
    updated:
      description: The number of tags that pointed to a different image.
      type: int
    unchanged:
      description: The number of tags that were up to date.
      type: int
    deleted:
      description: The number of deleted tags.
      type: int
    failed:
      description: The number of images that could not be copied, plus the number of repositories that could not be listed.
      type: int
    bytes_copied:
      description: The total size of the copied blobs, in bytes.
      type: int
busy:
  description: Whether another task has locked the O(exclusive) file. If so, this task did nothing.
  returned: success, if any image failed, or if another task was running
  type: bool
  sample: false
error:
  description: The error message, as in RV(msg). Null if the task succeeded.
  returned: success, if any image failed, or if another task was running
  type: str
  sample: null
cost:
  description: The cost of copying the images. In check mode, this is the expected cost.
  returned: success, if any image failed, or if another task was running
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
    pulls_left:
      description: The number of pulls that Docker Hub still allows. Null if the task needs no pulls, or if Docker Hub did not report the number.
      type: int
    free:
      description: The free disk space at a local destination, in bytes. Null for a registry.
      type: int
images_left_out:
  description: The number of unchanged images that RV(images) does not contain. Always V(0) unless the task failed and O(report=changes).
  returned: success, if any image failed, or if another task was running
  type: int
  sample: 0
msg:
  description:
    - A one-sentence summary of what the task did, or would do in check mode.
    - If the task failed, the message contains the references of up to ten failed images and the first error.
  returned: success, if any image failed, or if another task was running
  type: str
  sample: 2 created, 1 updated, 2,997 unchanged; 12.3 MB copied in 14 s, 61.0 MB mounted.
requests:
  description: The number of HTTP requests that the task sent, including retries and token requests.
  returned: success, if any image failed, or if another task was running
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
    """Return what was or would be done, as in RETURN."""
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
    """Return the result for a task that found another one running."""
    message = (
        "Another run is in progress and holds the lock %s. Nothing was done. Run the task again when the other run has ended."
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
    module = RegistryModule(spec, texts=("prune_keep",), filled=("policy", "registries_d"))
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
