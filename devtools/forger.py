# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy in front of a registry whose responses a test forges, request by request."""

from __future__ import annotations

import http.client
import http.server
import json
import threading
from contextlib import closing
from typing import Callable, NamedTuple

_TIMEOUT = 60
_NOT_PASSED_ON = ("connection", "content-length", "date", "server", "transfer-encoding")


class Response(NamedTuple):
    """What the client gets. Status 0 closes the connection without a word."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""


class Request(NamedTuple):
    """What the client sent, with the means to have the upstream registry answer it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    upstream: http.client.HTTPConnection

    def forward(self) -> Response:
        """Send it upstream and return the response."""
        self.upstream.request(self.method, self.target, body=self.body or None, headers=self.headers)
        response = self.upstream.getresponse()
        left_out = [name for name in _NOT_PASSED_ON if (self.method, name) != ("HEAD", "content-length")]
        headers = [pair for pair in response.getheaders() if pair[0].lower() not in left_out]
        return Response(response.status, headers, response.read())


# Returns None for a request that is passed on as it is.
Rule = Callable[[Request], "Response | None"]

LOST = Response(0, [])


def error(status: int, code: str) -> Response:
    """Return an error response as the distribution spec describes it."""
    body = json.dumps({"errors": [{"code": code, "message": "forged"}]}).encode()
    marks = [("Content-Type", "application/json"), ("Docker-Distribution-Api-Version", "registry/2.0")]
    return Response(status, marks, body)


class Forger:
    """Serves at ``host``; the first of ``rules`` that returns a response decides. A context manager."""

    def __init__(self, upstream: str, *rules: Rule) -> None:
        self.rules: list[Rule] = list(rules)
        self.requests: list[tuple[str, str]] = []
        forger = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body are two writes: without this the second one waits for the client.
            disable_nagle_algorithm = True

            def handle(self) -> None:
                with closing(http.client.HTTPConnection(upstream, timeout=_TIMEOUT)) as self.upstream:
                    super().handle()

            def handle_request(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = Request(self.command, self.path, dict(self.headers.items()), body, self.upstream)
                forger.requests.append((self.command, self.path))
                found = next(filter(None, (rule(request) for rule in forger.rules)), None)
                self._respond(found or request.forward())

            do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_request  # noqa: N815

            def _respond(self, response: Response) -> None:
                if not response.status:
                    self.close_connection = True
                    return
                self.send_response(response.status)
                for name, value in response.headers:
                    self.send_header(name, value)
                if self.command != "HEAD":
                    self.send_header("Content-Length", str(len(response.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(response.body)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Forger:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
