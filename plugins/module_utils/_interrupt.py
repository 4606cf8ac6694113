# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""End an interrupted module, even if a thread waits for a stalled connection."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import types
import typing as t

# Seconds that a module may clean up after Ctrl-C before it ends without that.
_GRACE = 5.0


@contextlib.contextmanager
def limited_cleanup() -> t.Iterator[None]:
    """Limit the time between Ctrl-C in the block and the end of the process. What ignores Ctrl-C still ignores it."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: types.FrameType | None) -> None:
        late = threading.Timer(_GRACE, os._exit, (128 + number,))
        late.daemon = True
        late.start()
        handler(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
