# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks that the Makefile names: each sets itself up, runs, and says how long it took."""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from functools import partial
from typing import Callable

from devtools.provision import REPOSITORY, ProvisionError
from devtools.toolchain import coverage, schedule
from devtools.toolchain.docs import docs
from devtools.toolchain.linting import lint, python_format
from devtools.toolchain.package import package
from devtools.toolchain.sanity import SANITY_CORES, sanity
from devtools.toolchain.scenarios import molecule
from devtools.toolchain.stacks import CORES, DEVEL, ToolchainError, controller
from devtools.toolchain.steps import Outcome, step
from devtools.toolchain.testing import functional, functional_oldest, on_core, smoke, units, units_oldest


def python(arguments: list[str]) -> Outcome:
    return Outcome(step(controller(), ["python", *arguments]), "")


def prove(arguments: list[str]) -> Outcome:
    """A sample of the proof, the same one each time."""
    command = ["python", "-m", "devtools.prove", "--quick", "--seed", "1", *arguments]
    said: list[str] = []
    passed = step(controller(), command, said=said)
    tried = sum(int(count) for count in re.findall(r" ([0-9]+) tried ", "".join(said)))
    return Outcome(passed and tried > 0, f"{tried} attempts to break a promise")


# In the order in which "test" begins them: what takes longest comes first, but what runs several processes comes last, so
# that it can use all processors after the others have ended.
PHASES: dict[str, Callable[[list[str]], Outcome]] = {
    **{f"sanity-{core}": partial(sanity, core) for core in reversed(SANITY_CORES)},
    "molecule": molecule,
    "units": units,
    "units-oldest": units_oldest,
    "lint": lint,
    "prove": prove,
    "package": package,
    "docs": docs,
    "functional-oldest": functional_oldest,
    "functional": functional,
    "smoke": smoke,
    **{f"core-{core}": partial(on_core, core) for core in (*CORES, DEVEL)},
    "coverage": coverage.coverage,
}
GROUPS = {
    "test": [name for name in PHASES if name not in ("smoke", "coverage") and not name.startswith("core-")],
    "test-quick": ["units", "lint", "smoke"],
    "sanity": [name for name in PHASES if name.startswith("sanity-")],
}


def cores(arguments: list[str]) -> Outcome:
    """Print the releases of ansible-core that continuous integration tests, as JSON: those that users may have."""
    required = re.search(
        r"requires_ansible: '>=(\d+\.\d+)", (REPOSITORY / "meta/runtime.yml").read_text(encoding="utf-8")
    )
    supported = list(CORES)[list(CORES).index(required.group(1)) :]
    print(json.dumps([*supported, DEVEL]))
    return Outcome(True, "")


COMMANDS = {"cores": cores, "format": python_format, "python": python}


def _phase(name: str, arguments: list[str]) -> bool:
    """Run a phase and return whether it passed; its last line is for the summary."""
    print(f"\n== {name}", flush=True)
    start = time.monotonic()
    try:
        outcome = PHASES[name](arguments)
    except (ProvisionError, ToolchainError) as error:
        outcome = Outcome(False, str(error))
    verdict = "passed" if outcome.passed else "FAILED"
    # The time of the processor is what can be compared where other things run at the same time.
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    times = f"{time.monotonic() - start:6.1f} s (CPU {used.ru_utime + used.ru_stime:5.1f} s)"
    print(f"== {name:<18} {verdict} {times}  {outcome.remark}", flush=True)
    return outcome.passed


def main(command: str, *arguments: str) -> int:
    if command == "test":
        coverage.begin()
        passed = schedule.run(GROUPS[command], list(arguments), last=("coverage",))
    elif command in GROUPS:
        passed = schedule.run(GROUPS[command], list(arguments))
    elif command in PHASES:
        passed = _phase(command, list(arguments))
    else:
        passed = COMMANDS[command](list(arguments)).passed
    return 0 if passed else 1


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (ProvisionError, ToolchainError) as error:
        sys.exit(f"toolchain: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
