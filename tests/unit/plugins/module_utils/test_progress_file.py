# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import types
from pathlib import Path

import pytest

from ansible_collections.drayage.registry.plugins.module_utils import _progress_file
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._progress_file import Progress, written
from ansible_collections.drayage.registry.plugins.module_utils._run import Run
from ansible_collections.drayage.registry.plugins.module_utils._transfer.job import Event

SLOW = """
import signal, sys, time
# What is started in the background, or by nohup, ignores these.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from ansible_collections.drayage.registry.plugins.module_utils import _progress_file
_progress_file._FIRST = _progress_file._INTERVAL = 0.01
with _progress_file.written(sys.argv[1], _progress_file.Progress()):
    print("begun", flush=True)
    time.sleep(600)
"""


@contextlib.contextmanager
def slow_task(path: Path):
    """Run a task that sleeps; the block begins once its file exists, and the task is killed at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        process.stdout.readline()
        while not path.exists():
            assert process.poll() is None, "the task ended by itself"
            os.sched_yield()
        try:
            yield process
        finally:
            process.kill()


def blob(number: int, size: int) -> Descriptor:
    return Descriptor(digest=f"sha256:{number:064x}", size=size, media_type="application/octet-stream")


def job(root: str, *blobs: Descriptor) -> object:
    """Return what the observer reads of a job."""
    location = types.SimpleNamespace(root=root)
    request = types.SimpleNamespace(destination=types.SimpleNamespace(location=location))
    return types.SimpleNamespace(dest=f"{root}/app:1", planned=types.SimpleNamespace(request=request, blobs=blobs))


def test_a_blob_counts_once_for_each_destination_and_a_mounted_one_not_at_all() -> None:
    progress = Progress()
    assert progress.snapshot()["phase"] == "comparing"
    shared, own = blob(1, 100), blob(2, 50)
    first, second, other = job("one", shared), job("one", shared, own), job("two", shared)
    for each in (first, second, other):
        progress.observe(Event.PLANNED, each, None, 0)
    assert (progress.snapshot()["images"], progress.snapshot()["bytes"]) == ([0, 3], [0, 250])
    progress.observe(Event.BLOB_STARTED, first, shared, 0)
    progress.observe(Event.BLOB_BYTES, first, shared, 60)
    progress.observe(Event.BLOB_STARTED, first, shared, 0)  # again, after an error
    progress.observe(Event.BLOB_BYTES, first, shared, 100)
    progress.observe(Event.BLOB_MOUNTED, second, shared, 0)
    progress.observe(Event.BLOB_MOUNTED, second, own, 0)
    progress.observe(Event.FINISHED, first, None, 0)
    progress.observe(Event.FAILED, second, None, 0)
    found = progress.snapshot()
    assert (found["images"], found["bytes"], found["phase"]) == ([2, 3], [100, 200], "copying")
    assert found["current"] == "one/app:1"


def test_a_part_of_the_task_has_bytes_of_its_own() -> None:
    progress = Progress()
    assert list(Run(print, progress=progress).counted("writing", "app.tar", 5, iter([b"123"]))) == [b"123"]
    found = progress.snapshot()
    assert (found["phase"], found["current"], found["bytes"]) == ("writing", "app.tar", [3, 5])
    progress.enter("writing", "app.tar", 10)
    assert progress.snapshot()["bytes"] == [3, 15]
    content = blob(1, 100)
    progress.observe(Event.BLOB_STARTED, job("one", content), content, 0)
    assert progress.snapshot()["bytes"] == [0, 100]
    progress.enter("checking", "bundle", 7)
    assert progress.snapshot()["bytes"] == [0, 7]


def test_the_file_is_there_while_the_task_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress_file, "_FIRST", 0.01)
    path = tmp_path / "progress"
    with written(str(path), Progress()):
        while not path.exists():
            os.sched_yield()
        assert json.loads(path.read_text())["images"] == [0, 0]
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_somebody_else_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress_file, "_FIRST", 0.01)
    other = tmp_path / "other"
    other.write_text("keep")
    path = tmp_path / "progress"
    Path(f"{path}.new").symlink_to(other)
    file = _progress_file._File(str(path), Progress())
    with pytest.raises(FileExistsError):
        file._write("x")
    assert other.read_text() == "keep"


def test_whoever_became_another_user_can_read_the_file(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        _progress_file._File(str(tmp_path / "progress"), Progress())._write("x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "progress").stat().st_mode) == 0o644


def test_a_task_ends_when_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    """A connection without a terminal does not send SIGHUP when it is closed."""
    path = tmp_path / "progress"
    with slow_task(path) as process:
        process.stdout.close()
        assert process.wait(timeout=120) == -signal.SIGHUP
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_task_as_ever_and_removes_the_file(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "progress"
    with slow_task(path) as process:
        process.send_signal(number)
        assert process.wait(timeout=120) == -number
    assert list(tmp_path.iterdir()) == []
