#!/usr/bin/python
# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_sync
short_description: Make a set of container images at a destination be what is declared
version_added: 0.1.0
description:
  - Makes many repositories of a registry, or of an OCI layout, hold the images that are declared, with the digests that these
    have at their sources. It takes the place of a loop over M(drayage.registry.image_copy), and of C(skopeo sync).
  - Everything is looked at and decided before the first byte is written. Images move in parallel, and a layer that several of
    them share is uploaded once to a registry and mounted from there.
  - A set that is there already costs one list of tags for each repository and one HEAD for each tag, on either side.
extends_documentation_fragment:
  - drayage.registry._attributes
  - drayage.registry._conversion
  - drayage.registry._images
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
      - Where the repositories of O(images) are found. V(host[:port]) for a registry, V(host[:port]/path) for a part of one,
        or V(oci:PATH) for an OCI layout whose images are named by full references.
      - V(dir:PATH) for a tree of directories as C(skopeo sync) makes it, one V(repository:tag) an image. A directory without
        a tag in its name is the tag V(latest).
      - Without it each O(images[].name) begins with its registry.
    type: str
  dest:
    description:
      - Where to put them, in the same notations.
      - Without it each O(images[].dest) begins with its registry.
    type: str
  source_file:
    description:
      - A file on the managed node that declares what to bring in the format of C(skopeo sync --src yaml), or the same as JSON.
        Its entries come after those of O(images).
      - All its keys are understood, C(credentials), C(tls-verify) and C(cert-dir) included. An entry of O(registries) for the
        same host wins. It is completed with credentials and certificates of the file where it has none, and what the file
        says of C(tls-verify) does not count then.
      - YAML needs the Python library PyYAML on the managed node.
    type: path
  scoped:
    description:
      - How destinations are named where no O(images[].dest) is given. V(true) puts the whole name of the source, with its
        host, below O(dest). V(false) takes nothing but the last part of it. These are the names that C(skopeo sync) gives
        with and without C(--scoped).
      - If not given, names of O(source_file) are those that C(skopeo sync) gives without C(--scoped), except in a layout. All
        other names are as O(images[].dest) describes.
      - Two images with the same destination are an error before anything is written.
    type: bool
  platforms:
    description:
      - Bring only these platforms of multi-platform images, written V(os/architecture[/variant]), instead of all.
        What is left of an index has a digest of its own.
      - An index keeps those platforms of this list that it has. It is an error if it has none of them. Single images and
        artifacts, such as charts and signatures, are brought as they are, whatever their platform is.
    type: list
    elements: str
    default: []
  missing_ok:
    description:
      - Whether it is no error if a repository or a tag is not there, or if an entry selects nothing.
    type: bool
    default: false
  existing:
    description:
      - What to do about tags that are at the destination already.
      - With V(update) they are made what they are at the source.
      - With V(keep) they stay as they are, and the source is not asked about them. This is for tags that never move.
    type: str
    choices:
      - update
      - keep
    default: update
  prune:
    description:
      - Remove tags of the repositories that are written to, if they are not selected by any entry.
      - One tag is removed at a time, never its siblings of the same digest. Repositories that are not declared are not
        touched. Nothing is removed from a repository whose source could not be listed, of which an entry or one of its
        expressions selects nothing, or in which an image could not be brought; and nothing at all if it could not be
        found out what V(path/*) stands for.
      - What is attached to an image by a tag made of its digest, such as C(sha256-<digest>.sig) of cosign or the tags of
        the referrers tag schema, stays as long as that image does.
      - It is an error if a repository is its own source then.
    type: bool
    default: false
  prune_keep:
    description:
      - Tags that O(prune) leaves alone, as regular expressions that match them as a whole.
    type: list
    elements: str
    default: []
  max_delete:
    description:
      - Fail before anything is written, in check mode too, if O(prune) would remove more tags than this.
      - With O(slice) the tags that other hosts would remove count too, unless whole repositories are shared out.
    type: int
  keep_going:
    description:
      - Whether to bring what can be brought if something cannot. The task fails in the end, and RV(images) tells what became
        of each image.
      - Otherwise nothing is written if it is seen beforehand that an image cannot be had, and no further image is begun
        after one has failed.
    type: bool
    default: false
  slice:
    description:
      - Do only this share of the set, such as V(2/5) for the second of five. The shares are disjoint and together they are
        the set, so that as many hosts can do one each.
      - Which share an image is in depends on its name at the destination alone. With a hundred or more entries for each
        share, whole repositories are shared out.
    type: str
  inventory:
    description:
      - A JSON file on the managed node to keep in step with what is at the destination. For each image it has its reference
        (C(ref)), source (C(src)), digest, media type, platforms, size in bytes, date of creation, and the digests of all its
        manifests and blobs.
      - Images that the file knows already are not asked for again. Records of images that were not part of a run stay,
        unless they were removed by O(prune).
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
      - An O(inventory) of the far side of an air gap, as a file on the managed node.
      - If O(dest) is a layout, it gets only what the far side lacks. Images that are there under the same name with the same
        digest are left out, and of the others those blobs that are there.
      - If O(src) is such a layout, blobs that it lacks are taken from other repositories of the destination that have them
        by this inventory.
    type: path
seealso:
  - module: drayage.registry.image_copy
  - module: drayage.registry.image_tags
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Keep a mirror of what the platform needs
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

- name: Take a release to a disk for an air-gapped site
  drayage.registry.image_sync:
    dest: oci:/srv/transfer/bundle
    images:
      - name: docker.io/library/alpine
        tags: ["3.20"]
      - name: ghcr.io/example/app
        tags: ["1.4.2"]

- name: Put all that is on the disk into the registry of the site
  drayage.registry.image_sync:
    src: oci:/srv/transfer/bundle
    dest: registry.site.example
    images:
      - name: "*"

- name: Do what a file for skopeo sync declares, this host's share of it
  drayage.registry.image_sync:
    source_file: /etc/mirror/sync.yaml
    scoped: true
    dest: registry.example.com/mirror
    slice: "{{ ansible_play_hosts.index(inventory_hostname) + 1 }}/{{ ansible_play_hosts | length }}"
    keep_going: true
"""

RETURN = r"""
images:
  description: What became, or would become, of each image. Images come in the order of the declaration, deleted ones last.
  returned: success, and if images could not be brought
  type: list
  elements: dict
  contains:
    src:
      description: The source. Empty for an image that was deleted.
      type: str
      sample: docker.io/library/alpine:3.20
    dest:
      description: The destination.
      type: str
      sample: registry.example.com/mirror/library/alpine:3.20
    digest:
      description:
        - The digest at the destination, or that was deleted.
        - Empty if the image failed, and if it was kept by O(existing=keep) without being looked at.
      type: str
      sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    action:
      description: V(created), V(updated), V(unchanged), V(deleted) or V(failed).
      type: str
      sample: created
    bytes_copied:
      description:
        - The size of the blobs that were copied for this image, in bytes. What an image shares with one that comes before it
          is counted there.
      type: int
      sample: 3626897
    referrers:
      description:
        - What is attached to the image at the source. Empty without O(referrers).
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
    error:
      description: Why it failed. Null if it did not.
      type: str
      sample: "registry.example.com/app:1.4: not found."
summary:
  description: How many images ended how, and how much was copied.
  returned: success, and if images could not be brought
  type: dict
  contains:
    created:
      description: Tags that the destination did not have.
      type: int
      sample: 2
    updated:
      description: Tags that named another image.
      type: int
      sample: 1
    unchanged:
      description: Tags that are as they should be.
      type: int
      sample: 97
    deleted:
      description: Tags that were removed.
      type: int
      sample: 0
    failed:
      description: Images that could not be brought, and repositories that could not be listed.
      type: int
      sample: 0
    bytes_copied:
      description: The size of all blobs that were copied, in bytes.
      type: int
      sample: 7253794
busy:
  description: Whether another task holds the file of O(exclusive). Nothing was done then.
  returned: success, and if images could not be brought
  type: bool
  sample: false
error:
  description: What went wrong, as in C(msg). Null if nothing did.
  returned: success, and if images could not be brought
  type: str
  sample: null
requests:
  description: How many HTTP requests the task sent, retries and requests for tokens included.
  returned: success, and if images could not be brought
  type: int
  sample: 202
"""

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._argspec import (
    conversion_options,
    referrers_options,
    verification_options,
)
from ansible_collections.drayage.registry.plugins.module_utils._files import claimed
from ansible_collections.drayage.registry.plugins.module_utils._images_option import image_options, read_images
from ansible_collections.drayage.registry.plugins.module_utils._module import RegistryModule
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.gate import Gate
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.declaration import SyncOptions
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.outcome import Synced
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.sync import sync


def describe(synced: Synced) -> dict[str, t.Any]:
    """What was or would be done, in the terms of RETURN."""
    before, after = synced.diff()
    result = {
        "changed": synced.changed,
        "images": synced.results(),
        "summary": synced.summary(),
        "busy": False,
        "error": synced.failure or None,
        "diff": {"before": before, "after": after},
    }
    if synced.failure:
        result["failure"] = synced.failure
    return result


def busy(path: str) -> dict[str, t.Any]:
    """The result of a task that found another one at work."""
    message = "Another run is in progress: its task holds %s. Nothing was done. Wait until it has ended." % path
    return {**describe(Synced([], message)), "busy": True}


def main() -> None:
    """Run the module."""
    spec: dict[str, dict[str, t.Any]] = {
        "src": {"type": "str"},
        "dest": {"type": "str"},
        "images": {"type": "list", "elements": "raw", "options": image_options()},
        "source_file": {"type": "path"},
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
        **conversion_options(),
        **referrers_options(),
    }
    declared = tuple(spec)
    spec.update(verification_options())
    module = RegistryModule(spec, texts=("prune_keep",))
    given = {name: module.params[name] for name in declared if name != "exclusive"}
    lock = module.params["exclusive"]

    def operation(stores: Stores) -> dict[str, t.Any]:
        options = SyncOptions(**dict(given, images=read_images(given["images"])))
        gate = Gate.from_options(module.params, stores.run.run_command)
        if not lock or module.check_mode:
            return describe(sync(options, stores, gate))
        with claimed(lock) as is_free:
            return describe(sync(options, stores, gate)) if is_free else busy(lock)

    module.run(operation)


if __name__ == "__main__":
    main()
