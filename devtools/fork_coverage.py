# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure which lines and branches the forks of the fork server run.

A data file for each of some thousand forks would take longer to combine than the tests take. All forks append to one
file instead, and only what none of them has reported before.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
from pathlib import Path

import coverage


class Recorder:
    """The coverage of one server and its forks, in a file of JSON lines: a source file and its arcs in each."""

    def __init__(self, directory: str, settings: str) -> None:
        self._path = Path(directory, f"forks-{os.getpid()}.jsonl")
        self._path.touch()
        self._settings = settings
        self._offset = 0
        self._limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        self._known: dict[str, set[tuple[int, int]]] = {}
        self._coverage = self._started()

    def imported(self) -> None:
        """Report what the server has imported. What is measured from here on is measured anew in each fork."""
        self._report()
        self._coverage = self._started()

    def before_fork(self) -> None:
        """Learn what other forks have reported."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            # Another fork may be writing the last line.
            whole = file.read().rpartition(b"\n")[0]
        self._offset += len(whole) + 1 if whole else 0
        _add(whole.decode(), self._known)

    def in_fork(self, is_measured: bool) -> None:
        """Report at the end of this process, or measure nothing from here on."""
        if is_measured:
            atexit.register(self._report)
        else:
            self._coverage.stop()

    def _started(self) -> coverage.Coverage:
        # With `source` set, coverage would search for files that were never run at every report.
        files = os.path.join(os.path.dirname(self._settings), "plugins", "*")
        measured = coverage.Coverage(data_file=None, config_file=self._settings, source=[], include=[files])
        measured.start()
        return measured

    def _report(self) -> None:
        self._coverage.stop()
        data = self._coverage.get_data()
        lines = []
        for name in data.measured_files():
            arcs = set(data.arcs(name) or ()) - self._known.get(name, set())
            if arcs:
                lines.append(json.dumps([name, sorted(arcs)]) + "\n")
        # A test may have limited the size of files: the limit is for what it runs.
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._limit, self._limit))
        # One write of a file that is open for appending is not torn apart by those of others.
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        os.write(file, "".join(lines).encode())
        os.close(file)


def read(directory: Path) -> dict[str, set[tuple[int, int]]]:
    """Return the arcs of each source file that the servers and forks of all sessions have reported."""
    found: dict[str, set[tuple[int, int]]] = {}
    for path in directory.glob("forks-*.jsonl"):
        _add(path.read_text(encoding="utf-8"), found)
    return found


def _add(text: str, arcs: dict[str, set[tuple[int, int]]]) -> None:
    for line in text.splitlines():
        name, more = json.loads(line)
        arcs.setdefault(name, set()).update((start, end) for start, end in more)
