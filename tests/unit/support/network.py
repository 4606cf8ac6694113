# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would go out through urllib3, in place of its connections."""

from __future__ import annotations

import typing as t

import pytest
import urllib3.connectionpool

from ansible_collections.drayage.registry.tests.unit.support.responses import body_of

# The status, the headers and the body.
Answer = tuple[int, dict[str, str], bytes]


class Sent(t.NamedTuple):
    """A request as urllib3 gets it; ``timeout`` is for connecting and for reading, ``proxy`` a URL or empty."""

    method: str
    url: str
    headers: dict[str, str]
    body: t.Any
    is_chunked: bool
    is_verified: bool
    timeout: tuple[float, float]
    proxy: str


class Network:
    """Answers in place of connections, with one answer after the other, the last for ever."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[Sent] = []

    def send(self, request: Sent) -> urllib3.HTTPResponse:
        self.sent.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        status, headers, body = answer
        return body_of(body, headers, status)


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    """An answer of the network; a header is given with ``_`` in place of ``-``."""
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, body


def intercept(monkeypatch: pytest.MonkeyPatch, answer: t.Callable[[Sent], urllib3.HTTPResponse]) -> None:
    """Let a function answer every request."""

    def urlopen(pool, method, target, body=None, headers=None, **options):
        timeout = options["timeout"]
        url = target if "://" in target else _origin(pool) + target
        return answer(
            Sent(
                method,
                url,
                dict(headers),
                body,
                options["chunked"],
                getattr(pool, "cert_reqs", None) == "CERT_REQUIRED",
                (timeout.connect_timeout, timeout._read),
                str(pool.proxy or ""),
            )
        )

    monkeypatch.setattr(urllib3.connectionpool.HTTPConnectionPool, "urlopen", urlopen)


def _origin(pool: t.Any) -> str:
    host = "[%s]" % pool.host if ":" in pool.host else pool.host
    is_default = pool.port == {"http": 80, "https": 443}[pool.scheme]
    return "%s://%s%s" % (pool.scheme, host, "" if is_default else ":%d" % pool.port)
