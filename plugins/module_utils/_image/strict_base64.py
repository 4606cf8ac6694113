# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Strict base64 for signatures: each byte string has only one text, so that any changed character changes the signature."""

from __future__ import annotations

import base64


def encode(content: bytes) -> str:
    """Encode with the standard alphabet and padding."""
    return base64.b64encode(content).decode("ascii")


def decode(text: object) -> bytes:
    """Decode. Raises ValueError for text that :func:`encode` would not return, such as text with blanks or stray bits at the end."""
    if not isinstance(text, str):
        raise ValueError("not text")
    content = base64.b64decode(text, validate=True)
    if encode(content) != text:
        raise ValueError("not the one way to write these bytes")
    return content
