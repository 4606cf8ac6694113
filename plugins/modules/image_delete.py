#!/usr/bin/python
# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_delete
short_description: Remove one tag of a container image, or an image with all its tags
version_added: 0.1.0
description:
  - Removes one tag and no other, on every registry that can delete at all, or a manifest with all the tags that point to it.
  - What is not there already needs no removal, so the task is not changed then. No access is an error.
  - Registries keep the contents of deleted images until their garbage collection runs. In an OCI layout, files that no
    other image needs go at once.
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
      - What to remove, V([docker://]host[:port]/path[:tag][@digest]), V(oci:PATH[:REF]), V(oci-archive:FILE[:REF]) or
        V(dir:PATH).
      - V(docker-daemon:NAME:TAG), V(containers-storage:NAME:TAG) or V(docker-archive:FILE:NAME:TAG) for a tag of an image in
        an engine or file, which goes with its last one. Nothing is removed that a container uses.
      - There is no default for the tag. With both a tag and a digest, nothing is removed unless the tag points to that
        digest.
      - Without V(REF) and with O(scope=manifest), an OCI layout or archive must hold one image only. With the last image of an
        archive its file goes.
      - The image of a directory has no name. It is removed, with the directory, by O(scope=manifest).
    type: str
    required: true
  scope:
    description:
      - How much to remove.
      - With V(tag) the tag alone. Other tags of the same image stay.
      - With V(manifest) the manifest with all the tags that point to it. Its children stay if it is an index. If an index
        lists it, that index is broken afterwards.
      - If the list of tags is outdated or incomplete, RV(removed_tags) would be incomplete too. With V(manifest), nothing is
        removed then if O(image) has a tag, and the task warns if O(image) has a digest alone.
    type: str
    choices:
      - tag
      - manifest
    default: tag
  referrers:
    description:
      - Remove what is attached to the image as well, such as signatures, SBOMs and attestations, and what is attached to these in
        turn, after the image itself. It needs O(scope=manifest), because a tag may leave the image behind.
      - This includes referrers, their entries in the lists that clients keep for registries without the referrers API, and the tags
        of cosign (C(sha256-<hex>.sig), C(.att) and C(.sbom)). What another tag points to stays.
      - What is attached to the children of an index stays with these.
      - If the image is absent and O(image) has its digest, what is left attached to that digest is removed.
      - It is an error for a place that cannot hold referrers, such as an engine or a directory.
    type: bool
    default: false
notes:
  - All tags of the repository are looked at, one request each, to find those that point to the same image.
  - A registry that does not delete tags, such as distribution 2, deletes manifests only, with all their tags. There the tag
    is pointed to an empty image with a digest of its own, which is then deleted. This needs the right to push. The module
    first makes sure that the registry deletes at all, and puts the tag back if the deletion fails.
  - After that, the image itself is deleted only if it is certain that nothing else points to it. The list of tags must show
    that this tag is gone, and none of at most 100 other tags may point to this image or to an index that might list it.
    Otherwise the image stays in the registry without this tag.
  - If the task is killed in between, the tag points to an empty image, which the other modules refuse. Run the task again.
seealso:
  - module: drayage.registry.image_inspect
  - module: drayage.registry.image_tags
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Remove the tag of a branch that was merged, and no other
  drayage.registry.image_delete:
    image: registry.example.com/staging/app:feature-login

- name: Remove a tag only if it still names the image that was reviewed
  drayage.registry.image_delete:
    image: registry.example.com/staging/app:candidate@sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0

- name: Withdraw an image under all its tags
  drayage.registry.image_delete:
    image: registry.example.com/prod/app:1.4.2
    scope: manifest
  register: withdrawn

- name: Tell which tags are gone
  ansible.builtin.debug:
    msg: "Removed {{ withdrawn.removed_tags | join(', ') }}"
  when: withdrawn is changed

- name: Withdraw an image with its signatures and SBOMs
  drayage.registry.image_delete:
    image: registry.example.com/prod/app:1.4.2
    scope: manifest
    referrers: true

- name: Remove an image from a layout, and the files that only it needs
  drayage.registry.image_delete:
    image: oci:/srv/transfer/images:node-exporter-v1.7.0
"""

RETURN = r"""
digest:
  description: The digest of the image that was removed, or of which a tag was removed. Null if there was nothing to remove.
  returned: success
  type: str
  sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
removed_tags:
  description: The tags that were removed.
  returned: success
  type: list
  elements: str
  sample: ["1.4.2"]
kept_tags:
  description: Other tags that point to the same image, and still do.
  returned: success
  type: list
  elements: str
  sample: ["1.4", "stable"]
method:
  description:
    - How it was removed.
    - V(tag), the tag was deleted.
    - V(digest), the manifest was deleted.
    - V(unique_manifest), the tag was pointed to an empty image, which was deleted. The manifest stays without this tag.
    - Null if nothing was removed, and in check mode, because only an attempt shows what the registry supports.
  returned: success
  type: str
  sample: tag
msg:
  description: What the task did, or would do in check mode, in one sentence.
  returned: success
  type: str
  sample: "Deleted registry.example.com/app:1.4.2 (sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0). 2 other tags still point to the image."
referrers:
  description: What was attached to the image and was removed with it. Empty without O(referrers).
  returned: success
  type: list
  elements: dict
  contains:
    digest:
      description: The digest of the manifest that was attached.
      type: str
      sample: sha256:0d1f2d1c6f7e1a5b27c6ba1be2fe9d2b1a26d1e6a2fd93a4e4f1b64c4f7e6a11
    subject:
      description: The digest of the manifest that it was attached to.
      type: str
      sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    artifact_type:
      description: Its artifact type, null if it has none.
      type: str
      sample: application/vnd.dev.sigstore.bundle.v0.3+json
    tag:
      description: The tag of cosign that it had, null for a referrer.
      type: str
      sample: null
    depth:
      description: 1 for what was attached to the image, 2 for what was attached to that, and so on.
      type: int
      sample: 1
requests:
  description: How many HTTP requests the task sent, retries and requests for tokens included.
  returned: success
  type: int
  sample: 5
"""

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils import _messages as messages
from ansible_collections.drayage.registry.plugins.module_utils._module import RegistryModule
from ansible_collections.drayage.registry.plugins.module_utils._operations.delete import Deleted, DeleteOptions, delete
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores


def sentence(deleted: Deleted, image: str, dry_run: bool) -> str:
    """What was or would be removed."""
    if not deleted.digest:
        return "%s does not exist: nothing to delete." % image
    about = [deleted.digest, *([messages.listing(deleted.removed)] if len(deleted.removed) > 1 else [])]
    kept = messages.count(len(deleted.kept), "other tag")
    verb = "Would delete" if dry_run else "Deleted"
    still = " %s still %s to the image." % (kept, "points" if len(deleted.kept) == 1 else "point")
    return "%s %s (%s).%s" % (verb, image, "; tags ".join(about), still if deleted.kept else "")


def describe(deleted: Deleted, image: str, dry_run: bool) -> dict[str, t.Any]:
    """What was or would be removed, in the terms of RETURN."""
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
        }
    )
    options = DeleteOptions(**{name: module.params[name] for name in ("image", "scope", "referrers")})

    def operation(stores: Stores) -> dict[str, t.Any]:
        return describe(delete(options, stores), options.image, stores.run.dry_run)

    module.run(operation)


if __name__ == "__main__":
    main()
