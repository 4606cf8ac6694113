# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A limit for warnings that a registry causes. It could cause one with each response."""

from __future__ import annotations

import threading

from .._run import RunStats

_MAX_WARNINGS = 10


class LimitedWarnings:
    """Warnings of one kind about one host. Only the first different ones are shown. Thread-safe."""

    def __init__(self, host: str, statistics: RunStats) -> None:
        self.is_full = False
        self._host = host
        self._statistics = statistics
        self._lock = threading.Lock()
        self._shown: set[str] = set()

    def warn(self, text: str) -> None:
        """Add a warning for the user, or instead of those beyond the limit one that says so."""
        with self._lock:
            if self.is_full or text in self._shown:
                return
            self._shown.add(text)
            self.is_full = is_beyond = len(self._shown) > _MAX_WARNINGS
        if is_beyond:
            text = "%s caused more warnings of this kind; only the first %d are shown" % (self._host, _MAX_WARNINGS)
        self._statistics.warn(text)
