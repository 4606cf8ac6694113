# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Run many tasks in parallel with a limited number of threads."""

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
    """Return the results of the function for all items, in order. The first error stops everything and is raised."""
    results: dict[int, _Result] = {}

    def keep(numbered: tuple[int, _Item]) -> None:
        number, item = numbered
        results[number] = function(item)

    do_all(keep, enumerate(items), jobs)
    return [results[number] for number in range(len(results))]


def do_all(function: t.Callable[[_Item], object], items: t.Iterable[_Item], jobs: int) -> None:
    """Call the function for each item. The first error stops everything and is raised.

    Unlike ``Executor.map``, this keeps nothing for waiting or finished items, so that there may be very many.
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
    """Limits the requests to each location to ``jobs`` at a time, so that more threads can keep several locations busy."""

    def __init__(self, jobs: int) -> None:
        self._lock = threading.Lock()
        self._limits: dict[str, threading.Semaphore] = collections.defaultdict(
            functools.partial(threading.Semaphore, jobs)
        )

    def at(self, root: str) -> threading.Semaphore:
        """Return the semaphore to hold during a request to this location."""
        with self._lock:
            return self._limits[root]


class InlineExecutor(concurrent.futures.Executor):
    """An executor that calls each function immediately, in the thread that submits it."""

    def submit(self, function: t.Any, /, *args: t.Any, **kwargs: t.Any) -> concurrent.futures.Future[t.Any]:
        """Call the function. Its errors are raised immediately."""
        future: concurrent.futures.Future[t.Any] = concurrent.futures.Future()
        future.set_result(function(*args, **kwargs))
        return future


class Workers:
    """Threads that run the most urgent task first. A task may add other tasks."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._changed = threading.Condition()
        self._tasks: list[tuple[tuple[int, int], int, t.Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._busy = 0
        self._stopped = False

    def add(self, rank: tuple[int, int], task: t.Callable[[], None]) -> None:
        """Add a task that runs before all tasks with a higher rank. It must handle its own errors."""
        with self._changed:
            heapq.heappush(self._tasks, (rank, next(self._numbers), task))
            self._changed.notify()

    @property
    def is_stopped(self) -> bool:
        """Whether no more tasks will start."""
        return self._stopped

    def stop(self) -> None:
        """Start no more tasks."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def run(self) -> None:
        """Run all tasks, and return when none is left or running. Raises the error of a task."""
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
