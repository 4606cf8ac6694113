# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a killed writer left, and which are removed by the next one."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._files import (
    STAGING,
    locked,
    prefix_for,
    remove_abandoned,
    replaced,
    reserved,
    staged,
    write_file,
)
from ansible_collections.drayage.registry.tests.unit.support.files import listed


def test_what_a_dead_writer_left_is_removed_and_nothing_else(tmp_path):
    for name in (STAGING + "abandoned", "blob", "index.json", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    remove_abandoned(str(tmp_path))
    assert listed(tmp_path) == [".hidden", "blob", "index.json"]


def test_what_a_living_writer_is_at_stays(tmp_path):
    target = tmp_path / "target"
    with staged(str(tmp_path), str(target)) as stream:
        stream.write(b"x")
        remove_abandoned(str(tmp_path))
        assert len(listed(tmp_path)) == 1
    assert target.read_bytes() == b"x"


def test_a_directory_with_such_a_name_is_left_alone(tmp_path):
    (tmp_path / (STAGING + "directory")).mkdir()
    remove_abandoned(str(tmp_path))
    assert listed(tmp_path) == [STAGING + "directory"]


WRITER = """
import sys, time
from ansible_collections.drayage.registry.plugins.module_utils._files import staged
with staged(sys.argv[1], sys.argv[1] + "/target") as stream:
    stream.write(b"half")
    stream.flush()
    print("ready", flush=True)
    time.sleep(60)
"""


def test_the_file_of_a_killed_process_is_abandoned_and_that_of_a_running_one_is_not(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"ready\n"
        remove_abandoned(str(tmp_path))
        assert len(listed(tmp_path)) == 1
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    remove_abandoned(str(tmp_path))
    assert listed(tmp_path) == []


def test_a_file_that_is_taken_for_abandoned_at_birth_is_made_again(tmp_path, monkeypatch):
    flock = fcntl.flock
    removed = []

    def cleaned_up_before(stream, operation):
        if operation == fcntl.LOCK_SH and not removed:
            removed.extend(listed(tmp_path))
            os.unlink(tmp_path / removed[0])
        flock(stream, operation)

    monkeypatch.setattr(fcntl, "flock", cleaned_up_before)
    write_file(str(tmp_path), str(tmp_path / "target"), b"x")
    assert removed
    assert (tmp_path / "target").read_bytes() == b"x"


@pytest.fixture
def locks_of_nfs(monkeypatch):
    """flock as NFSv4 has it: a shared lock wants a file open for reading, an exclusive one for writing."""
    flock = fcntl.flock

    def over_the_network(stream, operation):
        mode = fcntl.fcntl(stream, fcntl.F_GETFL) & os.O_ACCMODE
        unfit = os.O_WRONLY if operation & fcntl.LOCK_SH else os.O_RDONLY
        if stat.S_ISREG(os.fstat(stream.fileno()).st_mode) and mode == unfit:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(stream, operation)

    monkeypatch.setattr(fcntl, "flock", over_the_network)


@pytest.mark.usefixtures("locks_of_nfs")
def test_files_are_written_and_left_ones_removed_on_nfs(tmp_path):
    target = tmp_path / "target"
    (tmp_path / (STAGING + "abandoned")).write_bytes(b"x")
    with staged(str(tmp_path), str(target)) as stream:
        stream.write(b"x")
        remove_abandoned(str(tmp_path))
        assert len(listed(tmp_path)) == 1
    with reserved(str(target)), locked(str(target)) as stream:
        assert stream.read() == b"x"
    assert listed(tmp_path) == ["target"]


def test_what_is_no_file_of_ours_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / (STAGING + "pipe"))
    cleaner = threading.Thread(target=remove_abandoned, args=(str(tmp_path),), daemon=True)
    cleaner.start()
    cleaner.join(120)
    assert not cleaner.is_alive()


def test_what_a_killed_writer_left_is_removed_by_the_next_one_of_the_same_file(tmp_path):
    target = tmp_path / "auth.json"
    abandoned = tmp_path / (prefix_for(str(target)) + "dead")
    for path in (abandoned, tmp_path / (prefix_for("other.json") + "dead")):
        path.write_bytes(b"secret")
    with replaced(str(target), 0o600) as stream:
        stream.write(b"x")
    assert listed(tmp_path) == [".other.json.staging-dead", "auth.json"]
    assert target.stat().st_mode & 0o777 == 0o600
