#!/usr/bin/python
# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_login
short_description: Log in to a container registry and out of it
version_added: 0.1.0
description:
  - Keeps credentials for a registry where C(podman), C(skopeo), C(docker) and the modules of this collection look for them.
  - Before anything is written, the registry is asked whether it takes the credentials. It is asked every time, in check
    mode too, so that a password that has been changed is noticed.
  - Other entries and settings of the auth file stay as they are, to the byte. It is replaced in one step, and tasks that
    write to it at the same time do not lose each other's entries.
  - O(registries) says how to reach the registry. Credentials in it play no part here.
  - Neither a container runtime nor a tool like skopeo is needed on the managed node.
extends_documentation_fragment:
  - drayage.registry._attributes
  - drayage.registry._registries
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows who is logged in before and after. Secrets are never shown, so that another password for the same user is no
        visible difference.
  idempotent:
    support: full
options:
  host:
    description:
      - The registry as it stands in references, V(host[:port]). V(docker.io) is Docker Hub.
      - With a path, such as V(registry.example.com/team), the credentials are for the repositories below only.
        C(podman) and C(skopeo) know such credentials, C(docker) does not.
    type: str
    required: true
  username:
    description:
      - Who to log in as. The name V(<token>) says that O(password) is an identity token (an OAuth2 refresh token).
      - Required if O(state=present).
    type: str
  password:
    description:
      - The password, or the access token that the registry takes for one.
      - A mapping is used as JSON. ansible-core before 2.19 makes one of the content of a JSON file, such as a key for
        the user V(_json_key).
      - Required if O(state=present).
    type: raw
  state:
    description:
      - Whether there are to be credentials for O(host).
      - With V(present) these credentials are kept, after the registry has taken them. A registry that asks for none takes
        any.
      - With V(absent) all credentials for O(host) are removed. The registry is not asked.
    type: str
    choices:
      - present
      - absent
    default: present
  authfile:
    description:
      - The file to keep the credentials in. A missing file is made, for its owner only.
      - If the file names a credential helper for O(host) or a credential store, the credentials are kept there.
      - If the value is not specified in the task, the value of environment variable E(REGISTRY_AUTH_FILE) is used, and
        if that is not set, C(containers/auth.json) in E(XDG_RUNTIME_DIR). If that is not set either, as with C(become), it is
        the first of V(/run/user/UID/containers/auth.json), V(/run/containers/UID/auth.json) and
        V(~/.config/containers/auth.json) that this user can write; for root, V(/run/containers/0/auth.json) comes first. The
        places below C(/run) are emptied when the machine starts, and those of a session when the user's last session ends.
      - For C(docker) give V(~/.docker/config.json).
seealso:
  - name: containers-auth.json(5)
    description: The format of the file.
    link: https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Log in to the private registry
  drayage.registry.registry_login:
    host: registry.example.com
    username: deploy
    password: "{{ vault_registry_password }}"

- name: Let docker pull with these credentials
  drayage.registry.registry_login:
    host: docker.io
    username: example
    password: "{{ vault_docker_hub_token }}"
    authfile: ~/.docker/config.json

- name: Use other credentials for the repositories of one team, at a registry with its own CA
  drayage.registry.registry_login:
    host: registry.example.com/team
    username: team
    password: "{{ vault_team_password }}"
    authfile: /etc/team/auth.json
    registries:
      - host: registry.example.com
        ca_path: /etc/pki/example-ca.pem

- name: Log out
  drayage.registry.registry_login:
    host: registry.example.com
    state: absent
"""

RETURN = r"""
login:
  description: Who is logged in to O(host) afterwards according to RV(authfile), null for nobody.
  returned: success
  type: str
  sample: deploy
authfile:
  description: The auth file that was looked at, and changed if need be.
  returned: success
  type: str
  sample: /run/user/1000/containers/auth.json
msg:
  description: What the task did, or would do in check mode, in one sentence.
  returned: success
  type: str
  sample: "Logged in to registry.example.com as deploy; the credentials are in /run/user/1000/containers/auth.json."
requests:
  description: How many HTTP requests the task sent, retries and requests for tokens included.
  returned: success
  type: int
  sample: 2
"""

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._argspec import PASSWORD
from ansible_collections.drayage.registry.plugins.module_utils._module import RegistryModule
from ansible_collections.drayage.registry.plugins.module_utils._operations.login import LoggedIn, LoginOptions, login
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores


def sentence(done: LoggedIn, dry_run: bool) -> str:
    """What was or would be done."""
    if done.after and not done.changed:
        return "Already logged in to %s as %s, according to %s." % (done.host, done.after, done.authfile)
    if done.after:
        verb = "Would log in" if dry_run else "Logged in"
        return "%s to %s as %s; the credentials are in %s." % (verb, done.host, done.after, done.authfile)
    if not done.changed:
        return "Not logged in to %s, according to %s." % (done.host, done.authfile)
    return "%s of %s in %s." % ("Would log out" if dry_run else "Logged out", done.host, done.authfile)


def describe(done: LoggedIn, dry_run: bool) -> dict[str, t.Any]:
    """What was or would be done, in the terms of RETURN."""
    place = {"authfile": done.authfile, "host": done.host}
    return {
        "changed": done.changed,
        "msg": sentence(done, dry_run),
        "login": done.after,
        "authfile": done.authfile,
        "diff": {"before": {**place, "login": done.before}, "after": {**place, "login": done.after}},
    }


def main() -> None:
    """Run the module."""
    module = RegistryModule(
        {
            "host": {"type": "str", "required": True},
            "username": {"type": "str"},
            "password": PASSWORD,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["username", "password"])],
    )

    def operation(stores: Stores) -> dict[str, t.Any]:
        password = module.secret(module.params["password"], "password")
        given = {name: module.params[name] for name in ("host", "username", "state")}
        options = LoginOptions(password=password, **given)
        return describe(login(options, stores), stores.run.dry_run)

    module.run(operation)


if __name__ == "__main__":
    main()
