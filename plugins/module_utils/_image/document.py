# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""JSON from outside: whatever is wrong with it is a ValueError."""

from __future__ import annotations

import json
import typing as t


def decode(content: bytes | str) -> t.Any:
    """Decode JSON. Raises ValueError, also for nesting that the decoder cannot follow."""
    try:
        return json.loads(content if isinstance(content, str) else content.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def encode(document: t.Any) -> bytes:
    """The compact form, the same for the same document. Raises ValueError where it is nested too deeply."""
    try:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError:  # half a surrogate pair: only the escaped form has it
        return json.dumps(document, separators=(",", ":")).encode("ascii")
    except RecursionError:
        raise ValueError("nested too deeply") from None
