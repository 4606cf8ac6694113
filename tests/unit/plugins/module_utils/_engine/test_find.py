# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._engine import find
from ansible_collections.drayage.registry.plugins.module_utils._engine.connection import Endpoint
from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidReference


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, Endpoint(socket="/var/run/docker.sock")),
        ({"DOCKER_HOST": ""}, Endpoint(socket="/var/run/docker.sock")),
        ({"DOCKER_HOST": "unix:///run/x.sock"}, Endpoint(socket="/run/x.sock")),
        ({"DOCKER_HOST": "tcp://h.example"}, Endpoint(host="h.example:2375", is_verified=False)),
        ({"DOCKER_HOST": "tcp://[::1]:99/"}, Endpoint(host="[::1]:99", is_verified=False)),
        ({"DOCKER_HOST": "tcp://[::1]"}, Endpoint(host="[::1]:2375", is_verified=False)),
        (
            {"DOCKER_HOST": "tcp://h.example", "DOCKER_CERT_PATH": "/certs", "DOCKER_TLS_VERIFY": "1"},
            Endpoint(host="h.example:2376", tls="/certs"),
        ),
        (
            {"DOCKER_HOST": "tcp://h.example", "DOCKER_CERT_PATH": "/certs"},
            Endpoint(host="h.example:2376", tls="/certs", is_verified=False),
        ),
        (
            {"DOCKER_HOST": "tcp://h.example:1", "DOCKER_TLS_VERIFY": "1", "DOCKER_CONFIG": "/config"},
            Endpoint(host="h.example:1", tls="/config"),
        ),
    ],
)
def test_docker_is_where_the_environment_says(environment, endpoint):
    assert find.docker_endpoint(environment) == endpoint


@pytest.mark.parametrize(
    "host",
    [
        "ssh://me@h.example",
        "https://h.example",
        "npipe:////./pipe/x",
        "/run/x.sock",
        "unix://x.sock",
        "tcp://",
        "tcp://h.example:99999",
        "tcp://h.example:0",
        "tcp://h.example:x",
        "tcp://[::1:99",
        "tcp://::1:99",
        "tcp://[h]:1",
    ],
)
def test_ways_that_are_not_known(host):
    with pytest.raises(InvalidReference, match="DOCKER_HOST is .*, which is not a supported engine address") as caught:
        find.docker_endpoint({"DOCKER_HOST": host})
    assert caught.value.hint == "Use unix:///PATH or tcp://HOST:PORT"


def test_password_in_the_environment_is_not_repeated():
    with pytest.raises(InvalidReference) as caught:
        find.docker_endpoint({"DOCKER_HOST": "ssh://me:secret@h.example"})
    assert "secret" not in str(caught.value)


def test_podman_is_where_the_environment_says():
    assert find.podman_endpoint({"CONTAINER_HOST": "unix:///run/x.sock"}) == Endpoint(socket="/run/x.sock")
    with pytest.raises(InvalidReference, match="CONTAINER_HOST is"):
        find.podman_endpoint({"CONTAINER_HOST": "ssh://h.example"})


def test_socket_that_nobody_listens_at_is_no_podman(tmp_path, monkeypatch):
    """A service that was stopped leaves its socket: the program is to be used then."""
    monkeypatch.setattr(find.os, "geteuid", lambda: 1000)
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert find.podman_endpoint({}) is None
    assert find.podman_endpoint(environment) is None
    (tmp_path / "podman").mkdir()
    path = str(tmp_path / "podman" / "podman.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        assert find.podman_endpoint(environment) is None
        listener.listen()
        assert find.podman_endpoint(environment) == Endpoint(socket=path)
    assert find.podman_endpoint(environment) is None
