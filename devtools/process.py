# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a server process on a free loopback port, wait until it is ready, and stop it."""

from __future__ import annotations

import fcntl
import functools
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable, TextIO, TypeVar

# Enough to see the cause above the stack of a Go panic.
_TAIL_LINES = 30

# Below the ports that Linux takes for outgoing connections, above those of services.
PORTS = range(16384, 32768)
PORTS_OF_A_PROCESS = 512

# Held open as long as this process lives.
_locks: list[TextIO] = []

_Started = TypeVar("_Started", bound="Server")


class ServerError(Exception):
    """A server did not start."""


class Server:
    """A server process of our own; a context manager. Subclasses say which command to run."""

    scheme = "http"
    more_environment: dict[str, str] = {}  # in addition to that of this process
    start_seconds = 120
    stop_seconds = 5

    def __init__(self) -> None:
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self._directory = temporary_directory()
        self.directory = Path(self._directory.name)
        self.output = self.directory / "stdout.log"
        self.errors = self.directory / "stderr.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        return f"{self.scheme}://{self.host}"

    def command(self) -> list[str]:
        """Write what the server needs into ``self.directory`` and return the command that runs it in the foreground."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Tell whether the server would answer now."""
        return accepts_connections(self.port)

    def start(self: _Started) -> _Started:
        """Start the process and return once it is ready."""
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            # A session of its own, so that stop() reaches the children that socat forks, and nothing else.
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                cwd=self.directory,
                env={**os.environ, **self.more_environment},
                start_new_session=True,
            )
        try:
            self._await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the process, and remove its private directory."""
        if self._process:
            _end(self._process, self.stop_seconds)
            self._process = None
        self._directory.cleanup()

    def pause(self) -> None:
        """Let it answer nothing until ``resume()``; connections to it are made all the same."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.killpg(self._process.pid, signal.SIGCONT)

    def __enter__(self: _Started) -> _Started:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + self.start_seconds
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(f"{self._name} ended with status {self._process.returncode}: {self._log_tail()}")
            if self.ready():
                return
            time.sleep(0.01)
        raise ServerError(f"{self._name} was not ready within {self.start_seconds} s: {self._log_tail()}")

    @property
    def _name(self) -> str:
        return os.path.basename(self._process.args[0])

    def _log_tail(self) -> str:
        text = self.errors.read_text(errors="replace") or self.output.read_text(errors="replace")
        return "\n".join(text.splitlines()[-_TAIL_LINES:]) or "its log is empty"


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Return once the condition holds, or raise TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"It has not come to this within {seconds} s.")
        time.sleep(0.01)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on, and that no other process is given by this function.

    It is below those that a system takes for outgoing connections, so it stays free until a server has started.
    """
    for port in _ports():
        with socket.socket() as probe:
            # What lingers of closed connections keeps no server away: all of them set this option.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerError("No free port was found: too many servers are running.")


def _ports() -> Iterator[int]:
    """Return each port of this process's block once, beginning after the one that was given last."""
    block = _port_block()
    return (next(block) for _number in range(PORTS_OF_A_PROCESS))


@functools.cache
def _port_block() -> Iterator[int]:
    """Return the ports of a block that is this process's alone, round and round."""
    directory = f"/tmp/drayage-ports-{os.getuid()}"
    os.makedirs(directory, mode=0o700, exist_ok=True)
    for first in range(PORTS.start, PORTS.stop, PORTS_OF_A_PROCESS):
        lock = open(os.path.join(directory, str(first)), "w", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        _locks.append(lock)
        return itertools.cycle(range(first, first + PORTS_OF_A_PROCESS))
    raise ServerError(f"Every block of ports is in use: see which processes hold the files in {directory}.")


def accepts_connections(port: int) -> bool:
    """Tell whether something listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def temporary_directory(parent: Path | None = None) -> tempfile.TemporaryDirectory[str]:
    """Return a directory whose removal is no error where a child of a killed server still writes into it."""
    # Python 3.9 does not know this.
    options = {"ignore_cleanup_errors": True} if sys.version_info >= (3, 10) else {}
    return tempfile.TemporaryDirectory(dir=parent, prefix="drayage-", **options)


def _end(process: subprocess.Popen[bytes], seconds: float) -> None:
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
