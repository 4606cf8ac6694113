# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import types

import pytest

pytest.importorskip("jinja2", reason="action plugins run on the controller only")

from ansible_collections.drayage.registry.plugins.plugin_utils import _progress
from ansible_collections.drayage.registry.plugins.plugin_utils._progress import describe, reader

GB = 10**9


@pytest.mark.parametrize(
    ("images", "count", "rate", "left", "expected"),
    [
        ([12, 40], [3_100_000_000, 8_400_000_000], 92_000_000, 57, "12/40 images · 3.1/8.4 GB · 92.0 MB/s · ETA 57 s"),
        ([0, 1], [900_000, 8 * GB], 0, None, "0/1 images · 900.0 kB/8.0 GB"),
        ([0, 0], [0, 0], 0, None, "copying registry.example.com/app:1"),
    ],
)
def test_a_line_says_how_far_the_task_is(images, count, rate, left, expected) -> None:
    now = {"phase": "copying", "current": "registry.example.com/app:1", "images": images, "bytes": count, "seconds": 5}
    assert describe(now, rate, left) == expected


def test_another_connection_reads_the_file_without_privileges() -> None:
    commands = []

    def exec_command(command, sudoable):
        commands.append((command, sudoable))
        return 0, b"content", b""

    connection = types.SimpleNamespace(transport="ssh", become="sudo", exec_command=exec_command)
    read = reader(connection)
    assert read is not None
    assert read("/tmp/a b") == b"content"
    assert commands == [("head -c 4096 '/tmp/a b'", False)]
    assert connection.become == "sudo"
    assert reader(types.SimpleNamespace(transport="docker")) is None


def test_nothing_that_goes_wrong_reaches_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress, "FIRST", 0.001)
    seen = []

    def read(path):
        seen.append(path)
        return b"no JSON"

    with (watcher := _progress.Watcher("/tmp/x", read, "web1", "lines")):
        while not seen:
            pass
    assert watcher.has_shown is False
