# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of the demo: a program where that can be had, else a container."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Iterator

from devtools import provision
from devtools.servers import DockerRegistry

IMAGE = "docker.io/library/registry:2"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ContainerRegistry(DockerRegistry):
    """The same registry in a container, which logs the same."""

    def __init__(self, engine: str) -> None:
        super().__init__()
        self._engine = engine
        self._container = f"drayage-demo-{self.port}"

    def command(self) -> list[str]:
        """Return the command that runs the container until it is stopped."""
        ports = ["-p", f"{self.host}:5000", "-p", f"{self._debug}:5001"]
        settings = ["-e", "REGISTRY_HTTP_DEBUG_ADDR=:5001", "-e", "REGISTRY_LOG_LEVEL=warn"]
        return [self._engine, "run", "--rm", "--name", self._container, *ports, *settings, IMAGE]

    def stop(self) -> None:
        """Remove the container, which may outlive the command, and then do as for every server."""
        subprocess.run([self._engine, "rm", "-f", "-v", self._container], capture_output=True, check=False)
        super().stop()


@contextlib.contextmanager
def registry() -> Iterator[DockerRegistry]:
    """Run a registry while the body runs, whatever ends it."""
    server = obtain()
    try:
        with signals_held_back():
            server.start()
        yield server
    finally:
        with signals_held_back():
            server.stop()


def obtain() -> DockerRegistry:
    """Return a registry that can be started."""
    try:
        provision.program("docker-registry", unpack=True)
        return DockerRegistry()
    except provision.ProvisionError as error:
        for engine in ("docker", "podman"):
            if shutil.which(engine) and _succeeds([engine, "info"]):
                print(f"-- docker-registry is not installed: running {IMAGE} with {engine}", flush=True)
                if _succeeds([engine, "pull", IMAGE]):
                    return ContainerRegistry(engine)
        raise provision.ProvisionError(f"{error} A running docker or podman that can pull {IMAGE} does, too.") from None


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def signals_held_back() -> Iterator[None]:
    """Let the body come to its end before a signal counts: half a start would leave a process that nobody knows."""
    held: list[tuple] = []
    before = {number: signal.signal(number, lambda *call: held.append(call)) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if held:
        interrupt(*held[0])


def interrupt(*_call: object) -> None:
    """Handle the first signal by ending in order, and let no second one disturb that."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
