# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporary directories in memory.

Tests and benchmarks create and delete many files. For minutes after that, ext4 searches for inodes that were not
deleted recently, and creating a file takes several times as long.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from devtools.process import temporary_directory

_IN_MEMORY = Path("/dev/shm")
_AVAILABLE = re.compile(r"^MemAvailable: +(\d+) kB$", re.MULTILINE)


def directory(least: int, otherwise: Path | None = None) -> tempfile.TemporaryDirectory[str]:
    """Return a new directory in memory, or below ``otherwise`` if less than ``least`` bytes of memory are available.

    Like /tmp, it is open to all users.
    """
    made = temporary_directory(_IN_MEMORY if _available() >= least else otherwise)
    os.chmod(made.name, 0o1777)  # some tests become another user
    return made


def _available() -> int:
    """Return how many bytes can be stored in memory. The file system may promise more than there is."""
    if not os.access(_IN_MEMORY, os.W_OK | os.X_OK):
        return 0
    [kilobytes] = _AVAILABLE.findall(Path("/proc/meminfo").read_text(encoding="ascii"))
    return min(int(kilobytes) * 1024, shutil.disk_usage(_IN_MEMORY).free)
