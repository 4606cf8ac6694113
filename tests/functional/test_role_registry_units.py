# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units that the role registry writes: what systemd makes of the paths in them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from devtools.provision import REPOSITORY
from devtools.refusals import refusals


def test_a_name_that_is_no_name_for_a_unit_is_refused_at_once(play, tmp_path):
    config = tmp_path / "config"
    given = {
        "registry_users": [],
        "registry_packages": [],
        "registry_program": "/usr/bin/registry",
        "registry_config_dir": str(config),
        "registry_storage_dir": str(tmp_path / "images"),
        "registry_manage_service": False,
    }
    names = ["my registry", "../registry", "registry@"]
    attempts = [("registry", {**given, "registry_service": name}) for name in names]
    messages = refusals(play, tmp_path / "messages.json", *attempts)
    assert [message.partition(" is not ")[0] for message in messages] == [
        f"registry_service '{name}'" for name in names
    ]
    assert not config.exists()


def test_a_storage_directory_in_the_settings_can_be_written(play, tmp_path):
    role = REPOSITORY / "roles" / "registry"
    given = {
        "registry_user": "registry",
        "registry_program": "/usr/bin/registry",
        "registry_config_dir": "/etc/registry",
        "registry_storage_dir": "/var/lib/registry",
        "registry_config": {"storage": {"filesystem": {"rootdirectory": "/images", "maxthreads": 50}}},
    }
    values = {"ansible.builtin.include_vars": {"file": str(role / "vars" / "main.yml")}}
    unit = {"src": str(role / "templates" / "registry.service.j2"), "dest": str(tmp_path / "registry.service")}
    play([values, {"ansible.builtin.template": unit, "vars": given}])
    assert '\nReadWritePaths="/images"\n' in (tmp_path / "registry.service").read_text()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="only systemd can verify units")
def test_paths_mean_the_same_to_systemd(play, tmp_path):
    role, program = REPOSITORY / "roles" / "registry", tmp_path / "my programs" / "50% registry"
    program.parent.mkdir()
    program.symlink_to("/bin/true")
    given = {
        "registry_user": "root",
        "registry_service": "quoted",
        "registry_program": str(program),
        "registry_config_dir": str(tmp_path / "$HOME config"),
        "registry_storage_dir": str(tmp_path / 'all "my" \\images 100%'),
        "registry_config": {},
    }
    files = [{"ansible.builtin.include_vars": {"file": str(role / "vars" / "main.yml")}}]
    for template, name in (("registry", "quoted"), ("gc", "quoted-gc")):
        unit = {"src": str(role / "templates" / f"{template}.service.j2"), "dest": str(tmp_path / f"{name}.service")}
        files.append({"ansible.builtin.template": unit, "vars": given})
    play(files)
    units = [tmp_path / "quoted.service", tmp_path / "quoted-gc.service"]
    verified = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert "quoted" not in verified.stderr
    command = f'"{tmp_path}/my programs/50%% registry" serve "{tmp_path}/$$HOME config/config.yml"'
    assert f"\nExecStart={command}\n" in units[0].read_text()
    assert f'\nReadWritePaths="{tmp_path}/all \\"my\\" \\\\images 100%%"\n' in units[0].read_text()
    assert f"\nExecStart={command.replace('serve', 'garbage-collect')}\n" in units[1].read_text()
