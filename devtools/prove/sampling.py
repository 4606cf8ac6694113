# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cases a section tries."""

from __future__ import annotations

import random
from typing import TypeVar

_Case = TypeVar("_Case")


def sampled(cases: list[_Case], seed: int, most: int | None) -> list[_Case]:
    """Return all cases, or ``most`` of them chosen by ``seed``."""
    return cases if most is None or most >= len(cases) else random.Random(seed).sample(cases, most)
