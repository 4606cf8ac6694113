# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from requests.structures import CaseInsensitiveDict

from ansible_collections.drayage.registry.plugins.module_utils._registry.quota import Quota, read


@pytest.mark.parametrize(
    ("headers", "quota"),
    [
        # Docker Hub
        ({"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600"}, Quota(76, 100, 21600)),
        ({"ratelimit-remaining": "0;w=21600"}, Quota(0, None, 21600)),
        # drafts up to 06
        ({"RateLimit-Limit": "10", "RateLimit-Remaining": "0", "RateLimit-Reset": "7"}, Quota(0, 10, None, 7)),
        (
            {"RateLimit-Limit": "10, 10;w=1, 50;w=60", "RateLimit-Remaining": "9", "RateLimit-Reset": "1"},
            Quota(9, 10, None, 1),
        ),
        ({"RateLimit-Limit": "100, 100;w=10", "RateLimit-Remaining": " 5 "}, Quota(5, 100)),
        # draft 07
        ({"RateLimit": "limit=100, remaining=50, reset=5"}, Quota(50, 100, None, 5)),
        ({"RateLimit": "limit=100,remaining=0"}, Quota(0, 100)),
        # later drafts
        ({"RateLimit": '"default";r=0;t=12'}, Quota(0, None, None, 12)),
        ({"RateLimit": '"default";r=50'}, Quota(50)),
        (
            {"RateLimit": '"default";r=0;t=12', "RateLimit-Policy": '"other";q=9;w=9, "default";q=100;w=60'},
            Quota(0, 100, 60, 12),
        ),
        ({"RateLimit": '"a, b";r=7;t=1, "c";r=3;t=9'}, Quota(3, None, None, 9)),
        ({"RateLimit": '"a";r=0;t=1, "b";r=0;t=9'}, Quota(0, None, None, 9)),
        ({"RateLimit": 'burst;r=1;pk=:cHsdsRa894==:;t=2, "x";r=2'}, Quota(1, None, None, 2)),
    ],
)
def test_limits_are_understood(headers, quota):
    assert read(CaseInsensitiveDict(headers)) == quota


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"RateLimit-Limit": "100;w=21600"},
        {"RateLimit-Remaining": ""},
        {"RateLimit-Remaining": "soon"},
        {"RateLimit-Remaining": "-1"},
        {"RateLimit-Remaining": "1.5"},
        {"RateLimit-Remaining": "9" * 40},
        {"RateLimit": ""},
        {"RateLimit": '"default"'},
        {"RateLimit": '"default";r=x'},
        {"RateLimit": "limit=5"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1700000000"},
    ],
)
def test_what_tells_nothing(headers):
    assert read(CaseInsensitiveDict(headers)) is None


@pytest.mark.parametrize(
    ("quota", "seconds"),
    [
        (Quota(0, reset=12), 12),
        (Quota(0, reset=60), 60),
        (Quota(0, reset=61), 0),
        (Quota(0, reset=1700000000), 0),
        (Quota(0, reset=0), 0),
        (Quota(0), 0),
        (Quota(0, window=10), 0),
        (Quota(1, reset=12), 0),
    ],
)
def test_only_a_short_wait_is_waited_for(quota, seconds):
    assert quota.wait == seconds


@pytest.mark.parametrize(
    ("quota", "text"),
    [
        (Quota(0, 100, 21600), "limit of 100 requests in 6 hours has been reached"),
        (Quota(0, 100, 86400), "limit of 100 requests in 1 day has been reached"),
        (Quota(0, 5, 90, 240), "limit of 5 requests in 90 seconds has been reached. It resets in 4 minutes"),
        (Quota(0), "request limit has been reached"),
    ],
)
def test_what_is_used_up_is_told(quota, text):
    assert text in quota.hint


def test_what_is_not_used_up_is_no_reason():
    assert Quota(1, 100, 60).hint == ""
