# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Compute when a cron schedule runs, by the rules of crontab(5)."""

from __future__ import annotations

import datetime
import re

_WORDS = {
    "hourly": "0 * * * *",
    "daily": "0 0 * * *",
    "midnight": "0 0 * * *",
    "weekly": "0 0 * * 0",
    "monthly": "0 0 1 * *",
    "yearly": "0 0 1 1 *",
    "annually": "0 0 1 1 *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(r"(?:\*|([0-9]+|[a-z]+)(?:-([0-9]+|[a-z]+))?)(?:/([0-9]+))?")
# 29 February can be 8 years away.
_DAYS_AHEAD = 366 * 8 + 2


def next_run(schedule: str, after: datetime.datetime) -> datetime.datetime | None:
    """Return the first time after ``after`` at which a schedule runs, in the same time zone; None if it never runs.

    Raises ValueError for an invalid schedule. The word ``reboot`` has no time.
    """
    if schedule == "reboot":
        return None
    fields = _WORDS.get(schedule, schedule).lower().split()
    if len(fields) != 5:
        raise ValueError("a schedule must have five fields")
    minutes = _values(fields[0], 0, 59)
    hours = _values(fields[1], 0, 23)
    days = _values(fields[2], 1, 31)
    months = _values(fields[3], 1, 12, _MONTHS, 1)
    weekdays = {day % 7 for day in _values(fields[4], 0, 7, _DAYS)}
    # Both fields of days count as alternatives, unless one of them begins with an asterisk.
    either = fields[2][0] != "*" and fields[4][0] != "*"
    for offset in range(_DAYS_AHEAD):
        day = after.date() + datetime.timedelta(days=offset)
        fits = (day.day in days, day.isoweekday() % 7 in weekdays)
        if day.month not in months or not (any(fits) if either else all(fits)):
            continue
        for hour in sorted(hours):
            for minute in sorted(minutes):
                found = datetime.datetime.combine(day, datetime.time(hour, minute), after.tzinfo)
                if found > after:
                    return found
    return None


def _values(field: str, lowest: int, highest: int, names: tuple[str, ...] = (), first: int = 0) -> set[int]:
    """Return the values that a field selects. Raises ValueError."""

    def number(text: str) -> int:
        value = names.index(text) + first if text in names else int(text)
        if not lowest <= value <= highest:
            raise ValueError("%s is not in the range %d to %d" % (text, lowest, highest))
        return value

    values: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if not match or match[3] == "0":
            raise ValueError("'%s' is not a valid field" % field)
        start = number(match[1]) if match[1] else lowest
        end = number(match[2]) if match[2] else start if match[1] else highest
        if end < start:
            raise ValueError("the range '%s' ends before it starts" % part)
        values.update(range(start, end + 1, int(match[3] or 1)))
    return values
