# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that show what a long task is doing, on the terminal of whoever runs the playbook, while it runs."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import ansible_runner
import pytest

from devtools import faults, images, process_tree
from devtools.observe import digest_at
from devtools.process import temporary_directory, wait_until
from devtools.provision import BYTECODE
from devtools.scripted import Scripted
from devtools.ssh import Sshd
from devtools.toolchain.stacks import COLLECTIONS, link_collection

# Bytes, and bytes a second: the copy takes longer than any playbook may run.
SIZE, RATE = 1_700_000, 1_000

# Seconds for a playbook. After that it counts as hung and is killed.
HUNG = 300

# A variable in the environment of every module that a test runs.
MARK = "DRAYAGE_TEST"


@pytest.fixture
def slowest(registry, repository):
    """Yield a reference to an image that takes longer to read than any playbook may run."""
    largest = _pushed(registry, repository)
    with faults.slow_blob(registry, largest, rate=RATE) as proxy:
        yield f"{proxy.host}/{repository}/slow:1"


@pytest.fixture
def gate():
    """Yield an event: until a test sets it, no copy of the slow image can end."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def slow(registry, repository, gate):
    """Yield a reference to an image whose largest blob keeps arriving slowly, until the gate is open."""
    largest = _pushed(registry, repository)

    def script(request):
        with contextlib.closing(http.client.HTTPConnection(registry.host, timeout=HUNG)) as connection:
            connection.request(request.method, request.target, headers=dict(request.headers.items()))
            response = connection.getresponse()
            content = response.read()
        headers = {name: value for name, value in response.getheaders() if name != "Transfer-Encoding"}
        headers.setdefault("Content-Length", str(len(content)))
        lines = [f"HTTP/1.1 {response.status} {response.reason}", *map(": ".join, headers.items()), "", ""]
        yield "\r\n".join(lines).encode("latin-1")
        position = 0
        while position < len(content):
            is_held = request.target.endswith(largest) and not gate.wait(0.1)
            # Half of it arrives at once, most of the rest within 75 s, and the last part takes longer than a playbook may.
            step = SIZE // 2 if not position else 1_000 if position < SIZE - 100_000 else 20
            following = position + step if is_held else len(content)
            yield content[position:following]
            position = following

    with Scripted(script) as proxy:
        yield f"{proxy.host}/{repository}/slow:1"


def _pushed(registry, repository):
    """Push an image; return the digest of its largest blob."""
    image = images.single(seed="slow", layers=[SIZE])
    images.push(image, registry.host, f"{repository}/slow", "1")
    return max(image.blobs, key=lambda digest: len(image.blobs[digest]))


@pytest.fixture
def public():
    """Yield a directory for the temporary files of all users."""
    with temporary_directory() as directory:
        os.chmod(directory, 0o1777)
        yield Path(directory)


@pytest.fixture
def start(tmp_path, public, related):
    """Return a function that starts a playbook of one task for a with block, in a new process session.

    A playbook that hangs is killed, and so is every process that is still there after the test.
    """
    link_collection()
    hung = []

    def end_hung():
        hung.extend(map(_state, related()))
        process_tree.kill(related())

    @contextlib.contextmanager
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
            "PYTHONPYCACHEPREFIX": BYTECODE,
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SYSTEM_TMPDIRS": str(public),
        }
        process = subprocess.Popen(
            [program, "-i", tmp_path / "hosts.yml", *arguments, tmp_path / "play.yml"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        deadline = threading.Timer(HUNG, end_hung)
        deadline.start()
        try:
            with process:
                try:
                    yield process
                except BaseException:
                    process_tree.kill(related())
                    raise
        finally:
            deadline.cancel()
            deadline.join()
            assert not hung, "\n".join(hung)

    yield run
    process_tree.kill(related())


def _state(process):
    """Return what a process is, and where its threads wait in the kernel."""
    directory = Path("/proc", str(process))
    try:
        waits = [f"{task.name}: {(task / 'wchan').read_text()}" for task in (directory / "task").iterdir()]
        return f"hung: {(directory / 'cmdline').read_bytes()!r}, {', '.join(waits)}"
    except OSError:
        return f"hung: process {process}, which has just ended"


@pytest.fixture
def related(tmp_path):
    """Return a function that returns the processes of this test: the playbook, its workers and its modules."""
    return lambda: sorted({*_with(f"HOME={tmp_path}"), *_with(f"{MARK}={tmp_path}")})


@pytest.fixture
def left_behind(tmp_path, public):
    """Return a function that returns the progress files, and the command lines of modules that run."""

    def find():
        found = list(public.glob(".drayage-progress-*"))
        for process in _with(f"{MARK}={tmp_path}"):
            with contextlib.suppress(OSError):
                found.append(Path("/proc", str(process), "cmdline").read_bytes())
        return found

    return find


def _with(variable):
    """Return the processes that were started with this variable in their environment."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if os.fsencode(variable) in file.read_bytes().split(b"\0"):
                found.append(int(file.parent.name))
    return found


def test_lines_arrive_in_a_pipe_while_the_task_runs(start, slow, gate, left_behind, registry, repository):
    dest = f"{registry.host}/{repository}/copy:1"
    fitting = re.compile(r"\[web1\] 0/1 images · [\d.]+( k?B)?/1\.7 MB · [\d.]+ k?B/s · ETA .*\n")
    with start({"drayage.registry.image_copy": {"src": slow, "dest": dest}}) as process:
        assert any(map(fitting.fullmatch, process.stderr)), process.stdout.read()
        gate.set()
        lines = [line for line in process.stderr if line.startswith("[web1] ")]
        assert process.wait() == 0
    assert lines[-1].startswith(f"[web1] Copied {slow} to {dest}: 2 blobs copied (1.7 MB in ")
    assert left_behind() == []


def test_lines_are_events_of_ansible_runner(slow, gate, registry, repository, tmp_path):
    """AWX shows the events of ansible-runner while the job runs."""
    link_collection()
    task = {"drayage.registry.image_copy": {"src": slow, "dest": f"{registry.host}/{repository}/copy:1"}}
    events = []

    def handle(event):
        events.append(event["stdout"])
        if "[web1] " in event["stdout"] and "images" in event["stdout"]:
            gate.set()
        return True

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
        event_handler=handle,
        timeout=HUNG,
        quiet=True,
    )
    assert done.status == "successful", events
    assert gate.is_set()


def test_json_for_two_hosts_and_nothing_for_a_third(start, slow, gate, left_behind, registry, repository):
    host, _slash, name = slow.rpartition(":")[0].partition("/")
    dest = f"{registry.host}/{repository}"
    wanted = [{"name": name, "dest": "{{ inventory_hostname }}"}]
    task = {"drayage.registry.image_sync": {"src": host, "dest": dest, "images": wanted}}
    # YAML reads a bare off as false.
    hosts = {"web1": {}, "web2": {}, "quiet": {"drayage_progress": False}}
    with start(task, hosts=hosts, drayage_progress="json") as process:
        errors, found, waiting = [], [], {"web1", "web2"}
        for text in process.stderr:
            errors.append(text)
            if text.startswith("{"):
                found.append(json.loads(text))
                if found[-1]["phase"] == "copying":
                    waiting.discard(found[-1]["host"])
            if not waiting:
                gate.set()
        assert process.wait() == 0, errors
    assert "quiet" not in "".join(errors)
    assert {line["host"] for line in found} == {"web1", "web2"}
    assert {"copying", "done"} <= {line["phase"] for line in found} <= {"comparing", "copying", "done"}
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


def test_lines_arrive_over_ssh(start, slow, gate, left_behind, registry, repository, sshd, nobody, tmp_path):
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
        "background": {**ssh, "seconds": HUNG},
    }
    dest = f"{registry.host}/{repository}/{{{{ inventory_hostname }}}}:1"
    copying = {
        "drayage.registry.image_copy": {"src": slow, "dest": dest},
        "environment": {"PYTHONPATH": "{{ libraries }}"},
        "async": "{{ seconds | default(0) }}",
        "poll": 1,
    }
    line = re.compile(r"\[([^\]]+)\] 0/1 images · [\d.]+( k?B)?/1\.7 MB · ")
    with start(copying, hosts=hosts) as process:
        shown, waiting = [], set(hosts)
        for text in process.stderr:
            shown.append(text)
            found = line.match(text)
            waiting -= {found[1]} if found else set()
            if not waiting:
                gate.set()
        assert process.wait() == 0, (shown, process.stdout.read())
    assert not waiting, shown
    last = {host: [text for text in shown if text.startswith(f"[{host}] ")][-1] for host in hosts}
    assert {host for host, text in last.items() if "] Copied " in text} == set(hosts) - {"background"}
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
        process.communicate()
    wait_until(lambda: left_behind() == [])
    # The modules ended because of that, and not by themselves.
    assert {digest_at(registry.host, f"{repository}/{name}", "1") for name in hosts} == {None}


def test_an_interrupted_playbook_leaves_no_process_and_no_file(start, slowest, left_behind, registry, repository):
    dest = f"{registry.host}/{repository}/copy:1"
    with start({"drayage.registry.image_copy": {"src": slowest, "dest": dest}}) as process:
        next(line for line in process.stderr if line.startswith("[web1] "))
        assert left_behind()
        os.killpg(process.pid, signal.SIGINT)
        process.communicate()
    wait_until(lambda: left_behind() == [])
    assert digest_at(registry.host, f"{repository}/copy", "1") is None
