# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._process import Guard, ProgramStopped


def start(*argv):
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_program_within_its_bounds_is_left_alone():
    guard = Guard(60, 5)
    with start("cat") as process:
        guard.attach(process)
        process.stdin.write(b"hello")
        process.stdin.close()
        assert (process.stdout.read(), process.stderr.read()) == (b"hello", b"")
    guard.release()
    assert process.returncode == 0


def test_a_program_that_does_not_end_is_killed():
    guard = Guard(0.1, None)
    with start("sleep", "600") as process:
        guard.attach(process)
        process.wait(60)
    with pytest.raises(ProgramStopped, match="^did not finish within 0.1 seconds.$"):
        guard.release()


@pytest.mark.parametrize("redirection", ["", ">&2"])
def test_a_program_that_writes_without_end_is_killed(redirection):
    guard = Guard(None, 100000)
    with start("sh", "-c", "exec yes " + redirection) as process:
        guard.attach(process)
        stream = process.stderr if redirection else process.stdout
        assert isinstance(stream.fileno(), int)
        while stream.read(32768):
            pass
        process.wait(60)
    with pytest.raises(ProgramStopped, match="^wrote more than 100000 bytes.$"):
        guard.release()


@pytest.mark.parametrize("size", [10, 1000000])
def test_a_program_need_not_read_its_input(size):
    guard = Guard(None, None)
    with start("sh", "-c", "exec 0<&-; echo closed; exec sleep 1") as process:
        assert process.stdout.readline() == b"closed\n"
        guard.attach(process)
        process.stdin.write(b"x" * size)
        process.stdin.close()
        process.kill()
    guard.release()
