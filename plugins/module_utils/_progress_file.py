# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Write what a task is doing to a file, which the controller reads."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import threading
import time
import types
import typing as t

from ._image.descriptor import Descriptor
from ._text import clean
from ._transfer.job import Event, Job

# Seconds. Shorter tasks write no file.
_FIRST = 4.0
_INTERVAL = 1.0
# How long a write may take before the task ends without it.
_WRITE = 1.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_Key = tuple[str, str]


class Progress:
    """Counts images and bytes. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._phase = "comparing"
        self._current = ""
        self._part = [0, 0]
        self._images = 0
        self._ended = 0
        self._expected: dict[_Key, int] = {}
        self._read: dict[_Key, int] = {}

    def enter(self, phase: str, current: str = "", size: int = 0) -> None:
        """Start a phase of the task, such as "verifying"; ``current`` is the object that it processes.

        ``size`` is the number of bytes to process, if known. Sizes for the same phase and object are added up.
        """
        with self._lock:
            if (phase, current) != (self._phase, self._current):
                self._phase, self._current, self._part = phase, current, [0, 0]
            self._part[1] += size

    def advance(self, size: int) -> None:
        """Count processed bytes of the current phase."""
        with self._lock:
            self._part[0] += size

    def observe(self, event: Event, job: Job, blob: Descriptor | None, size: int) -> None:
        """Count an event of the executor."""
        with self._lock:
            if event is Event.PLANNED:
                self._images += 1
                self._expected.update((_key(job, each), each.size) for each in job.planned.blobs)
            elif event in (Event.FINISHED, Event.FAILED):
                self._ended += 1
            elif blob is not None:
                self._observe_blob(event, job, blob, size)

    def _observe_blob(self, event: Event, job: Job, blob: Descriptor, size: int) -> None:
        key = _key(job, blob)
        if event is Event.BLOB_STARTED:
            self._phase, self._current, self._part = "copying", job.dest, [0, 0]
            self._expected[key] = blob.size
            self._read[key] = 0
        elif event is Event.BLOB_BYTES:
            self._read[key] = self._read.get(key, 0) + size
        elif event is Event.BLOB_MOUNTED and key not in self._read:
            self._expected.pop(key, None)

    def snapshot(self) -> dict[str, t.Any]:
        """Return the content of the file; ``seconds`` is the duration of the task so far."""
        with self._lock:
            return {
                "phase": self._phase,
                "current": clean(self._current, 500),
                "images": [self._ended, self._images],
                "bytes": list(self._part)
                if self._part[1]
                else [sum(self._read.values()), sum(self._expected.values())],
                "seconds": round(time.monotonic() - self._began, 1),
            }


def _key(job: Job, blob: Descriptor) -> _Key:
    """Return the key of a blob, which is copied once to each registry or layout."""
    return job.planned.request.destination.location.root, blob.digest


class _File:
    """The file and the thread that writes it. The file is removed when the task ends or is ended by a signal."""

    def __init__(self, path: str, progress: Progress) -> None:
        self._path = path
        self._progress = progress
        self._end = threading.Event()
        self._lock = threading.Lock()
        self._handlers: dict[int, t.Any] = {}
        self._thread = threading.Thread(target=self._write_until_end, name="progress", daemon=True)

    def open(self) -> None:
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._end_by_signal)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._thread.join()
        self._remove()

    def _end_by_signal(self, number: int, _frame: types.FrameType | None) -> None:
        """Remove the file, and then send the signal again with its original handler."""
        self._end.set()
        # It may be within a write, or wait for a lock that the interrupted thread holds.
        self._thread.join(_WRITE)
        self._remove()
        signal.signal(number, self._handlers[number] or signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _write_until_end(self) -> None:
        seconds = _FIRST
        while not self._end.wait(seconds):
            seconds = _INTERVAL
            if _is_abandoned():
                os.kill(os.getpid(), signal.SIGHUP)
                return
            with contextlib.suppress(OSError):  # progress is no reason to fail
                self._write(json.dumps(self._progress.snapshot()))

    def _write(self, text: str) -> None:
        with self._open_new() as stream:
            stream.write(text)
        # A signal that arrives here has removed both files, or the rename fails.
        if not self._end.is_set():
            os.rename(self._partial, self._path)

    def _open_new(self) -> t.TextIO:
        """Create the file. All users can write to its directory, so an existing file with this name is not ours.

        It is readable for others, because the user before privilege escalation reads it, regardless of the umask.
        """
        descriptor = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        os.fchmod(descriptor, 0o644)
        return open(descriptor, "w", encoding="utf-8")

    @property
    def _partial(self) -> str:
        return self._path + ".new"

    def _remove(self) -> None:
        for path in (self._partial, self._path):
            with contextlib.suppress(OSError):
                os.unlink(path)


def _is_abandoned() -> bool:
    """Return whether nobody will read the result, because the connection or the controller has ended.

    Without a terminal, the system does not send SIGHUP in this case.
    """
    poller = select.poll()
    poller.register(1, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _number, event in poller.poll(0))


@contextlib.contextmanager
def written(path: str, progress: Progress) -> t.Iterator[None]:
    """Write the progress to a file while the block runs."""
    file = _File(path, progress)
    file.open()
    try:
        yield
    finally:
        file.close()
