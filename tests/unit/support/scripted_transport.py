# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transport without connections: a list of replies is the whole network of a test."""

from __future__ import annotations

import functools
import typing as t
from unittest import mock

from ansible_collections.drayage.registry.plugins.module_utils._registry import limits, session
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Authenticator
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import (
    ANONYMOUS,
    AuthFiles,
    Credential,
)
from ansible_collections.drayage.registry.plugins.module_utils._registry.registry_client import RegistryClient
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import Registries, RegistrySettings
from ansible_collections.drayage.registry.plugins.module_utils._registry.transport import Response
from ansible_collections.drayage.registry.plugins.module_utils._run import RunStats
from ansible_collections.drayage.registry.tests.unit.support.odd_server import Reply
from ansible_collections.drayage.registry.tests.unit.support.responses import response

HOST = "r.example"


class Sent(t.NamedTuple):
    """A request as it went out; a body that was a stream has been read."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None

    def __str__(self) -> str:
        return "%s %s" % (self.method, self.url.replace("https://%s/v2/" % HOST, ""))


class Script:
    """Replies to requests in their order; an exception is raised in place of a reply. All have to be asked for.

    A reply that announces more than its body ends with a reset.
    """

    def __init__(self, *replies: Reply | Exception) -> None:
        self.replies = list(replies)
        self.sent: list[Sent] = []
        self.responses: list[Response] = []

    @property
    def log(self) -> list[str]:
        """The requests as ``GET app/tags/list``."""
        return list(map(str, self.sent))

    def send(
        self, method: str, url: str, headers: t.Mapping[str, str], data: t.Any, settings: RegistrySettings
    ) -> Response:
        """As :meth:`Transport.send`."""
        self.sent.append(Sent(method, url, dict(headers), None))
        body = data if data is None or isinstance(data, bytes) else b"".join(bytes(chunk) for chunk in data)
        self.sent[-1] = self.sent[-1]._replace(body=body)
        assert self.replies, "nobody expected " + self.log[-1]
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        error = ConnectionResetError("reset") if reply.announced is not None else None
        content = b"" if method == "HEAD" else reply.body
        made = response(reply.status, content, reply.headers, url, headers.get("Authorization", ""), error)
        self.responses.append(made)
        return made

    def close(self) -> None:
        """Nothing is open."""


class Clock:
    """The time module of a machine that does nothing but wait for us; ``naps`` are how long, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.naps: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def client_of(
    script: Script,
    credential: Credential = ANONYMOUS,
    retries: int = 3,
    authfiles: AuthFiles | None = None,
    others: t.Sequence[RegistrySettings] = (),
    **settings: t.Any,
) -> RegistryClient:
    """A client of the registry at ``HOST``, as it replies, with a credential or those of auth files.

    ``others`` are entries for other hosts.
    """
    entry = RegistrySettings(HOST, **settings)
    with mock.patch.object(session, "Transport", lambda *_arguments: script):
        made = session.Session(HOST, entry, Registries([entry, *others]), session.Policy(retries=retries), RunStats())
    if authfiles:
        return RegistryClient(made, Authenticator(made, functools.partial(authfiles.find, HOST), authfiles.forget))
    return RegistryClient(made, Authenticator(made, lambda _repository: credential))


def stop_clock(monkeypatch: t.Any) -> Clock:
    """Let no time pass but what is waited for, and pauses be as long as they are on average."""
    clock = Clock()
    monkeypatch.setattr(session, "time", clock)
    monkeypatch.setattr(limits, "time", clock)
    monkeypatch.setattr(session.random, "uniform", lambda _least, _most: 1.0)
    return clock
