# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to copy an image that is at its destination already."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from benchmarks.arena import Arena
from benchmarks.measure import Usage
from benchmarks.programs import OURS, Program
from benchmarks.report import MIB, Section, Target
from benchmarks.sources import TAG, small
from devtools import images
from devtools.observe import tally
from devtools.servers import DockerRegistry

_REPOSITORY = "bench/small"
# Seconds, on a machine with a free core.
_LIMIT = 0.15


class _Result(NamedTuple):
    usage: Usage
    source: dict[str, int]
    destination: dict[str, int]

    def __str__(self) -> str:
        return str(self.usage)


def measure(arena: Arena, rounds: int) -> Section:
    """Measure all programs in turn with one pair of registries."""
    section = Section(
        f"no-op: second copy of an unchanged image of {len(small().blobs)} blobs, median of {rounds}",
        ["program", "wall s", "CPU s", "peak MiB", "requests", "to the source", "to the destination"],
    )
    with DockerRegistry() as source, DockerRegistry() as target:
        image = small()
        for registry in (source, target):
            images.push(image, registry.host, _REPOSITORY, TAG)
        results = arena.rounds(
            rounds, lambda program: _attempt(arena, program, source, target, image.digest), section.errors
        )
    section.rows = [_row(name, [result for result in runs if result]) for name, runs in results.items()]
    ours = [result.usage.wall for result in results[OURS] if result]
    if ours:
        section.targets = [Target("wall time", median(ours), _LIMIT, " s", f"{min(ours):.3f} to {max(ours):.3f}")]
    return section


def requests(counts: dict[str, int]) -> str:
    """Put counts of requests into words."""
    return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "none"


def _attempt(arena: Arena, program: Program, source: DockerRegistry, target: DockerRegistry, digest: str) -> _Result:
    arena.prepare(program, source, target)
    source.forget()
    target.forget()
    names = [f"{registry.host}/{_REPOSITORY}:{TAG}" for registry in (source, target)]
    usage = arena.copy(program, *names, digest)
    # The last request is that of the check.
    return _Result(usage, tally(source.requests()), tally(target.requests()[:-1]))


def _row(name: str, results: list[_Result]) -> list[str]:
    if not results:
        return [name, *["-"] * 6]
    usages = [result.usage for result in results]
    last = results[-1]
    return [
        name,
        f"{median(usage.wall for usage in usages):.3f}",
        f"{median(usage.cpu for usage in usages):.3f}",
        f"{median(usage.memory for usage in usages) / MIB:.0f}",
        str(sum(last.source.values()) + sum(last.destination.values())),
        requests(last.source),
        requests(last.destination),
    ]
