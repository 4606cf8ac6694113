# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Bounds on a program that AnsibleModule.run_command runs: how long it may take, and how much it may write.

run_command itself waits without end and keeps all output in memory. It passes the running process to a callback, though.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t

from ._errors import ImageError


class RunCommand(t.Protocol):
    """A function that runs programs."""

    def __call__(
        self, argv: list[str], stdin: str, seconds: float | None = None, limit: int | None = None
    ) -> tuple[int, str, str]:
        """Run a program with this standard input; returns its exit status, standard output and standard error.

        ``seconds`` and ``limit`` (bytes, for either output) are bounds; None means none. Raises OSError if the program
        cannot be started, :class:`ProgramStopped` if it was killed because it exceeded a bound.
        """


class ProgramStopped(ImageError):
    """A program exceeded its bounds; the cause completes "PROGRAM ..."."""


class Process(t.Protocol):
    """What is needed of a running process."""

    stdin: t.Any
    stdout: t.Any
    stderr: t.Any

    def kill(self) -> None:
        """Send SIGKILL."""


class Guard:
    """Kills one process that exceeds its bounds. :meth:`attach` is the callback; :meth:`release` ends the watch."""

    def __init__(self, seconds: float | None, limit: int | None) -> None:
        self._seconds = seconds
        self._limit = limit
        self._timer: threading.Timer | None = None
        self._process: Process | None = None
        self._cause = ""

    def attach(self, process: Process) -> None:
        """Begin to watch a process that has just been started."""
        self._process = process
        if process.stdin:
            process.stdin = _OptionalInput(process.stdin)
        if self._limit is not None:
            process.stdout = _BoundedOutput(process.stdout, self._limit, self._stop)
            process.stderr = _BoundedOutput(process.stderr, self._limit, self._stop)
        if self._seconds is not None:
            cause = "did not finish within %g seconds" % self._seconds
            self._timer = threading.Timer(self._seconds, self._stop, [cause])
            self._timer.daemon = True
            self._timer.start()

    def release(self) -> None:
        """Stop watching. Raises :class:`ProgramStopped` if the process was killed."""
        if self._timer:
            self._timer.cancel()
        if self._cause:
            raise ProgramStopped(self._cause)

    def _stop(self, cause: str) -> None:
        self._cause = self._cause or cause
        if self._process:
            self._process.kill()


class _OptionalInput:
    """The standard input of a process, which may end without having read it."""

    def __init__(self, stream: t.BinaryIO) -> None:
        self._stream = stream

    def write(self, content: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._stream.write(content)

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._stream.close()


class _BoundedOutput:
    """An output of a process, which ends for its reader at a number of bytes."""

    def __init__(self, stream: t.BinaryIO, limit: int, stop: t.Callable[[str], None]) -> None:
        self._stream = stream
        self._limit = limit
        self._left = limit
        self._stop = stop

    def fileno(self) -> int:
        return self._stream.fileno()

    def read(self, size: int = -1) -> bytes | None:
        chunk = self._stream.read(size)
        self._left -= len(chunk or b"")
        if self._left < 0:
            self._stop("wrote more than %d bytes" % self._limit)
            return b""
        return chunk

    def close(self) -> None:
        self._stream.close()
