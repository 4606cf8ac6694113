# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._interrupt import limited_cleanup

STALLED = """
import concurrent.futures, signal, sys, time
# What is started in the background ignores this.
signal.signal(signal.SIGINT, signal.default_int_handler)
from ansible_collections.drayage.registry.plugins.module_utils import _interrupt, _progress_file
from ansible_collections.drayage.registry.plugins.module_utils._transfer import parallel

def stall(_item):
    print("begun", flush=True)
    time.sleep(600)

_interrupt._GRACE = 0.5
with _interrupt.limited_cleanup():
    if sys.argv[1:]:
        with _progress_file.written(sys.argv[1], _progress_file.Progress()):
            parallel.do_all(stall, [1], 1)
    else:
        parallel.do_all(stall, [1], 1)
"""


@pytest.mark.parametrize("has_progress_file", [False, True])
def test_ctrl_c_does_not_wait_for_a_stalled_thread(tmp_path, has_progress_file):
    process = subprocess.Popen(
        [sys.executable, "-c", STALLED, *([str(tmp_path / "progress")] if has_progress_file else [])],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 128 + signal.SIGINT
        finally:
            process.kill()


def test_the_handler_is_restored_and_is_called_meanwhile(monkeypatch):
    calls = []
    monkeypatch.setattr(threading.Timer, "start", lambda self: calls.append(self.interval))
    before = signal.signal(signal.SIGINT, lambda number, _frame: calls.append(number))
    try:
        mine = signal.getsignal(signal.SIGINT)
        with limited_cleanup():
            os.kill(os.getpid(), signal.SIGINT)
            assert calls == [5.0, signal.SIGINT]
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with limited_cleanup():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_cannot_handle_signals():
    before = signal.getsignal(signal.SIGINT)
    found = []

    def run():
        with limited_cleanup():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [before]
