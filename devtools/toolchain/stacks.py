# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python carries which ansible-core and libraries in the tests, each in an environment below .build."""

from __future__ import annotations

import functools
import hashlib
import os
import shlex
import subprocess
import time
from pathlib import Path
from typing import Callable, NamedTuple

from devtools.provision import BUILD, BYTECODE, REPOSITORY, locked, python_versions

# The Pythons that the controller of an ansible-core release runs on, newest release last.
CORES = {
    "2.16": ("3.10", "3.12"),
    "2.17": ("3.10", "3.12"),
    "2.18": ("3.11", "3.13"),
    "2.19": ("3.11", "3.13"),
    "2.20": ("3.12", "3.14"),
    "2.21": ("3.12", "3.14"),
}
OLDEST_CORE = next(iter(CORES))

# What will be the next release. It is no number, and never the newest one.
DEVEL = "devel"
_DEVEL_ARCHIVE = "https://github.com/ansible/ansible/archive/devel.tar.gz"

COLLECTIONS = BUILD / "collections"


class ToolchainError(Exception):
    """The set-up cannot be made; the message says what to do."""


class Stack(NamedTuple):
    """An environment: its directory, and in words what is in it."""

    home: Path
    python_version: str
    core: str

    @property
    def python(self) -> str:
        return self.program("python")

    def program(self, name: str) -> str:
        return str(self.home / "bin" / name)


@functools.cache
def pythons() -> dict[str, str]:
    """Return the Pythons that environments can be made of, oldest first."""
    able = {}
    for version, path in python_versions().items():
        probe = subprocess.run([path, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL, check=False)
        if probe.returncode == 0:
            able[version] = path
    if not able:
        raise ToolchainError(
            "No Python 3.9 or newer with venv was found: install one (Debian: apt install python3-venv)."
        )
    return able


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def controller_python(core: str) -> str | None:
    """Return the newest Python found that the controller of an ansible-core release runs on, None without one."""
    lowest, highest = map(_number, CORES[newest_release() if core == DEVEL else core])
    fitting = [version for version in pythons() if lowest <= _number(version) <= highest]
    return fitting[-1] if fitting else None


def newest_release() -> str:
    """Return the newest ansible-core that is released."""
    return next(reversed(CORES))


def newest_core() -> str:
    """Return the newest ansible-core that a Python found can carry."""
    for core in reversed(CORES):
        if controller_python(core):
            return core
    raise ToolchainError(
        f"ansible-core {OLDEST_CORE} and newer need Python {CORES[OLDEST_CORE][0]} or newer, "
        f"and only {', '.join(pythons())} was found: install a newer Python."
    )


def controller(core: str | None = None) -> Stack:
    """Return a stack with a whole ansible-core, the newest libraries and pytest."""
    core = core or newest_core()
    python = controller_python(core)
    if not python:
        raise ToolchainError(f"ansible-core {core} needs a Python from {' to '.join(CORES[core])}: none was found.")
    package = f"ansible-core @ {_DEVEL_ARCHIVE}" if core == DEVEL else f"ansible-core=={core}.*"
    return _stack(f"core-{core}", python, core, [["-r", "tests/requirements.txt", package]])


def linters() -> Stack:
    """Return a stack with the linters, and with what documents and publishes."""
    core = newest_core()
    requirements = ["-r", "tests/requirements-lint.txt", f"ansible-core=={core}.*"]
    return _stack("lint", str(controller_python(core)), core, [requirements])


def molecules() -> Stack:
    """Return a stack with molecule, which runs the roles, and the newest libraries, which these need."""
    core = newest_core()
    requirements = ["-r", "tests/requirements.txt", "-r", "tests/requirements-molecule.txt", f"ansible-core=={core}.*"]
    return _stack("molecule", str(controller_python(core)), core, [requirements])


def bare() -> Stack:
    """Return a stack with nothing but what users must have: ansible-core, and requests as a node has it."""
    core = newest_core()
    requirements = ["-r", "meta/ee-requirements.txt", f"ansible-core=={core}.*"]
    return _stack("bare", str(controller_python(core)), core, [requirements])


def oldest() -> Stack:
    """Return a stack as old as a managed node may be: a module finds there what it finds on such a node.

    Of ansible-core a node sees only module_utils, which needs no other library and an older Python than the controller.
    """
    python = next(iter(pythons()))
    # uv cannot ignore requires-python: resolve for a Python of the controller, and install into the older one.
    core = ["--no-deps", "--python-version", CORES[OLDEST_CORE][0], f"ansible-core=={OLDEST_CORE}.*"]
    return _stack("oldest", python, OLDEST_CORE, [["-r", "tests/requirements-oldest.txt"], core])


def _stack(name: str, python: str, core: str, installs: list[list[str]]) -> Stack:
    stack = Stack(BUILD / "venv" / name, python, core)
    _fill(stack, installs, lambda: [uv(), "pip", "install", "--quiet", "--python", stack.python], "--without-pip")
    return stack


@functools.cache
def uv() -> str:
    """Return the path of uv, which installs packages ten times faster than pip."""
    stack = Stack(BUILD / "venv" / "uv", next(reversed(pythons())), "")
    pip = [stack.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _fill(stack, [["-r", "tests/requirements-uv.txt"]], lambda: pip)
    return stack.program("uv")


def _fill(stack: Stack, installs: list[list[str]], installer: Callable[[], list[str]], *options: str) -> None:
    """Make the environment of a stack unless it is up to date; ``installer`` returns the command that installs packages."""
    name = stack.home.name
    stamp = stack.home / "stamp"
    key = _key(stack, installs)
    with locked(f"venv-{name}"):
        if stamp.exists() and stamp.read_text(encoding="utf-8") == key:
            return
        core = f", ansible-core {stack.core}" if stack.core else ""
        print(f"-- making the environment '{name}': Python {stack.python_version}{core}", flush=True)
        start = time.monotonic()
        command = installer()
        _run([pythons()[stack.python_version], "-m", "venv", "--clear", *options, str(stack.home)])
        for arguments in installs:
            _run([*command, *arguments])
        stamp.write_text(key, encoding="utf-8")
        print(f"-- made in {time.monotonic() - start:.0f} s", flush=True)


def _key(stack: Stack, installs: list[list[str]]) -> str:
    parts = [str(stack.home), pythons()[stack.python_version]]
    for arguments in installs:
        for argument in arguments:
            file = REPOSITORY / argument
            parts.append(file.read_text(encoding="utf-8") if file.is_file() else argument)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _run(command: list[str]) -> None:
    if subprocess.run(command, cwd=REPOSITORY, env=clean_environment(), check=False).returncode:
        raise ToolchainError(f"This failed while an environment was made: {shlex.join(command)}")


def clean_environment() -> dict[str, str]:
    """Return the caller's environment without what would make results depend on it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "DRAYAGE_TEST_PYTHON", "GIT_", "PYTEST_", "PYTHON", "VIRTUAL_ENV"))
    }
    # A clone may belong to somebody else than the user who tests it, as it does in a container.
    git = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    return {
        **kept,
        **git,
        # Ansible refuses to start where the locale is not UTF-8.
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_HOME": str(BUILD / "ansible"),
        "PYTHONPYCACHEPREFIX": BYTECODE,
    }


def link_collection() -> Path:
    """Make the checkout importable as ansible_collections.drayage.registry, and return its path there."""
    link = COLLECTIONS / "ansible_collections" / "drayage" / "registry"
    with locked("collections"):
        link.parent.mkdir(parents=True, exist_ok=True)
        # A copy of a checkout brings the link along, and with it the code of the original.
        if link.is_symlink() and link.resolve() != REPOSITORY:
            link.unlink()
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(REPOSITORY, link.parent.resolve()))
    return link
