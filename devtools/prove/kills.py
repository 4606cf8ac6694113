# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kill sweep: a task is killed before every rename, and at random moments; what it writes to is never torn."""

from __future__ import annotations

import itertools
import json
import random
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from devtools import images
from devtools.places import FILE_PLACES
from devtools.prove import forks
from devtools.prove.operations import INDEX, KNOWN, OLD, OTHER, SINGLE
from devtools.prove.report import Row
from devtools.prove.state import at_place, at_registry
from devtools.servers import DockerRegistry

_PASSWORD = "wonder:land"

_numbers = itertools.count(1)


@dataclass
class Victim:
    """A task, and what it leaves: ``state`` maps names to what they stand for, ``strays`` lists what nobody needs.

    ``state`` raises AssertionError where something is torn.
    """

    module: str
    options: dict
    state: Callable[[], Mapping[str, object]]
    after: Mapping[str, object]
    strays: Callable[[], list[str]] = list


class Site:
    """What the victims work with: a registry, one with users, and a directory."""

    def __init__(self, registry: DockerRegistry, closed: DockerRegistry, directory: Path) -> None:
        self.registry = registry
        self.closed = closed
        self._directory = directory
        images.write_layout(INDEX, directory / "source", "index")
        images.write_layout(SINGLE, directory / "source", "single")
        images.write_layout(OLD, directory / "source", "old")
        images.write_layout(OTHER, directory / "source", "other")

    def source(self, name: str) -> str:
        """Return a reference of an image to copy."""
        return f"oci:{self._directory / 'source'}:{name}"

    def new(self) -> tuple[str, Path, Path]:
        """Return a name, a directory and a home that nobody else uses."""
        name = f"number-{next(_numbers)}"
        home = self._directory / name / "home"
        (home / "run").mkdir(parents=True)
        place = self._directory / name / "place"
        place.mkdir()
        return name, place, home


Make = Callable[[Site, str, Path, Path], Victim]


def _file(transport: str) -> Make:
    """A file or directory that holds two images; one is replaced."""

    def make(site: Site, _name: str, directory: Path, home: Path) -> Victim:
        place = FILE_PLACES[transport](directory)
        new, tag = ("index", INDEX) if place.keeps_indexes else ("single", SINGLE)
        _finish(forks.start("image_copy", {"src": site.source("old"), "dest": place.reference("1")}, home))
        after = {"": place.identity(tag)}
        if place.has_names:
            _finish(forks.start("image_copy", {"src": site.source("other"), "dest": place.reference("2")}, home))
            after = {"1": place.identity(tag), "2": place.identity(OTHER)}
        options = {"src": site.source(new), "dest": place.reference("1")}
        return Victim("image_copy", options, lambda: at_place(place, KNOWN), after, place.strays)

    return make


def _registry(site: Site, name: str, _directory: Path, _home: Path) -> Victim:
    """A tag of a registry that is moved."""
    host, repository = site.registry.host, f"kills/{name}"
    images.push(OLD, host, repository, "1")
    options = {"src": site.source("index"), "dest": f"{host}/{repository}:1"}
    return Victim("image_copy", options, lambda: at_registry(host, repository, KNOWN), {"1": INDEX.digest})


def _sync(site: Site, name: str, directory: Path, _home: Path) -> Victim:
    """A layout that is filled from a registry, and its inventory."""
    host, repository = site.registry.host, f"kills/{name}"
    images.push(INDEX, host, repository, "1")
    images.push(OTHER, host, repository, "2")
    place = FILE_PLACES["oci"](directory)
    inventory = directory / "inventory.json"
    options = {
        "src": host,
        "dest": f"oci:{place.path}",
        "images": [{"name": repository}],
        "inventory": str(inventory),
        "scoped": False,
    }
    last = repository.rpartition("/")[2]
    after = {f"{last}:1": INDEX.digest, f"{last}:2": OTHER.digest, "inventory": 2}

    def state() -> dict[str, object]:
        found: dict[str, object] = dict(at_place(place, KNOWN)) if place.path.exists() else {}
        if inventory.exists():
            found["inventory"] = len(json.loads(inventory.read_text())["images"])
        return found

    def strays() -> list[str]:
        return [name for name in place.strays() if name != inventory.name]

    return Victim("image_sync", options, state, after, strays)


def _login(site: Site, _name: str, directory: Path, _home: Path) -> Victim:
    """An auth file with credentials of others."""
    file = directory / "auth.json"
    file.write_text(json.dumps({"auths": {"other.example": {"auth": "b3RoZXI6c2VjcmV0"}}}))
    file.chmod(0o600)
    options = {
        "host": site.closed.host,
        "username": "alice",
        "password": _PASSWORD,
        "authfile": str(file),
    }

    def state() -> dict[str, object]:
        return dict.fromkeys(json.loads(file.read_text())["auths"], "here")

    def strays() -> list[str]:
        return [entry.name for entry in directory.iterdir() if entry != file]

    after = {"other.example": "here", site.closed.host: "here"}
    return Victim("registry_login", options, state, after, strays)


VICTIMS: dict[str, Make] = {
    **{f"{transport}, image replaced": _file(transport) for transport in FILE_PLACES},
    "registry, tag moved": _registry,
    "layout and inventory of a sync": _sync,
    "auth file": _login,
}


def run(seed: int, times: int, renames: int | None) -> list[Row]:
    """Kill each task before each rename, or before so many of them, and ``times`` times at a random moment.

    Returns a row for each task and way.
    """
    chance = random.Random(seed)
    forks.prepare()
    rows = []
    with ExitStack() as stack:
        registry = stack.enter_context(DockerRegistry())
        closed = stack.enter_context(DockerRegistry(htpasswd={"alice": _PASSWORD}))
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drayage-")))
        site = Site(registry, closed, directory)
        for name, make in VICTIMS.items():
            rows += _sweep(site, name, make, chance, times, renames)
    return rows


def _sweep(site: Site, name: str, make: Make, chance: random.Random, times: int, most: int | None) -> list[Row]:
    renames, seconds = _measure(site, make)
    numbers = list(range(renames))
    if most is not None and most < renames:
        numbers = chance.sample(numbers, most)
    at_rename = Row(f"{name}, before a rename", "old or new, nothing torn or left")
    for number in numbers:
        at_rename.add(_kill(site, make, lambda victim, home, n=number: _at_rename(victim, home, n)))
    at_random = Row(f"{name}, at random", "old or new, nothing torn or left")
    for _time in range(times):
        delay = chance.uniform(0, seconds)
        at_random.add(_kill(site, make, lambda victim, home, d=delay: _at_moment(victim, home, d)))
    # What is written to a registry is renamed there, not here.
    return [row for row in (at_rename, at_random) if row.tried]


def _measure(site: Site, make: Make) -> tuple[int, float]:
    """Return how many renames a whole run makes, and how many seconds it takes."""
    name, directory, home = site.new()
    victim = make(site, name, directory, home)
    counter = home / "renames"
    start = time.monotonic()
    _finish(forks.start(victim.module, victim.options, home, forks.count_renames(counter)))
    seconds = time.monotonic() - start
    if dict(victim.state()) != dict(victim.after):
        raise AssertionError(f"{name} leaves {victim.state()} without a kill")
    return counter.stat().st_size if counter.exists() else 0, seconds


def _at_rename(victim: Victim, home: Path, number: int) -> None:
    forks.wait(forks.start(victim.module, victim.options, home, forks.kill_at_rename(number)))


def _at_moment(victim: Victim, home: Path, seconds: float) -> None:
    forks.kill_after(forks.start(victim.module, victim.options, home), seconds)


def _kill(site: Site, make: Make, kill: Callable[[Victim, Path], None]) -> str:
    """Return what was not as promised; empty where all was."""
    name, directory, home = site.new()
    try:
        victim = make(site, name, directory, home)
        before = dict(victim.state())
        kill(victim, home)
        state = dict(victim.state())
        torn = [key for key in {*state, *before} if state.get(key) not in (before.get(key), victim.after.get(key))]
        if torn:
            return f"left {state}"
        _finish(forks.start(victim.module, victim.options, home))
        if dict(victim.state()) != dict(victim.after):
            return f"the next run left {victim.state()}"
        strays = victim.strays()
        return f"left behind {strays}" if strays else ""
    except AssertionError as error:
        return str(error)


def _finish(child: int) -> None:
    status = forks.wait(child)
    if status != 0:
        raise AssertionError(f"a run without a kill ended with status {status}")
