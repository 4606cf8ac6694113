#!/usr/bin/python
# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_tags
short_description: List the tags in a repository, or point tags to other images
version_added: 0.1.0
description:
  - Lists all tags in a repository, or only those that match the given filters. The module can also return the digests that the tags point to.
  - With O(tags), the module points tags to images that already exist in the repository. It uploads only manifests.
  - Without O(tags), the module does not modify anything, so it never reports a change.
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
      - The repository, in the form V([docker://]host[:port]/path). You can use Docker Hub short names, such as V(alpine).
      - V(oci:PATH) or V(oci-archive:FILE) selects the names in an OCI layout, or in an archive of an OCI layout, on the managed node.
      - V(docker-daemon:NAME), V(containers-storage:NAME) or V(docker-archive:FILE:NAME) selects the tags of the V(NAME) repository in a container engine
        or file. V(docker-archive:FILE) selects all names in the file.
    type: str
    required: true
  include:
    description:
      - List only tags that match at least one of these regular expressions. An expression must match the whole tag.
    type: list
    elements: str
  exclude:
    description:
      - Do not list tags that match any of these regular expressions. An expression must match the whole tag. O(exclude) takes precedence over
        O(include).
    type: list
    elements: str
  semver:
    description:
      - List only tags that are versions in this range, such as V(>=1.2, <2), V(^1.4), V(~1.4.2), V(1.2 - 1.4) or V(1.x || 3.x). The notation is the same
        as in npm and Helm. The module ignores a leading C(v) and build metadata. In Helm chart tags, an underscore introduces the build metadata, as in
        V(1.2.3_build).
      - A range includes pre-releases, such as V(2.0.0-rc.1), only if it mentions a pre-release, as V(>=1.2.0-0) does. In semantic
        versioning, a hyphen introduces a pre-release, so V(1.2.3-alpine) is also a pre-release.
      - A range includes pre-releases of its upper bound only if it mentions a pre-release of the same version, as
        V(">=3.2.0-rc.1, <3.2.0") does.
    type: str
  semver_strict:
    description:
      - Whether only tags with three numbers count as versions for O(semver) and O(newest). With V(false), V(1.2) is the same version as V(1.2.0),
        and V(20260114) is a very high version. A tag with more than three numbers, such as V(1.2.3.4), never counts as a version.
    type: bool
    default: true
  newest:
    description:
      - List at most this many tags, starting with the highest version. The module applies all other filters first. It leaves out tags that are not
        versions. It also leaves out pre-releases, unless O(semver) mentions one.
    type: int
  digests:
    description:
      - Whether to return RV(digests), which contains the digest that each listed tag points to. This costs one request for each tag.
    type: bool
    default: false
  tags:
    description:
      - A mapping of tags to their targets. A target is another tag or a digest in the same repository. Other tags do not change.
      - Put tags in quotes. Without quotes, YAML reads V(1.10) as the number 1.1.
      - The module rejects a target that is a floating-point number or a boolean. It cannot reject such a key, because Ansible converts keys to text. An
        unquoted key V(1.10) moves the tag C(1.1).
      - The module resolves all targets before it writes anything, so two tags can swap their images.
    type: dict
seealso:
  - module: drayage.registry.image_copy
  - module: drayage.registry.image_delete
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Find the newest 1.x release
  drayage.registry.image_tags:
    repository: registry.example.com/prod/app
    semver: ^1
    newest: 1
  register: releases

- name: Point two tags to this release
  drayage.registry.image_tags:
    repository: registry.example.com/prod/app
    tags:
      "1": "{{ releases.tags[0] }}"
      stable: "{{ releases.tags[0] }}"

- name: Roll back to a previous image
  drayage.registry.image_tags:
    repository: registry.example.com/prod/app
    tags:
      stable: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0

- name: List branch builds with their digests
  drayage.registry.image_tags:
    repository: registry.example.com/staging/app
    include:
      - feature-.*
      - fix-.*
    exclude:
      - .*-debug
    digests: true
  register: branches

- name: Show the digests
  ansible.builtin.debug:
    var: branches.digests
"""

RETURN = r"""
exists:
  description: Whether the repository or layout exists.
  returned: success
  type: bool
  sample: true
tags:
  description:
    - The listed tags. Tags that are not versions come first, in alphabetical order. Versions follow, from lowest to highest. The list is empty if
      the repository does not exist.
    - If O(tags) is set, the list contains the tags from O(tags), in the same order.
  returned: success
  type: list
  elements: str
  sample: ["latest", "1.9.0", "1.10.0"]
digests:
  description:
    - The digest that each tag in RV(tags) points to. If the manifest of a tag is missing or cannot be read, the module leaves out the tag and prints a
      warning.
    - Null unless O(digests=true) or O(tags) is set.
  returned: success
  type: dict
  sample: {"stable": "sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0"}
msg:
  description: A one-sentence summary of what the task did, or would do in check mode.
  returned: success
  type: str
  sample: "Created 1 and moved 1 of 3 tags in registry.example.com/app: 1.10.0, stable."
requests:
  description: The number of HTTP requests that the task sent, including retries and token requests.
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
from ansible_collections.drayage.registry.plugins.module_utils._operations.transports import LocalImages

_FILTERS = ("include", "exclude", "semver", "newest")


def list_wanted(params: dict[str, t.Any], stores: Stores) -> dict[str, t.Any]:
    """List tags, and return them as in RETURN."""
    include, exclude, semver, newest = (params[name] for name in _FILTERS)
    selection = TagSelection.parse(include or (), exclude or (), semver, params["semver_strict"], newest)
    listed = list_tags(params["repository"], selection, params["digests"], stores)
    digests = listed.digests if params["digests"] else None
    found = messages.count(len(listed.tags), "tag")
    msg = "Found %s in %s." if listed.exists else "Found %s, because %s does not exist."
    about = {"changed": False, "msg": msg % (found, params["repository"])}
    return {**about, "exists": listed.exists, "tags": listed.tags, "digests": digests}


def describe(assigned: Assigned, repository: str, dry_run: bool) -> dict[str, t.Any]:
    """Return which tags were or would be created or moved, as in RETURN."""
    names = assigned.references
    return {
        "changed": assigned.changed,
        "msg": _summary(assigned, repository, dry_run),
        "exists": assigned.exists,
        "tags": list(names),
        "digests": assigned.after,
        "diff": {
            "before": {names[name]: digest for name, digest in assigned.before.items()},
            "after": {names[name]: digest for name, digest in assigned.after.items()},
        },
    }


def _summary(assigned: Assigned, repository: str, dry_run: bool) -> str:
    number = messages.count(len(assigned.references), "tag")
    changed = [name for name, digest in assigned.after.items() if assigned.before[name] != digest]
    if not changed:
        return "%s is up to date (%s)." % (repository, number)
    created = [name for name in changed if assigned.before[name] is None]
    moved = [name for name in changed if name not in created]
    verbs = ("create", "move") if dry_run else ("created", "moved")
    counts = ["%s %d" % (verb, len(tags)) for verb, tags in zip(verbs, (created, moved)) if tags]
    text = "%s%s of %s in %s: %s." % (
        "would " if dry_run else "",
        " and ".join(counts),
        number,
        repository,
        messages.listing(created + moved),
    )
    return text[0].upper() + text[1:]


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
        local=LocalImages,
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
