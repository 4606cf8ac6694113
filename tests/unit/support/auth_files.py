# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of auth files."""

from __future__ import annotations

import base64
import typing as t


def encoded(text: str) -> str:
    """A text in base64, as ``auth`` has it."""
    return base64.b64encode(text.encode("utf-8")).decode("ascii")


def login(user: str, password: str = "secret") -> dict[str, str]:
    """The entry of a user."""
    return {"auth": encoded("%s:%s" % (user, password))}


def no_helper(argv: t.Sequence[str], stdin: str) -> t.NoReturn:
    """A runner of programs where no file names a credential helper."""
    raise AssertionError("no helper is named anywhere")
