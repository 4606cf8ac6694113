# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server on loopback that gives the responses of a test: odd ones, which no real registry could be made to give."""

from __future__ import annotations

import http.server
import json
import threading
import typing as t

REGISTRY = {"Docker-Distribution-Api-Version": "registry/2.0"}
PAGE = {"Content-Type": "text/html; charset=utf-8"}
BASIC = {"WWW-Authenticate": 'Basic realm="r"'}
HTML = b"<html><body>Please log in</body></html>"


class Reply(t.NamedTuple):
    """A response; with ``announced`` it says that its body has so many bytes, and ends early."""

    status: int
    headers: t.Mapping[str, str] = {}
    body: bytes = b""
    announced: int | None = None


def refused(status: int, code: str, message: str = "") -> Reply:
    """An error response of a registry."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Reply(status, {"Content-Type": "application/json"}, body)


def found(document: object, **headers: str) -> Reply:
    """A document of a registry."""
    return Reply(200, {**REGISTRY, **headers}, json.dumps(document).encode())


class OddServer:
    """Responds as ``answer`` says, which gets the method and the target of each request; a context manager.

    ``log`` holds the requests as ``"GET /v2/"``, and ``bodies`` the last body that was sent to each path.
    """

    def __init__(self, answer: t.Callable[[str, str], Reply]) -> None:
        self.answer = answer
        self.log: list[str] = []
        self.bodies: dict[str, bytes] = {}
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.host = "127.0.0.1:%d" % self._server.server_address[1]

    def __enter__(self) -> OddServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(server: OddServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if length:
                server.bodies[self.path] = self.rfile.read(length)
            server.log.append("%s %s" % (self.command, self.path))
            reply = server.answer(self.command, self.path)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in reply.headers:
                self.send_header("Content-Length", str(reply.announced or len(reply.body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else reply.body)
            self.close_connection = reply.announced is not None

        do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any

        def log_message(self, *_arguments: object) -> None:
            pass

    return Handler
