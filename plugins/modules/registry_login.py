#!/usr/bin/python
# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_login
short_description: Log in to or out of a container registry
version_added: 0.1.0
description:
  - Stores credentials for a registry in an auth file, which C(podman), C(skopeo), C(docker) and the modules in this collection can read.
  - The module verifies the credentials with the registry before it writes anything. It verifies them on every run and in check mode, so the task
    fails if the password is no longer valid.
  - The module preserves all other entries and settings in the auth file. It replaces the file atomically, and concurrent tasks do not overwrite each
    other's entries.
  - To configure the connection to the registry, use O(registries). The module ignores any credentials in this option.
  - The managed node needs neither a container engine nor a program such as C(skopeo).
extends_documentation_fragment:
  - drayage.registry._attributes
  - drayage.registry._registries
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows the user name before and after the task. It never shows secrets, so a new password for the same user is not visible.
  idempotent:
    support: full
options:
  host:
    description:
      - The registry in the form V(host[:port]), as it appears in image references. For Docker Hub, use V(docker.io).
      - With a path, such as V(registry.example.com/team), the credentials apply only to repositories below that path.
        C(podman) and C(skopeo) support such credentials, but C(docker) does not.
    type: str
    required: true
  username:
    description:
      - The user name. Use V(<token>) if O(password) is an identity token (an OAuth2 refresh token).
      - Required if O(state=present).
    type: str
  password:
    description:
      - The password or access token.
      - If the value is a mapping, the module converts it to JSON. This is necessary because ansible-core before 2.19 turns the content of a JSON
        file, such as a key for the user V(_json_key), into a mapping.
      - Required if O(state=present).
    type: raw
  state:
    description:
      - Whether credentials for O(host) should exist.
      - V(present) stores the credentials after the registry has accepted them. A registry without authentication accepts any credentials.
      - V(absent) removes all credentials for O(host). It sends no request to the registry.
    type: str
    choices:
      - present
      - absent
    default: present
  authfile:
    description:
      - The file to store the credentials in. If it does not exist, the module creates it so that only the owner can access it.
      - If the file configures a credential store, or a credential helper for O(host), the module stores the credentials there.
      - If this option is not set, the module uses the file that the environment variable E(REGISTRY_AUTH_FILE) specifies. If that is not set, it uses
        C(containers/auth.json) in E(XDG_RUNTIME_DIR). If that is not set either, for example with C(become), it uses the first of
        V(/run/user/UID/containers/auth.json), V(/run/containers/UID/auth.json) and V(~/.config/containers/auth.json) that the user can write to. For root,
        V(/run/containers/0/auth.json) comes first.
      - Files below C(/run) are lost at the next boot. Files in C(/run/user/UID) are lost when the user's last session ends.
      - To make the login available to C(docker), use V(~/.docker/config.json).
seealso:
  - name: containers-auth.json(5)
    description: The format of the auth file.
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

- name: Store a Docker Hub login where docker can find it
  drayage.registry.registry_login:
    host: docker.io
    username: example
    password: "{{ vault_docker_hub_token }}"
    authfile: ~/.docker/config.json

- name: Log in to one team's repositories in a registry with a private CA
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
  description: The user name that RV(authfile) contains for O(host) after the task. Null if it contains no credentials for O(host).
    Three asterisks if the user name is also the password.
  returned: success
  type: str
  sample: deploy
authfile:
  description: The path of the auth file.
  returned: success
  type: str
  sample: /run/user/1000/containers/auth.json
msg:
  description: A one-sentence summary of what the task did, or would do in check mode.
  returned: success
  type: str
  sample: "Logged in to registry.example.com as deploy; credentials file: /run/user/1000/containers/auth.json."
requests:
  description: The number of HTTP requests that the task sent, including retries and token requests.
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
    """Describe what was or would be done."""
    if done.after and not done.changed:
        return "Already logged in to %s as %s, according to %s." % (done.host, done.after, done.authfile)
    if done.after:
        verb = "Would log in" if dry_run else "Logged in"
        return "%s to %s as %s; credentials file: %s." % (verb, done.host, done.after, done.authfile)
    if not done.changed:
        return "Not logged in to %s, according to %s." % (done.host, done.authfile)
    verb = "Would log out" if dry_run else "Logged out"
    return "%s of %s; credentials file: %s." % (verb, done.host, done.authfile)


def describe(done: LoggedIn, dry_run: bool) -> dict[str, t.Any]:
    """Return what was or would be done, as in RETURN."""
    entry = {"authfile": done.authfile, "host": done.host}
    return {
        "changed": done.changed,
        "msg": sentence(done, dry_run),
        "login": done.after,
        "authfile": done.authfile,
        "diff": {"before": {**entry, "login": done.before}, "after": {**entry, "login": done.after}},
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
