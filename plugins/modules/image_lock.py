#!/usr/bin/python
# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_lock
short_description: Pin image references to digests in a lock file
version_added: 0.1.0
description:
  - Looks up the digest of each reference and writes all of them to an ImagesLock file, the format of Carvel's C(imgpkg) and C(kbld).
    Renovate updates such a file too.
  - The file is sorted, and written only if a pin or an annotation changes. It is replaced as a whole.
  - Entries for images that are not in O(images) are removed. Annotations that others have added to an entry stay.
  - The task sends one HEAD request for each reference that it looks up, and several of them at the same time. If O(platforms) is set,
    it sends one GET request instead, which registries may count as a pull.
extends_documentation_fragment:
  - drayage.registry._attributes
  - drayage.registry._registries
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  path:
    description:
      - The lock file on the managed node. Its directory must exist.
    type: path
    required: true
  images:
    description:
      - The references to pin, or what the filter P(drayage.registry.find_images#filter) or the lookup
        P(drayage.registry.images_of#lookup) returns. A reference without a tag means the tag V(latest).
      - A reference that has a digest is written as it is, without a request unless O(platforms) is set.
      - The default is the images that are in the file.
    type: list
    elements: raw
  update:
    description:
      - With V(missing), references that are in the file keep their digests, and only the others are looked up.
      - With V(all), every reference is looked up, and pins move to what the tags point to now.
      - With V(none), every reference is looked up and nothing is written. The task fails if a tag has moved, or if a
        reference is not in the file.
    type: str
    choices:
      - missing
      - all
      - none
    default: missing
  platforms:
    description:
      - The platforms that are needed of these images, written V(os/architecture[/variant]). They are noted in the annotation
        C(drayage.registry/platforms), and M(drayage.registry.image_sync) copies only these platforms.
      - The task fails if a multi-platform image lacks one of them. Images that the file notes with the same platforms are checked again
        only if they are looked up, and none are checked with O(update=none).
    type: list
    elements: str
    default: []
requirements:
  - PyYAML
seealso:
  - module: drayage.registry.image_sync
  - plugin: drayage.registry.images_of
    plugin_type: lookup
  - plugin: drayage.registry.rewrite_images
    plugin_type: filter
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Pin the images of a release
  drayage.registry.image_lock:
    path: /srv/release/images.lock.yml
    images:
      - quay.io/prometheus/node-exporter:v1.8.2
      - ghcr.io/example/app:1.4.2

- name: Pin what the manifests refer to
  drayage.registry.image_lock:
    path: /srv/release/manifests.lock.yml
    images: "{{ lookup('drayage.registry.images_of', '/srv/release/manifests.yaml', wantlist=true) }}"

- name: Fail if a tag has moved since the images were pinned
  drayage.registry.image_lock:
    path: /srv/release/images.lock.yml
    update: none

- name: Move all pins to what the tags point to now
  drayage.registry.image_lock:
    path: /srv/release/images.lock.yml
    update: all
  register: updated

- name: Show which pins have moved
  ansible.builtin.debug:
    var: updated.moved
"""

RETURN = r"""
images:
  description: The locked images, in the order of the file.
  returned: success
  type: list
  elements: dict
  contains:
    image:
      description: The reference with its tag and digest.
      type: str
      sample: ghcr.io/example/app:1.4.2@sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    annotations:
      description: The annotations of the entry, such as C(kbld.carvel.dev/id) with the reference as it was given.
      type: dict
      sample: {"kbld.carvel.dev/id": "ghcr.io/example/app:1.4.2"}
moved:
  description: The images that were locked with another digest before.
  returned: success
  type: list
  elements: dict
  contains:
    image:
      description: The reference without its digest.
      type: str
      sample: ghcr.io/example/app:1.4.2
    before:
      description: The digest in the file.
      type: str
      sample: sha256:9c6f0724472873bb50a2ae67a9e7adcb57673a183cea8b06eb778dca859181b5
    after:
      description: The digest that the tag points to now.
      type: str
      sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
msg:
  description: What the task did, or would do in check mode, in one sentence.
  returned: success
  type: str
  sample: "Locked 12 images in /srv/release/images.lock.yml: 2 added, 1 moved, 0 removed."
requests:
  description: The number of HTTP requests that the task sent, including retries and token requests.
  returned: success
  type: int
  sample: 12
"""

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils import _messages as messages
from ansible_collections.drayage.registry.plugins.module_utils._module import RegistryModule
from ansible_collections.drayage.registry.plugins.module_utils._operations.lock import Locked, lock, wanted_images
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.transports import LocalImages


def describe(locked: Locked, path: str, dry_run: bool) -> dict[str, t.Any]:
    """What was or would be locked, in the terms of RETURN."""
    images = messages.count(len(locked.after), "image")
    if locked.changed:
        verb = "Would lock" if dry_run else "Locked"
        msg = "%s %s in %s: %d added, %d moved, %d removed." % (verb, images, path, *locked.counts)
    else:
        msg = "%s in %s: up to date." % (images, path)
    result: dict[str, t.Any] = {
        "changed": locked.changed,
        "msg": msg,
        "images": [{"image": str(each.image), "annotations": dict(each.annotations)} for each in locked.after],
        "moved": locked.moved,
        "diff": locked.diff(),
    }
    if locked.failure:
        del result["msg"]
        result["failure"] = locked.failure
    return result


def main() -> None:
    """Run the module."""
    module = RegistryModule(
        {
            "path": {"type": "path", "required": True},
            "images": {"type": "list", "elements": "raw"},
            "update": {"type": "str", "choices": ["missing", "all", "none"], "default": "missing"},
            "platforms": {"type": "list", "elements": "str", "default": []},
        },
        local=LocalImages,
    )
    params = module.params

    def operation(stores: Stores) -> dict[str, t.Any]:
        images = None if params["images"] is None else wanted_images(params["images"])
        locked = lock(params["path"], images, params["update"], params["platforms"], stores)
        return describe(locked, params["path"], stores.run.dry_run)

    module.run(operation)


if __name__ == "__main__":
    main()
