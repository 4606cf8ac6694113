# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one of the collection's modules as Ansible does on a managed node: a process of its own, JSON in and out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from devtools.toolchain.stacks import COLLECTIONS, link_collection

_TIMEOUT = 300


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

    The interpreter is that of this process, or DRAYAGE_TEST_PYTHON with DRAYAGE_TEST_PYTHONPATH.
    Nothing that a user can meet may look like a crash, so a traceback raises AssertionError, as does no JSON.
    """
    process = start(module, options, home=home, check_mode=check_mode, diff=diff, env=env)
    try:
        stdout, stderr = process.communicate(timeout=_TIMEOUT)
    finally:
        process.kill()
    output = f"{stdout}\n{stderr}"
    if "Traceback" in output:
        raise AssertionError(f"{module} printed a traceback:\n{output}")
    try:
        raw = json.loads(stdout)
    except ValueError:
        raise AssertionError(f"{module} (status {process.returncode}) printed no JSON:\n{output}") from None
    return Result(raw, stdout, stderr, process.returncode)


def start(
    module: str,
    options: dict,
    *,
    home: Path,
    check_mode: bool = False,
    diff: bool = False,
    env: dict[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start a module as :func:`run` does, and return its process."""
    arguments = {**options, "_ansible_check_mode": check_mode, "_ansible_diff": diff}
    command = [
        os.environ.get("DRAYAGE_TEST_PYTHON", sys.executable),
        str(link_collection() / f"plugins/modules/{module}.py"),
    ]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**_environment(home), **(env or {})},
    )
    process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    process.stdin.close()
    process.stdin = None
    return process


def _environment(home: Path) -> dict[str, str]:
    """Return an environment in which neither credentials nor proxies of the developer exist."""
    path = os.pathsep.join(filter(None, [str(COLLECTIONS), os.environ.get("DRAYAGE_TEST_PYTHONPATH")]))
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": path,
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "DOCKER_CONFIG": str(home / ".docker"),
    }
