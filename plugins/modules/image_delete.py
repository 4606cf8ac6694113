#!/usr/bin/python
# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_delete
short_description: Delete one tag of a container image, or an image with all its tags
version_added: 0.1.0
description:
  - Deletes exactly one tag, or a manifest with all tags that point to it. This works with every registry that supports deletion.
  - If the tag or image does not exist, the task reports no change. If access to it is denied, the task fails.
  - A registry keeps the blobs of deleted images until its garbage collection runs. In an OCI layout, the module immediately deletes
    the files that no other image needs.
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
  image:
    description:
      - The tag or image to delete, in the form V([docker://]host[:port]/path[:tag][@digest]), V(oci:PATH[:REF]), V(oci-archive:FILE[:REF]) or
        V(dir:PATH).
      - V(docker-daemon:NAME:TAG), V(containers-storage:NAME:TAG) and V(docker-archive:FILE:NAME:TAG) are tags in a container engine or in a file
        that C(docker save) created. If the module deletes the last tag of such an image, it also deletes the image. It does not delete an image that is
        in use by a container.
      - There is no default tag. If the reference contains a tag and a digest, the tag must point to this digest. Otherwise, the task fails and
        deletes nothing. If the tag does not exist, the task deletes nothing with O(scope=tag). With O(scope=manifest), it deletes the image with this digest
        and all other tags of that image.
      - With O(scope=manifest), you can omit V(REF) if the OCI layout or archive contains only one image. If you delete the last image in an
        archive, the module also deletes the archive file.
      - An image in a directory has no tag. Use O(scope=manifest) to delete it together with the directory.
    type: str
    required: true
  scope:
    description:
      - Whether to delete one tag or the whole image.
      - V(tag) deletes only the tag. Other tags of the same image are kept.
      - V(manifest) deletes the manifest and all tags that point to it. If the manifest is an index, the manifests that it lists are kept. If another index
        lists the manifest, that index is incomplete afterwards.
      - If the registry's tag list is outdated or incomplete, the module cannot find all tags that V(manifest) would delete. If O(image) contains a tag,
        the task then fails and deletes nothing. If O(image) contains only a digest, the module deletes the manifest and warns that RV(removed_tags) may be
        incomplete.
    type: str
    choices:
      - tag
      - manifest
    default: tag
  referrers:
    description:
      - Also delete the image's referrers, such as signatures, SBOMs and attestations. Referrers of these referrers are also deleted. The module deletes
        the image first. O(scope=manifest) is required, because an image can still exist after one of its tags is deleted.
      - Artifacts that cosign stores under the tags C(sha256-<hex>.sig), C(.att) and C(.sbom) also count as referrers. The module keeps a referrer
        if another tag points to it.
      - For a registry without the referrers API, clients maintain lists of referrers. The module also removes the deleted referrers from these lists.
      - The module does not delete the referrers of an index's children.
      - If the image no longer exists and O(image) contains its digest, the module deletes the remaining referrers of this digest.
      - The task fails if the transport cannot store referrers, which is the case for container engines and V(docker-archive) files.
    type: bool
    default: false
notes:
  - To find the tags that point to the same image, the module sends one request for each tag in the repository.
  - Some registries, such as CNCF Distribution 2, cannot delete individual tags. They can only delete a manifest together with all its tags. With such a
    registry, the module points the tag to an empty image with a unique digest and then deletes that image. This requires permission to push. The
    module first checks whether the registry supports deletion, and it restores the tag if the deletion fails.
  - The module then also deletes the original image, but only if it can confirm that nothing else refers to it. This is possible only if the tag list no
    longer contains the tag and the repository has at most 100 other tags. None of those tags may point to the image. None may point to an index either,
    because the index might list the image. Otherwise, the image remains in the registry without this tag.
  - If the task is killed between these steps, the tag points to the empty image, which the other modules reject. To delete the tag, run the task
    again.
seealso:
  - module: drayage.registry.image_inspect
  - module: drayage.registry.image_tags
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Delete the tag of a merged branch
  drayage.registry.image_delete:
    image: registry.example.com/staging/app:feature-login

- name: Delete a tag only if it still points to the reviewed image
  drayage.registry.image_delete:
    image: registry.example.com/staging/app:candidate@sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0

- name: Delete an image with all its tags
  drayage.registry.image_delete:
    image: registry.example.com/prod/app:1.4.2
    scope: manifest
  register: withdrawn

- name: Show the deleted tags
  ansible.builtin.debug:
    msg: "Deleted {{ withdrawn.removed_tags | join(', ') }}"
  when: withdrawn is changed

- name: Delete an image with its signatures and SBOMs
  drayage.registry.image_delete:
    image: registry.example.com/prod/app:1.4.2
    scope: manifest
    referrers: true

- name: Delete an image from an OCI layout
  drayage.registry.image_delete:
    image: oci:/srv/transfer/images:node-exporter-v1.7.0
"""

RETURN = r"""
digest:
  description: The digest of the deleted image, or of the image whose tag was deleted. Null if there was nothing to delete.
  returned: success
  type: str
  sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
removed_tags:
  description: The deleted tags.
  returned: success
  type: list
  elements: str
  sample: ["1.4.2"]
kept_tags:
  description: Other tags that still point to the same image.
  returned: success
  type: list
  elements: str
  sample: ["1.4", "stable"]
method:
  description:
    - How the tag or the image was deleted.
    - V(tag) means that the registry deleted the tag.
    - V(digest) means that the registry deleted the manifest.
    - V(unique_manifest) means that the module pointed the tag to an empty image and deleted that image. The original image remains, but without this tag.
    - Null if nothing was deleted. Also null in check mode, because only a real deletion shows what the registry supports.
  returned: success
  type: str
  sample: tag
msg:
  description: A one-sentence summary of what the task did, or would do in check mode.
  returned: success
  type: str
  sample: >-
    Deleted registry.example.com/app:1.4.2 (sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0).
    2 other tags still point to the image.
referrers:
  description: The deleted referrers. Empty unless O(referrers=true).
  returned: success
  type: list
  elements: dict
  contains:
    digest:
      description: The digest of the referrer.
      type: str
      sample: sha256:0d1f2d1c6f7e1a5b27c6ba1be2fe9d2b1a26d1e6a2fd93a4e4f1b64c4f7e6a11
    subject:
      description: The digest of the manifest that the referrer belonged to.
      type: str
      sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    artifact_type:
      description: The artifact type of the referrer. Null if it has none.
      type: str
      sample: application/vnd.dev.sigstore.bundle.v0.3+json
    tag:
      description: The cosign tag of the referrer. Null for all other referrers.
      type: str
      sample: null
    depth:
      description: V(1) for referrers of the image, V(2) for the referrers of these referrers, and so on.
      type: int
      sample: 1
requests:
  description: The number of HTTP requests that the task sent, including retries and token requests.
  returned: success
  type: int
  sample: 5
"""

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils import _messages as messages
from ansible_collections.drayage.registry.plugins.module_utils._module import RegistryModule
from ansible_collections.drayage.registry.plugins.module_utils._operations.delete import Deleted, DeleteOptions, delete
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.transports import LocalImages


def sentence(deleted: Deleted, image: str, dry_run: bool) -> str:
    """Describe what was or would be deleted."""
    if not deleted.digest:
        return "%s does not exist: nothing to delete." % image
    about = [deleted.digest, *([messages.listing(deleted.removed)] if len(deleted.removed) > 1 else [])]
    kept = messages.count(len(deleted.kept), "other tag")
    verb = "Would delete" if dry_run else "Deleted"
    still = " %s still %s to the image." % (kept, "points" if len(deleted.kept) == 1 else "point")
    return "%s %s (%s).%s" % (verb, image, "; tags ".join(about), still if deleted.kept else "")


def describe(deleted: Deleted, image: str, dry_run: bool) -> dict[str, t.Any]:
    """Return what was or would be deleted, as in RETURN."""
    attached = {"attached: %s" % (one.tag or one.digest): one.digest for one in deleted.attached}
    return {
        "changed": bool(deleted.digest),
        "msg": sentence(deleted, image, dry_run),
        "digest": deleted.digest or None,
        "method": deleted.method or None,
        "removed_tags": deleted.removed,
        "kept_tags": deleted.kept,
        "referrers": [one.summary for one in deleted.attached],
        "diff": {"before": {**deleted.before, **attached}, "after": {**deleted.after, **dict.fromkeys(attached)}},
    }


def main() -> None:
    """Run the module."""
    module = RegistryModule(
        {
            "image": {"type": "str", "required": True},
            "scope": {"type": "str", "choices": ["tag", "manifest"], "default": "tag"},
            "referrers": {"type": "bool", "default": False},
        },
        local=LocalImages,
    )
    options = DeleteOptions(**{name: module.params[name] for name in ("image", "scope", "referrers")})

    def operation(stores: Stores) -> dict[str, t.Any]:
        return describe(delete(options, stores), options.image, stores.run.dry_run)

    module.run(operation)


if __name__ == "__main__":
    main()
