# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._process import ProgramStopped, run_command


def test_a_program_is_given_its_input():
    assert run_command(["sh", "-c", "cat; echo problem >&2; exit 3"], "hello") == (3, "hello", "problem\n")


def test_much_input_and_output_do_not_wait_for_each_other():
    text = "x" * 1_000_000
    assert run_command(["cat"], text) == (0, text, "")


@pytest.mark.parametrize("script", ["true", "exec 0<&-; sleep 0.1"])
def test_a_program_may_ignore_its_input(script):
    assert run_command(["sh", "-c", script], "x" * 1_000_000) == (0, "", "")


def test_without_input_a_program_reads_its_end():
    assert run_command(["cat"], "") == (0, "", "")


def test_a_program_that_does_not_end_is_killed():
    with pytest.raises(ProgramStopped, match="^the program did not finish within 0.1 seconds. Run"):
        run_command(["sleep", "600"], "", seconds=0.1)


def test_a_program_that_closes_its_outputs_and_does_not_end_is_killed():
    with pytest.raises(ProgramStopped, match="^the program did not finish within 0.5 seconds. Run"):
        run_command(["sh", "-c", "exec sleep 600 >/dev/null 2>&1"], "", seconds=0.5)


@pytest.mark.parametrize("redirection", ["", ">&2"])
def test_a_program_that_writes_without_end_is_killed(redirection):
    with pytest.raises(ProgramStopped, match="^the program wrote more than 100000 bytes. Run"):
        run_command(["sh", "-c", "exec yes " + redirection], "", limit=100000)


def test_a_process_that_is_left_behind_is_not_waited_for():
    status, out, err = run_command(["sh", "-c", "sleep 60 & echo $!"], "", seconds=30)
    os.kill(int(out), signal.SIGKILL)
    assert (status, err) == (0, "")


def test_output_that_is_not_text_is_told_apart():
    assert run_command(["printf", "\\377"], "") == (0, "\ufffd", "")


def test_a_program_that_cannot_be_started_is_an_error_of_the_system():
    with pytest.raises(FileNotFoundError):
        run_command(["/nonexistent"], "")
