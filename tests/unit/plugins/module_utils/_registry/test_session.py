# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import email.utils

import pytest
import urllib3.util.retry

from ansible_collections.drayage.registry.plugins.module_utils._run import RunStats
from ansible_collections.drayage.registry.tests.unit.support.responses import response

NOW = 1792567680.0


@pytest.fixture
def retry_after(monkeypatch):
    """What a Retry-After header says at a given moment."""

    class Clock:
        now = 0.0

        def time(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(urllib3.util.retry, "time", clock)

    def read(value, now):
        clock.now = now
        return response(headers={} if value is None else {"Retry-After": value}).retry_after

    return read


@pytest.mark.parametrize(("value", "seconds"), [("0", 0.0), ("1", 1.0), ("120", 120.0), (" 7 ", 7.0)])
def test_retry_after_may_be_seconds(retry_after, value, seconds):
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(0, 0.0), (30, 30.0), (3600, 3600.0), (-30, 0.0), (-86400 * 400, 0.0)])
def test_retry_after_may_be_a_date(retry_after, ahead, seconds):
    assert retry_after(email.utils.formatdate(NOW + ahead, usegmt=True), NOW) == seconds


@pytest.mark.parametrize(
    "value", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 09:49:37 +0100"]
)
def test_every_form_of_a_date_is_the_same_moment(retry_after, value):
    assert retry_after(value, 784111777.0 - 5) == 5.0


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        "soon",
        "-5",
        "1.5",
        "1s",
        ";",
        "Sun, 06 Foo",
        "0x10",
        "\u00b2",
        "9" * 400,
        "Mon, 01 Jan 99999 00:00:00 GMT",
    ],
)
def test_retry_after_that_says_nothing(retry_after, value):
    assert retry_after(value, NOW) is None


def test_a_warning_is_kept_once_and_in_order():
    statistics = RunStats()
    for text in ("a", "b", "a"):
        statistics.warn(text)
    assert statistics.warnings == ["a", "b"]
