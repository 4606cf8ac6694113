# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a copy takes at its peak."""

from __future__ import annotations

from benchmarks.arena import Arena
from benchmarks.programs import OURS
from benchmarks.report import MIB, Section, Target
from benchmarks.sources import LAYERED, SINGLE_BLOB, Shape, stored

LIMIT_MIB = 100


def measure(arena: Arena, _rounds: int) -> Section:
    """Measure every program once with each image: peaks hardly differ between runs."""
    shapes = (SINGLE_BLOB, LAYERED)
    section = Section("memory: peak of one copy, MiB", ["program", *map(str, shapes)])
    peaks = {shape: _peaks(arena, shape, section.errors) for shape in shapes}
    for program in arena.programs:
        section.rows.append([program.name, *(_cell(peaks[shape].get(program.name)) for shape in shapes)])
    for shape in shapes:
        if OURS in peaks[shape]:
            section.targets.append(Target(f"peak memory, {shape}", peaks[shape][OURS], LIMIT_MIB, " MiB"))
    return section


def _peaks(arena: Arena, shape: Shape, errors: list[str]) -> dict[str, float]:
    digest = stored(shape)
    peaks = {}
    for program in arena.programs:
        usage = arena.once(program, lambda program: arena.cold_copy(program, shape, digest), errors, str(shape))
        if usage:
            peaks[program.name] = usage.memory / MIB
    return peaks


def _cell(peak: float | None) -> str:
    return "-" if peak is None else f"{peak:.0f}"
