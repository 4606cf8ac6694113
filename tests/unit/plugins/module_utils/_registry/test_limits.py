# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._registry import limits
from ansible_collections.drayage.registry.plugins.module_utils._registry.limits import (
    Limits,
    Load,
    Pace,
    Slots,
    nothing,
)


class Clock:
    """The time module of a machine that does nothing but wait for us."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(limits, "time", clock)
    return clock


@pytest.mark.parametrize(("per_second", "seconds"), [(2, 4.5), (0.5, 18), (1000, 0.009), (None, 0)])
def test_requests_are_spread_evenly_from_the_first_on(clock, per_second, seconds):
    pace = Pace(per_second)
    for _turn in range(10):
        pace.wait()
    assert clock.now - 1000 == pytest.approx(seconds)


def test_a_rest_earns_no_burst(clock):
    pace = Pace(2)
    pace.wait()
    clock.now += 60
    started = clock.now
    for _turn in range(3):
        pace.wait()
    assert clock.now - started == pytest.approx(1)


def test_threads_share_a_pace():
    pace, turns = Pace(200), []

    def ask():
        for _turn in range(5):
            pace.wait()
            turns.append(time.monotonic())

    run(ask, ask, ask)
    assert len(turns) == 15
    assert max(turns) - min(turns) >= 14 / 200 - 0.001


def run(*functions):
    """Call functions in a thread each, and fail where one does not come to an end."""
    threads = [threading.Thread(target=function, daemon=True) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)


class Connections:
    """Counts what is under way, per group, and the most that ever was."""

    def __init__(self, slots, **groups):
        self.lock = threading.Lock()
        self.limits = {name: Limits(slots, connections=limit) for name, limit in groups.items()}
        self.open = dict.fromkeys(groups, 0)
        self.most = dict.fromkeys(groups, 0)

    def enter(self, group):
        leave = self.limits[group].enter()
        with self.lock:
            self.open[group] += 1
            self.most[group] = max(self.most[group], self.open[group])
        return lambda: self.leave(group, leave)

    def leave(self, group, leave):
        with self.lock:
            self.open[group] -= 1
        if leave:
            leave()


def copy(connections, source, destination, turns=20):
    """A thread's work that reads from one group while it writes to another."""

    def work():
        for _turn in range(turns):
            reading = connections.enter(source)
            time.sleep(0.0005)
            writing = connections.enter(destination)
            time.sleep(0.0005)
            reading()
            writing()

    return work


def ask(connections, group, turns=20):
    def work():
        for _turn in range(turns):
            leave = connections.enter(group)
            time.sleep(0.0005)
            leave()

    return work


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_no_more_than_the_limit_are_under_way(limit):
    connections = Connections(Slots(), a=limit, b=None)
    run(*[ask(connections, "a")] * 8, *[ask(connections, "b")] * 3)
    assert connections.most["a"] <= limit


def test_a_limit_holds_for_reading_while_writing_elsewhere():
    connections = Connections(Slots(), a=2, b=5)
    run(*[copy(connections, "a", "b")] * 8)
    assert connections.most["a"] <= 2
    assert connections.most["b"] <= 5


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_copies_within_one_registry_come_to_an_end(limit):
    connections = Connections(Slots(), a=limit)
    run(*[copy(connections, "a", "a")] * 6)
    assert connections.most["a"] <= limit + 1


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 3), (2, 2)])
def test_copies_in_both_directions_come_to_an_end(first, second):
    connections = Connections(Slots(), a=first, b=second)
    run(*[copy(connections, "a", "b")] * 4, *[copy(connections, "b", "a")] * 4, ask(connections, "a"))
    assert connections.most["a"] <= first + 1
    assert connections.most["b"] <= second + 1


def test_copies_in_a_ring_come_to_an_end():
    connections = Connections(Slots(), a=1, b=1, c=1)
    run(*[copy(connections, *pair) for pair in ("ab", "bc", "ca")] * 2)


def test_a_slot_is_given_back_once():
    slots = Slots()
    one, two = slots.acquire("a", 2), slots.acquire("a", 2)
    one()
    one()
    order = []

    def wait():
        leave = slots.acquire("a", 1)
        order.append("in")
        leave()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    thread.join(0.05)
    assert order == []
    two()
    thread.join(120)
    assert not thread.is_alive()
    assert order == ["in"]


def test_who_came_first_goes_first():
    slots, order = Slots(), []
    leave = slots.acquire("a", 1)

    def wait(name):
        mine = slots.acquire("a", 1)
        order.append(name)
        mine()

    threads = []
    for name in range(5):
        threads.append(threading.Thread(target=wait, args=(name,), daemon=True))
        threads[-1].start()
        while len(slots._waiting) <= name:
            assert threads[-1].is_alive()
            time.sleep(0.001)
    leave()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    assert order == [0, 1, 2, 3, 4]


def test_without_a_limit_nobody_is_counted():
    limits = Limits(Slots())
    for _turn in range(3):
        assert limits.enter() is nothing
        assert limits.enter_at_once() is nothing


def test_who_does_not_wait_gets_what_is_free():
    limits = Limits(Slots(), connections=2)
    first = limits.enter_at_once()
    second = limits.enter()
    assert limits.enter_at_once() is None
    first()
    third = limits.enter_at_once()
    assert limits.enter_at_once() is None
    second()
    third()
    third()
    assert limits.enter_at_once() is not None


def test_who_does_not_wait_is_behind_those_who_do():
    slots = Slots()
    limits = Limits(slots, connections=2)
    held = [limits.enter(), limits.enter()]
    waiting = threading.Thread(target=limits.enter, daemon=True)
    waiting.start()
    while not slots._waiting:
        assert waiting.is_alive()
        time.sleep(0.001)
    assert limits.enter_at_once() is None
    held.pop()()
    waiting.join(120)
    assert not waiting.is_alive()
    assert limits.enter_at_once() is None


def test_with_a_rate_nothing_goes_at_once():
    assert Limits(Slots(), per_second=100.0).enter_at_once() is None


def test_load_counts_what_is_under_way():
    load = Load()
    first, second = load.enter(), load.enter_below(2)
    assert load.enter_below(2) is None
    third = load.enter()
    first()
    first()
    assert load.enter_below(2) is None
    second()
    assert load.enter_below(2) is not None
    third()
