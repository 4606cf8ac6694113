# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Booleans are text where they come from ``-e name=false``, from a survey of AWX or from an inventory in INI."""

from __future__ import annotations

import re

import pytest
import yaml

from devtools import images, observe
from devtools.provision import REPOSITORY

ROLES = sorted((REPOSITORY / "roles").iterdir())


def booleans(role):
    """Return the variables of a role that are booleans."""
    options = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    return [name for name, option in options.items() if option["type"] == "bool"]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_boolean_is_made_one_wherever_it_is_used(role):
    files = [file for part in ("tasks", "handlers", "templates", "vars") for file in (role / part).glob("*")]
    bare = []
    for name in booleans(role):
        use = re.compile(rf"(?<![\w']){name}\b(?!\s*(?:\| bool\b|\| default\(none\) is none|is defined|:))")
        for file in files:
            lines = file.read_text().splitlines()
            bare += [f"{file.relative_to(REPOSITORY)}: {line.strip()}" for line in lines if use.search(line)]
    assert bare == []


def test_false_as_text_does_not_roll_back(run_playbook, registry, repository):
    image = images.single(seed="promoted")
    images.push(image, registry.host, f"{repository}/staging", "candidate")
    variables = {
        "promote_src": f"{registry.host}/{repository}/staging:candidate",
        "promote_dest": f"{registry.host}/{repository}/prod",
    }
    run_playbook("drayage.registry.promote", "-e", "promote_rollback=false", variables=variables)
    assert observe.digest_at(registry.host, f"{repository}/prod", "stable") == image.digest


def test_false_as_text_starts_no_timer_and_prunes_nothing(run_playbook, registry, repository, tmp_path):
    images.push(images.single(seed="wanted"), registry.host, f"{repository}/from/app", "1")
    images.push(images.single(seed="kept"), registry.host, f"{repository}/to/app", "0")
    variables = {
        "mirror_dest": f"{registry.host}/{repository}/to",
        "mirror_images": [{"name": f"{registry.host}/{repository}/from/app", "dest": "app"}],
        "mirror_inventory": str(tmp_path / "mirror.json"),
        "mirror_schedule": "daily",
        "mirror_schedule_method": "systemd",
        "mirror_schedule_dir": str(tmp_path),
        "mirror_schedule_name": "drayage-test-of-text",
        "mirror_schedule_variables": str(tmp_path / "variables.json"),
    }
    texts = ["-e", "mirror_schedule_start=false mirror_prune=false mirror_keep_going=false mirror_scoped=false"]
    run_playbook("drayage.registry.mirror", *texts, variables=variables)
    assert sorted(observe.tags_at(registry.host, f"{repository}/to/app")) == ["0", "1"]
    assert '"mirror_prune": false' in (tmp_path / "variables.json").read_text()
    run_playbook("drayage.registry.mirror", *texts, "-e", "mirror_schedule_state=absent", variables=variables)
    assert not (tmp_path / "drayage-test-of-text.timer").exists()
