# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long our program takes in comparison with others: the machine may be busy, so only runs of one round are compared."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Optional

from benchmarks.measure import Usage
from benchmarks.report import Target

# A run that was discarded, or not done as the program is slow, is None.
Usages = Sequence[Optional[Usage]]


def ratios(ours: Usages, its: Usages) -> list[float]:
    """Our wall time / that of another program, by round; one that is slow has the first round alone."""
    return [mine.wall / other.wall for mine, other in zip(ours, its) if mine and other]


def shown(found: Sequence[float]) -> str:
    """The median, and the range where there are several."""
    if not found:
        return "-"
    spread = f" ({min(found):.2f} - {max(found):.2f})" if len(found) > 1 else ""
    return f"{median(found):.2f}{spread}"


def fastest(usages: dict[str, Usages], ours: str) -> str | None:
    """The name of the fastest other program."""
    walls = {name: [usage.wall for usage in runs if usage] for name, runs in usages.items() if name != ours}
    return min((name for name in walls if walls[name]), key=lambda name: median(walls[name]), default=None)


def target(usages: dict[str, Usages], ours: str, limit: float) -> list[Target]:
    """The target for our time in comparison with the fastest peer; none without a peer."""
    peer = fastest(usages, ours)
    found = ratios(usages[ours], usages[peer]) if peer else []
    if not found:
        return []
    return [Target(f"wall time, ours / {peer}, the fastest peer", median(found), limit, remark=shown(found))]
