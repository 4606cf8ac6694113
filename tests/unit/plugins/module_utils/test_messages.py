# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils import _messages as messages


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"), (12_345_678, "12.3 MB")],
)
def test_sizes_are_decimal(number: int, expected: str) -> None:
    assert messages.size(number) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.2, "1 s"), (59.4, "59 s"), (125, "2 min 5 s"), (12_000, "3 h 20 min")]
)
def test_durations_have_two_units_at_most(seconds: float, expected: str) -> None:
    assert messages.duration(seconds) == expected


def test_lists_name_ten_and_count_the_rest() -> None:
    names = [str(number) for number in range(13)]
    assert messages.listing(names) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 3 others"
    assert messages.listing(names[:11]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 1 other"
    assert messages.listing(names[:2]) == "0, 1"
    assert messages.count(2997, "image") == "2,997 images"
    assert messages.took(None) == messages.took(0.4) == ""
    assert messages.took(14.2) == " in 14 s"
