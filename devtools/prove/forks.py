# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module in a fork of this process, so that it can be killed a thousand times at a low price."""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Callable, NoReturn

from devtools import module_runner
from devtools.toolchain.stacks import COLLECTIONS, link_collection

_NAME = "ansible_collections.drayage.registry.plugins.modules."
_RENAMES = ("rename", "replace", "link")


def prepare() -> None:
    """Import the modules once, for all forks."""
    link_collection()
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))
    for module in ("image_copy", "image_sync", "registry_login"):
        importlib.import_module(_NAME + module)
    importlib.import_module("urllib3")


def start(module: str, options: dict, home: Path, hook: Callable[[], None] = lambda: None) -> int:
    """Run a module in a child process and return its process ID; ``hook`` is called there before the module."""
    child = os.fork()
    if child:
        return child
    _become(module, options, home, hook)


def _become(module: str, options: dict, home: Path, hook: Callable[[], None]) -> NoReturn:
    status = 1
    try:
        os.environ.clear()
        os.environ.update(module_runner.environment_of(home))
        arguments = json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode()
        sys.argv = [module]
        sys.stdin = io.TextIOWrapper(io.BytesIO(arguments))
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        hook()
        importlib.import_module(_NAME + module).main()
    except SystemExit as ended:
        status = int(ended.code or 0)
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(status)


def wait(child: int, seconds: float = 60) -> int | None:
    """Return the exit status of a child, or None where it was killed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError(f"a module was not done within {seconds} s")


def kill_after(child: int, seconds: float) -> bool:
    """Kill a child after this long; return whether it was still running."""
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def count_renames(file: Path) -> Callable[[], None]:
    """A hook that writes to ``file`` one byte for each rename of the child."""

    def hook() -> None:
        target = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        _wrap(lambda: os.write(target, b"."))

    return hook


def kill_at_rename(number: int) -> Callable[[], None]:
    """A hook that kills the child before its rename of this number, which counts from 0."""

    def hook() -> None:
        left = [number]

        def before() -> None:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1

        _wrap(before)

    return hook


def _wrap(before: Callable[[], object]) -> None:
    for name in _RENAMES:
        real = getattr(os, name)

        def wrapped(*arguments: object, real: Callable = real, **options: object) -> object:
            before()
            return real(*arguments, **options)

        setattr(os, name, wrapped)
