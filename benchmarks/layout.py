# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes to copy many new images to an OCI layout, beyond what it takes to fetch and store their content."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median

from benchmarks.arena import Arena
from benchmarks.measure import RunError, Usage, run
from benchmarks.programs import Program
from benchmarks.report import Section, Target, cells
from benchmarks.sets import store_images
from benchmarks.syncers import OURS
from devtools.servers import DockerRegistry

_REPOSITORY = "bench/many"
_IMAGES = 1_000
_THREADS = 24
_LIMIT = 1.5

_FETCH = Path(__file__).with_name("fetch.py")


class _Fetch(Program):
    """Content alone."""

    name = "content alone"


def measure(arena: Arena, rounds: int) -> Section:
    """Measure both in turn, each with an empty directory."""
    section = Section(
        f"layout: {_IMAGES:,} images from a registry to an empty OCI layout, both on this machine, median of {rounds}",
        ["program", "wall s", "wall range", "CPU s", "peak MiB"],
    )
    ours = next(program for program in arena.programs if program.name == OURS)
    content = _Fetch("", "")
    results: dict[str, list[Usage]] = {content.name: [], ours.name: []}
    with arena.empty("source") as storage:
        digests = store_images(storage, _REPOSITORY, _IMAGES)
        with DockerRegistry(storage) as registry:
            for _round in range(rounds):
                for program in (content, ours):
                    usage = arena.once(
                        program,
                        lambda program: _attempt(arena, program, registry, digests),
                        section.errors,
                        f"{_IMAGES:,} images",
                    )
                    results[program.name] += [usage] if usage else []
    section.rows = [[name, *cells(usages)] for name, usages in results.items() if usages]
    if all(results.values()):
        beyond = [mine.wall - least.wall for mine, least in zip(results[ours.name], results[content.name])]
        remark = f"{min(beyond):.2f} to {max(beyond):.2f}"
        section.targets = [Target("time beyond that of the content", median(beyond), _LIMIT, " s", remark)]
    return section


def _attempt(arena: Arena, program: Program, registry: DockerRegistry, digests: dict[str, str]) -> Usage:
    with arena.empty("layout") as directory:
        if isinstance(program, _Fetch):
            command = [sys.executable, "-I", str(_FETCH), registry.host, _REPOSITORY, str(directory), str(_THREADS)]
            return run(command, "", arena.env)
        options = {"src": registry.host, "dest": f"oci:{directory}", "images": [{"name": _REPOSITORY}], "scoped": False}
        usage = run(program.command("", ""), json.dumps({"ANSIBLE_MODULE_ARGS": options}), arena.env)
        entries = json.loads((directory / "index.json").read_text())["manifests"]
        if sorted(entry["digest"] for entry in entries) != sorted(digests.values()):
            raise RunError(f"left {len(entries)} of {len(digests)} images in the layout")
        return usage
