# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._transfer.parallel import (
    InlineExecutor,
    Workers,
    for_each,
)


class TestForEach:
    def test_results_come_in_the_order_of_the_items(self):
        assert for_each(lambda number: number * 2, iter(range(100)), 8) == [number * 2 for number in range(100)]
        assert for_each(str, [], 4) == []

    def test_as_many_at_once_as_there_are_jobs(self):
        meeting = threading.Barrier(4, timeout=120)
        assert len(for_each(lambda _number: meeting.wait(), range(8), 4)) == 8

    def test_an_error_ends_it_all(self):
        done = []

        def work(number):
            if number == 3:
                raise ValueError("three")
            done.append(number)

        with pytest.raises(ValueError, match="three"):
            for_each(work, iter(range(1000)), 1)
        assert done == [0, 1, 2]


class TestInlineExecutor:
    def test_work_is_done_at_once_in_this_thread(self):
        assert InlineExecutor().submit(threading.get_ident).result() == threading.get_ident()
        assert list(InlineExecutor().map(len, ["a", "bb"])) == [1, 2]
        with pytest.raises(ZeroDivisionError):
            InlineExecutor().submit(lambda: 1 / 0)


class TestWorkers:
    def test_urgent_tasks_go_first_and_may_add_others(self):
        order = []
        workers = Workers(1)

        def first():
            order.append("first")
            workers.add((0, 0), lambda: order.append("added"))

        workers.add((2, 0), lambda: order.append("last"))
        workers.add((1, 0), first)
        workers.run()
        assert order == ["first", "added", "last"]

    def test_idle_threads_wait_for_tasks_that_others_may_add(self):
        workers = Workers(3)
        meeting = threading.Barrier(3, timeout=120)

        def spread():
            for _other in range(2):
                workers.add((0, 0), meeting.wait)
            meeting.wait()

        workers.add((0, 0), spread)
        workers.run()

    def test_nothing_begins_after_a_stop(self):
        order = []
        workers = Workers(1)
        workers.add((1, 0), workers.stop)
        workers.add((2, 0), lambda: order.append("never"))
        workers.run()
        assert order == []
        assert workers.is_stopped

    def test_what_a_task_raises_is_raised(self):
        workers = Workers(2)
        workers.add((1, 0), lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            workers.run()
