# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Large blobs over several connections: what is asked for in ranges, and what becomes of servers that have none."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ConnectionFailed
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._registry import download, ranges
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access, Authenticator
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import ANONYMOUS
from ansible_collections.drayage.registry.plugins.module_utils._registry.registry_client import RegistryClient
from ansible_collections.drayage.registry.plugins.module_utils._registry.session import Policy, Session
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import Registries, RegistrySettings
from ansible_collections.drayage.registry.plugins.module_utils._run import RunStats
from ansible_collections.drayage.registry.tests.unit.support.range_server import RangeServer
from ansible_collections.drayage.registry.tests.unit.support.scripted_transport import Clock

ACCESS = Access("app", frozenset(("pull",)))
CONTENT = bytes(range(256)) * 400 + b"end"
BLOB = Descriptor("application/octet-stream", digests.of(CONTENT), len(CONTENT))
PIECE, CHUNK = 4000, 1000


@pytest.fixture(autouse=True)
def sizes(monkeypatch):
    """Every stream is slow after 2,000 bytes, in chunks of 1,000; pieces have 4,000."""
    monkeypatch.setattr(download, "CHUNK", CHUNK)
    monkeypatch.setattr(ranges, "CHUNK", CHUNK)
    monkeypatch.setattr(ranges, "_LARGE", 50_000)
    monkeypatch.setattr(ranges, "_PIECE", PIECE)
    monkeypatch.setattr(ranges, "_SAMPLE", 2 * CHUNK)
    monkeypatch.setattr(ranges, "_SLOW", float("inf"))


@pytest.fixture
def serve():
    """Serve the blob, 2,000 bytes first; return a client with this policy, and the server."""
    opened = []

    def start(first=2 * CHUNK, jobs=24, retries=3, **settings):
        server = RangeServer(CONTENT, first).__enter__()
        entry = RegistrySettings(server.host, **settings)
        policy = Policy(timeout=120, retries=retries, jobs=jobs)
        session = Session(server.host, entry, Registries([entry]), policy, RunStats())
        opened.append((session, server))
        return RegistryClient(session, Authenticator(session, lambda _repository: ANONYMOUS)), server

    yield start
    for session, server in opened:
        session.close()
        server.__exit__(None, None, None)


def open_when(server, count):
    """Let the stream go on when so many ranges have been asked for, and return what answers them."""
    right = server.answer

    def answer(start, end):
        if len(server.ranges) >= count:
            server.gate.set()
        return right(start, end)

    server.answer = answer


def content_of(client, offset=0):
    return b"".join(bytes(chunk) for chunk in ranges.read(client, ACCESS, BLOB, offset))


def helpers_end(client):
    """Wait until no helper is at work."""
    for _helper in range(8):
        assert client.session.policy.helpers.acquire(timeout=120)


@pytest.mark.parametrize("offset", [0, 1234])
def test_ranges_are_read_ahead_of_a_slow_stream(serve, offset):
    client, server = serve()
    open_when(server, 7)
    assert content_of(client, offset) == CONTENT[offset:]
    # The stream is one of eight requests; the first piece comes after the one that it reads itself.
    assert server.most <= 8
    first = offset + 2 * CHUNK + PIECE
    assert sorted(server.ranges)[0] == (first, first + PIECE)
    assert server.plain == 1
    covered = {byte for start, end in server.ranges for byte in (start, end - 1)}
    assert len(CONTENT) - 1 in covered
    assert len(set(server.ranges)) == len(server.ranges)
    helpers_end(client)


def test_storage_is_asked_without_the_registry(serve):
    client, server = serve()
    server.redirects = True
    open_when(server, 7)
    assert content_of(client) == CONTENT
    assert server.redirected < len(server.ranges)


def test_a_url_of_storage_that_expired_is_replaced(serve):
    client, server = serve()
    server.redirects = True
    right = server.answer

    def answer(start, end):
        if len(server.ranges) >= 7:
            server.gate.set()
        return (403, "", b"x" * (end - start)) if len(server.ranges) in (10, 11) else right(start, end)

    server.answer = answer
    assert content_of(client) == CONTENT
    helpers_end(client)


def test_with_one_helper_the_reader_reads_as_well(serve):
    client, server = serve(jobs=2)
    open_when(server, 1)
    assert content_of(client) == CONTENT
    assert server.most <= 2
    helpers_end(client)


@pytest.mark.parametrize("limits", [{"jobs": 1}, {"max_connections": 1}, {"requests_per_second": 1000.0}])
def test_limits_leave_no_room(serve, limits):
    client, server = serve(**limits)
    server.gate.set()
    assert content_of(client) == CONTENT
    assert (server.ranges, server.plain) == ([], 1)


def test_one_connection_is_the_only_one_to_storage_as_well(serve):
    client, server = serve(max_connections=1)
    server.redirects = True
    server.gate.set()
    assert content_of(client) == CONTENT
    assert (server.ranges, server.plain, server.redirected) == ([], 1, 1)


def test_max_connections_counts_helpers(serve):
    client, server = serve(max_connections=3)
    open_when(server, 2)
    assert content_of(client) == CONTENT
    assert 1 <= server.most <= 3


def test_a_stream_that_is_not_slow_is_left_alone(serve, monkeypatch):
    monkeypatch.setattr(ranges, "_SLOW", 0)
    client, server = serve()
    server.gate.set()
    assert content_of(client) == CONTENT
    assert (server.ranges, server.plain) == ([], 1)


def test_a_small_blob_is_one_stream(serve, monkeypatch):
    monkeypatch.setattr(ranges, "_LARGE", len(CONTENT) + 1)
    client, server = serve()
    server.gate.set()
    assert content_of(client) == CONTENT
    assert (server.ranges, server.plain) == ([], 1)


@pytest.mark.parametrize(
    ("status", "content_range"),
    [
        (200, ""),
        (206, ""),
        (206, "bytes 0-3999/102403"),
        (206, "bytes {start}-{end}/102403"),
        (206, "bytes {start}-"),
        (206, "nonsense"),
        (416, ""),
        (429, ""),
        (500, ""),
    ],
)
def test_a_server_without_ranges_is_not_asked_again(serve, status, content_range):
    client, server = serve()

    def answer(start, end):
        server.gate.set()
        return status, content_range.format(start=start, end=end), b"x" * (end - start)

    server.answer = answer
    assert content_of(client) == CONTENT
    assert len(server.ranges) <= 7
    assert server.plain == 1
    helpers_end(client)


@pytest.mark.parametrize("arrives", [0, 1500, 3999])
def test_a_range_that_breaks_off_is_read_by_the_reader(serve, arrives):
    client, server = serve()
    open_when(server, 7)
    right = server.answer
    broken = []

    def answer(start, end):
        status, content_range, body = right(start, end)
        if start % 3 == 0 and end - start == PIECE and start not in broken:
            broken.append(start)
            body = body[:arrives]
        return status, content_range, body

    server.answer = answer
    assert content_of(client) == CONTENT
    helpers_end(client)


def test_helpers_that_only_fail_are_called_as_often_as_there_are_retries(serve):
    client, server = serve(first=len(CONTENT), retries=1)

    def answer(start, end):
        status, content_range, _body = server.right(start, end)
        return status, content_range, b""

    server.answer = answer
    assert content_of(client) == CONTENT
    helpers_end(client)
    assert len(server.ranges) <= 2 * 7


def test_helpers_that_are_no_gain_are_sent_away(serve, monkeypatch):
    monkeypatch.setattr(ranges, "_SAMPLE_AHEAD", 3 * PIECE)
    monkeypatch.setattr(ranges, "_GAIN", float("inf"))
    client, server = serve()
    open_when(server, 7)
    assert content_of(client) == CONTENT
    # After samples of 2,000, 4,000, 8,000 bytes and so on the stream is found slow again.
    assert 2 <= server.plain <= 6
    helpers_end(client)


def test_a_meter_tells_all_time_from_that_of_waiting(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(ranges, "time", clock)

    def chunks():
        for _chunk in range(3):
            clock.now += 2
            yield b"x" * 100

    meter = ranges._Meter(200)
    samples = []
    for _chunk in meter.measured(chunks()):
        clock.now += 3
        if meter.is_complete:
            samples.append(meter.rates())
    assert samples == [(20.0, 50.0)]


def test_helpers_come_when_there_is_room_at_last(serve):
    client, server = serve(first=len(CONTENT) // 2, retries=0)
    open_when(server, 1)
    for _helper in range(8):
        client.session.policy.helpers.acquire()
    chunks = iter(ranges.read(client, ACCESS, BLOB))
    begin = b"".join(bytes(next(chunks)) for _chunk in range(20))
    assert server.ranges == []
    for _helper in range(8):
        client.session.policy.helpers.release()
    assert begin + b"".join(map(bytes, chunks)) == CONTENT
    assert server.ranges


def test_no_piece_begins_where_the_stream_overtakes_it(serve):
    client, _server = serve()
    ahead = ranges._Ahead(client, ACCESS, BLOB)
    assert ahead.first_begun(10_000, 11_000) is None
    assert ahead._claim(memoryview(bytearray(PIECE))).start == 11_000 + PIECE
    assert ahead.first_begun(14_000, 15_000) is None
    piece = ahead._claim(memoryview(bytearray(PIECE)))
    assert piece.start == 15_000 + PIECE
    piece.arrived = 1
    assert ahead.first_begun(18_500, 19_500) == piece.start


def test_who_stops_reading_ends_the_helpers(serve):
    client, server = serve()
    open_when(server, 7)
    chunks = iter(ranges.read(client, ACCESS, BLOB))
    for _chunk in range(8):
        next(chunks)
    chunks.close()
    helpers_end(client)
    assert [thread for thread in threading.enumerate() if thread.name.endswith("(_work)")] == []


def test_a_blob_that_breaks_off_for_good_is_an_error(serve):
    client, server = serve(retries=0)
    server.content = CONTENT[:50_000]
    server.gate.set()
    with pytest.raises(ConnectionFailed):
        content_of(client)
    helpers_end(client)
