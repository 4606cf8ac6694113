# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server for answers that no real program gives: a function says, byte by byte, what each request gets."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Callable, NamedTuple


class Request(NamedTuple):
    """A request whose head has arrived; ``target`` is the path with its query."""

    method: str
    target: str
    headers: http.client.HTTPMessage


# What is sent for a request; afterwards the connection is kept, or closed where the answer says "Connection: close".
Script = Callable[[Request], Iterable[bytes]]


class Scripted:
    """Answers at ``host`` as ``script`` says; a context manager. ``requests`` and ``connections`` are what came.

    With ``certificate`` (files of certificate and key) it speaks TLS. ``stopping`` is set when the server stops: a script
    that is silent waits for it.
    """

    def __init__(self, script: Script, certificate: tuple[Path, Path] | None = None) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._context: ssl.SSLContext | None = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*certificate)
        self.port = self._listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Scripted:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                connection, _address = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as opened:
            opened.enter_context(connection)
            if self._context:
                connection = opened.enter_context(self._context.wrap_socket(connection, server_side=True))
            reader = opened.enter_context(connection.makefile("rb"))
            while True:
                words = reader.readline().split()
                if len(words) != 3:
                    return
                request = Request(words[0].decode(), words[1].decode(), http.client.parse_headers(reader))
                self.requests.append(request)
                sent = b""
                for part in self.script(request):
                    connection.sendall(part)
                    sent = (sent + part)[:4096]
                if request.headers.get("Content-Length", "0") != "0":
                    reader.read(int(request.headers["Content-Length"]))
                if not sent or b"Connection: close" in sent:
                    return


def answer(status: int, body: bytes = b"", **headers: str) -> list[bytes]:
    """Return a whole answer; an underscore in the name of a header is a dash."""
    fields = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return ["\r\n".join(lines).encode("latin-1") + body]


def error(status: int, code: str, message: str = "", **headers: str) -> list[bytes]:
    """Return an error as the distribution spec wants it."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return answer(status, body, Content_Type="application/json", **headers)
