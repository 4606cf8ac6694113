# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is sent of a large layer over a link that breaks again and again, and whether it arrives."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.arena import Arena
from benchmarks.links import WeakLink
from benchmarks.measure import RunError, Usage
from benchmarks.programs import OURS, Program
from benchmarks.report import MIB, Section, Target
from benchmarks.sources import GIGABYTE, TAG, Shape, stored
from devtools.servers import DockerRegistry, ModernRegistry

# Bytes over one connection before it breaks.
BREAK = 100 * 1000**2
LIMIT = 1.2


@dataclass(frozen=True)
class _Delivery:
    """What one program has sent, in bytes; without usage it has not arrived."""

    sent: int
    usage: Usage | None
    why: str = ""

    def __str__(self) -> str:
        return f"{self.sent / 1000**2:.0f} MB sent; {self.usage or self.why}"


def measure(arena: Arena, _rounds: int) -> Section:
    """Measure every program once: what is sent hardly differs between runs."""
    section = Section(
        f"broken-link: {GIGABYTE} to distribution 3, each connection breaks after {BREAK // 1000**2} MB",
        ["program", "arrived", "sent / its bytes", "wall s", "peak MiB"],
    )
    digest = stored(GIGABYTE)
    for program in arena.programs:
        delivery = arena.once(program, lambda program: _deliver(arena, program, GIGABYTE, digest), section.errors, "")
        if delivery is None:
            continue
        ratio = delivery.sent / GIGABYTE.bytes
        usage = delivery.usage
        numbers = [f"{usage.wall:.1f}", f"{usage.memory / MIB:.0f}"] if usage else ["-", "-"]
        section.rows.append([program.name, "yes" if usage else "no", f"{ratio:.2f}", *numbers])
        if program.name == OURS:
            value = ratio if usage else float("inf")
            section.targets.append(Target("bytes sent / bytes of the layer", value, LIMIT, remark=delivery.why))
    return section


def _deliver(arena: Arena, program: Program, shape: Shape, digest: str) -> _Delivery:
    if not ModernRegistry.available():
        raise RunError("distribution 3 cannot be built here")
    with ExitStack() as stack:
        source = stack.enter_context(DockerRegistry(shape.storage))
        target = stack.enter_context(ModernRegistry(stack.enter_context(arena.empty())))
        link = stack.enter_context(WeakLink(target, most=BREAK))
        arena.prepare(program, source, link)
        names = (f"{source.host}/{shape.repository}:{TAG}", f"{link.host}/{shape.repository}:{TAG}")
        try:
            usage = arena.copy(program, *names, digest)
        except RunError as error:
            return _Delivery(link.sent, None, str(error))
        return _Delivery(link.sent, usage)
