# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import types

import pytest

pytest.importorskip("jinja2", reason="action plugins run on the controller only")

from ansible_collections.drayage.registry.plugins.action import image_sync
from ansible_collections.drayage.registry.plugins.plugin_utils import _progress_lines
from ansible_collections.drayage.registry.plugins.plugin_utils._progress_lines import describe, reader, style_of

GB = 10**9


@pytest.mark.parametrize(
    ("phase", "images", "count", "rate", "left", "expected"),
    [
        (
            "copying",
            [12, 40],
            [3_100_000_000, 8_400_000_000],
            92_000_000,
            57,
            "12/40 images · 3.1/8.4 GB · 92.0 MB/s · ETA 57 s",
        ),
        ("copying", [0, 1], [900_000, 8 * GB], 0, None, "0/1 images · 900.0 kB/8.0 GB"),
        ("copying", [0, 0], [0, 0], 0, None, "copying registry.example.com/app:1"),
        ("verifying", [0, 0], [0, 0], 0, None, "verifying registry.example.com/app:1"),
        (
            "writing",
            [0, 1],
            [GB, 2 * GB],
            GB,
            1,
            "writing registry.example.com/app:1 · 1.0/2.0 GB · 1.0 GB/s · ETA 1 s",
        ),
    ],
)
def test_a_line_says_how_far_the_task_is(phase, images, count, rate, left, expected) -> None:
    now = {"phase": phase, "current": "registry.example.com/app:1", "images": images, "bytes": count, "seconds": 5}
    assert describe(now, rate, left) == expected


@pytest.mark.parametrize(
    ("given", "style"),
    [
        (None, "lines"),
        ("lines", "lines"),
        (True, "lines"),
        ("json", "json"),
        (False, "off"),
        ("off", "off"),
        ("no", "off"),
    ],
)
def test_yaml_reads_off_as_false(given, style) -> None:
    assert style_of(given) == style


def test_another_connection_reads_the_file_without_privileges() -> None:
    commands = []

    def exec_command(command, sudoable):
        commands.append((command, sudoable))
        return 0, b"content", b""

    connection = types.SimpleNamespace(transport="ssh", become="sudo", exec_command=exec_command)
    read = reader(connection)
    assert read is not None
    found = []
    thread = threading.Thread(target=lambda: found.append(read("/tmp/a b")))
    thread.start()
    thread.join(timeout=120)
    assert found == [b"content"]
    assert commands == [("head -c 4096 '/tmp/a b'", False)]
    assert connection.become == "sudo"
    assert reader(types.SimpleNamespace(transport="docker")) is None


def test_nothing_that_goes_wrong_reaches_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress_lines, "FIRST", 0.001)
    seen = []

    def read(path):
        seen.append(path)
        return b"no JSON"

    with (watcher := _progress_lines.Watcher("/tmp/x", read, "web1", "lines")):
        while not seen:
            pass
    assert watcher.has_shown is False


def progress(phase, done, seconds, current="app:1"):
    return {"phase": phase, "current": current, "images": [0, 1], "bytes": [done, 1000], "seconds": seconds}


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch):
    """Return a function that lets a watcher read these documents one after another, and returns it with what it shows."""

    def watch(*documents, in_background=False):
        shown, waiting = [], list(documents)
        monkeypatch.setattr(_progress_lines, "FIRST", 0.0)
        monkeypatch.setattr(_progress_lines, "INTERVAL", 0.0)
        monkeypatch.setattr(_progress_lines.display, "display", lambda text, stderr: shown.append(text))
        watcher = _progress_lines.Watcher(
            "/tmp/x", lambda _path: json.dumps(waiting.pop(0)).encode() if waiting else b"", "web1", "lines"
        )
        if in_background:
            watcher.watch_in_background()
        else:
            watcher._thread.start()
        watcher._thread.join(timeout=60)
        assert not watcher._thread.is_alive()
        return shown

    return watch


@pytest.mark.parametrize("in_background", [True, False])
def test_the_lines_end_with_the_module_and_each_phase_has_a_speed_of_its_own(watched, in_background) -> None:
    documents = [
        progress("copying", 800, 4),
        progress("copying", 800, 5),
        progress("writing", 400, 6),
        progress("writing", 900, 7),
    ]
    assert watched(*documents, in_background=in_background) == [
        "[web1] 0/1 images · 800 B/1.0 kB · 200 B/s · ETA 1 s",
        "[web1] writing app:1 · 400 B/1.0 kB",
        "[web1] writing app:1 · 900 B/1.0 kB · 500 B/s · ETA 1 s",
    ]


def test_a_line_has_no_control_characters(watched) -> None:
    document = progress("verifying", 0, 4, current="app\x1b[2J:1\nPLAY RECAP")
    assert watched(document) == ["[web1] verifying app:1 PLAY RECAP · 0 B/1.0 kB"]


def test_the_message_of_a_set_has_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    result, shown = {"images": [], "msg": "Copied x\x1b[2J\ry"}, []
    monkeypatch.setattr(_progress_lines.RegistryAction, "run", lambda *_arguments: dict(result))
    monkeypatch.setattr(image_sync, "display", types.SimpleNamespace(verbosity=1, display=shown.append))
    action = image_sync.ActionModule.__new__(image_sync.ActionModule)
    action._task = types.SimpleNamespace(no_log=False)
    assert action.run(None, {"inventory_hostname": "web1"}) == {**result, "_ansible_verbose_override": True}
    assert shown == ["[web1] Copied x y"]


@pytest.mark.parametrize("in_background", [True, False])
def test_signals_are_left_to_the_main_thread(monkeypatch: pytest.MonkeyPatch, in_background) -> None:
    monkeypatch.setattr(_progress_lines, "FIRST", 0.0)
    before, seen = signal.pthread_sigmask(signal.SIG_BLOCK, ()), []

    def read(_path):
        seen.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        watcher._end.set()
        return b""

    watcher = _progress_lines.Watcher("/tmp/x", read, "web1", "lines")
    if in_background:
        watcher.watch_in_background()
    else:
        watcher.__enter__()
    watcher._thread.join(timeout=60)
    assert seen == [before | {signal.SIGINT, signal.SIGTERM}]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_a_signal_ends_what_the_thread_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress_lines, "FIRST", 0.0)
    masks = []

    def exec_command(_command, sudoable):
        code = "import signal; print(len(signal.pthread_sigmask(signal.SIG_BLOCK, ())))"
        masks.append(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout)
        watcher._end.set()
        return 0, b"", b""

    read = reader(types.SimpleNamespace(transport="ssh", exec_command=exec_command))
    assert read is not None
    watcher = _progress_lines.Watcher("/tmp/x", read, "web1", "lines")
    watcher.__enter__()
    watcher._thread.join(timeout=120)
    assert masks == [b"0\n"]


def test_the_next_task_of_a_loop_ends_what_watches_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that ended before its file was there leaves nothing to see that by."""
    monkeypatch.setattr(_progress_lines, "FIRST", 0.0)
    watchers = [_progress_lines.Watcher("/tmp/x", lambda _path: b"", "web1", "lines") for _number in range(2)]
    for watcher in watchers:
        watcher.watch_in_background()
    watchers[0]._thread.join(timeout=60)
    assert [watcher._thread.is_alive() for watcher in watchers] == [False, True]
    watchers[1]._end.set()


def test_what_watches_in_the_background_ends_with_the_process() -> None:
    code = (
        "from ansible_collections.drayage.registry.plugins.plugin_utils import _progress_lines\n"
        "_progress_lines.FIRST = 0.0\n"
        "_progress_lines.Watcher('/tmp/x', lambda _path: b'', 'web1', 'lines').watch_in_background()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, timeout=60, check=True)
