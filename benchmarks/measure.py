# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program in an environment of its own, and tell what it used."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from devtools.toolchain.stacks import COLLECTIONS, link_collection

_LAUNCHER = Path(__file__).with_name("launcher.py")
_TIMEOUT = 900


class RunError(Exception):
    """A program failed, or did not do what it was asked for; its numbers do not count."""


@dataclass(frozen=True)
class Usage:
    """What one run of a program used: seconds, and bytes at the peak."""

    wall: float
    user: float
    system: float
    memory: int

    @property
    def cpu(self) -> float:
        """The CPU time of the process, in user and kernel mode."""
        return self.user + self.system

    def __str__(self) -> str:
        return f"{self.wall:.3f} s, CPU {self.user:.3f} + {self.system:.3f} s, {self.memory / 1024**2:.0f} MiB"


def environment(home: Path) -> dict[str, str]:
    """Return the environment of every program: no credentials, proxies or settings of the user are in it."""
    link_collection()
    (home / "run").mkdir(mode=0o700)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "DOCKER_CONFIG": str(home / "docker"),
        "REGCTL_CONFIG": str(home / "regctl.json"),
        "PYTHONPATH": str(COLLECTIONS),
    }


def run(command: list[str], stdin: str, env: dict[str, str]) -> Usage:
    """Run a program to its end. Raises RunError where it fails."""
    report = Path(env["HOME"], "usage")
    report.unlink(missing_ok=True)
    # Without site-packages and the user's settings the launcher stays small.
    process = subprocess.run(
        [sys.executable, "-I", "-S", str(_LAUNCHER), str(report), *command],
        check=False,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
        timeout=_TIMEOUT,
    )
    if process.returncode:
        raise RunError(f"could not be started: {_last_line(process.stdout)}")
    status, wall, user, system, memory = report.read_text(encoding="ascii").split()
    if status != "0":
        raise RunError(f"ended with exit status {status}: {_last_line(process.stdout)}")
    return Usage(float(wall), float(user), float(system), int(memory))


def _last_line(output: str) -> str:
    """The line that most probably tells what went wrong."""
    return (output.strip().splitlines() or ["it said nothing"])[-1]
