# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that show what a long task is doing, on the terminal of whoever runs the playbook, while it runs."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import ansible_runner
import pytest

from devtools import faults, images
from devtools.observe import digest_at
from devtools.process import temporary_directory, wait_until
from devtools.ssh import Sshd
from devtools.toolchain.stacks import COLLECTIONS, link_collection

# Bytes, and bytes a second: the copy takes longer than the first line needs, and than a line after it needs.
SIZE, RATE = 1_700_000, 100_000

# A variable in the environment of every module that a test runs.
MARK = "DRAYAGE_TEST"


@pytest.fixture
def slow(registry, repository):
    """Yield a reference to an image that takes 17 seconds to read."""
    with _slow(registry, repository, RATE) as reference:
        yield reference


@pytest.fixture
def slowest(registry, repository):
    """Yield a reference to an image that takes longer to read than any test may run."""
    with _slow(registry, repository, RATE // 100) as reference:
        yield reference


@contextlib.contextmanager
def _slow(registry, repository, rate):
    image = images.single(seed="slow", layers=[SIZE])
    images.push(image, registry.host, f"{repository}/slow", "1")
    largest = max(image.blobs, key=lambda digest: len(image.blobs[digest]))
    with faults.slow_blob(registry, largest, rate=rate) as proxy:
        yield f"{proxy.host}/{repository}/slow:1"


@pytest.fixture
def public():
    """Yield a directory for the temporary files of all users."""
    with temporary_directory() as directory:
        os.chmod(directory, 0o1777)
        yield Path(directory)


@pytest.fixture
def start(tmp_path, public):
    """Return a function that starts a playbook of one task in a session of its own."""
    link_collection()

    def run(task, *arguments, hosts=("web1",), **variables):
        """``hosts`` are names, or names with the variables of each host."""
        given = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **variables}
        inventory = {"all": {"hosts": hosts if isinstance(hosts, dict) else dict.fromkeys(hosts), "vars": given}}
        (tmp_path / "hosts.yml").write_text(json.dumps(inventory))
        marked = {"name": "Copy", **task, "environment": {MARK: str(tmp_path), **task.get("environment", {})}}
        play = {"hosts": "all", "gather_facts": False, "tasks": [marked]}
        (tmp_path / "play.yml").write_text(json.dumps([play]))
        program = Path(sys.executable).with_name("ansible-playbook")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SYSTEM_TMPDIRS": str(public),
        }
        return subprocess.Popen(
            [program, "-i", tmp_path / "hosts.yml", *arguments, tmp_path / "play.yml"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return run


@pytest.fixture
def left_behind(tmp_path, public):
    """Return a function that returns the progress files, and the command lines of modules that run."""
    mark = os.fsencode(f"{MARK}={tmp_path}")

    def find():
        found = list(public.glob(".drayage-progress-*"))
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_bytes())
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


def test_json_for_two_hosts_and_nothing_for_a_third(start, slow, left_behind, registry, repository):
    host, _slash, name = slow.rpartition(":")[0].partition("/")
    dest = f"{registry.host}/{repository}"
    wanted = [{"name": name, "dest": "{{ inventory_hostname }}"}]
    task = {"drayage.registry.image_sync": {"src": host, "dest": dest, "images": wanted}}
    # YAML reads a bare off as false.
    hosts = {"web1": {}, "web2": {}, "quiet": {"drayage_progress": False}}
    with start(task, hosts=hosts, drayage_progress="json") as process:
        errors = process.stderr.read()
        assert process.wait() == 0
    assert "quiet" not in errors
    found = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    assert {line["host"] for line in found} == {"web1", "web2"}
    assert {line["phase"] for line in found} == {"copying", "done"}
    messages = [line["msg"] for line in found if line["phase"] == "done"]
    assert [re.sub(r"in .*\.", "in N.", message) for message in messages] == ["1 created; 1.7 MB copied in N."] * 2
    assert left_behind() == []


@pytest.fixture(scope="session")
def sshd():
    """Return a server for SSH connections to this machine."""
    with Sshd() as server:
        yield server


@pytest.fixture
def nobody(tmp_path_factory):
    """Return what a host needs to run modules as another user, who cannot read the files of root: Python, and requests."""
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if os.geteuid() != 0 or not python:
        pytest.skip("only root can become another user, who needs a Python that all users can run")
    with temporary_directory() as directory:
        os.chmod(directory, 0o755)
        for name in ("requests", "urllib3", "idna", "certifi", "charset_normalizer"):
            source = Path(importlib.util.find_spec(name).origin).parent
            shutil.copytree(source, Path(directory, name), ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        yield {
            "ansible_become": True,
            "ansible_become_method": "su",
            "ansible_become_user": "nobody",
            # This account has no shell.
            "ansible_become_flags": "-s /bin/sh",
            "ansible_python_interpreter": python,
            "libraries": directory,
        }


def test_lines_arrive_over_ssh(start, slow, left_behind, registry, repository, sshd, nobody, tmp_path):
    """With and without pipelining, as another user, and in the background, on several hosts at once."""
    ssh = {
        **sshd.variables(),
        "ansible_remote_tmp": str(tmp_path / "remote"),
        "libraries": "",
        "ansible_pipelining": False,
    }
    hosts = {
        "plain": ssh,
        "pipelining": {**ssh, "ansible_pipelining": True},
        "become": {**ssh, **nobody},
        "become-pipelining": {**ssh, **nobody, "ansible_pipelining": True},
        "background": {**ssh, "seconds": 100},
    }
    dest = f"{registry.host}/{repository}/{{{{ inventory_hostname }}}}:1"
    copying = {
        "drayage.registry.image_copy": {"src": slow, "dest": dest},
        "environment": {"PYTHONPATH": "{{ libraries }}"},
        "async": "{{ seconds | default(0) }}",
        "poll": 1,
    }
    with start(copying, hosts=hosts, ansible_ssh_timeout=60) as process:
        shown = [(time.monotonic(), line) for line in process.stderr]
        ended = time.monotonic()
        assert process.wait() == 0, process.stdout.read()
    lines = {host: [(moment, text) for moment, text in shown if text.startswith(f"[{host}] ")] for host in hosts}
    assert all(lines.values()), shown
    for host, ((first, text), *_others) in lines.items():
        assert ended - first > 3, host
        assert re.match(rf"\[{host}\] 0/1 images · [\d.]+( k?B)?/1\.7 MB · ", text), host
    summaries = {host: text for host, [*_others, (_moment, text)] in lines.items() if "] Copied " in text}
    assert set(summaries) == set(hosts) - {"background"}
    # The result of a task in the background is there before its process has ended.
    wait_until(lambda: left_behind() == [])


def test_an_interrupted_playbook_leaves_nothing_on_the_node(
    start, slowest, left_behind, registry, repository, sshd, tmp_path
):
    """With pipelining there is no terminal, whose end would end the module."""
    node = {**sshd.variables(), "ansible_remote_tmp": str(tmp_path / "remote")}
    hosts = {name: {**node, "ansible_pipelining": name == "pipelining"} for name in ("plain", "pipelining")}
    dest = f"{registry.host}/{repository}/{{{{ inventory_hostname }}}}:1"
    with start({"drayage.registry.image_copy": {"src": slowest, "dest": dest}}, hosts=hosts) as process:
        waiting = set(hosts)
        for line in process.stderr:
            waiting.discard(line.partition("]")[0][1:])
            if not waiting:
                break
        assert len([found for found in left_behind() if isinstance(found, Path)]) == len(hosts)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    wait_until(lambda: left_behind() == [])
    # The modules ended because of that, and not by themselves.
    assert {digest_at(registry.host, f"{repository}/{name}", "1") for name in hosts} == {None}


def test_an_interrupted_playbook_leaves_no_process_and_no_file(start, slowest, left_behind, registry, repository):
    dest = f"{registry.host}/{repository}/copy:1"
    with start({"drayage.registry.image_copy": {"src": slowest, "dest": dest}}) as process:
        next(line for line in process.stderr if line.startswith("[web1] "))
        assert left_behind()
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    wait_until(lambda: left_behind() == [])
    assert digest_at(registry.host, f"{repository}/copy", "1") is None
