# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of the demo: the program docker-registry if it is available, otherwise a container."""

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
    """The same registry in a container, with the same log format."""

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
        """Remove the container, which may outlive the command, and stop the server."""
        subprocess.run([self._engine, "rm", "-f", "-v", self._container], capture_output=True, check=False)
        super().stop()


@contextlib.contextmanager
def registry() -> Iterator[DockerRegistry]:
    """Run a registry during the body, and stop it in any case."""
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
        raise provision.ProvisionError(f"{error} Alternatively, run docker or podman with access to {IMAGE}.") from None


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def signals_held_back() -> Iterator[None]:
    """Delay signals until the body has ended. An interrupted start would leave an orphaned process."""
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
    """Shut down cleanly on the first signal, and ignore later signals."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
