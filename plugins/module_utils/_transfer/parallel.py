# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Doing many things at once with a bounded number of threads."""

from __future__ import annotations

import collections
import concurrent.futures
import functools
import heapq
import itertools
import threading
import typing as t

_Item = t.TypeVar("_Item")
_Result = t.TypeVar("_Result")


def for_each(function: t.Callable[[_Item], _Result], items: t.Iterable[_Item], jobs: int) -> list[_Result]:
    """What the function returns for each item, in their order; the first error ends it all and is raised."""
    results: dict[int, _Result] = {}

    def keep(numbered: tuple[int, _Item]) -> None:
        number, item = numbered
        results[number] = function(item)

    do_all(keep, enumerate(items), jobs)
    return [results[number] for number in range(len(results))]


def do_all(function: t.Callable[[_Item], object], items: t.Iterable[_Item], jobs: int) -> None:
    """Call the function for each item; the first error ends it all and is raised.

    Unlike ``Executor.map`` it keeps nothing, for items that wait and for those that are done, so that there may be very
    many.
    """
    lock = threading.Lock()
    numbered = enumerate(items)
    errors: list[BaseException] = []

    def work() -> None:
        while not errors:
            try:
                with lock:
                    taken = next(numbered, None)
                if taken is None:
                    return
                function(taken[1])
            except BaseException as error:
                errors.append(error)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(work) for _thread in range(jobs)]
        try:
            concurrent.futures.wait(futures)
        except BaseException as error:  # ends the threads too if this one was interrupted
            errors.append(error)
    if errors:
        raise errors[0]


class Turns:
    """Lets no place have more than ``jobs`` requests at once, so that more threads can keep several places busy."""

    def __init__(self, jobs: int) -> None:
        self._lock = threading.Lock()
        self._limits: dict[str, threading.Semaphore] = collections.defaultdict(
            functools.partial(threading.Semaphore, jobs)
        )

    def at(self, root: str) -> threading.Semaphore:
        """What to hold during a request to this place."""
        with self._lock:
            return self._limits[root]


class InlineExecutor(concurrent.futures.Executor):
    """An executor that calls each function at once, in the thread that submits it: for work in one thread of many."""

    def submit(self, function: t.Any, /, *args: t.Any, **kwargs: t.Any) -> concurrent.futures.Future[t.Any]:
        """Call the function; what it raises is raised here and now."""
        future: concurrent.futures.Future[t.Any] = concurrent.futures.Future()
        future.set_result(function(*args, **kwargs))
        return future


class Workers:
    """Threads that take the most urgent task first; a task may add others."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._changed = threading.Condition()
        self._tasks: list[tuple[tuple[int, int], int, t.Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._busy = 0
        self._stopped = False

    def add(self, rank: tuple[int, int], task: t.Callable[[], None]) -> None:
        """Have a task done, before all that have a higher rank. It handles its own errors."""
        with self._changed:
            heapq.heappush(self._tasks, (rank, next(self._numbers), task))
            self._changed.notify()

    @property
    def is_stopped(self) -> bool:
        """Whether no further task will begin."""
        return self._stopped

    def stop(self) -> None:
        """Begin no further task."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def run(self) -> None:
        """Do all tasks, and return when none is left or under way; raises what one of them raised."""
        with concurrent.futures.ThreadPoolExecutor(self._jobs) as pool:
            futures = [pool.submit(self._work) for _thread in range(self._jobs)]
            try:
                concurrent.futures.wait(futures)
            except BaseException:  # ends the threads too if this one was interrupted
                self.stop()
                raise
        for future in futures:
            future.result()

    def _work(self) -> None:
        task = self._next()
        while task:
            try:
                task()
            except BaseException:
                self.stop()
                raise
            finally:
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()
            task = self._next()

    def _next(self) -> t.Callable[[], None] | None:
        with self._changed:
            while not self._tasks and self._busy and not self._stopped:
                self._changed.wait()
            if self._stopped or not self._tasks:
                return None
            self._busy += 1
            return heapq.heappop(self._tasks)[2]
