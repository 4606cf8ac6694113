# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How what an unchanged set costs grows with its number of tags and repositories: memory, and CPU time.

The result of the module, which has an item for each image, is a part of both.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.arena import Arena
from benchmarks.measure import RunError, Usage, run
from benchmarks.programs import Program
from benchmarks.report import MIB, Section, Target
from benchmarks.sets import link_tags
from benchmarks.syncers import OURS, Pairs
from devtools.servers import DockerRegistry

_LIMIT_MIB = 200
_LIMIT_GROWTH = 1.1
# With more images, one run takes minutes, and the noise is small.
_ONCE = 100_000


@dataclass(frozen=True)
class _Set:
    """Unchanged images; with an ``inventory`` it is written for the first time."""

    repositories: int
    tags: int
    inventory: bool = False

    @property
    def images(self) -> int:
        return self.repositories * self.tags

    def __str__(self) -> str:
        return f"{self.images:,} images" + (" and their inventory" if self.inventory else "")


# Each series begins with the set that the start of the program is a part of.
_TAGS = (_Set(1, 1_000), _Set(1, 10_000), _Set(1, 100_000))
_REPOSITORIES = (_Set(20, 5), _Set(200, 5), _Set(2_000, 5))
_INVENTORIES = (_Set(1, 1_000, inventory=True), _Set(1, 10_000, inventory=True))


def measure(arena: Arena, rounds: int) -> Section:
    """Measure our program alone, as often as asked for with each set, and take the best: noise only adds."""
    section = Section(
        f"scale: unchanged images, best of {rounds}",
        ["repositories", "images", "wall s", "CPU s", "CPU ms for one more", "peak MiB", "KiB for one more"],
    )
    program = next(program for program in arena.programs if program.name == OURS)
    for series in (_TAGS, _REPOSITORIES, _INVENTORIES):
        best: dict[_Set, Usage] = {}
        for images in series:
            usages = _usages(arena, program, images, 1 if images.images >= _ONCE else rounds, section.errors)
            if usages:
                best[images] = min(usages, key=lambda usage: usage.cpu)
        _add(section, best)
    return section


def _add(section: Section, best: dict[_Set, Usage]) -> None:
    """Add the rows and targets of a series."""
    sets = list(best)
    steps = [_step(best, *pair) for pair in zip(sets, sets[1:])]
    section.rows += [_row(images, best[images], step) for images, step in zip(sets, [None, *steps])]
    if sets:
        peak = best[sets[-1]].memory / MIB
        section.targets.append(Target(f"peak memory, {sets[-1]}", peak, _LIMIT_MIB, " MiB"))
    if len(steps) > 1:
        what = f"CPU time for one image more, up to {sets[-1]} / before"
        section.targets.append(Target(what, steps[-1][0] / steps[-2][0], _LIMIT_GROWTH))


def _usages(arena: Arena, program: Program, images: _Set, rounds: int, errors: list[str]) -> list[Usage]:
    names = [f"bench/linked-{number}" for number in range(images.repositories)]
    with arena.empty("source") as first, arena.empty() as second:
        for storage in (first, second):
            for name in names:
                link_tags(storage, name, images.tags)
        with DockerRegistry(first) as source, DockerRegistry(second) as target:
            pairs = [(f"{source.host}/{name}", f"{target.host}/{name}") for name in names]
            # Digests are checked by the other measurements of sets; here it counts that all tags are looked at.
            attempts = (
                arena.once(
                    program, lambda _program: _attempt(arena, program, pairs, target, images), errors, str(images)
                )
                for _round in range(rounds)
            )
            return [usage for usage in attempts if usage]


def _attempt(arena: Arena, program: Program, pairs: Pairs, target: DockerRegistry, images: _Set) -> Usage:
    target.forget()
    inventory = arena.directory / "inventory.json"
    inventory.unlink(missing_ok=True)
    options = {"inventory": str(inventory)} if images.inventory else {}
    usage = run(program.command("", ""), program.stdin_of(pairs, **options), arena.env)
    looked_at = sum(request.method == "HEAD" for request in target.requests())
    if looked_at != images.images:
        raise RunError(f"looked at {looked_at} of {images.images} tags")
    return usage


def _step(usages: dict[_Set, Usage], small: _Set, large: _Set) -> tuple[float, float]:
    """What one image more costs between two sets: CPU time in ms, memory in KiB."""
    more = large.images - small.images
    cpu = (usages[large].cpu - usages[small].cpu) / more * 1000
    return cpu, (usages[large].memory - usages[small].memory) / more / 1024


def _row(images: _Set, usage: Usage, step: tuple[float, float] | None) -> list[str]:
    return [
        f"{images.repositories:,}",
        f"{images.images:,}" + (", inventory" if images.inventory else ""),
        f"{usage.wall:.2f}",
        f"{usage.cpu:.2f}",
        f"{step[0]:.2f}" if step else "-",
        f"{usage.memory / MIB:.0f}",
        f"{step[1]:.2f}" if step else "-",
    ]
