# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forward connections that have a limit each; a script, and a process of its own.

``rate`` is how many bytes a second each connection gets from the server, and ``most`` how many a client can send over a
connection before it is cut, both ways; 0 is no limit. ``report`` is a file that holds how many bytes clients have sent.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import sys
import threading
import time
from pathlib import Path

_CHUNK = 256 * 1024
# How far ahead of its rate a connection may be, in seconds.
_BURST = 0.05


class _Counter:
    """All bytes that clients have sent, also in a file, written when a connection ends."""

    def __init__(self, report: Path) -> None:
        self._report = report
        self._lock = threading.Lock()
        self._count = 0
        self.add(0)

    def add(self, count: int) -> None:
        with self._lock:
            self._count += count
            self._report.write_text(str(self._count), encoding="ascii")


def _download(client: socket.socket, server: socket.socket, rate: int) -> None:
    """Pass on what the server sends, without reading it: the link shall cost as little as possible."""
    begun, sent = time.monotonic(), 0
    outlet, inlet = os.pipe()
    fcntl.fcntl(inlet, fcntl.F_SETPIPE_SZ, _CHUNK)
    with contextlib.suppress(OSError):
        while True:
            count = os.splice(server.fileno(), inlet, _CHUNK)
            if not count:
                break
            sent += count
            while count:
                count -= os.splice(outlet, client.fileno(), count)
            now = time.monotonic()
            if rate and begun + sent / rate > now + _BURST:
                time.sleep(begun + sent / rate - now)
            elif rate and begun + sent / rate < now:
                begun = now - sent / rate  # what was not used is lost
    os.close(outlet)
    os.close(inlet)
    _end(client, server)


def _upload(client: socket.socket, server: socket.socket, most: int, counter: _Counter) -> None:
    sent = 0
    buffer = memoryview(bytearray(_CHUNK))
    with contextlib.suppress(OSError):
        while not most or sent < most:
            count = client.recv_into(buffer)
            if not count:
                break
            server.sendall(buffer[:count])
            sent += count
        else:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    counter.add(sent)
    _end(client, server)


def _end(*connections: socket.socket) -> None:
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


def serve(port: int, upstream: int, rate: int, most: int, report: Path) -> None:
    """Forward connections from one port of 127.0.0.1 to another until the process ends."""
    counter = _Counter(report)
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    while True:
        client, _address = listener.accept()
        # Little is under way in buffers, as it would be if a limit of the network stood here.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _CHUNK)
        server = socket.create_connection(("127.0.0.1", upstream))
        for connection in (client, server):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_download, args=(client, server, rate), daemon=True).start()
        threading.Thread(target=_upload, args=(client, server, most, counter), daemon=True).start()


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:5]), Path(sys.argv[5]))
