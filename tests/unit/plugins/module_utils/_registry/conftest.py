# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import subprocess

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._registry import upload
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access, Authenticator
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import Credential
from ansible_collections.drayage.registry.plugins.module_utils._registry.registry_client import RegistryClient
from ansible_collections.drayage.registry.plugins.module_utils._registry.session import Policy, Session
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import Registries, RegistrySettings
from ansible_collections.drayage.registry.plugins.module_utils._registry.upload import BlobUploader
from ansible_collections.drayage.registry.plugins.module_utils._run import RunStats
from ansible_collections.drayage.registry.tests.unit.support.network import Network, intercept
from ansible_collections.drayage.registry.tests.unit.support.odd_server import OddServer
from ansible_collections.drayage.registry.tests.unit.support.scripted_transport import Script, client_of, stop_clock


@pytest.fixture
def home(monkeypatch, tmp_path):
    """A user without any credentials: nothing of the machine's own shines through."""
    for name in ("REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def write(tmp_path):
    """Write a document or a text to a file below the test's directory, and return its path."""

    def write_file(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return str(path)

    return write_file


@pytest.fixture
def run():
    """Run programs as AnsibleModule.run_command does, and keep what was run."""

    def run_command(argv, stdin):
        run_command.calls.append((argv, stdin))
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    run_command.calls = []
    return run_command


@pytest.fixture
def helper(monkeypatch, tmp_path):
    """Put a credential helper on the PATH: a shell script that has the server's name in ``$server``."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory), prepend=":")

    def install(name, body):
        path = directory / ("docker-credential-" + name)
        path.write_text('#!/bin/sh\nserver=$(cat)\n[ "$1" = get ] || exit 9\n%s\n' % body, encoding="utf-8")
        path.chmod(0o755)

    return install


@pytest.fixture
def serve():
    """Serve what a function answers; return a client of that registry, with ``settings`` for it, and the server."""
    opened = []

    def start(respond, **settings):
        server = OddServer(respond).__enter__()
        entry = RegistrySettings(server.host, **settings)
        session = Session(server.host, entry, Registries([entry]), Policy(timeout=120, retries=0), RunStats())
        opened.append((session, server))
        return RegistryClient(session, Authenticator(session, lambda _repository: Credential())), server

    yield start
    for session, server in opened:
        session.close()
        server.__exit__(None, None, None)


@pytest.fixture
def clock(monkeypatch):
    """Time passes only while somebody waits."""
    return stop_clock(monkeypatch)


@pytest.fixture
def scripted(clock):
    """Make a client of a registry that gives these replies, and their script; all of them must have been asked for."""
    scripts = []

    def make(*replies, **options):
        scripts.append(Script(*replies))
        return client_of(scripts[-1], **options), scripts[-1]

    yield make
    assert [script.replies for script in scripts if script.replies] == []


@pytest.fixture
def connect(monkeypatch, clock):
    """A session, and the network that gives these answers."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)

    def make(*answers, entry=None, others=(), retries=3):
        network = Network(*answers)
        intercept(monkeypatch, network.send)
        settings = entry or RegistrySettings("r.example")
        policy = Policy(timeout=7.0, retries=retries)
        return Session("r.example", settings, Registries([settings, *others]), policy, RunStats()), network

    return make


@pytest.fixture
def uploader(scripted, monkeypatch):
    """An uploader for a registry that gives these replies; a blob of ten bytes has pieces of eight, and then of four."""
    monkeypatch.setattr(upload, "_PIECES", (8, 4))

    def make(*replies, **options):
        client, script = scripted(*replies, **options)
        return BlobUploader(client, Access("app", frozenset(("pull", "push")))), script

    return make
