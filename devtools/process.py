# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a server process on a free loopback port, wait until it is ready, and stop it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TypeVar

START_SECONDS = 20
STOP_SECONDS = 5

# Enough to see the cause above the stack of a Go panic.
_TAIL_LINES = 30

_Started = TypeVar("_Started", bound="Server")


class ServerError(Exception):
    """A server did not start."""


class Server:
    """A server process of our own; a context manager. Subclasses say which command to run."""

    scheme = "http"

    def __init__(self) -> None:
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self._directory = tempfile.TemporaryDirectory(prefix="drayage-")
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
            _end(self._process)
            self._process = None
        self._directory.cleanup()

    def __enter__(self: _Started) -> _Started:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(f"{self._name} ended with status {self._process.returncode}: {self._log_tail()}")
            if self.ready():
                return
            time.sleep(0.01)
        raise ServerError(f"{self._name} was not ready within {START_SECONDS} s: {self._log_tail()}")

    @property
    def _name(self) -> str:
        return os.path.basename(self._process.args[0])

    def _log_tail(self) -> str:
        text = self.errors.read_text(errors="replace") or self.output.read_text(errors="replace")
        return "\n".join(text.splitlines()[-_TAIL_LINES:]) or "its log is empty"


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts_connections(port: int) -> bool:
    """Tell whether something listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
