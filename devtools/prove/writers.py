# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many writers of one local target at once: none loses what another one wrote."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from devtools import images
from devtools.places import FILE_PLACES
from devtools.prove import forks
from devtools.prove.report import Row
from devtools.prove.state import at_place
from devtools.servers import DockerRegistry

WRITERS = 8
_PASSWORD = "wonder:land"

Job = tuple[str, dict]


def run(rounds: int) -> list[Row]:
    """Let eight tasks write at once, ``rounds`` times for each kind of target."""
    forks.prepare()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drayage-")))
        rows = [_images(directory, transport, rounds) for transport in FILE_PLACES]
        rows.append(_inventory(stack.enter_context(DockerRegistry()), directory, rounds))
        rows.append(_logins(stack, directory, rounds))
    return rows


def _images(directory: Path, transport: str, rounds: int) -> Row:
    """Each writer brings an image of its own, under a name of its own where the target has names."""
    row = Row(f"{WRITERS} writers, {transport}", "all succeed, nothing is lost")
    made = [images.single(docker=True, seed=f"writer-{number}") for number in range(WRITERS)]
    source = directory / f"{transport}-source"
    for number, image in enumerate(made):
        images.write_layout(image, source, str(number))
    for turn in range(rounds):
        target = directory / f"{transport}-{turn}"
        target.mkdir()
        place = FILE_PLACES[transport](target)
        jobs = [
            ("image_copy", {"src": f"oci:{source}:{number}", "dest": place.reference(f"w{number}")})
            for number in range(WRITERS)
        ]
        failure = _write(jobs, directory)
        found = dict(at_place(place, {image.digest: image for image in made}))
        wanted = {f"w{number}": place.identity(image) for number, image in enumerate(made)}
        is_right = found == wanted if place.has_names else list(found.values())[0] in wanted.values()
        row.add(failure or ("" if is_right else f"left {found}") or ", ".join(place.strays()))
    return row


def _inventory(registry: DockerRegistry, directory: Path, rounds: int) -> Row:
    """Each writer syncs a repository of its own into one layout, and keeps one inventory."""
    row = Row(f"{WRITERS} writers, layout and inventory", "all succeed, nothing is lost")
    for number in range(WRITERS):
        images.push(images.single(seed=f"writer-{number}"), registry.host, f"writers/app-{number}", "1")
    for turn in range(rounds):
        inventory = directory / f"inventory-{turn}.json"
        options = {"src": registry.host, "dest": f"oci:{directory / f'mirror-{turn}'}", "inventory": str(inventory)}
        jobs = [("image_sync", {**options, "images": [{"name": f"writers/app-{number}"}]}) for number in range(WRITERS)]
        failure = _write(jobs, directory)
        count = len(json.loads(inventory.read_text())["images"]) if inventory.exists() else 0
        row.add(failure or ("" if count == WRITERS else f"the inventory has {count} images"))
    return row


def _logins(stack: ExitStack, directory: Path, rounds: int) -> Row:
    """Each writer adds the credentials of a host of its own to one auth file."""
    row = Row("4 writers, auth file", "all succeed, nothing is lost")
    servers = [stack.enter_context(DockerRegistry(htpasswd={"alice": _PASSWORD})) for _number in range(2)]
    hosts = [f"{name}:{server.port}" for server in servers for name in ("127.0.0.1", "localhost")]
    for turn in range(rounds):
        file = directory / f"auth-{turn}.json"
        options = {"username": "alice", "password": _PASSWORD, "authfile": str(file)}
        failure = _write([("registry_login", {**options, "host": host}) for host in hosts], directory)
        found = sorted(json.loads(file.read_text())["auths"]) if file.exists() else []
        row.add(failure or ("" if found == sorted(hosts) else f"left {found}"))
    return row


def _write(jobs: Sequence[Job], directory: Path) -> str:
    """Run modules at the same time; return what went wrong."""
    home = directory / "home"
    (home / "run").mkdir(parents=True, exist_ok=True)
    children = [forks.start(module, options, home) for module, options in jobs]
    failed = [status for status in map(forks.wait, children) if status != 0]
    return f"{len(failed)} of {len(jobs)} writers failed" if failed else ""
