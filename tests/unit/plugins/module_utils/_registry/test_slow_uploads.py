# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that accepts a request slowly, or not at all. Its buffers are small, as those of a slow link are."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ConnectionFailed
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import RegistrySettings
from ansible_collections.drayage.registry.plugins.module_utils._registry.transport import Transport

SIZE = 512 * 1024
BUFFER = 8192


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch):
    connect = socket.socket.connect

    def connect_with_small_buffer(self, address):
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_with_small_buffer)


@contextlib.contextmanager
def slow_server(piece, pause, context=None):
    """Accept a request in pieces of so many bytes, with a pause in seconds after each; yield the host."""
    over = threading.Event()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)

    def serve():
        connection, _address = listener.accept()
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        with connection, contextlib.suppress(OSError):
            left = SIZE
            while left > 0 and not over.wait(pause):
                left -= len(connection.recv(piece))
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield "127.0.0.1:%d" % listener.getsockname()[1]
    finally:
        over.set()
        thread.join()
        listener.close()


def upload(url, timeout, min_rate=0.0, **settings):
    client = Transport(1, timeout, min_rate)
    try:
        return client.send("PUT", url, {}, b"x" * SIZE, RegistrySettings(url.split("/")[2], **settings))
    finally:
        client.close()


def test_the_timeout_is_not_for_a_whole_chunk():
    with slow_server(4096, 0.02) as host:  # at most 200 kB/s: the chunk takes more than 2.5 seconds
        assert upload("http://%s/" % host, timeout=1.5).status == 201


def test_the_timeout_is_not_for_a_whole_chunk_over_tls(tmp_path):
    certificates = pytest.importorskip("devtools.certificates", reason="it needs cryptography")
    certificate = certificates.Authority(tmp_path).server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    with slow_server(4096, 0.02, context) as host:
        assert upload("https://%s/" % host, timeout=1.5, ca_path=str(certificate.ca)).status == 201


def test_a_server_that_accepts_nothing():
    with slow_server(1, 60.0) as host:
        expected = "cannot reach %s: the host did not accept more data within the timeout. Increase timeout" % host
        with pytest.raises(ConnectionFailed, match=expected):
            upload("http://%s/" % host, timeout=0.5)


def test_a_server_that_accepts_less_than_the_minimum_rate():
    """Without a minimum rate this would go on: each pause is shorter than the timeout."""
    with slow_server(4096, 0.1) as host:
        expected = "cannot reach %s: the host accepted data more slowly than min_rate allows. Decrease min_rate" % host
        with pytest.raises(ConnectionFailed, match=expected):
            upload("http://%s/" % host, timeout=1.0, min_rate=1e6)
