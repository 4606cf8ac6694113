# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles warn about variables that they do not have, so they must know those that their tasks and playbooks set."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[3]
ROLES = ["airgap_export", "airgap_import", "mirror", "promote"]

# Options of the role mirror that matter only to the run that installs the schedule.
OF_INSTALLATION = [
    "mirror_on_failure",
    "mirror_schedule_command",
    "mirror_schedule_dir",
    "mirror_schedule_name",
    "mirror_schedule_start",
    "mirror_schedule_user",
    "mirror_schedule_variables",
]


def set_by_tasks(tasks: object) -> set[str]:
    """Return the names that tasks register or set as facts."""
    found = set()
    for task in tasks if isinstance(tasks, list) else []:
        found |= {task["register"]} if "register" in task else set()
        found |= set(task.get("ansible.builtin.set_fact", {}))
        found |= set_by_tasks(task.get("block"))
    return found


@pytest.mark.parametrize("role", ROLES)
def test_a_role_knows_the_variables_that_it_sets(role: str) -> None:
    files = sorted((REPOSITORY / "roles" / role / "tasks").glob("*.yml"))
    values = yaml.safe_load((REPOSITORY / "roles" / role / "vars" / "main.yml").read_text())
    found = set().union(*(set_by_tasks(yaml.safe_load(file.read_text())) for file in files))
    assert found
    assert values[f"_{role}_facts"] == sorted(found)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_knows_the_variables_of_its_playbook(role: str) -> None:
    text = (REPOSITORY / "playbooks" / f"{role}.yml").read_text()
    values = yaml.safe_load((REPOSITORY / "roles" / role / "vars" / "main.yml").read_text())
    assert values[f"_{role}_playbook_variables"] == sorted(set(re.findall(rf"{{{{ ({role}_\w+)", text)))


def test_scheduled_runs_of_a_mirror_have_all_its_options() -> None:
    role = REPOSITORY / "roles" / "mirror"
    options = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    values = yaml.safe_load((role / "vars" / "main.yml").read_text())
    settings = re.findall(r"'(mirror_\w+)':", values["_mirror_settings"])
    assert sorted(settings) == sorted(
        {*options, *values["_mirror_playbook_variables"]} - {"mirror_hosts", *OF_INSTALLATION}
    )
