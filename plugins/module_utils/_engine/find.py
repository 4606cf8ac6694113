# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Find the engine for a transport from the environment of the task, with the rules of ``docker`` and ``podman``."""

from __future__ import annotations

import os
import re
import socket
import typing as t

from .._errors import InvalidReference
from .._run import Run
from .._text import without_userinfo
from .connection import Connection, Endpoint
from .engine_client import EngineClient
from .program import PodmanProgram

_DOCKER_SOCKET = "/var/run/docker.sock"
_PODMAN_SOCKET = "podman/podman.sock"
_TCP = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/?")

Engine = t.Union[EngineClient, PodmanProgram]


def find(transport: str, timeout: float, run: Run) -> Engine:
    """Return the engine for ``docker-daemon`` or ``containers-storage``. No request is sent yet."""
    endpoint = docker_endpoint(os.environ) if transport == "docker-daemon" else podman_endpoint(os.environ)
    if endpoint is None:
        return PodmanProgram(run.run_command)
    return EngineClient(Connection(endpoint, timeout, run.statistics))


def docker_endpoint(environment: t.Mapping[str, str]) -> Endpoint:
    """Return the address in DOCKER_HOST, with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, or else the local socket."""
    host = environment.get("DOCKER_HOST")
    if not host:
        return Endpoint(socket=_DOCKER_SOCKET)
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    files = environment.get("DOCKER_CERT_PATH", "")
    if verify and not files:
        files = environment.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    return _parse("DOCKER_HOST", host, files, verify)


def podman_endpoint(environment: t.Mapping[str, str]) -> Endpoint | None:
    """Return the address in CONTAINER_HOST, or the default socket if a service listens there; else None."""
    host = environment.get("CONTAINER_HOST")
    if host:
        return _parse("CONTAINER_HOST", host, "", False)
    runtime = "/run" if os.geteuid() == 0 else environment.get("XDG_RUNTIME_DIR", "")
    path = os.path.join(runtime, _PODMAN_SOCKET)
    return Endpoint(socket=path) if runtime and _listens(path) else None


def _parse(variable: str, text: str, files: str, verify: bool) -> Endpoint:
    scheme, separator, rest = text.partition("://")
    if separator and scheme == "unix" and rest.startswith("/"):
        return Endpoint(socket=rest)
    tcp = _TCP.fullmatch(rest) if separator and scheme == "tcp" else None
    port = int(tcp.group(2) or (2376 if files else 2375)) if tcp else 0
    if tcp and 0 < port < 65536:
        return Endpoint(host="%s:%d" % (tcp.group(1), port), tls=files, is_verified=verify)
    cause = "%s is %r, which is not a supported engine address" % (variable, without_userinfo(text))
    raise InvalidReference(cause, hint="Use unix:///PATH or tcp://HOST:PORT")


def _listens(path: str) -> bool:
    """Return whether a service listens. A socket may be left over from a service that has ended."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True
