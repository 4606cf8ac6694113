# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each module runs with only the files that ansible-core packages with it. Other tests run modules with all files."""

from __future__ import annotations

import json

from devtools import images, module_runner, playbook_runner
from devtools.observe import digest_at
from devtools.provision import REPOSITORY
from devtools.signing import Key

INDEX = images.index()
MODULES = REPOSITORY / "plugins" / "modules"


def test_every_module_runs_in_a_new_python_process(registry, htpasswd_registry, users, repository, tmp_path):
    images.write_layout(INDEX, tmp_path / "layout", "1")
    key = Key()
    (tmp_path / "release.key").write_text(key.private)
    (tmp_path / "release.pub").write_text(key.public)
    [(user, password)] = users.items()
    copied, mirror = f"{registry.host}/{repository}/copied", f"{registry.host}/{repository}/mirror"
    tasks = {
        "registry_login": {
            "host": htpasswd_registry.host,
            "username": user,
            "password": password,
            "authfile": str(tmp_path / "auth.json"),
        },
        "image_copy": {"src": f"oci:{tmp_path}/layout:1", "dest": f"{copied}:1"},
        "image_tags": {"repository": copied, "tags": {"stable": "1"}},
        "image_inspect": {"image": f"{copied}:stable"},
        "image_lock": {"path": str(tmp_path / "lock.yml"), "images": [f"{copied}:1"]},
        "image_sign": {"image": f"{copied}:1", "key": str(tmp_path / "release.key")},
        "image_verify": {"image": f"{copied}:1", "public_keys": [str(tmp_path / "release.pub")]},
        "image_sync": {"images": [{"name": copied, "dest": mirror}]},
        "image_delete": {"image": f"{mirror}:stable"},
    }
    assert set(tasks) == {path.stem for path in MODULES.glob("[a-z]*.py")}
    listed = [{f"drayage.registry.{name}": options} for name, options in tasks.items()]
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": listed}]))
    given = {"ansible_connection": "local", "ansible_python_interpreter": module_runner.python()}
    output, status = playbook_runner.run_alone(["-i", "localhost,", "-e", json.dumps(given), str(playbook)], tmp_path)
    assert status == 0, output
    assert "changed=7 " in output
    assert digest_at(registry.host, f"{repository}/mirror", "1") == INDEX.digest
    assert digest_at(registry.host, f"{repository}/mirror", "stable") is None
