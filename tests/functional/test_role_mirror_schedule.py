# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schedule of the role mirror: which ones are taken, and who runs it."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil

import pytest

from devtools import images, observe
from devtools.provision import REPOSITORY


@pytest.fixture
def mirror(run_playbook, registry, repository, tmp_path):
    """Return a function that runs the role with a schedule, whose files it writes into a directory."""
    images.push(images.single(seed="scheduled"), registry.host, f"{repository}/from", "1")
    variables = {
        "mirror_dest": f"{registry.host}/{repository}/to",
        "mirror_images": [{"name": f"{registry.host}/{repository}/from", "dest": "app"}],
        "mirror_inventory": str(tmp_path / "state" / "drayage" / "mirror.json"),
        "mirror_schedule": "daily",
        "mirror_schedule_method": "cron",
        "mirror_schedule_dir": str(tmp_path),
        "mirror_schedule_variables": str(tmp_path / "etc" / "drayage" / "mirror.json"),
        "mirror_schedule_start": False,
        "mirror_schedule_user": getpass.getuser(),
    }

    def run(*arguments, succeeds=True, **more):
        given = {**variables, **more}
        return run_playbook("drayage.registry.mirror", *arguments, variables=given, succeeds=succeeds)

    return run


@pytest.mark.parametrize("schedule", ["*:0/30", "Mon..Fri 04:00", "fortnightly", "0 4 * *", "0 4 * * * *"])
def test_cron_is_given_nothing_that_it_does_not_understand(mirror, registry, repository, tmp_path, schedule):
    output = mirror(mirror_schedule=schedule, succeeds=False)
    assert f"cron does not understand the mirror_schedule '{schedule}'" in output
    assert not (tmp_path / "drayage-mirror").exists()
    assert observe.tags_at(registry.host, f"{repository}/to/app") == []


@pytest.mark.parametrize("schedule", ["weekly", "*/30 4-6 * * mon,fri"])
def test_cron_is_given_what_it_understands_in_a_file_that_it_reads(mirror, tmp_path, schedule):
    mirror(mirror_schedule=schedule, mirror_schedule_name="mirror of example.com")
    line = (tmp_path / "mirror-of-example-com").read_text().splitlines()[-1]
    assert line.startswith("@weekly " if schedule == "weekly" else f"{schedule} ")
    mirror(mirror_schedule_name="mirror of example.com", mirror_schedule_state="absent")
    assert not (tmp_path / "mirror-of-example-com").exists()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="only systemd knows what it understands")
def test_systemd_says_what_it_does_not_understand(mirror, tmp_path):
    output = mirror(mirror_schedule="0 4 * * *", mirror_schedule_method="systemd", succeeds=False)
    assert "systemd does not understand the mirror_schedule '0 4 * * *'" in output
    mirror("--check", mirror_schedule="*:0/30", mirror_schedule_method="systemd")


@pytest.mark.skipif(os.geteuid() != 0, reason="files of other accounts need root")
def test_another_account_can_do_what_is_scheduled(mirror, registry, repository, tmp_path):
    page = tmp_path / "page"
    page.mkdir()
    os.chown(page, pwd.getpwnam("nobody").pw_uid, -1)
    before = os.umask(0o077)
    try:
        given = {"mirror_schedule_user": "nobody", "mirror_report": str(page / "index.html")}
        mirror(**given)
        images.push(images.single(seed="more"), registry.host, f"{repository}/from", "2")
        mirror(**given)
    finally:
        os.umask(before)
    assert "changed=0 " in mirror(**given)
    state, etc = tmp_path / "state", tmp_path / "etc"
    of_user = [page / "index.html", *(path for path in state.rglob("*") if path.name[0] != ".")]
    assert {path.name for path in of_user} == {"index.html", "drayage", "mirror.json", "mirror-last-change.json"}
    of_user += [state, etc / "drayage" / "mirror.json"]
    assert [path for path in of_user if path.owner() != "nobody"] == []
    assert [path.stat().st_mode & 0o777 for path in (state, state / "drayage", etc, etc / "drayage")] == [0o755] * 4
    assert (etc / "drayage" / "mirror.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="files of other accounts need root")
def test_a_directory_in_which_the_account_cannot_write_is_named(mirror, tmp_path):
    state = tmp_path / "state" / "drayage"
    state.mkdir(parents=True, mode=0o755)
    output = mirror(mirror_schedule_user="nobody", succeeds=False)
    assert f"nobody cannot write into {state}" in output


@pytest.mark.parametrize(("user", "home"), [("nobody", "~nobody/"), ("root", "~/")])
def test_the_inventory_is_in_the_home_of_who_runs_the_schedule(play, user, home):
    part = REPOSITORY / "roles" / "mirror"
    values = {"ansible.builtin.include_vars": {"file": str(part / "vars" / "main.yml")}}

    given = {
        "mirror_schedule": "daily",
        "mirror_schedule_user": user,
        "mirror_inventory": "~/.local/state/drayage/mirror.json",
    }
    told = {"ansible.builtin.debug": {"msg": "at {{ _mirror_inventory }}."}, "vars": given}
    assert f"at {home}.local/state/drayage/mirror.json." in play([values, told])
