# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that show what a long task is doing, on the terminal of whoever runs the playbook, while it runs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import ansible_runner
import pytest

from devtools import faults, images
from devtools.process import wait_until
from devtools.toolchain.stacks import COLLECTIONS, link_collection

# Bytes, and bytes a second: the copy takes longer than the first line needs, and than a line after it needs.
SIZE, RATE = 1_700_000, 100_000


@pytest.fixture
def slow(registry, repository):
    """Yield a reference to an image that takes 17 seconds to read."""
    image = images.single(seed="slow", layers=[SIZE])
    images.push(image, registry.host, f"{repository}/slow", "1")
    largest = max(image.blobs, key=lambda digest: len(image.blobs[digest]))
    with faults.slow_blob(registry, largest, rate=RATE) as proxy:
        yield f"{proxy.host}/{repository}/slow:1"


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a playbook of one task in a session of its own."""
    link_collection()

    def run(task, *arguments, hosts=("web1",), **variables):
        given = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **variables}
        play = {"hosts": "all", "gather_facts": False, "vars": given, "tasks": [{"name": "Copy", **task}]}
        (tmp_path / "play.yml").write_text(json.dumps([play]))
        program = Path(sys.executable).with_name("ansible-playbook")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SYSTEM_TMPDIRS": str(tmp_path),
        }
        return subprocess.Popen(
            [program, "-i", f"{','.join(hosts)},", *arguments, tmp_path / "play.yml"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return run


@pytest.fixture
def left_behind(tmp_path):
    """Return a function that returns the progress files and the command lines of modules that run."""

    def find():
        found = list(tmp_path.glob(".drayage-progress-*"))
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if b"AnsiballZ_" in (command := path.read_bytes()) and os.fsencode(tmp_path) in command:
                    found.append(command)
        return found

    return find


def test_lines_arrive_in_a_pipe_while_the_task_runs(start, slow, left_behind, registry, repository):
    dest = f"{registry.host}/{repository}/copy:1"
    with start({"drayage.registry.image_copy": {"src": slow, "dest": dest}}) as process:
        lines = [(time.monotonic(), line) for line in process.stderr if line.startswith("[web1] ")]
        ended = time.monotonic()
        assert process.wait() == 0
    (first, text), *_others, (_last, summary) = lines
    assert re.fullmatch(r"\[web1\] 0/1 images · [\d.]+( k?B)?/1\.7 MB · [\d.]+ k?B/s · ETA .*\n", text)
    assert ended - first > 3
    assert summary.startswith(f"[web1] Copied {slow} to {dest}: 2 blobs copied (1.7 MB in ")
    assert left_behind() == []


def test_lines_are_events_of_ansible_runner(slow, registry, repository, tmp_path):
    """AWX shows the events of ansible-runner while the job runs."""
    link_collection()
    task = {"drayage.registry.image_copy": {"src": slow, "dest": f"{registry.host}/{repository}/copy:1"}}
    events = []
    done = ansible_runner.run(
        private_data_dir=str(tmp_path),
        playbook=[{"hosts": "all", "gather_facts": False, "tasks": [task]}],
        inventory={
            "all": {"hosts": {"web1": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}
        },
        envvars={
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "LC_ALL": "C.UTF-8",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        },
        event_handler=lambda event: events.append((time.monotonic(), event["stdout"])) or True,
        quiet=True,
    )
    assert done.status == "successful", events
    lines = [(moment, text) for moment, text in events if "[web1] " in text and "images" in text]
    assert len(lines) >= 1
    assert events[-1][0] - lines[0][0] > 3


def test_json_for_two_hosts_and_check_mode_and_async_and_off(start, slow, left_behind, registry, repository):
    host, _slash, name = slow.rpartition(":")[0].partition("/")
    dest = f"{registry.host}/{repository}"
    wanted = [{"name": name, "dest": "{{ inventory_hostname }}"}]
    task = {"drayage.registry.image_sync": {"src": host, "dest": dest, "images": wanted}}
    with start(task, hosts=("web1", "web2"), drayage_progress="json") as process:
        found = [json.loads(line) for line in process.stderr if line.startswith("{")]
        assert process.wait() == 0
    assert {line["host"] for line in found} == {"web1", "web2"}
    assert {line["phase"] for line in found} == {"copying", "done"}
    messages = [line["msg"] for line in found if line["phase"] == "done"]
    assert [re.sub(r"[\d.]+ s", "N s", message) for message in messages] == ["1 created; 1.7 MB copied in N s."] * 2
    copying = {"drayage.registry.image_copy": {"src": slow, "dest": f"{dest}/off:1"}}
    with start(copying, drayage_progress="off") as process:
        _output, errors = process.communicate(timeout=120)
        assert process.returncode == 0
    assert "web1" not in errors
    with start({**copying, "async": 100, "poll": 1}, "--check") as process:
        _output, errors = process.communicate(timeout=120)
    assert "[web1]" not in errors
    assert left_behind() == []


def test_an_interrupted_playbook_leaves_no_process_and_no_file(start, slow, left_behind, registry, repository):
    dest = f"{registry.host}/{repository}/copy:1"
    with start({"drayage.registry.image_copy": {"src": slow, "dest": dest}}) as process:
        next(line for line in process.stderr if line.startswith("[web1] "))
        assert left_behind()
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    wait_until(lambda: left_behind() == [])
