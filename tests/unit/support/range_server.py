# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server on loopback with one blob that can be read by ranges, as well or as badly as a test wants."""

from __future__ import annotations

import http.server
import re
import threading
import typing as t


class RangeServer:
    """Serves ``content`` for every GET; a context manager.

    A plain request gets ``first`` bytes, and the rest after ``gate`` is set. ``answer`` gets the start and end of a range, and
    returns the status, the Content-Range and the body. ``ranges`` are those that were asked for, and ``plain`` counts the
    other requests; ``most`` is how many ranges were under way at once. With ``redirects`` the blob is at another port, and
    ``redirected`` counts the requests that were sent there.
    """

    def __init__(self, content: bytes, first: int) -> None:
        self.content = content
        self.first = first
        self.gate = threading.Event()
        self.answer = self.right
        self.ranges: list[tuple[int, int]] = []
        self.plain = 0
        self.most = 0
        self.redirects = False
        self.redirected = 0
        self._now = 0
        self._lock = threading.Lock()
        self._servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self)) for _port in range(2)]
        self.host, self.storage = ("127.0.0.1:%d" % server.server_address[1] for server in self._servers)

    def __enter__(self) -> RangeServer:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.gate.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def right(self, start: int, end: int) -> tuple[int, str, bytes]:
        """The range itself."""
        return 206, "bytes %d-%d/%d" % (start, end - 1, len(self.content)), self.content[start:end]

    def enter(self, start: int, end: int) -> None:
        """Take note of a request for a range."""
        with self._lock:
            self.ranges.append((start, end))
            self._now += 1
            self.most = max(self.most, self._now)

    def leave(self) -> None:
        """Take note that it has been answered."""
        with self._lock:
            self._now -= 1


def _handler(server: RangeServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if server.redirects and self.path.startswith("/v2/"):
                server.redirected += 1
                self.send_response(307)
                self.send_header("Location", "http://%s/storage?signature" % server.storage)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            asked = re.fullmatch("bytes=([0-9]+)-([0-9]*)", self.headers.get("Range", ""))
            if asked and asked.group(2):
                self._range(int(asked.group(1)), int(asked.group(2)) + 1)
            else:
                self._plain(int(asked.group(1)) if asked else 0)

        def _range(self, start: int, end: int) -> None:
            server.enter(start, end)
            try:
                status, content_range, body = server.answer(start, end)
                self._head(status, end - start, content_range)
                self.wfile.write(body)
                self.close_connection = len(body) < end - start
            finally:
                server.leave()

        def _plain(self, start: int) -> None:
            server.plain += 1
            last = len(server.content)
            self._head(206 if start else 200, last - start, "bytes %d-%d/%d" % (start, last - 1, last))
            self.wfile.write(server.content[start : start + server.first])
            server.gate.wait()
            self.wfile.write(server.content[start + server.first :])

        def _head(self, status: int, length: int, content_range: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            if content_range:
                self.send_header("Content-Range", content_range)
            self.end_headers()

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                pass  # the client has closed the connection

        def log_message(self, *_arguments: t.Any) -> None:
            pass

    return Handler
