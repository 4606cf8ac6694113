# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ast
import http.client
from pathlib import Path

import pytest
import requests
import urllib3

from ansible_collections.drayage.registry.plugins.module_utils._errors import ConnectionFailed
from ansible_collections.drayage.registry.plugins.module_utils._registry import transport
from ansible_collections.drayage.registry.plugins.module_utils._registry.connection_errors import MalformedRequest
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import RegistrySettings
from ansible_collections.drayage.registry.plugins.module_utils._registry.transport import Transport
from ansible_collections.drayage.registry.tests.unit.support.network import intercept
from ansible_collections.drayage.registry.tests.unit.support.odd_server import OddServer, Reply
from ansible_collections.drayage.registry.tests.unit.support.responses import body_of, response


@pytest.fixture
def send(monkeypatch):
    """Send a request into the void, and return it as it would have gone out."""
    sent = []

    def keep(request):
        sent.append(request)
        return body_of(b"")

    intercept(monkeypatch, keep)

    def send_request(method, url, headers=None, data=None):
        Transport(1, 1.0).send(method, url, headers or {}, data, RegistrySettings("r.example"))
        return sent.pop()

    return send_request


@pytest.mark.parametrize(
    "url",
    [
        "https://r.example/v2/app/manifests/sha256:abc",
        "http://r.example:5000/v2/app/tags/list?n=100&last=1.0",
        "https://R.Example/v2/",
        "https://r.example/v2/app/blobs/uploads/1?_state=a%3D%3d&digest=sha256%3Aabc",
        "https://r.example/v2/app/../other/./manifests/1",
        "https://r.example/a'b/?q=|&x=%zz",
        "https://[::1]:5000/v2/",
        "https://storage.example/blob?sig=a+b~c,(d)",
    ],
)
def test_an_address_is_sent_as_requests_sends_it(send, url):
    assert send("GET", url).url == requests.Request("GET", url).prepare().url


@pytest.mark.parametrize(
    "url",
    [
        "r.example/v2/",
        "https://",
        "https://*.example/",
        "https://\u2603\ud800.example/",
        "https://b\u00fccher.example/v2/",
        "http://evil.example\\@r.example/v2/",
        "https://user:pass@r.example/v2/",
        "https://r.example/a b",
        "https://r.example/v2/\r\nX: y",
    ],
)
def test_an_address_that_is_not_checked_is_not_sent(send, url):
    with pytest.raises(MalformedRequest, match="cannot reach "):
        send("GET", url)


@pytest.mark.parametrize("data", [None, b"", b"content", iter([b"a", b"b"])])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_a_body_is_announced_as_requests_announces_it(send, method, data):
    sent = send(method, "https://r.example/v2/", {"Content-Type": "text/plain"}, data)
    expected = requests.Request(method, "https://r.example/v2/", {"Content-Type": "text/plain"}, data=data).prepare()
    headers = {"User-Agent": "drayage.registry", "Accept-Encoding": "identity", **expected.headers}
    assert sent.is_chunked is (headers.pop("Transfer-Encoding", "") == "chunked")
    assert sent.headers == headers
    assert sent.body == expected.body


def test_a_header_that_is_given_wins(send):
    assert send("GET", "https://r.example/", {"Accept-Encoding": "gzip"}).headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_many_hosts_keep_few_connections(send, scheme):
    """Those that were used last; and none is used after it was closed."""
    client = Transport(1, 1.0)
    for number in (0, 1, 2, 3, 4, 0, 5, 1, 1, 6, 7, 8, 9, 4, 0):
        host = "%d.example" % number
        client.send("GET", "%s://%s/" % (scheme, host), {}, None, RegistrySettings(host))
    assert len(client._connections) == 1
    connections = next(iter(client._connections.values()))
    open_pools = connections._managers[""].pools
    keys = open_pools.keys()
    kept = [open_pools[key] for key in keys]
    assert sorted(pool.host for pool in kept) == ["0.example", "4.example", "8.example", "9.example"]
    assert len(connections._pools) == 4
    assert all(any(pool is other for other in kept) for pool in connections._pools.values())


def test_a_registry_keeps_its_connections_however_many_hosts_it_redirects_to(send):
    client = Transport(1, 1.0)
    used = set()
    for number in range(20):
        for host in ("r.example", "%d.example" % number):
            client.send("GET", "https://%s/" % host, {}, None, RegistrySettings(host))
        assert len(client._connections) == 1
        connections = next(iter(client._connections.values()))
        used.add(connections.pool("https://r.example/", ""))
    assert len(used) == 1


def test_connections_with_other_trust_have_a_context_of_their_own(send):
    client = Transport(1, 1.0)
    for settings in (RegistrySettings("a.example"), RegistrySettings("b.example", validate_certs=False)):
        client.send("GET", "https://%s/" % settings.host, {}, None, settings)
    assert [found._options["cert_reqs"] for found in client._connections.values()] == ["CERT_REQUIRED", "CERT_NONE"]


@pytest.mark.parametrize(("times", "is_sent"), [(1, True), (2, True), (1000, False)])
def test_connections_that_another_thread_closes_before_they_are_used_are_replaced(monkeypatch, times, is_sent):
    """As when the connection of another thread breaks between the choice of a pool and its use: nothing was sent yet."""
    choose = transport._Connections.pool
    chosen = []

    def pool(self, url, proxy):
        chosen.append(choose(self, url, proxy))
        if len(chosen) <= times:
            self.clear()
            chosen[-1].close()  # urllib3 before 2.0 does this when it forgets a pool
        return chosen[-1]

    monkeypatch.setattr(transport._Connections, "pool", pool)
    with OddServer(lambda _method, _target: Reply(200, {}, b"x")) as server:
        client = Transport(1, 10.0)
        arguments = ("PUT", "http://%s/" % server.host, {}, b"content", RegistrySettings(server.host))
        if is_sent:
            assert client.send(*arguments).read(10) == b"x"
        else:
            with pytest.raises(ConnectionFailed):
                client.send(*arguments)
        client.close()
        assert len(server.log) == is_sent


def in_chunks(given, size=4):
    """The body of a response, read into a buffer of this size."""
    view = memoryview(bytearray(size))
    chunks = []
    while True:
        count = given.into(view)
        if not count:
            return chunks
        chunks.append(bytes(view[:count]))


def test_urllib3_still_has_the_names_that_reading_in_place_needs():
    """Where this fails, copies take more CPU time: look for what urllib3 has instead."""
    with OddServer(lambda _method, _target: Reply(200, {}, b"0123456789")) as server:
        body = requests.get("http://%s/" % server.host, stream=True, timeout=120).raw
        assert isinstance(body, urllib3.HTTPResponse)
        assert transport.reads_in_place(body)
        body.drain_conn()


@pytest.mark.parametrize("is_in_place", [True, False])
class TestBody:
    """Also as it is read from a urllib3 without those names."""

    @pytest.fixture(autouse=True)
    def choose(self, is_in_place, monkeypatch):
        monkeypatch.setattr(transport, "reads_in_place", lambda _body: is_in_place)

    def test_is_read_into_one_buffer(self, is_in_place):
        assert in_chunks(response(body=b"0123456789")) == [b"0123", b"4567", b"89"]

    def test_is_the_same_over_a_connection(self, is_in_place):
        with OddServer(lambda _method, _target: Reply(200, {}, b"x" * 200_000)) as server:
            client = Transport(1, 10.0)
            for _turn in range(2):
                url = "http://%s/" % server.host
                given = client.send("GET", url, {}, None, RegistrySettings(server.host))
                assert b"".join(in_chunks(given, 65536)) == b"x" * 200_000
                given.close()
            client.close()

    def test_that_was_peeked_at_is_whole(self, is_in_place):
        given = response(body=b"0123456789")
        assert given.peek(6) == b"012345"
        assert b"".join(in_chunks(given)) == b"0123456789"

    def test_that_breaks_is_a_broken_connection(self, is_in_place):
        given = response(body=b"0123", error=http.client.IncompleteRead(b"", 6))
        view = memoryview(bytearray(4))
        assert given.into(view) == 4
        with pytest.raises(ConnectionFailed, match="cannot reach r.example: the connection was lost"):
            given.into(view)


def test_a_peeked_body_is_read_piece_by_piece():
    given = response(body=b"0123456789")
    given.peek(4)
    assert [given.read(3), given.read(3), given.read(100), given.read(1)] == [b"012", b"345", b"6789", b""]


def test_a_peek_leaves_out_what_is_broken_off():
    given = response(error=http.client.IncompleteRead(b"", 6))
    assert given.peek(100) == b""


def test_a_drained_response_is_closed_whatever_its_body_does():
    for given in (response(body=b"x"), response(error=http.client.IncompleteRead(b"", 6))):
        released = []
        given.when_closed(lambda released=released: released.append(1))
        given.drain()
        assert released == [1]
        assert given._body.closed


@pytest.mark.parametrize(
    ("text", "length"),
    [("0", 0), ("17", 17), ("", None), ("-1", None), ("1.0", None), ("\u00b2", None), ("9" * 19, None)],
)
def test_a_length_is_a_number_of_bytes(text, length):
    assert response(headers={"content-length": text}).length == length


def test_nothing_else_knows_the_library():
    """Only library.py imports urllib3, and of requests the bundle of CAs; and only transport.py uses it."""
    users = {}
    for path in Path(transport.__file__).parents[1].rglob("*.py"):
        names = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                names.add((node.module or "").partition(".")[0])
        users[path.name] = names & {"requests", "urllib3", "library"}
    assert {name: found for name, found in users.items() if found} == {
        "library.py": {"requests", "urllib3"},
        "transport.py": {"library"},
    }
