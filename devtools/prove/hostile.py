# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile servers: every response of the list, to every operation that sends such a request."""

from __future__ import annotations

import base64
import itertools
import socket
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from devtools.process import free_port
from devtools.prove.breaker import Exchange, Fault, Plan
from devtools.prove.hostile_responses import TOKEN_SERVICE, Response, responses
from devtools.prove.operations import OPERATIONS, Servers
from devtools.prove.report import Row
from devtools.prove.sampling import sampled
from devtools.prove.sweep import THREADS, Attempt, judge, start_servers

LOGIN = ("alice", "wonder:land-of-7-secrets")
SECRETS = (
    LOGIN[1],
    base64.b64encode(":".join(LOGIN).encode()).decode(),
    base64.b64encode(LOGIN[1].encode()).decode(),
)


class Thief:
    """A server that keeps what it is sent; a context manager."""

    def __init__(self) -> None:
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self._heard: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)

    def __enter__(self) -> Thief:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def stolen(self) -> list[str]:
        """Return the secrets that were sent here."""
        return sorted(secret for secret in SECRETS if any(secret.encode() in heard for heard in self._heard))

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            with client, suppress(OSError):
                client.settimeout(5)
                heard = client.recv(64 * 1024)
                # A registry may name any token service, which gets the credentials of that registry by the protocol.
                if not heard.startswith(b"GET " + TOKEN_SERVICE.encode() + b"?"):
                    self._heard.append(heard)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")


class _Case(NamedTuple):
    operation: str
    side: str
    response: Response


def run(seed: int, most: int | None) -> list[Row]:
    """Try all responses, or ``most`` of the cases chosen by ``seed``, and return a row for each group of them."""
    with ExitStack() as stack:
        servers = start_servers(stack)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drayage-")))
        thief = stack.enter_context(Thief())
        cases = sampled(list(_cases(servers, directory)), seed, most)
        with ThreadPoolExecutor(THREADS) as pool:
            verdicts = list(pool.map(lambda case: _try(servers, directory, thief, case), cases))
        stolen = Row("credentials at another host", "none")
        stolen.add(f"it was sent {', '.join(thief.stolen())}" if thief.stolen() else "")
    return [*_rows(cases, verdicts), stolen]


def _rows(cases: list[_Case], verdicts: list[str]) -> list[Row]:
    rows: dict[str, Row] = {}
    for case, verdict in zip(cases, verdicts):
        group = case.response.name.partition(":")[0]
        row = rows.setdefault(group, Row(f"hostile {group}", "exact, or one sentence"))
        row.add(f"{case.operation}, {case.side}, {case.response.name}: {verdict}" if verdict else "")
    return list(rows.values())


def _cases(servers: Servers, directory: Path) -> list[_Case]:
    cases = []
    for operation in OPERATIONS:
        with Attempt(servers, directory, operation, LOGIN) as attempt:
            result = attempt.run()
            if result.failed:
                raise AssertionError(f"{operation} fails without a fault: {result.raw['msg']}")
            sides = {side: set(breaker.seen) for side, breaker in attempt.breakers.items()}
        for (side, kinds), response in itertools.product(sides.items(), responses()):
            if response.kind in kinds:
                cases.append(_Case(operation, side, response))
    return cases


def _try(servers: Servers, directory: Path, thief: Thief, case: _Case) -> str:
    """Return what is not as promised; empty where all is."""
    try:
        with Attempt(servers, directory, case.operation, LOGIN) as attempt:
            breaker = attempt.breakers[case.side]
            breaker.plan = Plan(kind=case.response.kind, fault=_answer(case.response, breaker.host, thief.host))
            result = attempt.run()
            told = [secret for secret in SECRETS if secret in result.stdout + result.stderr]
            # A list that hides tags, or an absence that is none, is believed where nothing is lost by it.
            is_believed = case.response.kind in ("GET tags", "HEAD manifest") or case.response.status.startswith("404")
            return "the result holds a secret" if told else judge(attempt.task, result, not is_believed)
    except AssertionError as error:
        return str(error)


def _answer(response: Response, host: str, thief: str) -> Fault:
    headers = [header.replace("THIEF", thief).replace("HOST", host) for header in response.headers]

    def answer(exchange: Exchange) -> None:
        body = response.body
        if body == b"CREDENTIALS":
            body = exchange.request.partition(b"\r\n\r\n")[0]
        exchange.answer(response.status, body, *headers)

    return answer
