# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes to copy many images of a repository to a registry that is far away, and to find them there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.arena import Arena
from benchmarks.distance import ROUND_TRIP, Distant
from benchmarks.measure import RunError, Usage, run
from benchmarks.programs import Program
from benchmarks.ratios import Usages, ratios, shown, target
from benchmarks.report import Section, Target, cells
from benchmarks.sets import push_releases, store_images
from benchmarks.syncers import OURS
from devtools.observe import digest_at, tally
from devtools.servers import DockerRegistry

_REPOSITORY = "bench/releases"
_TAGS = 100
_MANY = 1_000
_COLD_LIMIT = 0.55
_UNCHANGED_LIMIT = 0.8


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
    storage = arena.directory / "releases"
    shutil.rmtree(storage, ignore_errors=True)
    digests = push_releases(storage, _REPOSITORY, _TAGS)
    section = _section("sync-cold", _TAGS, "to an empty registry", rounds)

    def attempt(program: Program) -> _Result:
        with arena.empty() as empty, _site(storage, empty) as site:
            return _attempt(arena, program, site, digests)

    _conclude(section, arena.rounds(rounds, attempt, section.errors), _COLD_LIMIT)
    return section


def measure_unchanged(arena: Arena, rounds: int) -> Section:
    """Measure all programs in turn with one pair of registries that have the same images."""
    return _measure_unchanged(arena, rounds, "sync-unchanged", _TAGS)


def measure_many(arena: Arena, rounds: int) -> Section:
    """The same with ten times as many, without the programs that take minutes."""
    return _measure_unchanged(arena, rounds, "sync-many", _MANY)


def _measure_unchanged(arena: Arena, rounds: int, name: str, count: int) -> Section:
    section = _section(name, count, "to where they all are", rounds)
    with arena.empty("source") as storage, arena.empty() as copy:
        digests = store_images(storage, _REPOSITORY, count)
        shutil.copytree(storage, copy)
        with _site(storage, copy) as site:
            results = arena.rounds(rounds, lambda program: _attempt(arena, program, site, digests), section.errors)
    _conclude(section, results, _UNCHANGED_LIMIT)
    wanted = {"GET tags": 1, "HEAD manifest": count}
    for side in ("source", "destination"):
        counts = [getattr(result, side) for result in results[OURS] if result]
        more = max((_excess(count, wanted) for count in counts), default=0)
        section.targets.append(Target(f"requests to the {side} beside a list and a HEAD for each tag", more, 0))
    return section


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
    # Each check takes a connection: a part shows whether a program did what it was asked for.
    checked = list(digests)[:: max(1, len(digests) // _TAGS)]
    wrong = [tag for tag in checked if digest_at(site.target.host, _REPOSITORY, tag) != digests[tag]]
    if wrong:
        raise RunError(f"left {len(wrong)} of {len(checked)} tags wrong, {wrong[0]} for one")
    return result


def _section(name: str, count: int, where: str, rounds: int) -> Section:
    return Section(
        f"{name}: {count:,} images {where}, {ROUND_TRIP * 1000:.0f} ms away, median of {rounds}",
        ["program", "wall s", "wall range", "CPU s", "peak MiB", "requests to source", "to destination", "ours / it"],
    )


def _conclude(section: Section, results: dict[str, list[_Result | None]], limit: float) -> None:
    """Fill in the rows, and the target."""
    usages = {name: [result and result.usage for result in runs] for name, runs in results.items()}
    section.rows = [_row(name, [run for run in runs if run], usages) for name, runs in results.items()]
    section.targets += target(usages, OURS, limit)


def _row(name: str, results: list[_Result], all_usages: dict[str, Usages]) -> list[str]:
    if not results:
        return [name, *["-"] * 7]
    usages = [result.usage for result in results]
    last = results[-1]
    return [
        name,
        *cells(usages),
        str(sum(last.source.values())),
        str(sum(last.destination.values())),
        "-" if name == OURS else shown(ratios(all_usages[OURS], all_usages[name])),
    ]


def _excess(counts: dict[str, int], wanted: dict[str, int]) -> int:
    """How many requests differ from those that are needed, more or fewer."""
    return sum(abs(counts.get(kind, 0) - wanted.get(kind, 0)) for kind in {*counts, *wanted})
