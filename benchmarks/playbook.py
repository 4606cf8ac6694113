# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a whole run of ansible-playbook takes over an unchanged set: one task of ours, or a loop of skopeo copy.

Beside them stands a task that does nothing, as no task can be faster than Ansible starts one.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from statistics import median

from benchmarks.arena import Arena
from benchmarks.measure import Usage, run
from benchmarks.programs import Program
from benchmarks.report import Section, Target
from benchmarks.sets import push_releases
from benchmarks.syncers import OURS, SkopeoOfSets
from devtools.servers import DockerRegistry
from devtools.toolchain.stacks import COLLECTIONS

_REPOSITORY = "bench/releases"

_PING = [{"ansible.builtin.ping": {}}]

# How many images, and how many times as long the loop has to take at least.
_SETS = ((50, 12), (200, 30))
# Seconds that a task over the first of these sets may take longer than one that does nothing.
_ABOVE_PING = 0.45


class _Nothing(Program):
    """What Ansible takes to start and to run a module."""

    name = "ping"


def measure(arena: Arena, rounds: int) -> Section:
    """Measure the tasks as often as asked for, in turn, and the loop once with each number of images: it takes long."""
    section = Section(
        f"playbook: unchanged images on loopback, one task {rounds} times, the loop once",
        ["images", "image_sync, wall s", "ping, wall s", "loop of skopeo copy, wall s", "loop / task"],
    )
    programs = {program.name: program for program in arena.programs}
    skopeo, nothing = programs.get(SkopeoOfSets.name), _Nothing("", "")
    for count, least in _SETS:
        with arena.empty() as first, arena.empty("copy") as second:
            tags = list(push_releases(first, _REPOSITORY, count))
            shutil.copytree(first, second)
            with DockerRegistry(first) as source, DockerRegistry(second) as target:
                names = [f"{registry.host}/{_REPOSITORY}" for registry in (source, target)]
                tasks, pings = [], []
                for _round in range(rounds + 1):
                    tasks.append(play(arena, programs[OURS], _task(names), section.errors))
                    pings.append(play(arena, nothing, _PING, section.errors))
                loops = [play(arena, skopeo, _loop(skopeo, names, tags), section.errors)] if skopeo else []
        # The first run does not count, as it has to compile what it imports.
        task, ping, loop = map(_wall, (tasks[1:], pings[1:], loops))
        ratio = loop / task if loop and task else None
        walls = ("-" if wall is None else f"{wall:.2f}" for wall in (task, ping, loop))
        if count == _SETS[0][0] and task and ping:
            above = [mine.wall - its.wall for mine, its in zip(tasks[1:], pings[1:]) if mine and its]
            spread = f"{min(above):.2f} to {max(above):.2f}"
            section.targets.append(
                Target(f"{count} images, task beyond ping", median(above), _ABOVE_PING, " s", spread)
            )
        section.rows.append([str(count), *walls, "-" if ratio is None else f"{ratio:.0f}"])
        if ratio:
            section.targets.append(Target(f"{count} images, task / loop, wall time", 1 / ratio, 1 / least))
    return section


def play(
    arena: Arena, program: Program, tasks: list[dict], errors: list[str], collections: Path = COLLECTIONS
) -> Usage | None:
    """Run a playbook of these tasks; a program that is discarded is told of in ``errors``."""
    playbook = Path(arena.env["HOME"], "playbook.yml")
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    playbook.write_text(json.dumps([play]), encoding="utf-8")  # YAML reads JSON
    variables = json.dumps({"ansible_python_interpreter": sys.executable})
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-e", variables]
    env = {**arena.env, "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}
    return arena.once(program, lambda _program: run([*command, str(playbook)], "", env), errors, "playbook")


def _task(names: list[str]) -> list[dict]:
    """The task fails if there is anything to do, so that no other run is measured."""
    source, destination = names
    task = {"images": [{"name": source, "dest": destination}]}
    return [{"drayage.registry.image_sync": task, "register": "synced", "failed_when": "synced is changed"}]


def _loop(skopeo: Program, names: list[str], tags: list[str]) -> list[dict]:
    command = [
        skopeo.path,
        "copy",
        *SkopeoOfSets.switches,
        "-q",
        *(f"docker://{name}:{{{{ item }}}}" for name in names),
    ]
    return [{"ansible.builtin.command": {"argv": command}, "loop": tags}]


def _wall(usages: list[Usage | None]) -> float | None:
    """Return the median of the runs that counted."""
    walls = [usage.wall for usage in usages if usage]
    return median(walls) if walls else None
