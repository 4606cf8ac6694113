# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes to copy a hundred images of a repository to a registry that is far away, and to find them there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.arena import Arena
from benchmarks.distance import ROUND_TRIP, Distant
from benchmarks.measure import RunError, Usage, run
from benchmarks.programs import Program
from benchmarks.report import MIB, Section, Target
from benchmarks.sets import push_releases
from benchmarks.syncers import OURS, CraneOfSets
from devtools.observe import digest_at, tally
from devtools.servers import DockerRegistry

_REPOSITORY = "bench/releases"
_TAGS = 100
_LIMIT = 1 / 1.5


class _Result(NamedTuple):
    usage: Usage
    source: dict[str, int]
    destination: dict[str, int]

    def __str__(self) -> str:
        return f"{self.usage}, {sum(self.source.values())} + {sum(self.destination.values())} requests"


class _Site(NamedTuple):
    """Two registries, and the ways to them."""

    source: DockerRegistry
    target: DockerRegistry
    to_source: Distant
    to_target: Distant


def measure_cold(arena: Arena, rounds: int) -> Section:
    """Measure all programs in turn, each with a destination that is empty."""
    storage, digests = _releases(arena)
    section = _section("sync-cold", "to an empty registry", rounds)

    def attempt(program: Program) -> _Result:
        with arena.empty() as empty, _site(storage, empty) as site:
            return _attempt(arena, program, site, digests)

    results = arena.rounds(rounds, attempt, section.errors)
    _conclude(section, results)
    return section


def measure_unchanged(arena: Arena, rounds: int) -> Section:
    """Measure all programs in turn with one pair of registries that have the same images."""
    storage, digests = _releases(arena)
    section = _section("sync-unchanged", "to where they all are", rounds)
    with arena.empty() as copy:
        shutil.copytree(storage, copy)
        with _site(storage, copy) as site:
            results = arena.rounds(rounds, lambda program: _attempt(arena, program, site, digests), section.errors)
    _conclude(section, results)
    wanted = {"GET tags": 1, "HEAD manifest": _TAGS}
    for side in ("source", "destination"):
        counts = [getattr(result, side) for result in results[OURS] if result]
        more = max((_excess(count, wanted) for count in counts), default=0)
        section.targets.append(Target(f"requests to the {side} beside a list and a HEAD for each tag", more, 0))
    return section


def _releases(arena: Arena) -> tuple[Path, dict[str, str]]:
    """The storage of the source, and what is in it; made once for all measurements of a run."""
    storage = arena.directory / "releases"
    shutil.rmtree(storage, ignore_errors=True)
    return storage, push_releases(storage, _REPOSITORY, _TAGS)


@contextmanager
def _site(source: Path, target: Path) -> Iterator[_Site]:
    with DockerRegistry(source) as near, DockerRegistry(target) as far, Distant(near) as first, Distant(far) as second:
        yield _Site(near, far, first, second)


def _attempt(arena: Arena, program: Program, site: _Site, digests: dict[str, str]) -> _Result:
    arena.prepare(program, site.to_source, site.to_target)
    site.source.forget()
    site.target.forget()
    names = [f"{way.host}/{_REPOSITORY}" for way in (site.to_source, site.to_target)]
    usage = run(program.command(*names), program.stdin(*names), arena.env)
    result = _Result(usage, tally(site.source.requests()), tally(site.target.requests()))
    wrong = [tag for tag, digest in digests.items() if digest_at(site.target.host, _REPOSITORY, tag) != digest]
    if wrong:
        raise RunError(f"left {len(wrong)} of {len(digests)} tags wrong, {wrong[0]} for one")
    return result


def _section(name: str, where: str, rounds: int) -> Section:
    return Section(
        f"{name}: {_TAGS} images {where}, {ROUND_TRIP * 1000:.0f} ms away, median of {rounds}",
        ["program", "wall s", "wall range", "CPU s", "peak MiB", "requests to source", "to destination", "ours / it"],
    )


def _conclude(section: Section, results: dict[str, list[_Result | None]]) -> None:
    """Fill in the rows, and the target: crane is the peer that has to be beaten."""
    walls = {name: _wall(runs) for name, runs in results.items()}
    section.rows = [_row(name, [run for run in runs if run], walls) for name, runs in results.items()]
    ours, its = walls[OURS], walls.get(CraneOfSets.name)
    if ours and its:
        section.targets.append(Target(f"wall time, ours / {CraneOfSets.name}", ours / its, _LIMIT))


def _wall(runs: list[_Result | None]) -> float | None:
    walls = [run.usage.wall for run in runs if run]
    return median(walls) if walls else None


def _row(name: str, results: list[_Result], walls: dict[str, float | None]) -> list[str]:
    if not results:
        return [name, *["-"] * 7]
    usages = [result.usage for result in results]
    last = results[-1]
    ours = walls[OURS]
    return [
        name,
        f"{walls[name]:.2f}",
        f"{min(usage.wall for usage in usages):.2f} - {max(usage.wall for usage in usages):.2f}",
        f"{median(usage.cpu for usage in usages):.2f}",
        f"{median(usage.memory for usage in usages) / MIB:.0f}",
        str(sum(last.source.values())),
        str(sum(last.destination.values())),
        f"{ours / walls[name]:.2f}" if ours and name != OURS else "-",
    ]


def _excess(counts: dict[str, int], wanted: dict[str, int]) -> int:
    """How many requests differ from those that are needed, more or fewer."""
    return sum(abs(counts.get(kind, 0) - wanted.get(kind, 0)) for kind in {*counts, *wanted})
