# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report in Markdown: what was measured with what, tables of numbers, and whether the targets are met."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.measure import Usage
from benchmarks.programs import Program
from devtools import provision

MIB = 1024**2


def cells(usages: Sequence[Usage]) -> list[str]:
    """Return the cells of a row for several runs: wall time and its range, CPU time (seconds), and peak memory (MiB)."""
    walls = [usage.wall for usage in usages]
    return [
        f"{median(walls):.2f}",
        f"{min(walls):.2f} - {max(walls):.2f}",
        f"{median(usage.cpu for usage in usages):.2f}",
        f"{median(usage.memory for usage in usages) / MIB:.0f}",
    ]


@dataclass(frozen=True)
class Target:
    """A number of ours, and the most that it may be."""

    what: str
    value: float
    limit: float
    unit: str = ""
    remark: str = ""

    @property
    def met(self) -> bool:
        """Whether the number is good enough."""
        return self.value <= self.limit

    def __str__(self) -> str:
        verdict = "met" if self.met else "missed"
        remark = f" ({self.remark})" if self.remark else ""
        return f"- **{verdict}**: {self.what}: {self.value:.2f}{self.unit}, at most {self.limit:.2f}{self.unit}{remark}"


@dataclass
class Section:
    """One measurement: a table, the targets, and the runs that were discarded."""

    title: str
    header: list[str]
    rows: list[list[str]] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether all targets are met, by runs that all went well."""
        return not self.errors and all(target.met for target in self.targets)

    def render(self) -> str:
        """Return the section as Markdown."""
        table = [self.header, ["---", *["---:"] * (len(self.header) - 1)], *self.rows]
        lines = [f"## {self.title}", "", *("| " + " | ".join(row) + " |" for row in table), ""]
        lines += map(str, self.targets)
        lines += [f"- **discarded**: {error}" for error in self.errors]
        return "\n".join(lines).rstrip() + "\n"


def heading(found: Iterable[tuple[list[Program], list[str]]]) -> str:
    """Return the top of the report: when, where, and with which versions, each named once."""
    groups = list(found)
    registry = os.path.basename(provision.program("docker-registry"))
    lines = [
        "# Benchmarks",
        "",
        f"- date: {datetime.datetime.now().astimezone().isoformat(' ', 'minutes')}",
        f"- machine: {os.cpu_count()} CPUs ({platform.machine()}), {platform.system()} {platform.release()}",
        f"- registries: {registry} of Debian on loopback, both on this machine",
        *dict.fromkeys(f"- {program.name}: {program.version}" for programs, _missing in groups for program in programs),
        *dict.fromkeys(f"- **missing** {reason}" for _programs, missing in groups for reason in missing),
    ]
    return "\n".join(lines) + "\n"
