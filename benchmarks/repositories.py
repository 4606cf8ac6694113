# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes to find many small repositories unchanged at a registry that is far away."""

from __future__ import annotations

import shlex
import shutil

from benchmarks.arena import Arena
from benchmarks.distance import ROUND_TRIP, Distant
from benchmarks.measure import RunError, Usage, run
from benchmarks.programs import Program
from benchmarks.ratios import Usages, ratios, shown, target
from benchmarks.report import Section, cells
from benchmarks.sets import link_tags
from benchmarks.syncers import OURS, CraneOfSets, ImageSync, Pairs, Regsync
from devtools.servers import DockerRegistry

_REPOSITORIES = 200
_TAGS = 5
_LIMIT = 0.8
# So many cranes at once, each for one repository; more of them are no faster.
_CRANES = 16


def measure(arena: Arena, rounds: int) -> Section:
    """Measure all programs in turn with one pair of registries."""
    section = Section(
        f"repositories: {_REPOSITORIES} unchanged repositories of {_TAGS} tags, {ROUND_TRIP * 1000:.0f} ms away, "
        f"median of {rounds}",
        ["program", "wall s", "wall range", "CPU s", "peak MiB", "ours / it"],
    )
    names = [f"bench/app-{number}" for number in range(_REPOSITORIES)]
    with arena.empty("source") as storage, arena.empty() as copy:
        for name in names:
            link_tags(storage, name, _TAGS)
        shutil.copytree(storage, copy)
        with (
            DockerRegistry(storage) as source,
            DockerRegistry(copy) as target_registry,
            Distant(source) as near,
            Distant(target_registry) as far,
        ):
            pairs = [(f"{near.host}/{name}", f"{far.host}/{name}") for name in names]

            def attempt(program: Program) -> Usage:
                arena.prepare(program, near, far)
                target_registry.forget()
                usage = run(*_command(program, pairs), arena.env)
                looked_at = sum(request.method in ("HEAD", "GET") for request in target_registry.requests())
                if looked_at < _REPOSITORIES * _TAGS:
                    raise RunError(f"sent {looked_at} requests for {_REPOSITORIES * _TAGS} images")
                return usage

            results = arena.rounds(rounds, attempt, section.errors)
    section.rows = [_row(name, results) for name in results]
    section.targets = target(results, OURS, _LIMIT)
    return section


def _command(program: Program, pairs: Pairs) -> tuple[list[str], str]:
    """The command for all repositories, and its standard input."""
    if isinstance(program, ImageSync):
        return program.command("", ""), program.stdin_of(pairs)
    if isinstance(program, Regsync):
        return program.command_of(pairs), ""
    if isinstance(program, CraneOfSets):
        lines = [shlex.join(program.command(*pair)) for pair in pairs]
        return ["/usr/bin/xargs", "-P", str(_CRANES), "-d", "\n", "-n", "1", "/bin/sh", "-c", "exec $0"], "\n".join(
            lines
        )
    raise TypeError(program.name)


def _row(name: str, results: dict[str, Usages]) -> list[str]:
    usages = [usage for usage in results[name] if usage]
    if not usages:
        return [name, *["-"] * 5]
    return [
        name,
        *cells(usages),
        "-" if name == OURS else shown(ratios(results[OURS], results[name])),
    ]
