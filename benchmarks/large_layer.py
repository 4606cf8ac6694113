# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long one large layer takes from a server that limits each connection, and from one that does not."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from statistics import median

from benchmarks.arena import Arena
from benchmarks.links import WeakLink
from benchmarks.measure import RunError, Usage, run
from benchmarks.programs import OURS, OneConnection, Program
from benchmarks.report import MIB, Section, Target
from benchmarks.sources import GIGABYTE, TAG, stored
from devtools.servers import DockerRegistry

# Bytes a second over one connection.
RATE = 20 * 1000**2
FASTER = 4.0
COST = 1.02
LIMIT_MIB = 100


def measure_limited(arena: Arena, _rounds: int) -> Section:
    """Copy to a layout, once with each program: the link decides, and runs hardly differ."""
    section = Section(
        f"large-layer: {GIGABYTE} to an OCI layout, {RATE // 1000**2} MB/s over each connection",
        ["program", "wall s", "CPU s", "peak MiB", "it / ours: wall"],
    )
    digest = stored(GIGABYTE)
    usages: dict[str, Usage] = {}
    for program in arena.programs:
        usage = arena.once(program, lambda program: _pull(arena, program, digest, RATE), section.errors, "limited")
        if usage:
            usages[program.name] = usage
    _report(section, usages)
    peers = [usage.wall for name, usage in usages.items() if name != OURS]
    if OURS in usages and peers:
        share = usages[OURS].wall / min(peers)
        section.targets.append(Target(f"wall time, ours / the fastest peer (1 / {FASTER:.0f})", share, 1 / FASTER))
    return section


def measure_unlimited(arena: Arena, rounds: int) -> Section:
    """Copy to a layout from loopback, with and without several connections."""
    section = Section(
        f"large-layer-unlimited: {GIGABYTE} to an OCI layout, no limit, median of {rounds}",
        ["program", "wall s", "CPU s", "peak MiB", "it / ours: wall"],
    )
    digest = stored(GIGABYTE)
    ours = next(program for program in arena.programs if program.name == OURS)
    arena.programs = [*arena.programs, OneConnection(ours.path, ours.version)]
    results = arena.rounds(rounds, lambda program: _pull(arena, program, digest, None), section.errors)
    found = {name: [usage for usage in usages if usage] for name, usages in results.items()}
    _report(section, {name: _middle(usages) for name, usages in found.items() if usages})
    single = found.get(OneConnection.name)
    if found.get(OURS) and single:
        pairs = [one.wall / other.wall for one, other in zip(found[OURS], single)]
        section.targets.append(Target("wall time, ours / ours over one connection", median(pairs), COST))
    return section


def _middle(usages: list[Usage]) -> Usage:
    return sorted(usages, key=lambda usage: usage.wall)[len(usages) // 2]


def _report(section: Section, usages: dict[str, Usage]) -> None:
    ours = usages.get(OURS)
    for name, usage in usages.items():
        ratio = f"{usage.wall / ours.wall:.2f}" if ours else "-"
        numbers = [f"{usage.wall:.2f}", f"{usage.cpu:.2f}", f"{usage.memory / MIB:.0f}"]
        section.rows.append([name, *numbers, ratio])
    if ours:
        section.targets.append(Target("peak memory", ours.memory / MIB, LIMIT_MIB, " MiB"))


def _pull(arena: Arena, program: Program, digest: str, rate: int | None) -> Usage:
    with ExitStack() as stack:
        layout = stack.enter_context(arena.empty("layout"))
        server = stack.enter_context(DockerRegistry(GIGABYTE.storage))
        if rate is not None:
            server = stack.enter_context(WeakLink(server, rate=rate))
        arena.prepare(program, server)
        os.sync()
        command, stdin = program.to_layout(f"{server.host}/{GIGABYTE.repository}:{TAG}", str(layout))
        usage = run(command, stdin, arena.env)
        index = json.loads((layout / "index.json").read_text(encoding="utf-8"))
        found = [entry["digest"] for entry in index["manifests"]]
        if found != [digest]:
            raise RunError(f"left {found} in the layout, not {digest}")
        return usage
