# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes to copy an image with large layers to a registry that has nothing of it."""

from __future__ import annotations

from statistics import median
from typing import Callable

from benchmarks.arena import Arena
from benchmarks.measure import Usage
from benchmarks.programs import OURS
from benchmarks.report import MIB, Section, Target
from benchmarks.sources import LAYERED, stored

WALL_LIMIT = 1.0
CPU_LIMIT = 1.1

Metric = Callable[[Usage], float]


def measure(arena: Arena, rounds: int) -> Section:
    """Measure all programs in turn, and compare ours with the fastest of the others."""
    digest = stored(LAYERED)
    section = Section(
        f"cold-copy: {LAYERED}, median of {rounds}",
        ["program", "wall s", "wall range", "CPU s", "user s", "system s", "peak MiB", "ours / it: wall", "CPU"],
    )
    results = arena.rounds(rounds, lambda program: arena.cold_copy(program, LAYERED, digest), section.errors)
    section.rows = [_row(name, usages, results[OURS]) for name, usages in results.items()]
    peers = {name: usages for name, usages in results.items() if name != OURS and any(usages)}
    if any(results[OURS]) and peers:
        fastest = min(peers, key=lambda name: middle(peers[name], _wall))
        section.targets = [
            _target("wall time", fastest, results, _wall, WALL_LIMIT),
            _target("CPU time", fastest, results, _cpu, CPU_LIMIT),
        ]
    return section


def middle(usages: list[Usage | None], metric: Metric) -> float:
    """Return the median of the runs that count."""
    return median(metric(usage) for usage in usages if usage)


def _wall(usage: Usage) -> float:
    return usage.wall


def _cpu(usage: Usage) -> float:
    return usage.cpu


def _row(name: str, usages: list[Usage | None], ours: list[Usage | None]) -> list[str]:
    if not any(usages):
        return [name, *["-"] * 8]
    walls = [usage.wall for usage in usages if usage]
    numbers = [middle(usages, metric) for metric in (_cpu, lambda usage: usage.user, lambda usage: usage.system)]
    ratios = ["-", "-"]
    if name != OURS and any(ours):
        ratios = [f"{middle(ours, metric) / middle(usages, metric):.2f}" for metric in (_wall, _cpu)]
    return [
        name,
        f"{median(walls):.2f}",
        f"{min(walls):.2f} - {max(walls):.2f}",
        *(f"{number:.2f}" for number in numbers),
        f"{middle(usages, lambda usage: usage.memory) / MIB:.0f}",
        *ratios,
    ]


def _target(what: str, peer: str, results: dict[str, list], metric: Metric, limit: float) -> Target:
    ratio = middle(results[OURS], metric) / middle(results[peer], metric)
    pairs = [metric(ours) / metric(its) for ours, its in zip(results[OURS], results[peer]) if ours and its]
    remark = f"median of the ratios by round: {median(pairs):.2f}" if pairs else ""
    return Target(f"{what}, ours / {peer}, the fastest peer", ratio, limit, remark=remark)
