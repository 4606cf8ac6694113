# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run several phases side by side, one more at a time than there are processors, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from devtools.provision import BUILD, REPOSITORY

LOGS = BUILD / "log"


def run(names: list[str], arguments: list[str], last: tuple[str, ...] = ()) -> bool:
    """Run the phases, begun in this order, and return whether all passed; ``last`` are begun when those have ended.

    The output of each is kept in a file and printed when the phase has ended, so that no two are mixed.
    """
    start = time.monotonic()
    # One more than there are processors: each phase waits for something now and then.
    lanes = min(len(names), (os.cpu_count() or 1) + 1)
    LOGS.mkdir(parents=True, exist_ok=True)
    verdicts: dict[str, str] = {}
    failed = []
    print(f"-- {', '.join(names)}: {lanes} at a time, with their output in {LOGS.relative_to(REPOSITORY)}/", flush=True)

    def ended(name: str, passed: bool) -> None:
        if not passed:
            failed.append(name)
        output = _log(name).read_text(encoding="utf-8", errors="replace")
        print(output, end="", flush=True)
        verdicts[name] = _verdict(name, output)

    with ThreadPoolExecutor(lanes) as pool:
        under_way = {pool.submit(_run, name, arguments): name for name in names}
        for future in as_completed(under_way):
            ended(under_way[future], future.result())
    for name in last:
        ended(name, _run(name, []))
    names = [*names, *last]
    print("\n== summary")
    for name in names:
        print(verdicts[name])
    verdict = f"FAILED: {', '.join(failed)}" if failed else "PASSED"
    print(f"{len(names)} phases: {verdict} ({time.monotonic() - start:.0f} s)", flush=True)
    return not failed


def _run(name: str, arguments: list[str]) -> bool:
    command = [sys.executable, "-m", "devtools.toolchain", name, *arguments]
    with _log(name).open("wb") as log:
        process = subprocess.run(
            command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False
        )
    return process.returncode == 0


def _log(name: str) -> Path:
    return LOGS / f"{name}.log"


def _verdict(name: str, output: str) -> str:
    """Return the line with which a phase ends; one without it did not come to its end."""
    last = output.rstrip().rpartition("\n")[2]
    return last[3:] if last.startswith(f"== {name} ") else f"{name:<18} FAILED  it ended without a verdict"
