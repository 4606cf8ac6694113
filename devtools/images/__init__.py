# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images to test with: made here, the same bytes every time, and independent of the collection's own code."""

from __future__ import annotations

from devtools.images.layout import write_layout
from devtools.images.make import artifact, big, hello, index, nested, single
from devtools.images.push import PushError, push
from devtools.images.value import Image, changed

__all__ = [
    "Image",
    "PushError",
    "artifact",
    "big",
    "changed",
    "hello",
    "index",
    "nested",
    "push",
    "single",
    "write_layout",
]
