# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One exchange of a session: which answers are asked for again, which redirects are followed, and what is sent."""

from __future__ import annotations

import pytest
import urllib3

from ansible_collections.drayage.registry.plugins.module_utils._errors import ConnectionFailed, LocalFailure, Refused
from ansible_collections.drayage.registry.plugins.module_utils._registry import limits
from ansible_collections.drayage.registry.plugins.module_utils._registry import session as sessions
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import RegistrySettings
from ansible_collections.drayage.registry.tests.unit.support.network import answer
from ansible_collections.drayage.registry.tests.unit.support.scripted_transport import Clock

URL = "https://r.example/v2/"
BLOB = URL + "app/blobs/sha256:abc"
AUTHORIZATION = {"Authorization": "Bearer secret"}


@pytest.fixture
def clock(monkeypatch):
    """Time passes only while somebody waits, and pauses vary as they do for users."""
    clock = Clock()
    monkeypatch.setattr(sessions, "time", clock)
    monkeypatch.setattr(limits, "time", clock)
    return clock


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 522])
def test_a_transient_answer_is_asked_for_again(connect, status):
    session, network = connect(answer(status), answer(status), answer(200))
    assert session.exchange("GET", URL, {}).status == 200
    assert len(network.sent) == session.statistics.requests == 3


@pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 401, 403, 404, 405, 409, 412, 413, 415, 501])
def test_any_other_answer_is_final(connect, status):
    session, network = connect(answer(status))
    assert session.exchange("GET", URL, {}).status == status
    assert len(network.sent) == 1


@pytest.mark.parametrize("retries", [0, 2])
def test_the_last_answer_is_returned_when_the_tries_are_used_up(connect, retries):
    session, network = connect(answer(503), retries=retries)
    assert session.exchange("GET", URL, {}).status == 503
    assert len(network.sent) == retries + 1


@pytest.mark.parametrize("retries", [0, 2])
def test_a_broken_connection_is_tried_again_and_then_an_error(connect, retries):
    session, network = connect(urllib3.exceptions.ProtocolError("x"), retries=retries)
    with pytest.raises(ConnectionFailed, match="cannot reach r.example"):
        session.exchange("GET", URL, {})
    assert len(network.sent) == retries + 1


def test_a_broken_connection_is_a_reason_to_wait(connect, clock):
    session, _network = connect(urllib3.exceptions.ProtocolError("x"), answer(200))
    started = clock.now
    session.exchange("GET", URL, {})
    assert clock.now - started > 0.3


def test_a_body_that_is_a_stream_is_sent_once(connect):
    session, network = connect(answer(503), answer(201))
    assert session.send_once("PUT", URL, {}, b"x").status == 503
    assert len(network.sent) == 1


@pytest.mark.parametrize(("value", "least", "most"), [("7", 7, 7), ("0", 0, 0), ("100000", 60, 60), ("soon", 0.3, 0.7)])
def test_a_registry_says_how_long_to_wait(connect, clock, value, least, most):
    session, _network = connect(answer(429, Retry_After=value), answer(200))
    started = clock.now
    session.exchange("GET", URL, {})
    assert least <= clock.now - started <= most


def test_without_a_word_the_pauses_double_up_to_a_minute(connect, clock):
    session, _network = connect(answer(503), retries=12)
    started = clock.now
    session.exchange("GET", URL, {})
    expected = sum(min(0.5 * 2**attempt, 60) for attempt in range(12))
    assert 0.75 * expected <= clock.now - started <= 1.25 * expected


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reads_follow_redirects(connect, method, status):
    session, network = connect(answer(status, Location="/elsewhere?x=%2F"), answer(200))
    session.exchange(method, URL, AUTHORIZATION)
    assert [request.url for request in network.sent] == [URL, "https://r.example/elsewhere?x=%2F"]
    assert [request.method for request in network.sent] == [method, method]
    assert network.sent[1].headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    "target", ["https://cdn.example/x", "https://r.example:8443/x", "http://r.example/x", "//cdn.example/x"]
)
def test_authorization_stays_with_the_registry(connect, target):
    session, network = connect(answer(307, Location=target), answer(307, Location=URL), answer(200))
    session.exchange("GET", BLOB, {**AUTHORIZATION, "Range": "bytes=5-"})
    assert ["Authorization" in request.headers for request in network.sent] == [True, False, False]
    assert [request.headers["Range"] for request in network.sent] == ["bytes=5-"] * 3


@pytest.mark.parametrize(
    "location",
    [
        "http://evil.example\\@r.example/v2/",
        "https://u:p@r.example/",
        "mailto:@r.example/",
        "/v2/ x",
        "ftp://r.example/",
    ],
)
def test_a_location_that_parsers_read_differently_is_not_followed(connect, location):
    session, network = connect(answer(307, Location=location), answer(200))
    with pytest.raises(Refused, match=r"the Location header of r.example is not a valid URL \("):
        session.exchange("GET", URL, AUTHORIZATION)
    assert len(network.sent) == 1


@pytest.mark.parametrize(
    ("method", "path", "is_followed"),
    [
        ("GET", "app/blobs/sha256:abc", True),
        ("HEAD", "app/blobs/sha256:abc", True),
        ("GET", "app/manifests/sha256:abc", True),
        ("HEAD", "app/manifests/sha256:abc", False),
        ("GET", "app/manifests/1.0", False),
        ("GET", "app/tags/list", False),
        ("GET", "token?blobs/sha256:abc?x", False),
    ],
)
@pytest.mark.parametrize("hops", [0, 1])
def test_over_tls_only_what_has_a_digest_is_taken_from_plain_http(connect, method, path, is_followed, hops):
    away = [answer(307, Location="https://cdn.example/x")] * hops
    session, network = connect(*away, answer(307, Location="http://cdn.example/x"), answer(200))
    if is_followed:
        session.exchange(method, URL + path, AUTHORIZATION)
        assert "Authorization" not in network.sent[-1].headers
    else:
        with pytest.raises(
            Refused, match="redirects to cdn.example over plain HTTP, which is allowed only for content with a digest"
        ):
            session.exchange(method, URL + path, AUTHORIZATION)
    assert network.sent[-1].url.startswith("http:") is is_followed


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_writes_do_not_follow_redirects(connect, method):
    session, network = connect(answer(307, Location="https://cdn.example/x"))
    assert session.exchange(method, URL, {}, b"x").status == 307
    assert len(network.sent) == 1


def test_redirects_come_to_an_end(connect):
    session, network = connect(answer(302, Location="/again"))
    with pytest.raises(Refused, match="r.example redirects more than 10 times"):
        session.exchange("GET", URL, {})
    assert len(network.sent) == 10


def test_a_redirect_has_the_settings_of_its_host(connect):
    own = RegistrySettings("cdn.example", validate_certs=False)
    session, network = connect(answer(302, Location="https://cdn.example/x"), answer(200), others=[own])
    session.exchange("GET", URL, {})
    assert [request.is_verified for request in network.sent] == [True, False]
    assert [request.timeout for request in network.sent] == [(7.0, 7.0)] * 2


def test_nothing_is_sent_that_nobody_asked_for(connect, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine r.example login u password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    session, network = connect(answer(200, Set_Cookie="a=b"), answer(200))
    session.exchange("GET", URL, {})
    session.exchange("GET", URL, {})
    for request in network.sent:
        assert not {"Authorization", "Cookie"} & set(request.headers)
        assert request.headers["Accept-Encoding"] == "identity"
        assert "drayage" in request.headers["User-Agent"]


@pytest.mark.parametrize(
    ("url", "proxy"),
    [(URL, "http://proxy.example:3128"), ("https://inside.example/", ""), ("https://localhost:5000/", "")],
)
def test_proxies_of_the_environment_are_used(connect, monkeypatch, url, proxy):
    for name in ("https_proxy", "no_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    session, network = connect(answer(200))
    session.exchange("GET", url, {})
    assert network.sent[0].proxy == proxy


def test_warnings_of_a_registry_reach_the_user_once(connect):
    session, _network = connect(answer(200, Warning='299 - "going away soon"'))
    for _turn in range(2):
        session.exchange("GET", URL, {})
    assert session.statistics.warnings == ["r.example warns: going away soon"]


def test_other_warnings_are_not_for_the_user(connect):
    session, _network = connect(answer(200, Warning='110 - "Response is Stale"'))
    session.exchange("GET", URL, {})
    assert session.statistics.warnings == []


def test_a_body_is_read_up_to_its_limit(connect):
    session, _network = connect(answer(200, b"12345", Content_Length="5"))
    assert session.read(session.exchange("GET", URL, {}), 5) == b"12345"
    with pytest.raises(Refused, match="r.example sent a response larger than 4 bytes"):
        session.read(session.exchange("GET", URL, {}), 4)


def test_a_body_that_ends_early_is_a_broken_connection(connect):
    session, _network = connect(answer(200, b"123", Content_Length="5"))
    with pytest.raises(ConnectionFailed):
        session.read(session.exchange("GET", URL, {}), 100)


def test_a_compressed_body_is_refused_rather_than_hashed(connect):
    session, _network = connect(answer(200, b"123", Content_Encoding="gzip"))
    with pytest.raises(Refused, match="compressed"):
        session.read(session.exchange("GET", URL, {}), 100)


@pytest.mark.parametrize(
    ("option", "purpose"),
    [
        ("ca_path", "ca_path"),
        ("client_cert", "the client certificate"),
        ("client_key", "the key of the client certificate"),
    ],
)
def test_a_certificate_file_that_is_missing_is_named_with_its_purpose(connect, option, purpose):
    entry = RegistrySettings("r.example", **{option: "/nowhere/file.pem"})
    with pytest.raises(LocalFailure) as caught:
        connect(answer(200), entry=entry)
    for part in ("/nowhere/file.pem", purpose, "r.example"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("url", "own"),
    [(URL, True), ("https://r.example:443/x", True), ("http://r.example/x", False), ("https://cdn.example/x", False)],
)
def test_a_session_knows_its_own_registry(connect, url, own):
    session, _network = connect(answer(200))
    assert session.is_own(url) is own
