# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phase "coverage": which lines and branches of plugins/ the units and the functional tests run together."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from devtools.provision import BUILD
from devtools.toolchain.stacks import controller
from devtools.toolchain.steps import Outcome, step

PLACE = BUILD / "coverage"

# In percent. What is measured exceeds them by little: raise them with the tests.
LEAST_LINES = 97.0
LEAST_BRANCHES = 93.0


def begin() -> None:
    """Have the phases that start from now on measure what they run."""
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    os.environ["DRAYAGE_COVERAGE"] = str(PLACE)


def measured(command: list[str], name: str) -> list[str]:
    """Return a command that runs Python, with its own coverage measured if the phases are."""
    if "DRAYAGE_COVERAGE" not in os.environ:
        return command
    python, *arguments = command
    return [python, "-m", "coverage", "run", f"--data-file={PLACE}/data.{name}", *arguments]


def coverage(arguments: list[str]) -> Outcome:
    """Combine what was measured, print what is missing, and compare the figures with the least that is accepted."""
    stack = controller()
    data = f"--data-file={PLACE}/data"
    report = PLACE / "report.json"
    passed = (
        step(stack, ["python", "-m", "devtools.toolchain.coverage"], quiet=True)
        and step(stack, ["python", "-m", "coverage", "combine", "--keep", "--quiet", data], quiet=True)
        and step(stack, ["python", "-m", "coverage", "report", data])
        and step(stack, ["python", "-m", "coverage", "json", "--quiet", data, "-o", str(report)], quiet=True)
    )
    if not passed:
        return Outcome(False, "nothing was measured: the units and the functional tests have to run first")
    totals = json.loads(report.read_text(encoding="utf-8"))["totals"]
    lines = 100 * totals["covered_lines"] / totals["num_statements"]
    branches = 100 * totals["covered_branches"] / totals["num_branches"]
    told = f"{lines:.1f} % of lines (at least {LEAST_LINES}), {branches:.1f} % of branches (at least {LEAST_BRANCHES})"
    return Outcome(lines >= LEAST_LINES and branches >= LEAST_BRANCHES, told)


def convert(place: Path) -> None:
    """Write what forks have reported as a data file of coverage. It runs where coverage is installed."""
    from coverage import CoverageData

    from devtools.fork_coverage import read

    data = CoverageData(str(place / "data.forks"))
    data.add_arcs(read(place))
    data.write()


if __name__ == "__main__":
    sys.exit(convert(PLACE))
