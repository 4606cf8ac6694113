# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-playbook on this machine, mostly in a fork of a process that has imported ansible-core."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from devtools.fork_server import PLAYBOOKS, ForkServer
from devtools.provision import BYTECODE
from devtools.toolchain.stacks import COLLECTIONS, link_collection

# Seconds, less than pytest grants a test, so that the error has the output.
_TIMEOUT = 500
_PROGRAM = str(Path(sys.executable).with_name("ansible-playbook"))


def run(arguments: list[str], home: Path, environment: dict[str, str] | None = None) -> tuple[str, int]:
    """Run ansible-playbook with these arguments and ``home`` as its home; return what it said, and its exit status.

    ``environment`` is added to that of the modules; ansible-core itself has read its settings by then.
    """
    given = {**_environment(home), **(environment or {})}
    with _output_if_hung():
        stdout, stderr, status = _fork_server().run([_PROGRAM, *arguments], "", given, _TIMEOUT)
    return stdout + stderr, status


def run_alone(arguments: list[str], home: Path, environment: dict[str, str] | None = None) -> tuple[str, int]:
    """Run ansible-playbook like :func:`run`, but in a new process, and with files copied for each task, as by default."""
    link_collection()
    given = {**_environment(home), "ANSIBLE_PIPELINING": "0", **(environment or {})}
    with _output_if_hung():
        process = subprocess.run(
            [_PROGRAM, *arguments], env=given, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    return process.stdout + process.stderr, process.returncode


@contextlib.contextmanager
def _output_if_hung() -> Iterator[None]:
    try:
        yield
    except subprocess.TimeoutExpired as error:
        said = "\n".join(map(_text, (error.stdout, error.stderr)))
        raise AssertionError(f"ansible-playbook did not end within {_TIMEOUT} s. Its output so far:\n{said}") from error


def _text(output: bytes | str | None) -> str:
    """Return the output in an error of subprocess, which is in bytes even if text was asked for."""
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""


def _environment(home: Path) -> dict[str, str]:
    """Return the environment of every run."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PYTHONPYCACHEPREFIX": BYTECODE,
        "ANSIBLE_CONFIG": str(Path(__file__).with_name("ansible.cfg")),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_NOCOLOR": "1",
        # Files that are copied for each task take longer than most tasks. run_alone() goes without it.
        "ANSIBLE_PIPELINING": "1",
        # Gather facts once per host: some playbooks have many plays.
        "ANSIBLE_GATHERING": "smart",
    }


@functools.cache
def _fork_server() -> ForkServer:
    link_collection()
    home = tempfile.TemporaryDirectory(prefix="drayage-")
    server = ForkServer(sys.executable, _environment(Path(home.name)), PLAYBOOKS)
    atexit.register(home.cleanup)
    atexit.register(server.close)
    return server
