# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.slices import Slice

NAMES = ["r.example/team/app-%d:1.%d" % (number % 40, number) for number in range(5000)]


def test_shares_are_disjoint_complete_and_balanced():
    shares = [{name for name in NAMES if Slice(number, 5).has(name)} for number in range(1, 6)]
    assert sum(map(len, shares)) == len(NAMES)
    assert set().union(*shares) == set(NAMES)
    assert all(900 <= len(share) <= 1100 for share in shares)


def test_a_share_does_not_depend_on_what_else_there_is():
    alone = [name for name in NAMES[:10] if Slice(2, 5).has(name)]
    assert alone == [name for name in NAMES if Slice(2, 5).has(name) and name in NAMES[:10]]


@pytest.mark.parametrize(
    ("text", "expected"), [("2/5", Slice(2, 5)), (" 1 / 1 ", Slice(1, 1)), (None, Slice()), ("5/5", Slice(5, 5))]
)
def test_reading(text, expected):
    assert Slice.parse(text) == expected


@pytest.mark.parametrize("text", ["", "0/5", "6/5", "1/0", "a/b", "1", "1/2/3", "-1/2"])
def test_what_is_no_share(text):
    with pytest.raises(ImageError, match=r"slice: .* is not a valid slice. Write"):
        Slice.parse(text)


def test_many_repositories_are_shared_out_whole():
    assert [Slice(1, 5).shares_repositories(count) for count in (499, 500)] == [False, True]
