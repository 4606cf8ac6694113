# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles accept file names without a directory, and directories with a comma in their names."""

from __future__ import annotations

from devtools import images
from devtools.refusals import refusals


def test_files_and_directories_of_all_names_are_found(play, tmp_path):
    """Tasks of a local connection run in the directory of the playbook, here ``tmp_path``."""
    images.write_layout(images.single(seed="paths"), tmp_path / "layout", "registry.example.com/app:1")
    export = {
        "airgap_export_src": f"oci:{tmp_path / 'layout'}",
        "airgap_export_dest": str(tmp_path / "release,1.4"),
        "airgap_export_base": "base.json",
        "airgap_export_update_base": True,
    }
    imported = {
        "airgap_import_src": export["airgap_export_dest"],
        "airgap_import_dest": f"oci:{tmp_path / 'site'}",
        "airgap_import_inventory": "site.json",
    }
    mirror = {
        "mirror_src": export["airgap_export_src"],
        "mirror_dest": f"oci:{tmp_path / 'mirror'}",
        "mirror_inventory": "mirror.json",
    }
    attempts = [("airgap_export", export), ("airgap_import", imported), ("mirror", mirror)]
    assert refusals(play, tmp_path / "messages.json", *attempts) == [""] * 3
    files = ["base.json", "mirror.json", "site.json"]
    assert [name for name in files if not (tmp_path / name).is_file()] == []
    gone = {**imported, "airgap_import_src": "release,1.5"}
    (message,) = refusals(play, tmp_path / "messages.json", ("airgap_import", gone))
    assert message.endswith("Set airgap_import_src to release,1.4.")


def test_a_schedule_needs_absolute_paths(play, tmp_path):
    """A scheduled run has another working directory, so it would not find its variables, and would use other files than the first run."""
    mirror = {
        "mirror_src": "oci:/nonexistent",
        "mirror_dest": "127.0.0.1:1",
        "mirror_inventory": "~/mirror.json",
        "mirror_report": str(tmp_path / "mirror.html"),
        "mirror_metrics": None,
        "mirror_schedule": "daily",
        "mirror_schedule_method": "cron",
        "mirror_schedule_dir": str(tmp_path),
        "mirror_schedule_variables": str(tmp_path / "variables.json"),
        "mirror_schedule_command": "no-such-program",
    }
    relative = [
        {"mirror_schedule_variables": "variables.json"},
        {"mirror_schedule_variables": "~/variables.json"},
        {"mirror_inventory": "state/mirror.json"},
        {"mirror_report": "mirror.html"},
        {"mirror_metrics": "./mirror.prom"},
    ]
    attempts = [("mirror", {**mirror, **each}) for each in relative]
    *messages, accepted = refusals(play, tmp_path / "messages.json", *attempts, ("mirror", mirror))
    assert messages == [
        f"{name} '{value}' is not an absolute path, which a schedule requires. Nothing was changed. Set it to an absolute path."
        for each in relative
        for name, value in each.items()
    ]
    assert accepted.startswith("The schedule cannot run 'no-such-program' ")
