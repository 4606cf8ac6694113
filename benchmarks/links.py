# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry at the other end of connections that are limited, or that break."""

from __future__ import annotations

import sys
from pathlib import Path

from devtools.process import Server

_SCRIPT = Path(__file__).with_name("weak_link.py")


class WeakLink(Server):
    """Reaches ``upstream`` over connections that carry ``rate`` bytes a second down, and break after ``most`` up."""

    def __init__(self, upstream: Server, rate: int = 0, most: int = 0) -> None:
        super().__init__()
        self._upstream = upstream
        self._limits = (rate, most)
        self._report = self.directory / "sent"

    def command(self) -> list[str]:
        ports = (self.port, self._upstream.port)
        return [sys.executable, "-I", "-S", str(_SCRIPT), *map(str, (*ports, *self._limits, self._report))]

    @property
    def sent(self) -> int:
        """How many bytes clients have sent over connections that have ended."""
        return int(self._report.read_text(encoding="ascii") or 0)
