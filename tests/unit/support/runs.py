# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run of a task that may run no program."""

from __future__ import annotations

from ansible_collections.drayage.registry.plugins.module_utils._run import Run


def run(jobs: int = 2, dry_run: bool = False) -> Run:
    """A run of its own for one test."""
    return Run(no_command, jobs, dry_run)


def no_command(argv: list[str], stdin: str, seconds: float | None = None, limit: int | None = None) -> tuple:
    raise AssertionError("no program is needed here: %s" % argv)
