# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How what an unchanged set costs grows with its number of tags: memory, and CPU time."""

from __future__ import annotations

import shutil

from benchmarks.arena import Arena
from benchmarks.measure import RunError, Usage, run
from benchmarks.programs import Program
from benchmarks.report import MIB, Section, Target
from benchmarks.sets import link_tags
from benchmarks.syncers import OURS
from devtools.servers import DockerRegistry

_COUNTS = (100, 1_000, 10_000)
_REPOSITORY = "bench/linked"
_LIMIT_MIB = 200
_LIMIT_KIB_PER_TAG = 2.0
_LIMIT_GROWTH = 1.3


def measure(arena: Arena, rounds: int) -> Section:
    """Measure our program alone, as often as asked for with each number of tags, and take the best: noise only adds."""
    section = Section(
        f"scale: unchanged tags of a repository, best of {rounds}",
        ["tags", "wall s", "CPU s", "CPU ms for one tag more", "peak MiB", "KiB for one tag more"],
    )
    program = next(program for program in arena.programs if program.name == OURS)
    best: dict[int, Usage] = {}
    for count in _COUNTS:
        usages = _usages(arena, program, count, rounds, section.errors)
        if not usages:
            return section
        best[count] = min(usages, key=lambda usage: usage.cpu)
    steps = [(None, None), *(_step(best, *pair) for pair in zip(_COUNTS, _COUNTS[1:]))]
    section.rows = [_row(count, best[count], *step) for count, step in zip(_COUNTS, steps)]
    (before, _memory), (after, memory) = steps[1:]
    section.targets = [
        Target("peak memory", best[_COUNTS[-1]].memory / MIB, _LIMIT_MIB, " MiB"),
        Target("memory for one tag more", memory, _LIMIT_KIB_PER_TAG, " KiB"),
        Target("CPU time for one tag more, of the last step / of the one before", after / before, _LIMIT_GROWTH),
    ]
    return section


def _usages(arena: Arena, program: Program, count: int, rounds: int, errors: list[str]) -> list[Usage]:
    with arena.empty() as first, arena.empty("copy") as second:
        link_tags(first, _REPOSITORY, count)
        shutil.copytree(first, second)
        with DockerRegistry(first) as source, DockerRegistry(second) as target:
            names = [f"{registry.host}/{_REPOSITORY}" for registry in (source, target)]
            # Digests are checked by the other measurements of sets; here it counts that all tags are looked at.
            attempts = (
                arena.once(
                    program, lambda _program: _attempt(arena, program, names, target, count), errors, f"{count} tags"
                )
                for _round in range(rounds)
            )
            return [usage for usage in attempts if usage]


def _attempt(arena: Arena, program: Program, names: list[str], target: DockerRegistry, count: int) -> Usage:
    target.forget()
    usage = run(program.command(*names), program.stdin(*names), arena.env)
    looked_at = sum(request.method == "HEAD" for request in target.requests())
    if looked_at != count:
        raise RunError(f"looked at {looked_at} of {count} tags")
    return usage


def _step(usages: dict[int, Usage], small: int, large: int) -> tuple[float, float]:
    """What one tag more costs between two numbers of tags: CPU time in ms, memory in KiB."""
    more = large - small
    cpu = (usages[large].cpu - usages[small].cpu) / more * 1000
    return cpu, (usages[large].memory - usages[small].memory) / more / 1024


def _row(count: int, usage: Usage, cpu: float | None, memory: float | None) -> list[str]:
    return [
        f"{count:,}",
        f"{usage.wall:.2f}",
        f"{usage.cpu:.2f}",
        "-" if cpu is None else f"{cpu:.2f}",
        f"{usage.memory / MIB:.0f}",
        "-" if memory is None else f"{memory:.2f}",
    ]
