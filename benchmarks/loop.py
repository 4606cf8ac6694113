# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugin adds to a task, which shows the progress of long tasks: a loop of short ones, with and without it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from statistics import median

from benchmarks.arena import Arena
from benchmarks.playbook import play
from benchmarks.programs import Program
from benchmarks.report import Section, Target
from benchmarks.sets import push_releases
from devtools.provision import REPOSITORY
from devtools.servers import DockerRegistry
from devtools.toolchain.stacks import COLLECTIONS

_REPOSITORY = "bench/releases"
_COUNT = 50

# How many milliseconds of CPU time a task may take longer.
_MOST = 20


class _Variant(Program):
    """The collection with or without its action plugins."""

    def __init__(self, name: str) -> None:
        super().__init__("", "")
        self.name = name


def measure(arena: Arena, rounds: int) -> Section:
    """Run both loops in turn, after one that does not count."""
    section = Section(
        f"loop: image_copy in a loop over {_COUNT} unchanged images, median of {rounds}",
        ["task", "wall s", "CPU s"],
    )
    variants = {
        _Variant("with action plugin"): COLLECTIONS,
        _Variant("module alone"): _without_actions(arena.directory),
    }
    with arena.empty() as first, arena.empty("copy") as second:
        tags = list(push_releases(first, _REPOSITORY, _COUNT))
        shutil.copytree(first, second)
        with DockerRegistry(first) as source, DockerRegistry(second) as target:
            src, dest = (f"{registry.host}/{_REPOSITORY}:{{{{ item }}}}" for registry in (source, target))
            tasks = [{"drayage.registry.image_copy": {"src": src, "dest": dest}, "loop": tags}]
            runs = {variant: [] for variant in variants}
            for _round in range(rounds + 1):
                for variant, collections in variants.items():
                    runs[variant].append(play(arena, variant, tasks, section.errors, collections))
    cpus = []
    for variant, (_warm_up, *usages) in runs.items():
        counted = [usage for usage in usages if usage]
        if counted:
            cpus.append(median(usage.cpu for usage in counted))
            wall = median(usage.wall for usage in counted)
            section.rows.append([variant.name, f"{wall:.2f}", f"{cpus[-1]:.2f}"])
    if len(cpus) == len(variants):
        with_plugin, without = cpus
        added = (with_plugin - without) / _COUNT * 1000
        section.targets.append(Target("CPU time that the action plugin adds", added, _MOST, " ms a task"))
    return section


def _without_actions(directory: Path) -> Path:
    """Make a tree with links to everything in the collection but its action plugins, and return it."""
    tree = directory / "without"
    collection = tree / "ansible_collections" / "drayage" / "registry"
    (collection / "plugins").mkdir(parents=True)
    for part in ("", "plugins"):
        for name in os.listdir(REPOSITORY / part):
            if name not in ("plugins", "action", ".build", ".git"):
                (collection / part / name).symlink_to(REPOSITORY / part / name)
    return tree
