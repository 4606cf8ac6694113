# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Limits for the requests to a registry: ``requests_per_second`` and ``max_connections``.

Both apply to one entry of ``registries``, across all its repositories, threads and sessions.
"""

from __future__ import annotations

import collections
import sys
import threading
import time
import typing as t


class Pace:
    """Starts requests at even intervals, in order of arrival; without a rate, it starts them immediately.

    There are no bursts after an idle time. Whatever time window a registry uses to count requests, they never exceed
    the rate.
    """

    def __init__(self, per_second: float | None) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._lock = threading.Lock()
        self._next = 0.0

    @property
    def is_limited(self) -> bool:
        """Whether a rate is set."""
        return self._interval > 0

    def wait(self) -> None:
        """Wait until it is the caller's turn."""
        if not self._interval:
            return
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + self._interval
        while turn > time.monotonic():
            time.sleep(max(0.0, turn - time.monotonic()))


class Slots:
    """Counts the active exchanges in each of several groups, and makes threads wait if a group is full.

    A thread may hold several slots: it uploads a blob while it reads it from the same registry, or from another
    registry with its own limit. So threads could wait for each other in a circle. The last thread to close such a
    circle continues and exceeds the limit by one.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holders: dict[object, list[int]] = collections.defaultdict(list)
        self._waiting: dict[int, tuple[object, int]] = {}

    def acquire(self, group: object, limit: int) -> t.Callable[[], None]:
        """Wait in a queue for a slot. Return a function that releases it; calling that function more than once has no effect."""
        thread = threading.get_ident()
        with self._changed:
            self._waiting[thread] = (group, limit)
            try:
                while not (self._is_next(thread) or self._waits_in_circle(thread)):
                    self._changed.wait()
            finally:
                del self._waiting[thread]
                self._changed.notify_all()
            self._holders[group].append(thread)
        held = [thread]
        return lambda: self._release(group, held)

    def acquire_at_once(self, group: object, limit: int) -> t.Callable[[], None] | None:
        """Take a slot if one is free and no other thread waits for it; else return None."""
        thread = threading.get_ident()
        with self._changed:
            if any(wanted == group for wanted, _limit in self._waiting.values()) or len(self._holders[group]) >= limit:
                return None
            self._holders[group].append(thread)
        held = [thread]
        return lambda: self._release(group, held)

    def _release(self, group: object, held: list[int]) -> None:
        with self._changed:
            if held:
                self._holders[group].remove(held.pop())
                self._changed.notify_all()

    def _is_next(self, thread: int) -> bool:
        group, limit = self._waiting[thread]
        queue = [waiting for waiting, (wanted, _limit) in self._waiting.items() if wanted == group]
        return queue.index(thread) < limit - len(self._holders[group])

    def _waits_in_circle(self, thread: int) -> bool:
        """Return whether all threads that this thread waits for, directly or indirectly, are waiting themselves."""
        found = {thread}
        todo = [thread]
        while todo:
            if todo[-1] not in self._waiting:
                return False
            group, limit = self._waiting[todo.pop()]
            if len(self._holders[group]) < limit:
                return False
            todo += [holder for holder in dict.fromkeys(self._holders[group]) if holder not in found]
            found.update(todo)
        return True


class Load:
    """Counts active requests. Requests that are needed have no limit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._exchanges: set[object] = set()

    def enter(self) -> t.Callable[[], None]:
        """Add a request, and return a function to call when it has ended."""
        return self.enter_below(sys.maxsize) or nothing

    def enter_below(self, limit: int) -> t.Callable[[], None] | None:
        """Add a request like :meth:`enter`; None if the limit is reached."""
        with self._lock:
            if len(self._exchanges) >= limit:
                return None
            exchange = object()
            self._exchanges.add(exchange)
        return lambda: self._exchanges.discard(exchange)


class Limits:
    """The limits of one entry; ``slots`` are shared by all entries."""

    def __init__(self, slots: Slots, per_second: float | None = None, connections: int | None = None) -> None:
        self.pace = Pace(per_second)
        self._slots = slots
        self._connections = connections

    def enter_at_once(self) -> t.Callable[[], None] | None:
        """Take a connection for an optional request, and return a function that releases it. None if a limit leaves no room.

        With one connection there is never room. It may be free while the request that an optional one would support
        reads from storage, which has no limit of its own.
        """
        if self.pace.is_limited or self._connections == 1:
            return None
        return self._slots.acquire_at_once(self, self._connections) if self._connections else nothing

    def enter(self) -> t.Callable[[], None]:
        """Wait for a free connection, and return a function that releases it."""
        return self._slots.acquire(self, self._connections) if self._connections else nothing


def nothing() -> None:
    """The release function if there is no limit."""
