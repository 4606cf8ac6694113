# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to copy an image to another repository of the same registry.

skopeo mounts only what it remembers to have seen there: in the round that does not count it uploads everything.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from statistics import median
from typing import NamedTuple
from urllib.parse import parse_qs

from benchmarks.arena import Arena
from benchmarks.measure import Usage
from benchmarks.no_op import requests
from benchmarks.programs import Program
from benchmarks.report import Section
from benchmarks.sources import TAG, small
from devtools import images
from devtools.observe import tally
from devtools.servers import DockerRegistry, Request

_REPOSITORY = "bench/small"


class _Result(NamedTuple):
    usage: Usage
    requests: dict[str, int]
    downloaded: int
    uploaded: int

    def __str__(self) -> str:
        return str(self.usage)


def measure(arena: Arena, rounds: int) -> Section:
    """Measure all programs in turn with one registry, each time with a repository that is new."""
    image = small()
    section = Section(
        f"mount: copy of {len(image.blobs)} blobs to another repository of the registry, median of {rounds}",
        ["program", "wall s", "CPU s", "blob bytes read", "blob bytes sent", "requests", "which"],
    )
    with DockerRegistry() as registry:
        images.push(image, registry.host, _REPOSITORY, TAG)
        numbers = itertools.count(1)
        results = arena.rounds(
            rounds, lambda program: _attempt(arena, program, registry, image, next(numbers)), section.errors
        )
    section.rows = [_row(name, [result for result in runs if result]) for name, runs in results.items()]
    return section


def _attempt(arena: Arena, program: Program, registry: DockerRegistry, image: images.Image, number: int) -> _Result:
    arena.prepare(program, registry)
    registry.forget()
    names = (f"{registry.host}/{_REPOSITORY}:{TAG}", f"{registry.host}/bench/number-{number}:{TAG}")
    usage = arena.copy(program, *names, image.digest)
    seen = registry.requests()[:-1]  # the last one is that of the check
    sizes = {digest: len(content) for digest, content in image.blobs.items()}
    return _Result(usage, tally(seen), sum(_read(seen, sizes)), sum(_sent(seen, sizes)))


def _read(seen: list[Request], sizes: dict[str, int]) -> Iterator[int]:
    """The sizes of the blobs that were downloaded."""
    for request in seen:
        digest = request.path.rpartition("/")[2]
        if request.method == "GET" and "/blobs/" in request.path and digest in sizes:
            yield sizes[digest]


def _sent(seen: list[Request], sizes: dict[str, int]) -> Iterator[int]:
    """The sizes of the blobs whose upload was brought to its end: a PUT with the digest, however many pieces it had."""
    for request in seen:
        digests = parse_qs(request.query).get("digest", [])
        if request.method == "PUT" and "/blobs/uploads/" in request.path:
            yield from (sizes[digest] for digest in digests if digest in sizes)


def _row(name: str, results: list[_Result]) -> list[str]:
    if not results:
        return [name, *["-"] * 6]
    last = results[-1]
    return [
        name,
        f"{median(result.usage.wall for result in results):.3f}",
        f"{median(result.usage.cpu for result in results):.3f}",
        str(last.downloaded),
        str(last.uploaded),
        str(sum(last.requests.values())),
        requests(last.requests),
    ]
