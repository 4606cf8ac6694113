# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of a token service: each request for a token is broken in every way, once and for ever."""

from __future__ import annotations

import itertools
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from devtools import images, module_runner
from devtools.module_runner import Result
from devtools.observe import digest_at
from devtools.prove.breaker import FAULTS, MENDABLE, Breaker, Plan, timeout_for
from devtools.prove.operations import INDEX
from devtools.prove.report import Row
from devtools.prove.sampling import sampled
from devtools.prove.sweep import not_plain
from devtools.servers import DockerRegistry
from devtools.token_service import TokenService

_LOGIN = {"username": "alice", "password": "wonder:land"}
_SETTINGS = {"retries": 2, "jobs": 1}

_numbers = itertools.count(1)


class _Behind(TokenService):
    """A token service that registries reach through the breaker in front of it."""

    front = ""

    def registry_config(self) -> dict:
        token = super().registry_config()["token"]
        return {"token": {**token, "realm": f"http://{self.front}/token"}}


def run(seed: int, most: int | None) -> list[Row]:
    """Try all cases, or ``most`` of them chosen by ``seed``; one after the other, as they share the service."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drayage-")))
        (directory / "home" / "run").mkdir(parents=True)
        images.write_layout(INDEX, directory / "layout", "1")
        service = stack.enter_context(_Behind({"alice": _LOGIN["password"]}))
        breaker = stack.enter_context(Breaker(urlsplit(service.url).netloc))
        service.front = breaker.host
        storage = directory / "storage"
        closed = stack.enter_context(DockerRegistry(storage, token=service))
        # The same storage without users, to look at what has arrived.
        opened = stack.enter_context(DockerRegistry(storage))
        work = _Work(directory, breaker, closed, opened)
        work.copy(Plan(), timeout_for(""))
        count = len(breaker.seen)
        cases = sampled(list(itertools.product(range(count), FAULTS, (False, True))), seed, most)
        rows = {permanent: Row(f"token service, {how}", promise) for permanent, (how, promise) in _KINDS.items()}
        for number, fault, permanent in cases:
            rows[permanent].add(work.attempt(number, fault, permanent))
    return [row for row in rows.values() if row.tried]


_KINDS = {False: ("once", "exact after what a retry mends"), True: ("for ever", "exact, or one sentence")}


class _Work:
    def __init__(self, directory: Path, breaker: Breaker, closed: DockerRegistry, opened: DockerRegistry) -> None:
        self._directory = directory
        self._breaker = breaker
        self._closed = closed
        self._opened = opened

    def copy(self, plan: Plan, timeout: int) -> tuple[Result, str]:
        """Copy an image to a new repository; return the result, and the repository."""
        repository = f"tokens/number-{next(_numbers)}"
        self._breaker.seen.clear()
        self._breaker.plan = plan
        options = {
            "src": f"oci:{self._directory / 'layout'}:1",
            "dest": f"{self._closed.host}/{repository}:1",
            "registries": [{"host": self._closed.host, **_LOGIN}],
            "timeout": timeout,
        }
        result = module_runner.run("image_copy", {**options, **_SETTINGS}, home=self._directory / "home")
        return result, repository

    def attempt(self, number: int, fault: str, permanent: bool) -> str:
        """Return what is not as promised; empty where all is."""
        case = f"request {number + 1}, {fault} {'for ever' if permanent else 'once'}"
        try:
            result, repository = self.copy(Plan(number, FAULTS[fault], permanent), timeout_for(fault))
        except AssertionError as error:
            return f"{case}: {error}"
        found = digest_at(self._opened.host, repository, "1")
        if not result.failed:
            return "" if found == INDEX.digest else f"{case}: succeeded, and left {found}"
        message = result.raw["msg"]
        if found or not_plain(message):
            return f"{case}: {not_plain(message)} {message!r}, and left {found}"
        return f"{case}: failed: {message}" if fault in MENDABLE and not permanent else ""
