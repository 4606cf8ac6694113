# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one program of a stack, say what it was and how long it took, and tell what came of a phase."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from devtools.provision import BUILD, REPOSITORY
from devtools.toolchain.stacks import COLLECTIONS, Stack, clean_environment, link_collection


class Outcome(NamedTuple):
    """What came of a phase: whether it passed, and what to say about it in the summary."""

    passed: bool
    remark: str


def home() -> str:
    """Return a home directory for programs that write into it, as antsibull-docs does its log."""
    directory = BUILD / "home"
    directory.mkdir(parents=True, exist_ok=True)
    return str(directory)


def step(
    stack: Stack,
    command: list[str],
    cwd: Path = REPOSITORY,
    quiet: bool = False,
    said: list[str] | None = None,
    **settings: str,
) -> bool:
    """Run a program of a stack and return whether it passed.

    A quiet one is heard only when it fails; the lines of one that is listened to are put into ``said``.
    """
    link_collection()
    environment = {
        **clean_environment(),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(BUILD / "cache" / "hypothesis"),
        "PATH": os.pathsep.join([str(stack.home / "bin"), os.environ.get("PATH", os.defpath)]),
        **settings,
    }
    start = time.monotonic()
    print(f"-- {shlex.join(command)}", flush=True)
    listened = quiet or said is not None
    said = [] if said is None else said
    process = subprocess.Popen(
        [stack.program(command[0]), *command[1:]],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if listened else None,
        stderr=subprocess.STDOUT if listened else None,
        text=True,
    )
    with process:
        for line in process.stdout or ():
            said.append(line)
            if not quiet:
                print(line, end="", flush=True)
    passed = process.returncode == 0
    if quiet and not passed:
        print("".join(said), end="")
    verdict = "passed" if passed else f"failed with exit status {process.returncode}"
    print(f"-- {verdict} after {time.monotonic() - start:.1f} s", flush=True)
    return passed
