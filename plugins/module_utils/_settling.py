# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Documents that several clients read, change and write in a registry, which does not support conditional writes."""

from __future__ import annotations

import time

# In seconds: whoever needs longer between reading and writing is found by nobody.
_LONGEST = 5.0


def wait_for_others(start: float) -> None:
    """Wait until other clients that read a document shortly before our write have probably written it, too.

    Only then does reading it again show whether our change was lost. ``start`` is the time (time.monotonic) at which
    we began to read. Other clients need about as long between reading and writing.
    """
    time.sleep(min(2 * (time.monotonic() - start), _LONGEST))
