# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the measurements and print a report; the exit status is 1 where a target was missed or a run went wrong."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Callable

from benchmarks import (
    broken_link,
    cold_copy,
    large_layer,
    layout,
    loop,
    memory,
    mount,
    no_op,
    page,
    playbook,
    repositories,
    scale,
    sync,
)
from benchmarks.arena import Arena
from benchmarks.measure import environment
from benchmarks.programs import COPIERS, ImageCopy, Program, find
from benchmarks.report import Section, heading
from benchmarks.sources import BENCH
from benchmarks.syncers import FAST, FAST_WITH_REPOSITORIES, SYNCERS, ImageSync, SkopeoOfSets
from devtools import scratch
from devtools.provision import ProvisionError, locked
from devtools.servers import ServerError

# What the largest measurement stores, and as much again for the programs.
_LEAST_MEMORY = 12 * 2**30

# What is measured, with those that compete.
_Measure = Callable[[Arena, int], Section]
_Kinds = tuple[type[Program], ...]
MEASUREMENTS: dict[str, tuple[_Measure, _Kinds]] = {
    "cold-copy": (cold_copy.measure, COPIERS),
    "memory": (memory.measure, COPIERS),
    "memory-modes": (memory.measure_modes, (ImageCopy,)),
    "broken-link": (broken_link.measure, COPIERS),
    "large-layer": (large_layer.measure_limited, COPIERS),
    "large-layer-unlimited": (large_layer.measure_unlimited, COPIERS),
    "no-op": (no_op.measure, COPIERS),
    "mount": (mount.measure, COPIERS),
    "sync-cold": (sync.measure_cold, SYNCERS),
    "sync-unchanged": (sync.measure_unchanged, SYNCERS),
    "sync-many": (sync.measure_many, FAST),
    "repositories": (repositories.measure, FAST_WITH_REPOSITORIES),
    "scale": (scale.measure, (ImageSync,)),
    "layout": (layout.measure, (ImageSync,)),
    "playbook": (playbook.measure, (ImageSync, SkopeoOfSets)),
    "loop": (loop.measure, (ImageCopy,)),
}


def main() -> int:
    """Do what the command line asks for."""
    options = _options()
    BENCH.mkdir(parents=True, exist_ok=True)
    with locked("bench"), scratch.directory(_LEAST_MEMORY, BENCH) as directory:
        env = environment(Path(directory))
        found = {kinds: find(kinds, env) for kinds in dict.fromkeys(MEASUREMENTS[name][1] for name in options.only)}
        top = heading(found.values())
        print(top, flush=True)
        sections: dict[str, Section] = {}
        for name in options.only:
            measure, kinds = MEASUREMENTS[name]
            sections[name] = measure(Arena(Path(directory), found[kinds][0], env), options.rounds)
            print(sections[name].render(), flush=True)
        if options.write:
            page.update(sections, top)
    return 0 if all(section.passed for section in sections.values()) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--only",
        type=_names,
        default=list(MEASUREMENTS),
        metavar="NAME[,NAME]",
        help=f"measure only these of {', '.join(MEASUREMENTS)}",
    )
    parser.add_argument("--rounds", type=_positive, default=5, metavar="N", help="rounds that count (default: 5)")
    parser.add_argument("--write", action="store_true", help="put the tables into the page of the documentation")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no measurement {', '.join(unknown)}")
    return names


def _positive(text: str) -> int:
    number = int(text) if text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError("must be a number from 1")
    return number


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ProvisionError, ServerError) as error:
        sys.exit(f"benchmarks: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
