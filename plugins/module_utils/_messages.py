# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Format numbers, sizes and lists for messages."""

from __future__ import annotations

import typing as t

# How many references a message lists.
SHOWN = 10

_UNITS = ("kB", "MB", "GB", "TB", "PB")


def count(number: int, noun: str) -> str:
    """Return a number with its noun: "1 image", "2,997 images"."""
    return "{:,} {}{}".format(number, noun, "" if number == 1 else "s")


def size(number: int) -> str:
    """Return a number of bytes in decimal units: "999 B", "12.3 MB"."""
    if number < 1000:
        return "%d B" % number
    power = 1
    while power < len(_UNITS) and number >= 999.95 * 1000**power:
        power += 1
    return "%.1f %s" % (number / 1000**power, _UNITS[power - 1])


def duration(seconds: float) -> str:
    """Return a duration: "14 s", "2 min 5 s", "3 h 20 min"."""
    whole = max(round(seconds), 1)
    if whole < 60:
        return "%d s" % whole
    if whole < 3600:
        return "%d min %d s" % divmod(whole, 60)
    return "%d h %d min" % divmod(whole // 60, 60)


def listing(names: t.Sequence[str]) -> str:
    """Return the first of many names: "a, b and 3 others"."""
    more = len(names) - SHOWN
    text = ", ".join(names[:SHOWN])
    return "%s and %s" % (text, count(more, "other")) if more > 0 else text


def some(names: t.Sequence[str], most: int = SHOWN) -> str:
    """Return the first of many names without a number: "a, b and others"."""
    return ", ".join(names[:most]) + (" and others" if len(names) > most else "")


def took(seconds: float | None) -> str:
    """Return a duration to append to a sentence: " in 14 s". Empty if it is below one second or unknown."""
    return " in %s" % duration(seconds) if seconds and seconds >= 1 else ""
