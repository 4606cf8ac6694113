# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one program and write down what it used; a script, and a process of its own.

Linux counts the memory of the process that a program was started from towards the program's peak. So it is started
from this process, which imports next to nothing, rather than from the one that makes images and reads logs.
"""

import os
import sys
import time


def main(report: str, *command: str) -> None:
    """Run ``command`` and write exit status, wall time, CPU time and peak memory (s, s, bytes) to ``report``."""
    start = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ)
    _pid, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - start
    exit_status = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    with open(report, "w", encoding="ascii") as file:
        print(exit_status, wall, usage.ru_utime, usage.ru_stime, usage.ru_maxrss * 1024, file=file)


if __name__ == "__main__":
    main(*sys.argv[1:])
