# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy that breaks one request: the n-th of all, or that one and every later request like it.

The faults are those that networks, proxies and registries produce. Each is a function that gets the exchange and decides
whether the upstream server sees the request, and what the client sees of the response.
"""

from __future__ import annotations

import contextlib
import email.utils
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Callable

from devtools.process import free_port

_LIMIT = 64 * 1024
_SECONDS = 30


@dataclass
class Exchange:
    """One request as the proxy holds it, with the means to answer it."""

    client: socket.socket
    method: str
    target: str
    request: bytes
    upstream: str
    seconds: float

    def forward(self) -> bytes:
        """Send the request upstream, and return the whole response: head and body."""
        host, _colon, port = self.upstream.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=_SECONDS) as server:
            server.sendall(self.request)
            return _read_response(server, self.method)

    def forward_half(self) -> None:
        """Send the first half of the request upstream, and break the connection."""
        host, _colon, port = self.upstream.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=_SECONDS) as server:
            server.sendall(self.request[: len(self.request) // 2])

    def answer(self, status: str, body: bytes = b"", *headers: str) -> None:
        """Answer in place of the upstream server."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
        content = b"" if self.method == "HEAD" else body
        self.client.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + content)

    def reset(self) -> None:
        """Close the connection with RST, as a crashed peer does."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Fault = Callable[[Exchange], None]


def reset_before(exchange: Exchange) -> None:
    """The connection breaks before the registry has seen the request."""
    exchange.reset()


def reset_in_request(exchange: Exchange) -> None:
    """The connection breaks when the registry has seen half of the request."""
    exchange.forward_half()
    exchange.reset()


def reset_in_answer(exchange: Exchange) -> None:
    """The connection breaks in the middle of the response."""
    response = exchange.forward()
    exchange.client.sendall(response[: max(1, len(response) * 2 // 3)])
    exchange.reset()


def answer_lost(exchange: Exchange) -> None:
    """The registry has done what was asked, and nobody learns of it."""
    exchange.forward()
    exchange.reset()


def cut_with_length(exchange: Exchange) -> None:
    """The response ends before the length that it announces."""
    response = exchange.forward()
    head, _separator, body = response.partition(b"\r\n\r\n")
    exchange.client.sendall(head + b"\r\n\r\n" + body[: len(body) // 2])


def cut_without_length(exchange: Exchange) -> None:
    """The response announces no length and ends early, which HTTP takes for its end."""
    response = exchange.forward()
    head, _separator, body = response.partition(b"\r\n\r\n")
    head = re.sub(rb"(?im)^(content-length|transfer-encoding):.*\r\n", b"", head + b"\r\n")
    exchange.client.sendall(head + b"Connection: close\r\n\r\n" + body[: len(body) // 2])


def stall(exchange: Exchange) -> None:
    """The server accepts the request and says nothing for longer than the timeout."""
    time.sleep(exchange.seconds)
    exchange.reset()


def garbage(exchange: Exchange) -> None:
    """The response is not HTTP."""
    exchange.client.sendall(b"\x00\x01\x02 this is not HTTP \xff\xfe\r\n\r\n")


def html_200(exchange: Exchange) -> None:
    """A portal or a maintenance page answers everything with success."""
    exchange.answer("200 OK", b"<html><body>Please log in</body></html>", "Content-Type: text/html")


def redirect_loop(exchange: Exchange) -> None:
    """The response leads back to the same address."""
    exchange.answer("307 Temporary Redirect", b"", f"Location: {exchange.target}")


def unauthorized(exchange: Exchange) -> None:
    """A registry without users asks for a password."""
    exchange.answer("401 Unauthorized", b"", 'WWW-Authenticate: Basic realm="closed"')


def busy_seconds(exchange: Exchange) -> None:
    """429 with Retry-After in seconds."""
    exchange.answer("429 Too Many Requests", b"", "Retry-After: 0")


def busy_date(exchange: Exchange) -> None:
    """429 with Retry-After as a date."""
    exchange.answer("429 Too Many Requests", b"", f"Retry-After: {email.utils.formatdate(usegmt=True)}")


def _status(text: str) -> Fault:
    def fail(exchange: Exchange) -> None:
        exchange.answer(text, b'{"errors":[{"code":"UNKNOWN","message":"out of order"}]}')

    fail.__doc__ = f"The response has the status {text}."
    return fail


# By name: whether one more try mends it, and the fault.
MENDABLE: dict[str, Fault] = {
    "reset before": reset_before,
    "reset in request": reset_in_request,
    "reset in answer": reset_in_answer,
    "answer lost": answer_lost,
    "cut, with length": cut_with_length,
    "stall": stall,
    "garbage": garbage,
    "429 seconds": busy_seconds,
    "429 date": busy_date,
    "500": _status("500 Internal Server Error"),
    "502": _status("502 Bad Gateway"),
    "503": _status("503 Service Unavailable"),
}
# What nobody can tell from the truth, or from a decision: either the task succeeds, or it fails and says why.
OTHERS: dict[str, Fault] = {
    "cut, without length": cut_without_length,
    "HTML with 200": html_200,
    "redirect loop": redirect_loop,
    "401": unauthorized,
}
FAULTS = {**MENDABLE, **OTHERS}


def timeout_for(fault: str) -> int:
    """Return the timeout of a task in seconds: only a stall should exceed it, also on a busy machine."""
    return 2 if FAULTS.get(fault) is stall else 30


@dataclass
class Plan:
    """Which request to break: its number among all, and whether every later one of the same method and kind fails too.

    With a ``kind`` (``"GET manifest"``) all of that kind are broken.
    """

    number: int = -1
    fault: Fault | None = None
    permanent: bool = False
    kind: str = ""


@dataclass
class Breaker:
    """The proxy in front of ``upstream`` (``host:port``); a context manager. ``seconds`` is how long a stall lasts.

    With an ``authorization`` it lets in only who sends that, and asks everybody else for a password.
    """

    upstream: str
    plan: Plan = field(default_factory=Plan)
    seconds: float = 3.0
    authorization: str = ""

    def __post_init__(self) -> None:
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.seen: list[str] = []
        self._lock = threading.Lock()
        self._broken_kind = ""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self._closing = False

    def __enter__(self) -> Breaker:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """One request a connection: the client is told so, and opens the next one."""
        client.settimeout(_SECONDS)
        with client, contextlib.suppress(OSError):
            request = _read_request(client)
            if request:
                self._handle(client, request)

    def _handle(self, client: socket.socket, request: bytes) -> None:
        line = request.partition(b"\r\n")[0].decode("latin-1")
        method, target, _version = line.split(" ", 2)
        exchange = Exchange(client, method, target, _closing(request), self.upstream, self.seconds)
        if (
            self.authorization
            and f"\r\nauthorization: {self.authorization}\r\n".encode().lower() not in request.lower()
        ):
            unauthorized(exchange)
            return
        fault = self._fault_for(f"{method} {kind_of(target)}")
        if fault:
            fault(exchange)
        else:
            client.sendall(exchange.forward())

    def _fault_for(self, kind: str) -> Fault | None:
        with self._lock:
            self.seen.append(kind)
            is_it = len(self.seen) - 1 == self.plan.number
            if is_it:
                self._broken_kind = kind
            later = kind == self.plan.kind or (self.plan.permanent and kind == self._broken_kind)
        return self.plan.fault if is_it or later else None


def kind_of(target: str) -> str:
    """What a request is about, without the names in it."""
    path, _mark, query = target.partition("?")
    if "/blobs/uploads/" in path:
        return "mount" if "mount=" in query else "upload"
    for part, kind in (("/manifests/", "manifest"), ("/blobs/", "blob"), ("/tags/list", "tags")):
        if part in path:
            return kind
    return path


def _closing(request: bytes) -> bytes:
    head, separator, body = request.partition(b"\r\n\r\n")
    head = re.sub(rb"(?im)^(connection|expect):.*\r\n", b"", head + b"\r\n")
    return head + b"Connection: close\r\n" + separator[2:] + body


def _read_request(client: socket.socket) -> bytes:
    data = _read_head(client)
    if not data:
        return b""
    head, _separator, body = data.partition(b"\r\n\r\n")
    if re.search(rb"(?im)^expect:\s*100-continue", head):
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    chunks = [data]
    for chunk in _rest(client, head, len(body), body):
        chunks.append(chunk)
    return b"".join(chunks)


def _read_response(server: socket.socket, method: str) -> bytes:
    data = _read_head(server)
    while data.startswith(b"HTTP/1.1 100"):
        data = data.partition(b"\r\n\r\n")[2] or _read_head(server)
    if method == "HEAD":
        return data
    chunks = [data]
    while True:
        chunk = server.recv(_LIMIT)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)


def _read_head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(_LIMIT)
        if not chunk:
            return b""
        data += chunk
    return data


def _rest(client: socket.socket, head: bytes, have: int, body: bytes) -> Iterator[bytes]:
    length = re.search(rb"(?im)^content-length:\s*([0-9]+)", head)
    if length:
        missing = int(length[1]) - have
        while missing > 0:
            chunk = client.recv(min(_LIMIT, missing))
            if not chunk:
                return
            missing -= len(chunk)
            yield chunk
    elif re.search(rb"(?im)^transfer-encoding:\s*chunked", head):
        tail = body
        while not tail.endswith(b"0\r\n\r\n"):
            chunk = client.recv(_LIMIT)
            if not chunk:
                return
            tail = (tail + chunk)[-16:]
            yield chunk
