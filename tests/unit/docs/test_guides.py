# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What guides recommend does what they say. The functional tests run their examples, but not the tasks in tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.drayage.registry.plugins.module_utils._image.tag_selection import TagSelection

GUIDES = Path(__file__).parents[3] / "docs" / "docsite" / "rst"


def equivalents() -> list[tuple[str, str, dict]]:
    """Return the commands, the modules and the options of the rows in the migration guide that contain tasks."""
    text = (GUIDES / "guide_from_skopeo.rst").read_text(encoding="utf-8")
    found = []
    for commands, tasks in re.findall(r"^   \* - (.+)\n     - ((?:.+\n(?!   \*))*.+)$", text, re.MULTILINE):
        module = ""
        for name, options in re.findall(r"``(?:(\w+): )?(\{.*?\})``", tasks):
            module = name or module
            found.append((commands, module, yaml.safe_load(options)))
    return found


def test_the_migration_guide_has_tasks() -> None:
    assert {"image_copy", "image_sync", "image_tags", "image_inspect"} <= {
        module for _commands, module, _options in equivalents()
    }


def test_a_docker_archive_gets_one_platform() -> None:
    every = [options for _commands, _module, options in equivalents()]
    written = [options for options in every if options.get("dest", "").startswith("docker-archive:")]
    assert [len(options.get("platforms", ())) for options in written] == [1]


@pytest.mark.parametrize(
    "found", [each for each in equivalents() if "skopeo sync" in each[0]], ids=lambda each: each[0]
)
def test_images_get_the_names_that_skopeo_sync_gives(found: tuple[str, str, dict]) -> None:
    _commands, module, options = found
    assert module == "image_sync"
    if "images" in options or "src" in options or "dest" in options:
        assert options["scoped"] is False


def test_the_newest_variant_is_no_release_candidate() -> None:
    text = (GUIDES / "guide_tags.rst").read_text(encoding="utf-8")
    block = text.partition("- name: Find the newest Alpine variant\n")[2].partition("\n\n")[0]
    options = yaml.safe_load(block)["drayage.registry.image_tags"]
    selection = TagSelection.parse(options["include"], semver=options["semver"], newest=options["newest"])
    tags = ["7.2.4-alpine", "7.4-alpine", "7.4.1", "7.10.0-alpine", "7.10.0-alpine3.20", "8.0.0-rc1-alpine", "alpine"]
    assert selection.select(tags) == ["7.10.0-alpine"]
