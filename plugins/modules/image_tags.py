#!/usr/bin/python
# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_tags
short_description: List the tags of a repository, or make them name other images of it
version_added: 0.1.0
description:
  - Lists the tags of a repository, all of them or those that filters leave, and what they name.
  - With O(tags), makes tags name what is declared. Nothing is uploaded but manifests that the repository has already.
  - Without O(tags) it only reads, and the task is never changed.
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
  repository:
    description:
      - The repository, V([docker://]host[:port]/path), or V(oci:PATH) or V(oci-archive:FILE) for the names in an
        OCI layout, or in an archive of one, on the managed node.
      - V(docker-daemon:NAME), V(containers-storage:NAME) or V(docker-archive:FILE:NAME) for the tags that images of a
        container engine have in the repository V(NAME). V(docker-archive:FILE) for all names in the file.
      - Docker Hub's short names are understood.
    type: str
    required: true
  include:
    description:
      - List only tags that one of these regular expressions matches as a whole.
    type: list
    elements: str
  exclude:
    description:
      - Leave out tags that one of these regular expressions matches as a whole, even if O(include) matches too.
    type: list
    elements: str
  semver:
    description:
      - List only tags that are versions in this range, in the notation of npm and Helm, such as V(>=1.2, <2), V(^1.4),
        V(~1.4.2), V(1.2 - 1.4) or V(1.x || 3.x). A leading C(v) of a tag does not count. Neither does build metadata, which
        follows V(_) in the tags of Helm's charts, as in V(1.2.3_build).
      - Pre-releases, such as V(2.0.0-rc.1), are in a range only if it names one, as V(>=1.2.0-0) does. What follows a
        hyphen is a pre-release by the rules of semantic versioning, so V(1.2.3-alpine) is one too.
      - Pre-releases of the upper end are in a range only if it names one of this version, as
        V(">=3.2.0-rc.1, <3.2.0") does.
    type: str
  semver_strict:
    description:
      - Whether only tags of three parts count as versions for O(semver) and O(newest). If V(false), V(1.2) counts as
        V(1.2.0), and V(20260114) as a very high version. A tag of more than three parts, such as V(1.2.3.4), is not a version.
    type: bool
    default: true
  newest:
    description:
      - List only so many tags, those with the highest versions of what the other options leave. Tags that are no versions
        are left out, and so are pre-releases unless O(semver) names one.
    type: int
  digests:
    description:
      - Tell what each listed tag names. This costs one request for each tag.
    type: bool
    default: false
  tags:
    description:
      - What tags are to name, each a tag or a digest of the same repository. Tags that are not mentioned stay as they are.
      - Put versions in quotes, or YAML takes V(1.10) for the number 1.1.
      - All targets are looked up before anything is written, so two tags may swap what they name.
    type: dict
seealso:
  - module: drayage.registry.image_copy
  - module: drayage.registry.image_delete
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Find the newest release of the 1.x line
  drayage.registry.image_tags:
    repository: registry.example.com/prod/app
    semver: ^1
    newest: 1
  register: releases

- name: Let tags follow it, without an upload
  drayage.registry.image_tags:
    repository: registry.example.com/prod/app
    tags:
      "1": "{{ releases.tags[0] }}"
      stable: "{{ releases.tags[0] }}"

- name: Roll back to the image that ran before
  drayage.registry.image_tags:
    repository: registry.example.com/prod/app
    tags:
      stable: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0

- name: List builds of branches, with their digests
  drayage.registry.image_tags:
    repository: registry.example.com/staging/app
    include:
      - feature-.*
      - fix-.*
    exclude:
      - .*-debug
    digests: true
  register: branches

- name: Show them
  ansible.builtin.debug:
    var: branches.digests
"""

RETURN = r"""
exists:
  description: Whether the repository or layout is there.
  returned: success
  type: bool
  sample: true
tags:
  description:
    - The tags that were listed. Those that are no versions come first, by name, and then the versions from the oldest to
      the newest. Empty if there is no such repository.
    - If O(tags) is given, the tags that it declares, in its order.
  returned: success
  type: list
  elements: str
  sample: ["latest", "1.9.0", "1.10.0"]
digests:
  description: What each of RV(tags) names. A tag that lost its manifest is missing here, with a warning. Null unless
    O(digests=true) or O(tags) is given.
  returned: success
  type: dict
  sample: {"stable": "sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0"}
msg:
  description: What the task did, or would do in check mode, in one sentence.
  returned: success
  type: str
  sample: "Pointed 1 of 3 tags of registry.example.com/app to another image: stable."
requests:
  description: How many HTTP requests the task sent, retries and requests for tokens included.
  returned: success
  type: int
  sample: 1
"""

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils import _messages as messages
from ansible_collections.drayage.registry.plugins.module_utils._image.tag_selection import TagSelection
from ansible_collections.drayage.registry.plugins.module_utils._module import RegistryModule
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.tags import Assigned, assign_tags, list_tags

_FILTERS = ("include", "exclude", "semver", "newest")


def list_wanted(params: dict[str, t.Any], stores: Stores) -> dict[str, t.Any]:
    """List tags, and tell in the terms of RETURN."""
    include, exclude, semver, newest = (params[name] for name in _FILTERS)
    selection = TagSelection.parse(include or (), exclude or (), semver, params["semver_strict"], newest)
    listed = list_tags(params["repository"], selection, params["digests"], stores)
    digests = listed.digests if params["digests"] else None
    found = messages.count(len(listed.tags), "tag")
    msg = "Found %s in %s." if listed.exists else "Found %s, because %s does not exist."
    about = {"changed": False, "msg": msg % (found, params["repository"])}
    return {**about, "exists": listed.exists, "tags": listed.tags, "digests": digests}


def describe(assigned: Assigned, repository: str, dry_run: bool) -> dict[str, t.Any]:
    """What was or would be assigned, in the terms of RETURN."""
    names = assigned.references
    moved = [name for name, digest in assigned.after.items() if assigned.before.get(name) != digest]
    verb = "Would point" if dry_run else "Pointed"
    msg = "%s %d of %s of %s to another image: %s." % (
        verb,
        len(moved),
        messages.count(len(names), "tag"),
        repository,
        messages.listing(moved),
    )
    if not moved:
        msg = "%s of %s: up to date." % (messages.count(len(names), "tag"), repository)
    return {
        "changed": assigned.changed,
        "msg": msg,
        "exists": True,
        "tags": list(names),
        "digests": assigned.after,
        "diff": {
            "before": {names[name]: digest for name, digest in assigned.before.items()},
            "after": {names[name]: digest for name, digest in assigned.after.items()},
        },
    }


def main() -> None:
    """Run the module."""
    module = RegistryModule(
        {
            "repository": {"type": "str", "required": True},
            "include": {"type": "list", "elements": "str"},
            "exclude": {"type": "list", "elements": "str"},
            "semver": {"type": "str"},
            "semver_strict": {"type": "bool", "default": True},
            "newest": {"type": "int"},
            "digests": {"type": "bool", "default": False},
            "tags": {"type": "dict"},
        },
        texts=("include", "exclude", "semver"),
        mutually_exclusive=[("tags", name) for name in _FILTERS],
    )
    params = module.params

    def operation(stores: Stores) -> dict[str, t.Any]:
        if params["tags"] is None:
            return list_wanted(params, stores)
        assigned = assign_tags(params["repository"], params["tags"], stores)
        return describe(assigned, params["repository"], stores.run.dry_run)

    module.run(operation)


if __name__ == "__main__":
    main()
