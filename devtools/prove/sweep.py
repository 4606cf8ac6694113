# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault sweep: every request of every operation is broken in every way, once and for ever."""

from __future__ import annotations

import base64
import itertools
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from devtools import module_runner
from devtools.module_runner import Result
from devtools.prove.breaker import FAULTS, MENDABLE, Breaker, Plan, timeout_for
from devtools.prove.operations import OPERATIONS, Servers, Task
from devtools.prove.report import Row
from devtools.prove.sampling import sampled
from devtools.servers import DockerRegistry, ModernRegistry

# A retry follows each failure.
_SETTINGS = {"retries": 2, "jobs": 1}
# Seconds, longer than the timeout of a task that meets it.
_STALL = 3.0
THREADS = 16

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Case:
    """One request, broken in one way; ``number`` counts the requests to this ``side`` of the task."""

    operation: str
    side: str
    number: int
    fault: str
    permanent: bool

    def __str__(self) -> str:
        how = "for ever" if self.permanent else "once"
        return f"{self.operation}, request {self.number + 1} to the {self.side}, {self.fault} {how}"


def run(seed: int, most: int | None) -> list[Row]:
    """Try all cases, or ``most`` of them chosen by ``seed``, and return a row for each kind of fault."""
    with ExitStack() as stack:
        servers = start_servers(stack)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drayage-")))
        cases = sampled(list(_cases(servers, directory)), seed, most)
        with ThreadPoolExecutor(THREADS) as pool:
            verdicts = list(pool.map(lambda case: _try(servers, directory, case), cases))
    return _rows(cases, verdicts)


def start_servers(stack: ExitStack) -> Servers:
    """Start the registries of a sweep; ``stack`` stops them."""
    modern = stack.enter_context(ModernRegistry()) if ModernRegistry.available() else None
    return Servers(stack.enter_context(DockerRegistry()), stack.enter_context(DockerRegistry()), modern)


def _rows(cases: list[Case], verdicts: list[str]) -> list[Row]:
    rows = {}
    for fault, permanent in itertools.product(FAULTS, (False, True)):
        promise = "exact" if fault in MENDABLE and not permanent else "exact, or one sentence"
        rows[fault, permanent] = Row(f"{fault}, {'for ever' if permanent else 'once'}", promise)
    for case, verdict in zip(cases, verdicts):
        rows[case.fault, case.permanent].add(f"{case}: {verdict}" if verdict else "")
    return [row for row in rows.values() if row.tried]


def _cases(servers: Servers, directory: Path) -> list[Case]:
    """Every request that each operation sends when nothing is broken, in every way."""
    cases = []
    for name in OPERATIONS:
        attempt = Attempt(servers, directory, name)
        with attempt:
            result = attempt.run()
            if result.failed:
                raise AssertionError(f"{name} fails without a fault: {result.raw['msg']}")
            for side, breaker in attempt.breakers.items():
                cases += [
                    Case(name, side, number, fault, permanent)
                    for number in range(len(breaker.seen))
                    for fault in FAULTS
                    for permanent in (False, True)
                ]
    return cases


class Attempt:
    """One operation in a place of its own, with a breaker before each server; ``login`` is a name and a password."""

    def __init__(self, servers: Servers, directory: Path, operation: str, login: tuple[str, str] | None = None) -> None:
        name = f"sweep/number-{next(_numbers)}"
        self._directory = directory / name.replace("/", "-")
        (self._directory / "place").mkdir(parents=True)
        self.home = self._directory / "home"
        (self.home / "run").mkdir(parents=True)
        self.task: Task = OPERATIONS[operation](servers, name, self._directory / "place")
        self._login = login
        authorization = "Basic " + base64.b64encode(":".join(login).encode()).decode() if login else ""
        self.breakers = {
            side: Breaker(getattr(self.task, side), seconds=_STALL, authorization=authorization)
            for side in self.task.sides
        }

    def __enter__(self) -> Attempt:
        for breaker in self.breakers.values():
            breaker.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        for breaker in self.breakers.values():
            breaker.__exit__(*exception)

    def run(self, fault: str = "") -> Result:
        hosts = [self.breakers[side].host if side in self.breakers else "" for side in ("source", "destination")]
        options = {**self.task.options(*hosts), **_SETTINGS, "timeout": timeout_for(fault)}
        if self._login:
            username, password = self._login
            options["registries"] = [
                {"host": host, "username": username, "password": password} for host in filter(None, hosts)
            ]
        return module_runner.run(self.task.module, options, home=self.home)


def _try(servers: Servers, directory: Path, case: Case) -> str:
    """Return what is not as promised; empty where all is."""
    try:
        with Attempt(servers, directory, case.operation) as attempt:
            plan = Plan(case.number, FAULTS[case.fault], case.permanent)
            attempt.breakers[case.side].plan = plan
            result = attempt.run(case.fault)
            verdict = _judge(attempt.task, case, result)
            if verdict:
                return verdict
            attempt.breakers[case.side].plan = Plan()
            return _converges(attempt, result)
    except AssertionError as error:
        return str(error)


def _judge(task: Task, case: Case, result: Result) -> str:
    verdict = judge(task, result)
    if not verdict and result.failed and case.fault in MENDABLE and not case.permanent:
        return f"failed: {result.raw['msg']}"
    return verdict


def judge(task: Task, result: Result, exact: bool = True) -> str:
    """Return what is wrong with a result: a success must be ``exact``, a failure plain; neither may do harm.

    A registry that hides its tags makes a success possible that is not exact.
    """
    state = dict(task.state())
    told = "succeeded" if not result.failed else f"failed ({result.raw['msg']})"
    if result.failed:
        fault = not_plain(result.raw["msg"])
        if fault:
            return f"{fault}: {result.raw['msg']!r}"
    elif exact and state != dict(task.after):
        return f"succeeded, and left {state}"
    elif exact and not result.raw["changed"]:
        return "succeeded, and says that nothing changed"
    names = {*state, *task.before}
    harmed = [name for name in names if state.get(name) not in (task.before.get(name), task.after.get(name))]
    return f"{told}, and left {state}" if harmed else ""


def _converges(attempt: Attempt, result: Result) -> str:
    """A second run without the fault finishes the work, and a third one has nothing to do."""
    if result.failed:
        again = attempt.run()
        if again.failed:
            return f"the next run fails: {again.raw['msg']}"
        if dict(attempt.task.state()) != dict(attempt.task.after):
            return f"the next run left {attempt.task.state()}"
    last = attempt.run()
    if last.failed or last.raw["changed"]:
        return f"the last run was not unchanged: {last.raw.get('msg', last.raw)}"
    return ""


_FOREIGN = re.compile(r"Traceback|Errno|Pool\(|object at 0x|Exception|<html", re.IGNORECASE)


def not_plain(message: str) -> str:
    """Return why a message is not one plain line; empty where it is."""
    if not message.isprintable():
        return "the message is not printable"
    if len(message) > 1000:
        return f"the message has {len(message)} characters"
    found = _FOREIGN.search(message)
    return f"the message holds {found[0]!r}" if found else ""
