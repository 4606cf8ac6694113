# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Run a program with limits for its duration and its output.

AnsibleModule.run_command has no timeout and keeps all output in memory. It also runs Python code between fork and
exec (``preexec_fn``), which can deadlock in a process with threads
(https://docs.python.org/3/library/subprocess.html).
"""

from __future__ import annotations

import os
import select
import selectors
import subprocess
import time
import typing as t

from ._errors import ImageError

_CHUNK = 65536
# Seconds after which a program that has ended is not waited for because another process has its outputs.
_PATIENCE = 1.0
_HINT = "Run the program by hand to see why"


class RunCommand(t.Protocol):
    """A function that runs programs."""

    def __call__(
        self, argv: list[str], stdin: str, seconds: float | None = None, limit: int | None = None
    ) -> tuple[int, str, str]:
        """Run a program with this standard input. Return its exit status, standard output and standard error.

        ``seconds`` and ``limit`` (bytes of each output) are limits, or None. Raises OSError if the program cannot be
        started, and :class:`ProgramStopped` if it was killed because it exceeded a limit.
        """


class ProgramStopped(ImageError):
    """A program exceeded a limit, which the cause describes."""


def run_command(
    argv: list[str], stdin: str, seconds: float | None = None, limit: int | None = None
) -> tuple[int, str, str]:
    """Run a program, see :class:`RunCommand`. Output that is not UTF-8 contains replacement characters."""
    pipe = subprocess.PIPE
    # pylint: disable-next=ansible-bad-function
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            exchange = _Exchange(process, stdin.encode("utf-8"), seconds, limit)
            out, err = exchange.run()
        except BaseException:
            process.kill()
            raise
    return process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


class _Exchange:
    """Writes the input of a process and reads its output until it ends."""

    def __init__(
        self, process: subprocess.Popen[bytes], content: bytes, seconds: float | None, limit: int | None
    ) -> None:
        self._process = process
        self._input = memoryview(content)
        self._seconds = seconds
        self._end = float("inf") if seconds is None else time.monotonic() + seconds
        self._limit = limit

    def run(self) -> tuple[bytes, bytes]:
        """Return the output of the process. Raises :class:`ProgramStopped`."""
        out, err = bytearray(), bytearray()
        with selectors.DefaultSelector() as selector:
            for stream, output in ((self._process.stdout, out), (self._process.stderr, err)):
                if stream:
                    selector.register(stream, selectors.EVENT_READ, output)
            if self._process.stdin:
                selector.register(self._process.stdin, selectors.EVENT_WRITE)
            while selector.get_map():
                ready = selector.select(min(self._left(), _PATIENCE))
                if not ready and self._process.poll() is not None:
                    break
                for key, _events in ready:
                    is_done = self._write(key.fd) if key.data is None else self._read(key.fd, key.data)
                    if is_done:
                        selector.unregister(key.fileobj)
                    if is_done and key.fileobj is self._process.stdin:
                        self._process.stdin.close()
        self._wait()
        return bytes(out), bytes(err)

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            cause = "the program did not finish within %g seconds" % (self._seconds or 0)
            raise ProgramStopped(cause, hint=_HINT)
        return left

    def _write(self, file: int) -> bool:
        """Write to a pipe as much as it accepts. Return whether everything is written or the process has closed the pipe."""
        try:
            self._input = self._input[os.write(file, self._input[: select.PIPE_BUF]) :]
        except BrokenPipeError:
            self._input = memoryview(b"")
        return not self._input

    def _read(self, file: int, output: bytearray) -> bool:
        """Read the available output. Return whether it has ended."""
        chunk = os.read(file, _CHUNK)
        output += chunk
        if self._limit is not None and len(output) > self._limit:
            raise ProgramStopped("the program wrote more than %d bytes" % self._limit, hint=_HINT)
        return not chunk

    def _wait(self) -> None:
        try:
            self._process.wait(None if self._seconds is None else self._left())
        except subprocess.TimeoutExpired:
            self._left()
