# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that is far away."""

from __future__ import annotations

import sys
from pathlib import Path

from devtools.process import Server

_SCRIPT = Path(__file__).with_name("delay.py")

# Seconds; as between two data centres of one continent.
ROUND_TRIP = 0.030


class Distant(Server):
    """Reaches ``upstream`` under an address of its own, at a distance of ``round_trip`` seconds."""

    def __init__(self, upstream: Server, round_trip: float = ROUND_TRIP) -> None:
        super().__init__()
        self._upstream = upstream
        self._round_trip = round_trip

    def command(self) -> list[str]:
        return [sys.executable, "-I", "-S", str(_SCRIPT), *map(str, (self.port, self._upstream.port, self._round_trip))]
