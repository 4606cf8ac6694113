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
  - Looks up the digest of each image reference and writes the references with their digests to an ImagesLock file. Carvel's C(imgpkg) and C(kbld) use
    the same file format, and Renovate can update such files.
  - The module writes the file only if a digest or an annotation changes. It sorts the entries and replaces the file atomically.
  - The task fails without writing the file if another task changes the file's entries during the run.
  - The module removes the entries for images that O(images) does not list. It keeps annotations that other tools have added to an entry.
  - If another tool, such as C(imgpkg), has written the image with another repository than its original reference, the module keeps this repository and looks
    up the image's tag there. If such an entry has no tag, the task fails with O(update=all) and O(update=none).
  - The module looks up several references in parallel, with one HEAD request for each. If O(platforms) is set, or the file records platforms
    for an image, it sends a GET request instead, which registries may count as a pull.
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
      - The path of the lock file on the managed node. The file's directory must exist.
    type: path
    required: true
  images:
    description:
      - The references to pin. The option also accepts the result of the P(drayage.registry.find_images#filter) filter or of the
        P(drayage.registry.images_of#lookup) lookup. The tag of a reference defaults to V(latest).
      - If a reference already contains a digest, the module pins this digest. It sends a request for such a reference only if O(platforms) is set. The
        module writes such a reference unchanged, unless the file already contains this digest with another repository or tag.
      - By default, the module uses the images that are already in the file.
    type: list
    elements: raw
  update:
    description:
      - Which references to look up.
      - V(missing) looks up only references that are not in the file. All other references keep their digests.
      - V(all) looks up all references and updates their digests in the file.
      - V(none) looks up all references but does not write the file. The task fails if a tag has moved, or if a reference is not in the file.
    type: str
    choices:
      - missing
      - all
      - none
    default: missing
  platforms:
    description:
      - The platforms that each image must have, in the form V(os/architecture[/variant]). The module records them in the C(drayage.registry/platforms)
        annotation, so that M(drayage.registry.image_sync) copies only these platforms.
      - The task fails if any of these platforms is missing from a multi-platform image. If the file already records the same platforms for an image,
        the module checks the platforms again only when it looks up the digest of the image. With O(update=none), it does not check platforms.
      - If this option is not set, the module checks the recorded platforms of each image whose digest it looks up.
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

- name: Pin the images that Kubernetes manifests use
  drayage.registry.image_lock:
    path: /srv/release/manifests.lock.yml
    images: "{{ lookup('drayage.registry.images_of', '/srv/release/manifests.yaml', wantlist=true) }}"

- name: Fail if a tag has moved since the images were pinned
  drayage.registry.image_lock:
    path: /srv/release/images.lock.yml
    update: none

- name: Update the digests of all images
  drayage.registry.image_lock:
    path: /srv/release/images.lock.yml
    update: all
  register: updated

- name: Show which tags have moved
  ansible.builtin.debug:
    var: updated.moved
"""

RETURN = r"""
images:
  description: The images in the lock file, in the same order as in the file.
  returned: success
  type: list
  elements: dict
  contains:
    image:
      description:
        - The reference in the file, with its digest. It also has a tag, unless the original reference has only a digest, or another tool has written the
          image without a tag.
      type: str
      sample: ghcr.io/example/app:1.4.2@sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    reference:
      description:
        - The original reference, with the same digest. It differs from RV(images[].image) if another tool has written the image with another repository,
          with another tag or without a tag.
      type: str
      sample: ghcr.io/example/app:1.4.2@sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    annotations:
      description: The annotations of the entry. For example, C(kbld.carvel.dev/id) contains the original reference.
      type: dict
      sample: {"kbld.carvel.dev/id": "ghcr.io/example/app:1.4.2"}
moved:
  description: The images that had a different digest in the file before the task ran.
  returned: success
  type: list
  elements: dict
  contains:
    image:
      description: The reference without its digest.
      type: str
      sample: ghcr.io/example/app:1.4.2
    before:
      description: The previous digest in the file.
      type: str
      sample: sha256:9c6f0724472873bb50a2ae67a9e7adcb57673a183cea8b06eb778dca859181b5
    after:
      description: The digest that the tag points to now.
      type: str
      sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
msg:
  description: A one-sentence summary of what the task did, or would do in check mode.
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
from ansible_collections.drayage.registry.plugins.module_utils._operations.images_lock import LockedImage
from ansible_collections.drayage.registry.plugins.module_utils._operations.lock import Locked, lock, wanted_images
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.transports import LocalImages


def describe(locked: Locked, path: str, dry_run: bool) -> dict[str, t.Any]:
    """Return what was or would be locked, as in RETURN."""
    images = messages.count(len(locked.after), "image")
    if locked.changed:
        verb = "Would lock" if dry_run else "Locked"
        msg = "%s %s in %s: %d added, %d moved, %d removed." % (verb, images, path, *locked.counts)
    else:
        msg = "%s is up to date (%s)." % (path, images)
    result: dict[str, t.Any] = {
        "changed": locked.changed,
        "msg": msg,
        "images": [_described(each) for each in locked.after],
        "moved": locked.moved,
        "diff": locked.diff(),
    }
    if locked.failure:
        del result["msg"]
        result["failure"] = locked.failure
    return result


def _described(each: LockedImage) -> dict[str, t.Any]:
    return {"image": str(each.image), "reference": str(each.reference), "annotations": dict(each.annotations)}


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
