# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schedule of the role mirror: which ones are taken, and who runs it."""

from __future__ import annotations

import getpass
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devtools import images, observe
from devtools.provision import REPOSITORY
from devtools.refusals import refusals


@pytest.fixture
def variables(registry, repository, tmp_path):
    """Return variables of the role with a schedule, whose files it writes into a directory."""
    images.push(images.single(seed="scheduled"), registry.host, f"{repository}/from", "1")
    registry.forget()
    return {
        "mirror_dest": f"{registry.host}/{repository}/to",
        "mirror_images": [{"name": f"{registry.host}/{repository}/from", "dest": "app"}],
        "mirror_inventory": str(tmp_path / "state" / "drayage" / "mirror.json"),
        "mirror_schedule": "daily",
        "mirror_schedule_method": "cron",
        "mirror_schedule_dir": str(tmp_path),
        "mirror_schedule_variables": str(tmp_path / "etc" / "drayage" / "mirror.json"),
        "mirror_schedule_start": False,
        "mirror_schedule_user": getpass.getuser(),
        "mirror_schedule_command": "true",
    }


@pytest.fixture
def mirror(run_playbook, variables):
    """Return a function that runs the playbook with a schedule."""

    def run(*arguments, succeeds=True, **more):
        return run_playbook("drayage.registry.mirror", *arguments, variables={**variables, **more}, succeeds=succeeds)

    return run


def test_cron_is_given_nothing_that_it_does_not_understand(play, variables, registry, tmp_path):
    schedules = ["*:0/30", "Mon..Fri 04:00", "fortnightly", "0 4 * *", "0 4 * * * *", "0 4 * * *\n0 5 * * *"]
    schedules += ["61 4 * * *", "0 25 * * *", "*/0 * * * *", "0 4 * * 8", "foo bar baz a b"]
    attempts = [("mirror", {**variables, "mirror_schedule": schedule}) for schedule in schedules]
    messages = refusals(play, tmp_path / "messages.json", *attempts)
    assert [message.partition(". ")[0] for message in messages] == [
        f"cron cannot parse mirror_schedule '{schedule}'" for schedule in schedules
    ]
    lines = [("mirror", {**variables, name: "true\ntrue"}) for name in ("mirror_schedule_command", "mirror_on_failure")]
    for message in refusals(play, tmp_path / "messages.json", *lines):
        assert message.startswith("cron cannot run a command with more than one line: ")
    assert not (tmp_path / "drayage-mirror").exists()
    assert registry.requests() == []


def test_a_name_that_is_no_name_for_a_unit_is_refused_at_once(play, variables, registry, tmp_path):
    names = ["mirror of example.com", "../mirror", "-mirror", "mirror@", "mirror\n", ""]
    attempts = [
        ("mirror", {**variables, "mirror_schedule_name": name, "mirror_schedule_method": method})
        for method, name in [*(("systemd", name) for name in names), ("cron", names[0])]
    ]
    messages = refusals(play, tmp_path / "messages.json", *attempts)
    assert [message.partition(" is not ")[0] for message in messages] == [
        f"mirror_schedule_name '{name}'" for name in [*names, names[0]]
    ]
    assert not (tmp_path / "state").exists()
    assert registry.requests() == []


def test_cron_is_given_what_it_understands_in_a_file_that_it_reads(play, variables, tmp_path):
    named = {"weekly": "mirror.of@example.com", "*/30 4-6 * * mon,fri": "other"}
    given = [{**variables, "mirror_schedule": schedule, "mirror_schedule_name": named[schedule]} for schedule in named]
    removed = {**given[1], "mirror_schedule_state": "absent"}
    assert refusals(play, tmp_path / "messages.json", *(("mirror", each) for each in [*given, removed])) == [""] * 3
    assert (tmp_path / "mirror-of-example-com").read_text().splitlines()[-1].startswith("@weekly ")
    assert not (tmp_path / "other").exists()


def test_space_around_values_is_ignored(play, variables, tmp_path):
    spaced = {
        "mirror_schedule_command": "true\n",
        "mirror_on_failure": " echo failed\n",
        "mirror_report_title": "A\nB\n",
    }
    schedules = {"tabs": ("cron", "0\t4\t*\t*\t*"), "block": ("cron", "daily\n"), "unit": ("systemd", " daily\n")}
    given = [
        {**variables, **spaced, "mirror_schedule_name": name, "mirror_schedule": when, "mirror_schedule_method": method}
        for name, (method, when) in schedules.items()
    ]
    assert refusals(play, tmp_path / "messages.json", *(("mirror", each) for each in given)) == [""] * 3
    runs = f"{getpass.getuser()} {{ true; }} || echo failed\n"
    assert [(tmp_path / name).read_text().split("/bin\n")[1] for name in ("tabs", "block")] == [
        f"0\t4\t*\t*\t* {runs}",
        f"@daily {runs}",
    ]
    assert "\nOnCalendar=daily\nPersistent" in (tmp_path / "unit.timer").read_text()
    assert "\nDescription=A B\n\n" in (tmp_path / "unit.timer").read_text()
    assert (tmp_path / "unit-failure.service").read_text().endswith('-c "echo failed"\n')


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="only systemd knows what it understands")
def test_systemd_says_what_it_does_not_understand(mirror, tmp_path):
    output = mirror(mirror_schedule="0 4 * * *", mirror_schedule_method="systemd", succeeds=False)
    assert "systemd cannot parse mirror_schedule '0 4 * * *'" in output
    mirror("--check", mirror_schedule="*:0/30", mirror_schedule_method="systemd")


def test_a_new_method_replaces_the_schedule_of_the_other_method(mirror, tmp_path):
    of_systemd = ["drayage-mirror-failure.service", "drayage-mirror.service", "drayage-mirror.timer"]
    for method, names in (("systemd", of_systemd), ("cron", ["drayage-mirror"]), ("systemd", of_systemd)):
        given = {"mirror_schedule_method": method, "mirror_on_failure": "true"}
        mirror(**given)
        assert sorted(path.name for path in tmp_path.glob("drayage-mirror*")) == names
    assert "changed=0 " in mirror(**given)


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
    assert {path.name for path in of_user} == {"index.html", "drayage", "mirror.json", "mirror-status.json"}
    of_user += [state, etc / "drayage" / "mirror.json"]
    assert [path for path in of_user if path.owner() != "nobody"] == []
    assert [path.stat().st_mode & 0o777 for path in (state, state / "drayage", etc, etc / "drayage")] == [0o755] * 4
    assert (etc / "drayage" / "mirror.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="files of other accounts need root")
@pytest.mark.parametrize("content", [None, "secret"])
def test_another_account_cannot_get_a_file_of_root_with_a_link(mirror, variables, tmp_path, content):
    victim, inventory = tmp_path / "victim", Path(variables["mirror_inventory"])
    if content:
        victim.write_text(content)
    inventory.parent.mkdir(parents=True)
    inventory.symlink_to(victim)
    nobody = pwd.getpwnam("nobody").pw_uid
    for path in (inventory.parent, inventory):
        os.chown(path, nobody, -1, follow_symlinks=False)
    mirror(mirror_schedule_user="nobody", succeeds=not content)
    if content:
        assert (victim.read_text(), victim.owner()) == (content, "root")
    else:
        assert not victim.exists()
        assert not inventory.is_symlink()
        assert inventory.owner() == "nobody"


@pytest.mark.skipif(os.geteuid() != 0, reason="files of other accounts need root")
def test_a_directory_in_which_the_account_cannot_write_is_named(mirror, tmp_path):
    state = tmp_path / "state" / "drayage"
    state.mkdir(parents=True, mode=0o755)
    output = mirror(mirror_schedule_user="nobody", succeeds=False)
    assert f"User nobody cannot write to {state}" in output


def test_the_variables_of_a_scheduled_run_are_no_templates(mirror, variables, run_playbook, tmp_path):
    """Neither are those that Ansible does not trust in the first run, such as what a lookup returned."""
    title = '100 {#: "{{ 6 * 7 }}" \\ {% raw %}'
    entry = {"host": "registry.example.com", "username": "a", "password": "ab{#cd"}
    mirror(
        mirror_report_title={"__ansible_unsafe": title},
        mirror_registries=[{**entry, "password": {"__ansible_unsafe": entry["password"]}}],
    )
    shown, site = tmp_path / "shown.json", tmp_path / "site.yml"
    names = ["mirror_report_title", "mirror_registries", "mirror_images", "mirror_prune", "mirror_platforms"]
    content = "{{ [%s] | to_json }}" % ", ".join(names)
    task = {"ansible.builtin.copy": {"content": content, "dest": str(shown), "mode": "0600"}}
    site.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    run_playbook(site, "-e", f"@{variables['mirror_schedule_variables']}")
    assert json.loads(shown.read_text()) == [title, [entry], variables["mirror_images"], False, []]


def test_the_inventory_is_in_the_home_of_who_runs_the_schedule(play):
    values = {"ansible.builtin.include_vars": {"file": str(REPOSITORY / "roles" / "mirror" / "vars" / "main.yml")}}
    given = {
        "mirror_schedule": "daily",
        "mirror_schedule_state": "present",
        "mirror_inventory": "~/.local/state/drayage/mirror.json",
    }
    show = {"ansible.builtin.debug": {"msg": "{{ mirror_schedule_user }} at {{ _mirror_inventory }}."}}
    output = play([values, *({**show, "vars": {**given, "mirror_schedule_user": user}} for user in ("nobody", "root"))])
    assert "nobody at ~nobody/.local/state/drayage/mirror.json." in output
    assert "root at ~/.local/state/drayage/mirror.json." in output


def test_each_schedule_has_an_inventory_and_variables_of_its_own(play):
    role = REPOSITORY / "roles" / "mirror"
    files = [{"ansible.builtin.include_vars": {"file": str(role / part / "main.yml")}} for part in ("defaults", "vars")]
    show = {"ansible.builtin.debug": {"msg": "{{ mirror_schedule_command }}, {{ _mirror_inventory }}."}}
    for name, expected in (("drayage-mirror", "drayage-mirror"), ("mirror.of@example.com", "mirror-of-example-com")):
        output = play([*files, show], "-e", json.dumps({"mirror_schedule_name": name}))
        command = f"ansible-playbook drayage.registry.mirror -e @/etc/drayage/{expected}.json"
        assert f"{command}, ~/.local/state/drayage/{expected}.json." in output


def test_a_command_that_the_schedule_cannot_run_is_refused(mirror, variables, registry, repository, tmp_path):
    """Here Ansible is in a virtual environment, and the collection in a directory that only this run knows."""
    variables["mirror_schedule_variables"] = str(tmp_path / "my mirror.json")
    command = f"ansible-playbook drayage.registry.mirror -e @'{variables['mirror_schedule_variables']}'"
    output = mirror(mirror_schedule_command=command, succeeds=False)
    user = getpass.getuser()
    assert (
        f"The schedule cannot run '{command}' as user {user} with PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        in output
    )
    assert "Nothing was changed." in output
    assert not (tmp_path / "drayage-mirror").exists()
    assert registry.requests() == []

    # The program alone is not enough: it does not find the playbook.
    program = Path(sys.executable).with_name("ansible-playbook")
    output = mirror(
        "--check",
        mirror_schedule_command=command.replace("ansible", f"{program.parent}/ansible", 1),
        mirror_schedule_method="systemd",
        mirror_schedule_start=True,
        succeeds=False,
    )
    assert "drayage.registry.mirror could not be found" in output

    # Obeyed literally, the message leads to a schedule that runs.
    advised = re.search(r"set mirror_schedule_command to '(.*?)';", output)[1]
    mirror(mirror_schedule_command=advised, mirror_referrers="yes")
    assert json.loads(Path(variables["mirror_schedule_variables"]).read_text())["mirror_referrers"] is True
    line = (tmp_path / "drayage-mirror").read_text().splitlines()[-1]
    assert line == f"@daily {user} {advised}"
    images.push(images.single(seed="later"), registry.host, f"{repository}/from", "2")
    subprocess.run(["env", "-i", "PATH=/usr/bin:/bin", "sh", "-c", advised], check=True, capture_output=True)
    assert sorted(observe.tags_at(registry.host, f"{repository}/to/app")) == ["1", "2"]


def test_paths_with_spaces_are_quoted_in_the_command(play):
    role = REPOSITORY / "roles" / "mirror"
    files = [{"ansible.builtin.include_vars": {"file": str(role / part / "main.yml")}} for part in ("defaults", "vars")]
    show = {"ansible.builtin.debug": {"msg": "{{ mirror_schedule_command }}, {{ _mirror_trial }}."}}
    given = {"mirror_schedule_variables": "/srv/my mirror.json"}
    output = play([*files, show], "-e", json.dumps(given))
    assert "mirror -e @'/srv/my mirror.json', ansible-playbook drayage.registry.mirror --syntax-check." in output
    collections = "/usr/bin/env ANSIBLE_COLLECTIONS_PATH='/srv/my collections' ansible-playbook site.yml"
    for options in ("-e @'/srv/my mirror.json'", "--extra-vars='@/srv/my mirror.json'"):
        given["mirror_schedule_command"] = f"{collections} {options}"
        assert f", {collections} --syntax-check." in play([*files, show], "-e", json.dumps(given))


@pytest.mark.skipif(os.geteuid() != 0, reason="another account needs root")
def test_the_command_is_tried_as_its_user(mirror, tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "run").symlink_to("/bin/true")
    for given in ({"mirror_schedule_user": "nobody"}, {"mirror_schedule_user": "no-such-user"}):
        output = mirror("--check", mirror_schedule_command=f"{private}/run it", **given, succeeds=False)
        assert f"The schedule cannot run '{private}/run it' as user {given['mirror_schedule_user']}" in output
    assert "user no-such-user does not exist" in output
