# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where programs compete: registries started for the occasion, and copies that count only where they are right."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

from benchmarks.measure import RunError, Usage, run
from benchmarks.programs import Program
from benchmarks.sources import TAG, Shape
from devtools.observe import digest_at
from devtools.servers import DockerRegistry, Server


class Arena:
    """The programs, their environment, and a directory for what the destination registries store."""

    def __init__(self, directory: Path, programs: list[Program], env: dict[str, str]) -> None:
        self.directory = directory
        self.programs = programs
        self.env = env

    def rounds(self, count: int, attempt: Callable[[Program], object], errors: list[str]) -> dict[str, list]:
        """Let every program have its turn in every round, after one round that does not count.

        One that is slow has a single turn. Returns the results by program, and None for each that was discarded: ``errors`` tells why.
        """
        results: dict[str, list] = {program.name: [] for program in self.programs}
        for number in range(count + 1):
            for program in self.programs:
                if program.is_slow and number != 1:
                    continue
                result = self.once(program, attempt, errors, f"round {number}" if number else "warm-up")
                if number:
                    results[program.name].append(result)
        return results

    def once(
        self, program: Program, attempt: Callable[[Program], object], errors: list[str], occasion: str
    ) -> object | None:
        """Return what one attempt results in, None where it is discarded."""
        try:
            result = attempt(program)
        except RunError as error:
            result = None
            errors.append(f"{program.name}, {occasion}: {error}")
        print(f"{occasion}: {program.name}: {result or 'discarded'}", file=sys.stderr, flush=True)
        return result

    def cold_copy(self, program: Program, shape: Shape, digest: str) -> Usage:
        """Copy a stored image to a registry that has nothing; both registries are new processes."""
        with self.empty() as storage, DockerRegistry(shape.storage) as source, DockerRegistry(storage) as target:
            self.prepare(program, source, target)
            # What was written and removed before shall not be written back at the cost of this run.
            os.sync()
            names = (f"{source.host}/{shape.repository}:{TAG}", f"{target.host}/{shape.repository}:{TAG}")
            return self.copy(program, *names, digest)

    def prepare(self, program: Program, *registries: Server) -> None:
        """Do what a program needs to have done before it can be measured with these registries."""
        try:
            program.prepare([registry.host for registry in registries], self.env)
        except subprocess.CalledProcessError as error:
            raise RunError(f"could not be set up: {error.stderr.decode().strip()}") from error

    def copy(self, program: Program, source: str, destination: str, digest: str) -> Usage:
        """Run a program, and check that the image is at the destination."""
        usage = run(program.command(source, destination), program.stdin(source, destination), self.env)
        host, _slash, path = destination.partition("/")
        repository, _colon, tag = path.rpartition(":")
        found = digest_at(host, repository, tag)
        if found != digest:
            raise RunError(f"left {found} at the destination, not {digest}")
        return usage

    @contextmanager
    def empty(self, name: str = "destination") -> Iterator[Path]:
        """Give a name for the storage of a destination; what is there in the end is removed."""
        storage = self.directory / name
        try:
            yield storage
        finally:
            shutil.rmtree(storage, ignore_errors=True)
