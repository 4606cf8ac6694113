# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One exchange with a scripted registry: its tries, pauses and redirects, and what is known of a host afterwards."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ConnectionFailed, Refused
from ansible_collections.drayage.registry.plugins.module_utils._registry.connection_errors import (
    ConnectionReset,
    MalformedRequest,
    PermanentConnectionError,
)
from ansible_collections.drayage.registry.plugins.module_utils._registry.contact import NotTried
from ansible_collections.drayage.registry.tests.unit.support.odd_server import Reply

URL = "https://r.example/v2/"
BLOB = URL + "app/blobs/sha256:abc"
OK = Reply(200)
DOWN = ConnectionFailed("cannot reach r.example: connection refused", reason="connection refused", hint="Look")


def exchange(client, method="GET", url=URL, **options):
    return client.session.exchange(method, url, {}, **options)


class TestTries:
    def test_pauses_double_up_to_a_minute(self, scripted, clock):
        client, _script = scripted(*[Reply(503)] * 10, retries=9)
        assert exchange(client).status == 503
        assert clock.naps == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]

    @pytest.mark.parametrize(("asked", "nap"), [("3", 3.0), ("60", 60.0), ("61", 60.0)])
    def test_a_registry_may_ask_for_up_to_a_minute(self, scripted, clock, asked, nap):
        client, _script = scripted(Reply(429, {"Retry-After": asked}), OK)
        exchange(client)
        assert clock.naps == [nap]

    def test_only_what_is_asked_for_is_repeated(self, scripted):
        client, script = scripted(Reply(503), Reply(500))
        assert exchange(client, retry_on=(503,)).status == 500
        assert len(script.sent) == 2

    @pytest.mark.parametrize(
        ("replies", "was_repeated"),
        [([OK], False), ([Reply(503), OK], True), ([ConnectionReset("x"), OK], True), ([DOWN, OK], True)],
    )
    def test_a_response_knows_whether_it_is_the_first(self, scripted, replies, was_repeated):
        client, _script = scripted(*replies)
        assert exchange(client).was_repeated is was_repeated

    def test_each_try_has_the_same_body(self, scripted):
        client, script = scripted(Reply(503), OK)
        exchange(client, "PUT", data=b"body")
        assert [sent.body for sent in script.sent] == [b"body", b"body"]
        assert client.session.statistics.requests == 2

    def test_the_first_reset_costs_no_pause_and_no_try(self, scripted, clock):
        client, script = scripted(ConnectionReset("x"), Reply(503), retries=0)
        assert exchange(client).status == 503
        assert (len(script.sent), clock.naps) == (2, [])

    def test_a_second_reset_is_a_failure(self, scripted, clock):
        client, script = scripted(OK, *[ConnectionReset("x")] * 3, retries=1)
        exchange(client).close()
        with pytest.raises(ConnectionReset):
            exchange(client)
        assert (len(script.sent), clock.naps) == (4, [0.5])

    @pytest.mark.parametrize("error", [PermanentConnectionError("x"), MalformedRequest("x")])
    def test_what_no_try_mends_is_not_tried_again(self, scripted, clock, error):
        client, script = scripted(error)
        with pytest.raises(PermanentConnectionError):
            exchange(client)
        assert (len(script.sent), clock.naps) == (1, [])

    def test_a_response_that_is_tried_again_is_closed(self, scripted):
        client, script = scripted(Reply(503, {}, b"busy"), OK)
        exchange(client)
        assert script.responses[0]._body.closed


class TestHost:
    """What is down costs the retries once, however many ask for it."""

    @pytest.mark.parametrize("retries", [0, 2])
    def test_it_is_not_tried_after_its_retries(self, scripted, retries):
        client, script = scripted(*[DOWN] * (retries + 1), retries=retries)
        with pytest.raises(ConnectionFailed, match="^cannot reach r.example: connection refused. Look"):
            exchange(client)
        for _turn in range(2):
            with pytest.raises(NotTried) as caught:
                exchange(client)
            assert (
                str(caught.value)
                == "the request was not sent, because r.example did not respond to an earlier request (connection refused). Look."
            )
        assert len(script.sent) == retries + 1

    def test_a_permanent_failure_is_told_again(self, scripted):
        client, script = scripted(PermanentConnectionError("no TLS", hint="Look"))
        for _turn in range(2):
            with pytest.raises(PermanentConnectionError, match="^no TLS. Look"):
                exchange(client)
        assert len(script.sent) == 1

    def test_a_bad_request_says_nothing_of_it(self, scripted):
        client, _script = scripted(MalformedRequest("x"), OK)
        with pytest.raises(MalformedRequest):
            exchange(client)
        assert exchange(client).status == 200

    def test_a_response_proves_it_for_good(self, scripted):
        client, script = scripted(Reply(404), DOWN, DOWN, retries=0)
        exchange(client)
        for _turn in range(2):
            with pytest.raises(ConnectionFailed, match="^cannot reach"):
                exchange(client)
        assert len(script.sent) == 3

    def test_a_reset_at_first_is_one_try_more(self, scripted):
        client, script = scripted(ConnectionReset("x"), DOWN, DOWN, retries=1)
        with pytest.raises(ConnectionFailed):
            exchange(client)
        with pytest.raises(NotTried):
            exchange(client)
        assert len(script.sent) == 3


class TestRedirects:
    def chain(self, count):
        return [Reply(307, {"Location": "/v2/%d" % number}) for number in range(count)]

    def test_ten_requests_are_made(self, scripted):
        client, _script = scripted(*self.chain(9), OK)
        assert exchange(client).status == 200
        client, script = scripted(*self.chain(10))
        with pytest.raises(Refused, match="^r.example redirects more than 10 times"):
            exchange(client)
        assert all(response._body.closed for response in script.responses)

    def test_without_a_location_it_is_the_response(self, scripted):
        client, _script = scripted(Reply(302))
        assert exchange(client).status == 302

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_writes_are_not_sent_elsewhere(self, scripted, method):
        client, script = scripted(*self.chain(1))
        assert exchange(client, method).status == 307
        assert len(script.sent) == 1

    def test_to_plain_http_is_refused_for_what_has_no_digest(self, scripted):
        client, _script = scripted(Reply(302, {"Location": "http://cdn.example/x"}))
        with pytest.raises(Refused) as caught:
            exchange(client)
        assert str(caught.value).startswith(
            "r.example redirects to cdn.example over plain HTTP, which is allowed only for content with a digest. Configure the registry"
        )
        client, _script = scripted(Reply(302, {"Location": "http://cdn.example/x"}), OK)
        assert exchange(client, url=BLOB).url == "http://cdn.example/x"

    @pytest.mark.parametrize(
        ("target", "is_kept"),
        [
            ("/v2/x", True),
            ("https://r.example:443/x", True),
            ("https://r.example:444/x", False),
            ("//c.example/x", False),
        ],
    )
    def test_authorization_stays_with_the_origin(self, scripted, target, is_kept):
        client, script = scripted(Reply(307, {"Location": target}), OK)
        client.session.exchange("GET", BLOB, {"Authorization": "Bearer x", "Accept": "y"})
        assert script.sent[1].headers == {**({"Authorization": "Bearer x"} if is_kept else {}), "Accept": "y"}


def test_what_was_sent_as_authorization_is_hidden(scripted):
    client, _script = scripted(OK)
    client.session.exchange("GET", URL, {"Authorization": "Bearer t0p.hidden"})
    assert client.session.statistics.hide("you sent t0p.hidden") == "you sent ***"


@pytest.mark.parametrize(
    ("header", "texts"),
    [
        ('299 - "one"', ["one"]),
        ('299 - "one", 299 - "two"', ["one", "two"]),
        (r'299 - "say \"hi\""', ['say "hi"']),
        ('199 - "other", 299 r.example "other"', []),
        ('299 - "%s"' % ("x" * 300), ["x" * 300]),
        ('299 - "%s"' % ("x" * 4088), ["x" * 297 + "..."]),
        ('299 - "one", 299 - "%s", 299 - "two"' % ("x" * 4090), ["one"]),
    ],
)
def test_warnings_are_for_the_user(scripted, header, texts):
    client, _script = scripted(Reply(200, {"Warning": header}))
    exchange(client)
    assert client.session.statistics.warnings == ["r.example warns: " + text for text in texts]


class TestRead:
    @pytest.mark.parametrize("announced", ["5", None, "4", "x"])
    def test_a_body_up_to_its_limit(self, scripted, announced):
        headers = {"Content-Length": announced} if announced else {}
        client, script = scripted(Reply(200, headers, b"12345"))
        assert client.session.read(exchange(client), 5) == b"12345"
        assert script.responses[0]._body.closed

    def test_one_byte_more_is_refused(self, scripted):
        client, script = scripted(Reply(200, {}, b"123456"))
        with pytest.raises(Refused, match="^r.example sent a response larger than 5 bytes"):
            client.session.read(exchange(client), 5)
        assert script.responses[0]._body.closed

    def test_one_byte_less_than_announced_is_a_broken_connection(self, scripted):
        client, _script = scripted(Reply(200, {"Content-Length": "6"}, b"12345"))
        with pytest.raises(ConnectionFailed, match="^cannot read from r.example: the connection was lost"):
            client.session.read(exchange(client), 6)

    @pytest.mark.parametrize(("encoding", "is_refused"), [("identity", False), ("gzip", True)])
    def test_compression_is_refused(self, scripted, encoding, is_refused):
        client, _script = scripted(Reply(200, {"Content-Encoding": encoding}, b"1"))
        response = exchange(client)
        if is_refused:
            with pytest.raises(
                Refused, match="compressed its response, even though compression was not requested. Disable compression"
            ):
                client.session.read(response, 5)
        else:
            assert client.session.read(response, 5) == b"1"
