# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a copy takes at its peak."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.arena import Arena
from benchmarks.links import WeakLink
from benchmarks.measure import RunError, run
from benchmarks.programs import OURS, Program
from benchmarks.report import MIB, Section, Target
from benchmarks.sources import LAYERED, SINGLE_BLOB, TAG, Shape, stored
from devtools.observe import digest_at
from devtools.servers import DockerRegistry

LIMIT_MIB = 100
# Bytes a second over one connection: less than what is read in one stream.
RATE = 40 * 1000**2
_TRANSPORTS = ("oci", "oci-archive", "dir", "docker-archive")
_NAMING = ("oci", "oci-archive", "docker-archive")


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


def measure_modes(arena: Arena, _rounds: int) -> Section:
    """Measure ours with one large blob between a registry and each kind of file, and from a server that limits connections."""
    section = Section(
        f"memory-modes: {OURS}, {SINGLE_BLOB}, peak of one copy, MiB", ["from", "to", "peak MiB", "wall s"]
    )
    digest = stored(SINGLE_BLOB)
    ours = next(program for program in arena.programs if program.name == OURS)
    with arena.empty("files") as files, DockerRegistry(SINGLE_BLOB.storage) as server:
        files.mkdir()
        image = f"{SINGLE_BLOB.repository}:{TAG}"
        for transport in _TRANSPORTS:
            file = f"{transport}:{files / 'image'}" + (f":{image}" if transport in _NAMING else "")
            with WeakLink(server, rate=RATE) as link:
                _measure_mode(section, arena, ours, f"{link.host}/{image}", file)
            with arena.empty() as storage, DockerRegistry(storage) as target:
                _measure_mode(section, arena, ours, file, f"{target.host}/{image}")
                found = digest_at(target.host, SINGLE_BLOB.repository, TAG)
                if found != digest and transport != "docker-archive":
                    section.errors.append(f"{transport}: {found} came back, not {digest}")
            _remove(files / "image")
        with WeakLink(server, rate=RATE) as link, arena.empty() as storage, DockerRegistry(storage) as target:
            _measure_mode(section, arena, ours, f"{link.host}/{image}", f"{target.host}/{image}")
    return section


def _measure_mode(section: Section, arena: Arena, program: Program, source: str, destination: str) -> None:
    ends = [place.partition(":")[0] if "/image" in place else "registry" for place in (source, destination)]
    try:
        usage = run(program.command(source, destination), program.stdin(source, destination), arena.env)
    except RunError as error:
        section.errors.append(f"{' to '.join(ends)}: {error}")
        return
    peak = usage.memory / MIB
    section.rows.append([*ends, f"{peak:.0f}", f"{usage.wall:.1f}"])
    section.targets.append(Target(f"peak memory, {' to '.join(ends)}", peak, LIMIT_MIB, " MiB"))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _cell(peak: float | None) -> str:
    return "-" if peak is None else f"{peak:.0f}"
