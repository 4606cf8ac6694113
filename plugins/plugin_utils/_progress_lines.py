# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Show the progress of a module: an action plugin that reads the progress file of its module."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import secrets
import shlex
import signal
import threading
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash

from ansible_collections.drayage.registry.plugins.module_utils import _messages as messages
from ansible_collections.drayage.registry.plugins.module_utils._text import clean

VARIABLE = "drayage_progress"
ENVIRONMENT = "DRAYAGE_PROGRESS"

# Seconds.
FIRST = 5.0
INTERVAL = 10.0

_MAX_BYTES = 4096
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

display = Display()


class RegistryAction(ActionBase):
    """Run the module with the same name, and show its progress if it takes long."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the result of the module unchanged."""
        task_vars = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        watcher = self._watcher(task_vars)
        if self._task.async_val:
            result = merge_hash(result, self._begin(watcher, task_vars))
            return result
        with watcher or contextlib.nullcontext():
            done = self._execute_module(module_args=self._arguments(watcher), task_vars=task_vars)
        result = merge_hash(result, done)
        if watcher and watcher.has_shown and result.get("msg"):
            watcher.conclude(result)
        self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _begin(self, watcher: Watcher | None, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Start the module in the background. Ansible polls for its end in this process, and shows none of its own lines."""
        begun: dict[str, t.Any] = self._execute_module(
            module_args=self._arguments(watcher), task_vars=task_vars, wrap_async=True
        )
        if watcher:
            watcher.watch_in_background()
        return begun

    def _arguments(self, watcher: Watcher | None) -> dict[str, t.Any]:
        return {**self._task.args, "progress_file": watcher.path} if watcher else dict(self._task.args)

    def _watcher(self, task_vars: dict[str, t.Any]) -> Watcher | None:
        """Return the watcher for the module; None if it is disabled or the connection does not support it."""
        given = task_vars.get(VARIABLE)
        if given is None:
            given = os.environ.get(ENVIRONMENT)
        with contextlib.suppress(Exception):
            given = self._templar.template(given)
        read = reader(self._connection)
        is_left_alone = self._task.async_val and not self._task.poll
        if style_of(given) == "off" or read is None or self._task.no_log or is_left_alone:
            return None
        directories = self.get_shell_option("system_tmpdirs", ["/tmp"])
        path = "%s/.drayage-progress-%s" % (directories[-1], secrets.token_hex(16))
        return Watcher(path, read, task_vars.get("inventory_hostname", ""), style_of(given))


def style_of(given: object) -> str:
    """Return "lines", "json" or "off". YAML reads a bare ``off`` as false."""
    text = str(given).lower()
    return "off" if text in ("off", "false", "no", "0") else "json" if text == "json" else "lines"


def reader(connection: t.Any) -> t.Callable[[str], bytes] | None:
    """Return a function that reads a file on the managed node in a thread of :func:`_start`; None for other connections."""
    if connection.transport == "local":
        return _read_local
    if connection.transport != "ssh":
        return None
    # A connection of its own for the thread: privilege escalation keeps its state in the connection.
    other = copy.copy(connection)
    other.become = None

    def read(path: str) -> bytes:
        command = "head -c %d %s" % (_MAX_BYTES, shlex.quote(path))
        # ssh inherits the mask, and has to end with an interrupted playbook.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        try:
            status, content, _errors = other.exec_command(command, sudoable=False)
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        return content if status == 0 else b""

    return read


def _read_local(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return b""
    with open(descriptor, "rb") as stream:
        return stream.read(_MAX_BYTES)


class Watcher:
    """A thread that shows a line at intervals; a context manager. Its errors do not affect the task."""

    # A worker runs one task of one host at a time, in a loop one after another.
    _in_background: t.ClassVar[Watcher | None] = None

    def __init__(self, path: str, read: t.Callable[[str], bytes], host: str, style: str) -> None:
        self.path = path
        self.has_shown = False
        self._read = read
        self._host = host
        self._style = style
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)
        self._before: dict[str, t.Any] = {}

    def __enter__(self) -> None:
        """Start the thread."""
        _start(self._thread)

    def __exit__(self, *_error: object) -> None:
        """Stop the thread."""
        self._end.set()
        self._thread.join()

    def watch_in_background(self) -> None:
        """Watch until the module or this process ends. The process waits for the thread, which may hold a global lock."""
        if Watcher._in_background:
            Watcher._in_background._end.set()
        Watcher._in_background = self
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=False)
        _start(threading.Thread(target=self._end_with_process, name="progress end", daemon=True))
        _start(self._thread)

    def _end_with_process(self) -> None:
        threading.main_thread().join()
        self._end.set()

    def _watch(self) -> None:
        seconds = FIRST
        while not self._end.wait(seconds):
            seconds = INTERVAL if self.has_shown else 1.0
            with contextlib.suppress(Exception):
                self._look()

    def _look(self) -> None:
        content = self._read(self.path)
        if not content and self._before:  # the module has ended
            self._end.set()
            return
        now = json.loads(content)
        news = {key: value for key, value in now.items() if key != "seconds"}
        if news != {key: self._before.get(key) for key in news}:
            rate, left = _speed(self._before, now)
            self._show(describe(now, rate, left) if self._style == "lines" else {**now, "rate": rate, "eta": left})
            self._before = now

    def conclude(self, result: dict[str, t.Any]) -> None:
        """Show the message of the result as the last line."""
        text = str(result["msg"])
        about = {"phase": "failed" if result.get("failed") else "done", "msg": text}
        self._show(text if self._style == "lines" else about)

    def _show(self, what: str | dict[str, t.Any]) -> None:
        self.has_shown = True
        if isinstance(what, str):
            display.display("[%s] %s" % (self._host, clean(what)), stderr=True)
        else:
            display.display(json.dumps({"host": self._host, **what}), stderr=True)


def _start(thread: threading.Thread) -> None:
    """Start a thread that leaves signals to the main thread, except while it reads over ssh.

    If the main thread has a signal pending, the kernel gives the next one to another thread, which may then take both.
    Python would run no handler until the main thread wakes by itself, so the worker would survive an interrupted
    playbook, and ansible-playbook would wait for it forever.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        thread.start()  # it inherits the mask
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _speed(before: dict[str, t.Any], now: dict[str, t.Any]) -> tuple[int, int | None]:
    """Return the bytes per second since the last look, and the remaining seconds; None if unknown.

    Each phase counts its bytes separately. The duration of a phase when it is first seen is unknown, except for the
    first phase.
    """
    if before and before["phase"] != now["phase"]:
        return 0, None
    seconds = now["seconds"] - before.get("seconds", 0)
    rate = max(int((now["bytes"][0] - before.get("bytes", [0])[0]) / seconds), 0) if seconds > 0 else 0
    left = max(now["bytes"][1] - now["bytes"][0], 0)
    return rate, round(left / rate) if rate else None


def describe(now: dict[str, t.Any], rate: int, left: int | None) -> str:
    """Return a line: "12/40 images · 3.1/8.4 GB · 92 MB/s · ETA 57 s", or "writing /srv/app.tar · 3.1/8.4 GB"."""
    if now["phase"] == "copying" and now["images"][1]:
        parts = ["%d/%d images" % tuple(now["images"])]
    else:
        parts = ["%s %s" % (now["phase"], now["current"] or "images")]
    if now["bytes"][1]:
        parts.append(_of(*now["bytes"]))
    if rate:
        parts.append("%s/s" % messages.size(rate))
    if left is not None:
        parts.append("ETA %s" % messages.duration(left))
    return " · ".join(parts)


def _of(done: int, total: int) -> str:
    """Return "3.1/8.4 GB", or "900 kB/8.4 GB" if the units differ."""
    first, second = messages.size(done), messages.size(total)
    same = first.split(" ")[1] == second.split(" ")[1]
    return "%s/%s" % (first.split(" ")[0] if same else first, second)
