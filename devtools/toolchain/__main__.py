# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks that the Makefile names: each sets itself up, runs, and says how long it took."""

from __future__ import annotations

import sys
import time
from typing import Callable

from devtools.toolchain.linting import lint, python_format
from devtools.toolchain.sanity import sanity
from devtools.toolchain.scenarios import molecule
from devtools.toolchain.stacks import ToolchainError, controller
from devtools.toolchain.steps import Outcome, step
from devtools.toolchain.testing import functional, functional_oldest, units, units_oldest


def python(arguments: list[str]) -> Outcome:
    return Outcome(step(controller(), ["python", *arguments]), "")


PHASES: dict[str, Callable[[list[str]], Outcome]] = {
    "lint": lint,
    "units": units,
    "units-oldest": units_oldest,
    "functional": functional,
    "functional-oldest": functional_oldest,
    "molecule": molecule,
    "sanity": sanity,
}
COMMANDS = {**PHASES, "format": python_format, "python": python}


def _phase(name: str, arguments: list[str]) -> tuple[bool, str]:
    """Run a phase and return whether it passed and its line of the summary."""
    print(f"\n== {name}", flush=True)
    start = time.monotonic()
    try:
        outcome = PHASES[name](arguments)
    except ToolchainError as error:
        outcome = Outcome(False, str(error))
    seconds = time.monotonic() - start
    line = f"{name:<18} {'passed' if outcome.passed else 'FAILED'} {seconds:6.1f} s  {outcome.remark}"
    print(f"== {line}", flush=True)
    return outcome.passed, line


def _test() -> bool:
    start = time.monotonic()
    results = {name: _phase(name, []) for name in PHASES}
    print("\n== summary")
    for _passed, line in results.values():
        print(line)
    failed = [name for name, (passed, _line) in results.items() if not passed]
    verdict = f"FAILED: {', '.join(failed)}" if failed else "PASSED"
    print(f"make test: {verdict} ({time.monotonic() - start:.0f} s)", flush=True)
    return not failed


def main(command: str, *arguments: str) -> int:
    if command == "test":
        return 0 if _test() else 1
    if command in PHASES:
        passed, _line = _phase(command, list(arguments))
        return 0 if passed else 1
    return 0 if COMMANDS[command](list(arguments)).passed else 1


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except ToolchainError as error:
        sys.exit(f"toolchain: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
