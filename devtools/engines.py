# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container engines of our own: with their own data, reached by their own sockets, beside any that runs here."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

from devtools import provision
from devtools.certificates import Authority, Certificate
from devtools.process import Server, free_port


class Engine(Server):
    """What the engines of the tests have in common. They need root: without it an engine needs a set-up of its own."""

    transport = ""
    start_seconds = 180
    stop_seconds = 30  # dockerd ends its containerd first

    def __init__(self) -> None:
        super().__init__()
        self.socket = self.directory / "engine.sock"

    @staticmethod
    def available() -> bool:
        """Tell whether engines can run here."""
        return os.geteuid() == 0

    def ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            # One that listens may not answer yet, and hang up.
            probe.settimeout(30)
            try:
                probe.connect(str(self.socket))
                probe.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b" 200 OK" in probe.recv(100)
            except OSError:
                return False

    def environment(self) -> dict[str, str]:
        """Return what tells modules, and the program of the engine, where it is."""
        raise NotImplementedError

    def program(self) -> list[str]:
        """Return the program of the engine, without arguments."""
        raise NotImplementedError

    def run(self, *arguments: str | Path) -> str:
        """Run the program of the engine, and return what it says."""
        command = [*self.program(), *map(str, arguments)]
        environment = {**os.environ, **self.environment()}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout

    def image_id(self, name: str) -> str:
        """Return the ID of an image."""
        found = self.run("image", "inspect", "--format", "{{.Id}}", name).strip()
        return found if found.startswith("sha256:") else f"sha256:{found}"

    def names(self) -> set[str]:
        """Return the names of all images, as the engine shows them."""
        shown = self.run("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        return {name for name in shown if "<none>" not in name}


class Dockerd(Engine):
    """Debian's dockerd, which starts a containerd of its own; it listens on TCP with TLS as well.

    ``certificates`` are its own and that of its clients.
    """

    transport = "docker-daemon"

    def __init__(self, authority: Authority) -> None:
        super().__init__()
        self.tls_host = f"127.0.0.1:{free_port()}"
        self.client_files = self.directory / "client"
        self._authority = authority
        self._server: Certificate = authority.server()

    def command(self) -> list[str]:
        client = self._authority.client("drayage")
        self.client_files.mkdir()
        for name, path in (("ca.pem", self._server.ca), ("cert.pem", client.cert), ("key.pem", client.key)):
            (self.client_files / name).symlink_to(path)
        data, runtime = self.directory / "data", self.directory / "run"
        return [
            provision.program("dockerd", "docker.io"),
            *("--host", f"unix://{self.socket}", "--host", f"tcp://{self.tls_host}"),
            *("--tlsverify", "--tlscacert", str(self._server.ca)),
            *("--tlscert", str(self._server.cert), "--tlskey", str(self._server.key)),
            *("--data-root", str(data), "--exec-root", str(runtime), "--pidfile", str(self.directory / "pid")),
            *("--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"),
            *("--config-file", str(self._empty_config())),
        ]

    def environment(self) -> dict[str, str]:
        return {"DOCKER_HOST": f"unix://{self.socket}"}

    def tls_environment(self) -> dict[str, str]:
        """Return what tells where it is reached over TCP."""
        return {
            "DOCKER_HOST": f"tcp://{self.tls_host}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(self.client_files),
        }

    def program(self) -> list[str]:
        return [provision.program("docker", "docker.io")]

    def _empty_config(self) -> Path:
        """The configuration of a docker of this machine is not ours."""
        path = self.directory / "daemon.json"
        path.write_text("{}")
        return path


class Podman(Engine):
    """Debian's podman, with its service on a socket."""

    transport = "containers-storage"

    def command(self) -> list[str]:
        service = ["--cgroup-manager=cgroupfs", "system", "service", "--time=0", f"unix://{self.socket}"]
        return [*self.program(), *service]

    def environment(self) -> dict[str, str]:
        return {"CONTAINER_HOST": f"unix://{self.socket}"}

    def program(self) -> list[str]:
        storage = ["--root", str(self.directory / "root"), "--runroot", str(self.directory / "run")]
        # With CONTAINER_HOST in its environment it would be a client of its own service.
        return ["env", "-u", "CONTAINER_HOST", provision.program("podman"), *storage, "--storage-driver=vfs"]

    def program_environment(self, home: Path) -> dict[str, str]:
        """Return what makes the program alone use the same images: there is no socket where a module would look."""
        config = home / "storage.conf"
        storage = {"driver": "vfs", "graphroot": f"{self.directory}/root", "runroot": f"{self.directory}/run"}
        lines = [f"{key} = {json.dumps(value)}" for key, value in storage.items()]
        config.write_text("\n".join(["[storage]", *lines, ""]))
        return {"CONTAINERS_STORAGE_CONF": str(config)}
