# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table: what was tried, how often, and what was not as promised."""

from __future__ import annotations

from dataclasses import dataclass, field

_SHOWN = 5


@dataclass
class Row:
    """One line: how often something was tried, and what of it was not as promised."""

    name: str
    promise: str
    tried: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, failure: str) -> None:
        """Count one more case; ``failure`` is empty where it was as promised."""
        self.tried += 1
        if failure:
            self.failures.append(failure)

    @property
    def passed(self) -> bool:
        """Whether it was tried at all, and always as promised."""
        return self.tried > 0 and not self.failures


def show(title: str, rows: list[Row], seconds: float) -> bool:
    """Print a section, and return whether all of it was as promised."""
    print(f"\n== {title} ({seconds:.0f} s)")
    for row in rows:
        verdict = "kept" if row.passed else f"BROKEN in {len(row.failures)}"
        print(f"{row.name:<44} {row.promise:<36} {row.tried:>7} tried  {verdict}")
        for failure in row.failures[:_SHOWN]:
            print(f"    {failure}")
        if len(row.failures) > _SHOWN:
            print(f"    and {len(row.failures) - _SHOWN} more")
    return bool(rows) and all(row.passed for row in rows)
