# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the requests of a session wait for: pauses, the pace, free connections and the quota of the registry."""

from __future__ import annotations

import contextlib
import threading

import pytest
import urllib3

from ansible_collections.drayage.registry.plugins.module_utils._errors import ConnectionFailed
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access, Authenticator
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import Credential
from ansible_collections.drayage.registry.plugins.module_utils._registry.quota import Quota
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import RegistrySettings
from ansible_collections.drayage.registry.tests.unit.support.network import answer
from ansible_collections.drayage.registry.tests.unit.support.responses import response

URL = "https://r.example/v2/"


def test_a_pause_holds_for_every_request_of_the_session(connect, clock):
    session, _network = connect(answer(200))
    session.apply_retry_after(response(), 0)
    started = clock.now
    session.send_once("PUT", URL, {}, b"x")
    assert clock.now > started


def test_the_pace_holds_for_each_try_and_for_nobody_else(connect, clock):
    entry = RegistrySettings("r.example", requests_per_second=0.5)
    away = answer(307, Location="https://cdn.example/x")
    session, network = connect(answer(503, Retry_After="0"), away, answer(200), entry=entry)
    started = clock.now
    session.exchange("GET", URL, {})
    session.exchange("GET", "https://auth.example/token", {})
    assert clock.now - started == pytest.approx(2)
    session.send_once("PUT", URL, {}, b"x")
    assert clock.now - started == pytest.approx(4)
    assert len(network.sent) == 5


def test_after_a_pause_requests_keep_their_pace(connect, clock):
    session, _network = connect(answer(200), entry=RegistrySettings("r.example", requests_per_second=2))
    session.exchange("GET", URL, {})
    session.apply_retry_after(response(), 4)
    sent = []
    for _turn in range(3):
        session.send_once("PUT", URL, {}, b"x")
        sent.append(clock.now)
    assert [later - earlier for earlier, later in zip(sent, sent[1:])] == pytest.approx([0.5, 0.5])


def test_a_connection_is_in_use_until_its_answer_is_closed(connect):
    entry = RegistrySettings("r.example", max_connections=1)
    session, _network = connect(answer(200, b"12345"), entry=entry)
    first = session.exchange("GET", URL, {})
    done = []
    thread = threading.Thread(target=lambda: done.append(session.exchange("GET", URL, {})), daemon=True)
    thread.start()
    thread.join(0.05)
    assert done == []
    session.read(first, 5)
    thread.join(120)
    assert not thread.is_alive()
    assert len(done) == 1


def test_a_token_is_had_while_all_connections_are_in_use(connect):
    """Who has one may wait for the token: a token ends while a blob is read, and the upload of what was read needs it."""
    entry = RegistrySettings("r.example", max_connections=1)
    session, _network = connect(answer(200, b"12345"), answer(200, b'{"token": "t"}'), entry=entry)
    session.exchange("GET", URL, {})
    authenticator = Authenticator(session, lambda _repository: Credential())
    access = Access("app", frozenset(["pull"]))
    found = []
    challenge = 'Bearer realm="https://r.example/token"'
    thread = threading.Thread(target=lambda: found.append(authenticator.respond(challenge, access, "")), daemon=True)
    thread.start()
    thread.join(120)
    assert not thread.is_alive()
    assert found == ["Bearer t"]


@pytest.mark.parametrize(
    "outcome", [urllib3.exceptions.ProtocolError("x"), answer(307, Location="https://cdn.example/x")]
)
def test_a_connection_is_free_again_after_an_error_or_a_redirect(connect, outcome):
    entry = RegistrySettings("r.example", max_connections=1)
    session, _network = connect(answer(200), outcome, answer(200), entry=entry, retries=0)
    session.exchange("GET", URL, {}).close()
    with contextlib.suppress(ConnectionFailed):
        session.exchange("GET", URL, {})
    thread = threading.Thread(target=session.exchange, args=("GET", URL, {}), daemon=True)
    thread.start()
    thread.join(120)
    assert not thread.is_alive()


@pytest.mark.parametrize(("reset", "seconds"), [("12", 12), ("3600", 0)])
def test_a_quota_that_is_used_up_is_waited_for(connect, clock, reset, seconds):
    used_up = answer(200, RateLimit_Limit="10", RateLimit_Remaining="0", RateLimit_Reset=reset)
    session, _network = connect(used_up, answer(200))
    started = clock.now
    session.exchange("GET", URL, {})
    assert clock.now == started
    session.exchange("GET", URL, {})
    assert clock.now - started == pytest.approx(seconds)
    assert session.quota == Quota(0, 10, None, int(reset))


def test_what_storage_says_of_its_quota_is_not_the_registrys(connect):
    away = answer(307, Location="https://cdn.example/x")
    session, _network = connect(away, answer(200, RateLimit_Remaining="0", RateLimit_Reset="12"))
    session.exchange("GET", URL, {})
    assert session.quota is None
