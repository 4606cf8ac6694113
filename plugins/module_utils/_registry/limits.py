# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""How fast and how often a registry may be asked, by ``requests_per_second`` and ``max_connections``.

Both hold for one entry of ``registries``: over all its repositories, threads and sessions.
"""

from __future__ import annotations

import collections
import sys
import threading
import time
import typing as t


class Pace:
    """Starts requests evenly spread over time, in the order in which they come; None is as fast as they come.

    There are no bursts after a rest: what a registry counts, in windows that we do not know, is never more than the rate.
    """

    def __init__(self, per_second: float | None) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._lock = threading.Lock()
        self._next = 0.0

    @property
    def is_limited(self) -> bool:
        """Whether there is a rate."""
        return self._interval > 0

    def wait(self) -> None:
        """Return when it is the caller's turn."""
        if not self._interval:
            return
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + self._interval
        while turn > time.monotonic():
            time.sleep(max(0.0, turn - time.monotonic()))


class Slots:
    """Counts the exchanges that are under way in each of several groups, and makes threads wait where one is full.

    A thread may hold several slots: it uploads a blob while it reads it from the same registry, or from another one with
    a limit of its own. So threads could wait for each other in a circle, and the last to join it would wait for ever.
    That one goes on, one above the limit.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holders: dict[object, list[int]] = collections.defaultdict(list)
        self._waiting: dict[int, tuple[object, int]] = {}

    def acquire(self, group: object, limit: int) -> t.Callable[[], None]:
        """Wait for a slot, behind those who came before; call what is returned to give it back. Once is enough."""
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
        """A slot if one is free and nobody waits for it; else None."""
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
        """Whether all whom this thread waits for, or whom those wait for, and so on, wait themselves."""
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
    """Counts what is under way, without a limit for what is needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: set[object] = set()

    def enter(self) -> t.Callable[[], None]:
        """One more; call what is returned when that has ended."""
        return self.enter_below(sys.maxsize) or nothing

    def enter_below(self, limit: int) -> t.Callable[[], None] | None:
        """As :meth:`enter`; None if as many as the limit are under way."""
        with self._lock:
            if len(self._places) >= limit:
                return None
            place = object()
            self._places.add(place)
        return lambda: self._places.discard(place)


class Limits:
    """What one entry allows; ``slots`` are those of all entries together."""

    def __init__(self, slots: Slots, per_second: float | None = None, connections: int | None = None) -> None:
        self.pace = Pace(per_second)
        self._slots = slots
        self._connections = connections

    def enter_at_once(self) -> t.Callable[[], None] | None:
        """A connection beyond what is needed; call what is returned when it is free again. None if there is a limit to it."""
        if self.pace.is_limited:
            return None
        return self._slots.acquire_at_once(self, self._connections) if self._connections else nothing

    def enter(self) -> t.Callable[[], None]:
        """Wait for a connection to be free; call what is returned when it is again."""
        return self._slots.acquire(self, self._connections) if self._connections else nothing


def nothing() -> None:
    """What there is to give back where there is no limit."""
