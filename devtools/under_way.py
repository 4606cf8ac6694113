# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for what a module does while a thread runs it; one that has ended without it shows what it returned."""

from __future__ import annotations

import errno
import os
import time
from concurrent.futures import Future
from pathlib import Path
from typing import BinaryIO, Callable, TypeVar

_SECONDS = 60

_Found = TypeVar("_Found")


def awaited(look: Callable[[], _Found], running: Future) -> _Found:
    """Return what ``look`` returns, once that is true."""
    deadline = time.monotonic() + _SECONDS
    while True:
        # Asked before the look, as the last thing that the module did may be what is looked for.
        ended = running.done()
        found = look()
        if found:
            return found
        assert not ended, f"the module has ended: {running.result()}"
        assert time.monotonic() < deadline, f"the module has not come that far within {_SECONDS} s"
        time.sleep(0.01)


def open_fifo(path: Path, running: Future) -> BinaryIO:
    """Open a fifo to write into it, once the module reads from it."""
    return awaited(lambda: _writer(path), running)


def _writer(path: Path) -> BinaryIO | None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nobody reads from it yet
            return None
        raise
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "wb")
