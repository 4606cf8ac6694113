# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._engine import workplace
from ansible_collections.drayage.registry.plugins.module_utils._engine.workplace import Workplace
from ansible_collections.drayage.registry.plugins.module_utils._errors import LocalFailure

KILLED = """
import os, signal
from %s import Workplace
with open(Workplace().new_path(), "wb") as stream:
    stream.write(b"a whole image")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_what_a_killed_run_left_is_removed_by_the_next(place):
    path = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", KILLED % workplace.__name__]
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False)
    assert ended.returncode == -signal.SIGKILL
    (left,) = place.glob("*/*")
    assert left.read_bytes() == b"a whole image"
    mine = Workplace()
    mine.new_path()
    assert not left.parent.exists()
    mine.close()
    assert list(place.iterdir()) == []


def test_living_runs_leave_each_other_alone():
    one, other = Workplace(), Workplace()
    paths = [pathlib.Path(found.new_path()) for found in (one, other, one)]
    assert len(set(paths)) == 3
    assert paths[0].parent == paths[2].parent != paths[1].parent
    assert all(path.parent.stat().st_mode & 0o777 == 0o700 for path in paths)
    for found in (one, other):
        found.close()


def test_what_others_have_put_there_is_left_alone(place):
    """A pipe would be waited for without end, and a link could lead anywhere."""
    (place / "mine").mkdir()
    (place / "mine" / "file").touch()
    os.mkfifo(place / "drayage-podman-pipe")
    (place / "drayage-podman-link").symlink_to("mine")
    (place / "drayage-podman-file").touch()
    found = Workplace()
    found.new_path()
    found.close()
    assert len(list(place.iterdir())) == 4
    assert (place / "mine" / "file").exists()


def test_directory_of_another_user_is_left_alone(place, monkeypatch):
    (place / "drayage-podman-theirs").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    found = Workplace()
    found.new_path()
    found.close()
    assert (place / "drayage-podman-theirs").exists()


def test_place_that_is_not_there(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    with pytest.raises(LocalFailure, match="cannot write /nonexistent"):
        Workplace().new_path()
