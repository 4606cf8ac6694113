# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import http.server
import json
import threading
import time

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._engine.connection import Connection, Endpoint
from ansible_collections.drayage.registry.plugins.module_utils._engine.engine_client import EngineClient
from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    AccessDenied,
    ConnectionFailed,
    ImageError,
    LocalFailure,
    NotFound,
    Refused,
)
from ansible_collections.drayage.registry.plugins.module_utils._run import RunStats

ID = "sha256:" + "a" * 64


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers what the test wants to see handled: engines in good order are in the functional tests."""

    def _answer(self):
        length = self.headers.get("Content-Length")
        chunked = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while not chunked.endswith(b"0\r\n\r\n"):
                chunked += self.rfile.read(1)
        elif length:
            self.rfile.read(int(length))
        self.server.asked.append("%s %s" % (self.command, self.path))
        time.sleep(self.server.delays.get(self.command, 0))
        status, body = self.server.answers.get(self.path.partition("?")[0], (200, b"{}"))
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        if self.server.api:
            self.send_header("Api-Version", self.server.api)
        self.send_header("Content-Length", str(len(body) + self.server.cut))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        found.asked, found.answers, found.delays, found.cut, found.api = [], {}, {}, 0, "1.41"
        found.handle_error = lambda *args: None  # a client that did not wait
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def client(server):
    made = EngineClient(Connection(Endpoint(host="127.0.0.1:%d" % server.server_port), 5, RunStats()))
    yield made
    made.close()


def test_paths_have_the_version_that_the_engine_speaks(server, client):
    server.answers["/v1.41/images/r.example/a:1/json"] = (200, {"Id": ID})
    assert client.inspect("r.example/a:1") == {"Id": ID}
    client.tag(ID, "r.example:5000/b:2")
    assert server.asked == [
        "GET /_ping",
        "GET /v1.41/images/r.example/a:1/json",
        "POST /v1.41/images/%s/tag?repo=r.example%%3A5000%%2Fb&tag=2" % ID,
    ]


def test_what_is_not_there(server, client):
    gone = (404, {"message": "No such image"})
    server.answers.update({"/v1.41/images/a:1/json": gone, "/v1.41/images/a:1": gone, "/v1.41/images/a:1/get": gone})
    assert client.inspect("a:1") is None
    assert client.remove("a:1") is False
    with pytest.raises(NotFound, match=r"the engine returned 404 \(No such image"):
        client.export("a:1")


def test_what_the_engine_refuses_is_told_in_its_words(server, client):
    server.answers["/v1.41/images/a:1"] = (409, {"message": "conflict: container 0123 is\nusing it"})
    with pytest.raises(Refused) as caught:
        client.remove("a:1")
    assert (
        str(caught.value) == "the engine returned 409 (conflict: container 0123 is using it). Check the engine's log."
    )


def test_loading_may_fail_in_an_answer_that_began_well(server, client):
    lines = b'{"stream": "Loading"}\r\nnot JSON\r\n{"errorDetail": {}, "error": "no space left on device"}\r\n'
    server.answers["/v1.41/images/load"] = (200, lines)
    with pytest.raises(Refused, match="the engine could not load the image .no space left on device"):
        client.load(iter([b"content"]))


@pytest.mark.parametrize(("body", "other"), [([["driver-type", "io.containerd.snapshotter.v1"]], True), ([], False)])
def test_newer_store_of_docker_is_noticed(server, client, body, other):
    server.answers["/v1.41/info"] = (200, {"DriverStatus": body})
    assert client.has_other_ids() is other


def test_a_32_bit_machine_is_looked_up(server, client):
    server.answers["/v1.41/info"] = (200, {"Architecture": "armv6l"})
    server.answers["/v1.41/version"] = (200, {"Os": "linux", "Arch": "amd64"})
    assert client.version() == {"Os": "linux", "Arch": "amd64"}
    server.answers["/v1.41/version"] = (200, {"Os": "linux", "Arch": "arm"})
    assert client.version() == {"Os": "linux", "Arch": "arm", "Machine": "armv6l"}


@pytest.mark.parametrize("body", [b"<html>", b"[]"])
def test_what_is_no_engine(server, client, body):
    server.answers["/v1.41/images/a:1/json"] = (200, body)
    with pytest.raises(ConnectionFailed, match="is not a container engine"):
        client.inspect("a:1")
    server.api = ""
    with pytest.raises(ConnectionFailed, match="is not a container engine"):
        EngineClient(Connection(Endpoint(host="127.0.0.1:%d" % server.server_port), 5, RunStats())).images()


def test_answer_that_breaks_off(server, client):
    client.inspect("a:1")
    server.cut = 10
    with pytest.raises(ImageError, match="the connection to the engine|is not a container engine"):
        client.images()


def test_nobody_answers(server):
    endpoint = Endpoint(host="127.0.0.1:1")
    with pytest.raises(ConnectionFailed) as caught:
        EngineClient(Connection(endpoint, 5, RunStats())).version()
    assert str(caught.value) == (
        "cannot reach the engine at tcp://127.0.0.1:1: connection refused. "
        "Start the engine, or set DOCKER_HOST or CONTAINER_HOST in the task's environment."
    )


def test_an_engine_has_time_to_delete_a_large_image(server):
    server.delays["DELETE"] = 0.4
    client = EngineClient(Connection(Endpoint(host="127.0.0.1:%d" % server.server_port), 0.2, RunStats()))
    assert client.remove("a:1") is True
    client.close()


def test_an_engine_that_does_not_respond_is_running(server):
    server.delays["POST"] = 0.4
    endpoint = Endpoint(host="127.0.0.1:%d" % server.server_port)
    client = EngineClient(Connection(endpoint, 0.2, RunStats()))
    with pytest.raises(ConnectionFailed) as caught:
        client.tag(ID, "r.example/a:1")
    assert str(caught.value) == (
        "the engine at %s did not respond within the timeout. Check the engine's log, and run the task again."
        % (endpoint,)
    )
    client.close()


def test_socket_of_somebody_else(tmp_path, monkeypatch):
    def refuse(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("socket.socket.connect", refuse)
    with pytest.raises(AccessDenied, match="permission denied. Use become"):
        EngineClient(Connection(Endpoint(socket=str(tmp_path / "x")), 5, RunStats())).version()


def test_missing_certificate_is_named(tmp_path):
    with pytest.raises(LocalFailure, match="cannot read the TLS file .*ca.pem .the CA certificate of the engine"):
        Connection(Endpoint(host="h.example:1", tls=str(tmp_path)), 5, RunStats())


@pytest.mark.parametrize(("there", "missing"), [("cert.pem", "key.pem"), ("key.pem", "cert.pem")])
def test_certificate_of_ours_without_its_other_half(tmp_path, there, missing):
    (tmp_path / there).touch()
    with pytest.raises(
        LocalFailure,
        match=r"cannot read the TLS file %s/%s \(the (client certificate|private key) for %s/"
        % (tmp_path, missing, tmp_path),
    ):
        Connection(Endpoint(host="h.example:1", tls=str(tmp_path), is_verified=False), 5, RunStats())


def test_certificate_of_ours_that_cannot_be_read(tmp_path):
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).symlink_to(name)
    with pytest.raises(LocalFailure, match=r"cannot read the TLS file %s/cert.pem" % tmp_path):
        Connection(Endpoint(host="h.example:1", tls=str(tmp_path), is_verified=False), 5, RunStats())


@pytest.mark.parametrize(
    ("is_verified", "said"),
    [
        (True, "cannot verify the engine: the file {0}/ca.pem contains no certificate"),
        (False, "{0}/cert.pem and {0}/key.pem are not a certificate and its unencrypted private key"),
    ],
)
def test_certificate_that_is_none(tmp_path, is_verified, said):
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text("no certificate")
    with pytest.raises(LocalFailure, match=said.format(tmp_path)):
        Connection(Endpoint(host="h.example:1", tls=str(tmp_path), is_verified=is_verified), 5, RunStats())


def test_path_that_no_socket_can_have(tmp_path):
    endpoint = Endpoint(socket=str(tmp_path / ("x" * 200)))
    with pytest.raises(
        ConnectionFailed, match=r"cannot reach the engine at unix://\S+: file name too long\. Start the engine"
    ):
        EngineClient(Connection(endpoint, 5, RunStats())).version()
