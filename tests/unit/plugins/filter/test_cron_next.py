# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.filter.cron_next import FilterModule

cron_next = FilterModule().filters()["cron_next"]

SUNDAY = "2026-11-29T08:00:00Z"


@pytest.mark.parametrize(
    ("schedule", "offset", "expected"),
    [
        ("hourly", "+0000", "2026-11-29T09:00:00Z"),
        ("daily", "+0000", "2026-11-30T00:00:00Z"),
        ("daily", "+0530", "2026-11-29T18:30:00Z"),
        ("weekly", "+0000", "2026-12-06T00:00:00Z"),
        ("monthly", "-0300", "2026-12-01T03:00:00Z"),
        ("yearly", "+0000", "2027-01-01T00:00:00Z"),
        ("0 4 * * 1-5", "+0000", "2026-11-30T04:00:00Z"),
        ("*/20 8 * * sun,wed", "+0000", "2026-11-29T08:20:00Z"),
        ("0 8 * * 7", "+0000", "2026-12-06T08:00:00Z"),
        ("0 0 13 * fri", "+0000", "2026-12-04T00:00:00Z"),
        ("0 0 */2 * fri", "+0000", "2026-12-11T00:00:00Z"),
        ("5-59/30 22 28 Feb *", "+0000", "2027-02-28T22:05:00Z"),
        ("0 0 29 2 *", "+0000", "2028-02-29T00:00:00Z"),
        ("0 0 31 2 *", "+0000", ""),
        ("reboot", "+0000", ""),
    ],
)
def test_the_next_run_is_the_one_of_crontab(schedule: str, offset: str, expected: str) -> None:
    assert cron_next(schedule, SUNDAY, offset) == expected


@pytest.mark.parametrize(
    "schedule",
    [
        "fortnightly",
        "0 4 * *",
        "60 * * * *",
        "*/0 * * * *",
        "x * * * *",
        "1-2-3 * * * *",
        "1_0 * * * *",
        "0-1_0 * * * *",
        "\u0661 * * * *",
        "*/\u0661 * * * *",
        "0 4 * * \u0661",
    ],
)
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(AnsibleFilterError, match="is not a valid schedule"):
        cron_next(schedule, SUNDAY)


@pytest.mark.parametrize(
    ("schedule", "field"),
    [("0 0 * * fri-sun", "fri-sun"), ("0 5-3 * * *", "5-3"), ("0 0 1 1,nov-feb/2 *", "nov-feb/2")],
)
def test_a_range_that_ends_before_it_starts_is_refused(schedule: str, field: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        cron_next(schedule, SUNDAY)
    assert str(error.value) == (
        f"cron_next: '{schedule}' is not a valid schedule: the range '{field}' ends before it starts."
    )


@pytest.mark.parametrize("offset", ["+0000", "+0100", "-0100"])
def test_a_run_after_the_last_year_is_refused(offset: str) -> None:
    with pytest.raises(AnsibleFilterError, match="is not a valid schedule: "):
        cron_next("0 0 * * *", "9999-12-31T23:30:00Z", offset)
