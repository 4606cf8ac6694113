# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all molecule scenarios share: empty registries, and a layout with images to fill them from.

``python -m devtools.molecule_site`` keeps it until the process is told to end, and says in SITE what there is.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from contextlib import ExitStack, suppress

from devtools import images, module_runner, provision
from devtools.process import free_port
from devtools.servers import DockerRegistry

SITE = provision.BUILD / "molecule" / "site.json"
KEPT_SECONDS = 3600  # at most, whoever forgets to stop it

REGISTRIES = ("source", "private", "far")

# Three releases that have a layer in common, and one more image.
IMAGES = {
    "app-1": images.index(layers=(b"base\n", 1000), seed="app-1"),
    "app-2": images.index(layers=(b"base\n", 2000), seed="app-2"),
    "app-3": images.index(layers=(b"base\n", 3000), seed="app-3"),
    "tool-1": images.single(seed="tool-1"),
}


def programs() -> dict[str, str]:
    """Return the programs that scenarios run, after obtaining those that are missing."""
    return {
        "skopeo": provision.program("skopeo"),
        "docker_registry": provision.program("docker-registry", unpack=True),
    }


def keep() -> None:
    """Start the registries, say where they are, and stop them when a signal comes."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_call: told.set())
    layout = SITE.parent / "images"
    for name, image in IMAGES.items():
        images.write_layout(image, layout, name)
    with ExitStack() as stack:
        registries = {name: stack.enter_context(DockerRegistry()) for name in REGISTRIES}
        site = {
            "pid": os.getpid(),
            "registries": {name: server.host for name, server in registries.items()},
            "access_logs": {name: str(server.output) for name, server in registries.items()},
            "place": str(SITE.parent),
            "layout": str(layout),
            "digests": {name: image.digest for name, image in IMAGES.items()},
            # It starts modules many times faster. test_packing.py runs each module in a new Python process.
            "python": module_runner.interpreter(),
            **programs(),
            "free_port": free_port(),
        }
        _write(json.dumps(site, indent=2))
        stack.callback(SITE.unlink, missing_ok=True)
        told.wait(KEPT_SECONDS)


def end() -> None:
    """Tell the process that keeps a site to end, if there is one."""
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(json.loads(SITE.read_text())["pid"], signal.SIGTERM)


def _write(text: str) -> None:
    """Write the file so that nobody sees a half of it."""
    beside = SITE.with_suffix(".new")
    beside.write_text(text)
    beside.replace(SITE)


if __name__ == "__main__":
    keep()
