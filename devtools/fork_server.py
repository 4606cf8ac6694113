# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run modules in forks of a process that has already imported what they import.

To start an interpreter and import requests and ansible-core takes longer than most modules run for. A fork has all of
that, and is otherwise a process of its own: environment, exit status, and nothing shared with the run before.

``ForkServer`` is the client's side. The other side is this file, run as a script by the Python of the managed node: it
needs nothing but the standard library of Python 3.9.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

_MODULES = "ansible_collections.drayage.registry.plugins.modules"
_LIMITS = ("RLIMIT_FSIZE", "RLIMIT_AS", "RLIMIT_NOFILE")


class ForkServer:
    """A process that forks itself for each call of ``run()``; it ends when this object or its owner does."""

    def __init__(self, python: str, environment: dict[str, str]) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [python, __file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                env=environment,
                pass_fds=[theirs.fileno()],
            )

    def run(self, script: Path, text: str, environment: dict[str, str], seconds: float) -> tuple[str, str, int]:
        """Run a script with ``text`` as its standard input; return its output, its errors and its exit status.

        It has the working directory, the limits and the umask of this process. TimeoutExpired is raised after
        ``seconds``; the script is killed then.
        """
        umask = os.umask(0o077)
        os.umask(umask)
        limits = {name: resource.getrlimit(getattr(resource, name)) for name in _LIMITS}
        request = {"script": str(script), "env": environment, "cwd": os.getcwd(), "umask": umask, "limits": limits}
        ours, theirs = socket.socketpair()
        with _file(json.dumps(request)) as asked, _file(text) as stdin, _file() as stdout, _file() as stderr, ours:
            with theirs:
                files = [asked.fileno(), stdin.fileno(), stdout.fileno(), stderr.fileno(), theirs.fileno()]
                socket.send_fds(self._control, [b"R"], files)
            ours.settimeout(seconds)
            try:
                status = ours.recv(100)
            except socket.timeout:
                raise subprocess.TimeoutExpired(str(script), seconds) from None
            if not status:
                raise AssertionError(f"the fork server has ended with status {self._process.wait()}")
            return _content(stdout), _content(stderr), int(status)

    def close(self) -> None:
        """End the server once all of its runs have."""
        self._control.close()
        self._process.wait()


def _file(content: str = "") -> IO[str]:
    file = tempfile.TemporaryFile("w+", encoding="utf-8", errors="surrogateescape", newline="")
    file.write(content)
    file.seek(0)
    return file


def _content(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _serve(control: socket.socket) -> dict:
    """Answer requests until the client is gone; return, in each fork, the request that it is for."""
    wake, waker = socket.socketpair()
    for end in (wake, waker):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(waker.fileno())
    running: dict[int, socket.socket] = {}
    while True:
        for end in select.select([control, wake, *running.values()], [], [])[0]:
            if end is wake:
                wake.recv(1000)
                _reap(running)
            elif end is not control:
                _kill(running, end)
            else:
                said, files, _flags, _address = socket.recv_fds(control, 1, 5)
                if not said:
                    _end(running)
                pid = os.fork()
                if not pid:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for other in (control, wake, waker, *running.values()):
                        other.close()
                    return _receive(files)
                for file in files[:4]:
                    os.close(file)
                running[pid] = socket.socket(fileno=files[4])


def _reap(running: dict[int, socket.socket]) -> None:
    """Report the status of the forks that have ended."""
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            with running.pop(pid) as client, contextlib.suppress(OSError):
                client.send(b"%d" % code)


def _kill(running: dict[int, socket.socket], client: socket.socket) -> None:
    """Kill the fork whose client no longer waits for it."""
    for pid, other in list(running.items()):
        if other is client:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            running.pop(pid).close()


def _end(running: dict[int, socket.socket]) -> None:
    for client in list(running.values()):
        _kill(running, client)
    os._exit(0)


def _receive(files: list[int]) -> dict:
    """Take over the standard files; return the request."""
    with open(files[0], encoding="utf-8") as file:
        request: dict = json.load(file)
    for number, file in enumerate(files[1:4]):
        os.dup2(file, number)
        os.close(file)
    os.close(files[4])
    return request


def _become(request: dict) -> None:
    """Make this process what the script would find if it had been started."""
    for name, limit in request["limits"].items():
        resource.setrlimit(getattr(resource, name), tuple(limit))
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    tempfile.tempdir = None  # it is remembered, and depends on the environment
    sys.argv[:] = [request["script"]]
    sys.path[0] = os.path.dirname(request["script"])


def _preload() -> None:
    """Import what the modules import, by importing them."""
    package = importlib.import_module(_MODULES)
    for path in sorted(Path(next(iter(package.__path__))).glob("[a-z]*.py")):
        importlib.import_module(f"{_MODULES}.{path.stem}")
    # A collection of garbage would write to the memory that forks share.
    gc.freeze()


def main() -> None:
    """Serve the client at the other end of the socket that the argument names."""
    control = socket.socket(fileno=int(sys.argv[1]))
    # Ctrl-C is for the client, whose end ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _preload()
    request = _serve(control)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _become(request)
    runpy.run_path(request["script"], run_name="__main__")


if __name__ == "__main__":
    main()
