# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one of the collection's modules as Ansible does on a managed node: a process of its own, JSON in and out."""

from __future__ import annotations

import atexit
import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from devtools.fork_server import ForkServer
from devtools.provision import BYTECODE
from devtools.toolchain.stacks import COLLECTIONS, link_collection

_TIMEOUT = 300

# Variables that an interpreter reads when it starts: only a process of its own obeys them.
_READ_AT_START = ("LANG", "LC_", "LD_", "PYTHON", "TZ")

# The tests and the modules that they have already run.
_measured: set[tuple[str, str]] = set()


@dataclass(frozen=True)
class Result:
    """What a module returned; its values are attributes too, such as ``.digest`` or ``.msg``."""

    raw: dict
    stdout: str
    stderr: str
    rc: int

    @property
    def failed(self) -> bool:
        """Tell whether the module failed."""
        return self.raw.get("failed", False)

    @property
    def warnings(self) -> list[str]:
        """Return the texts of its warnings, which ansible-core 2.19 and later wrap."""
        found = self.raw.get("warnings", [])
        return [one if isinstance(one, str) else one["event"]["msg"] for one in found]

    def __getattr__(self, name: str) -> object:
        try:
            return self.raw[name]
        except KeyError:
            raise AttributeError(f"the module returned no '{name}': {self.raw}") from None


def run(
    module: str,
    options: dict,
    *,
    home: Path,
    check_mode: bool = False,
    diff: bool = False,
    env: dict[str, str] | None = None,
) -> Result:
    """Run a module with ``home`` as its home directory; ``env`` is added to its environment.

    The interpreter is that of this process, or DRAYAGE_TEST_PYTHON.
    Nothing that a user can meet may look like a crash, so a traceback raises AssertionError, as does no JSON.
    """
    environment = {**environment_of(home), **(env or {})}
    text = _arguments(options, check_mode, diff)
    if any(name.startswith(_READ_AT_START) for name in env or ()):
        stdout, stderr, status = _run_process(module, text, environment)
    else:
        # Measuring doubles the time, and a test that runs a module again runs nearly the same code. Playbooks are not
        # measured either, because they mostly run modules of ansible-core.
        this_run = (os.environ.get("PYTEST_CURRENT_TEST", ""), module)
        is_new = this_run not in _measured
        _measured.add(this_run)
        stdout, stderr, status = _fork_server().run([str(_script(module))], text, environment, _TIMEOUT, is_new)
    output = f"{stdout}\n{stderr}"
    try:
        raw = json.loads(stdout)
    except ValueError:
        raise AssertionError(f"{module} (status {status}) printed no JSON:\n{output}") from None
    # Why a library cannot be imported is passed on, which ansible-core before 2.19 prints.
    if "Traceback" in output and "cannot be imported" not in raw.get("msg", ""):
        raise AssertionError(f"{module} printed a traceback:\n{output}")
    return Result(raw, stdout, stderr, status)


def _run_process(module: str, text: str, environment: dict[str, str]) -> tuple[str, str, int]:
    process = _start(module, text, environment)
    try:
        stdout, stderr = process.communicate(timeout=_TIMEOUT)
    finally:
        process.kill()
    return stdout, stderr, process.returncode


def start(
    module: str,
    options: dict,
    *,
    home: Path,
    check_mode: bool = False,
    diff: bool = False,
    env: dict[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start a module in a process that imports everything itself, and return it."""
    environment = {**environment_of(home), **(env or {})}
    return _start(module, _arguments(options, check_mode, diff), environment)


def _start(module: str, text: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [python(), str(_script(module))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    process.stdin.write(text)
    process.stdin.close()
    process.stdin = None
    return process


def interpreter() -> str:
    """Return a program for ansible_python_interpreter that runs modules in forks, many times faster than Python.

    Modules find the libraries imported, so this is not for tests of what ansible-core packs up with a module.
    """
    return str(_fork_server().interpreter)


@functools.cache
def _fork_server() -> ForkServer:
    measured = {name: value for name, value in os.environ.items() if name == "DRAYAGE_COVERAGE"}
    server = ForkServer(python(), {**environment_of(Path(os.devnull)), **measured})
    atexit.register(server.close)
    return server


def python() -> str:
    """Return the Python of the managed node."""
    return os.environ.get("DRAYAGE_TEST_PYTHON", sys.executable)


def _script(module: str) -> Path:
    return link_collection() / f"plugins/modules/{module}.py"


def _arguments(options: dict, check_mode: bool, diff: bool) -> str:
    arguments = {**options, "_ansible_check_mode": check_mode, "_ansible_diff": diff}
    return json.dumps({"ANSIBLE_MODULE_ARGS": arguments})


def environment_of(home: Path) -> dict[str, str]:
    """Return an environment in which neither credentials nor proxies of the developer exist."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(COLLECTIONS),
        "PYTHONPYCACHEPREFIX": BYTECODE,
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "DOCKER_CONFIG": str(home / ".docker"),
    }
