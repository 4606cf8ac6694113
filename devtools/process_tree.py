# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill a process with its descendants: the workers of ansible-playbook have sessions of their own and outlive it.

The fork server imports this file as a script: it needs nothing but the standard library of Python 3.9.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path


def descendants(root: int) -> list[int]:
    """Return the processes below this one, whatever their session; a parent precedes its children."""
    children: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name of the program is in brackets and may contain blanks.
            parent = int(file.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(file.parent.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found[1:]


def kill(processes: Iterable[int]) -> None:
    """Send SIGKILL to those of these processes that still exist."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
