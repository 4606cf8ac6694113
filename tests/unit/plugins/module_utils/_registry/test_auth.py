# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import AccessDenied, ImageError, naming
from ansible_collections.drayage.registry.plugins.module_utils._registry.action import Action
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access, Authenticator
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import ANONYMOUS, Credential
from ansible_collections.drayage.registry.plugins.module_utils._registry.registry_client import RegistryClient
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import RegistrySettings
from ansible_collections.drayage.registry.plugins.module_utils._run import RunStats
from ansible_collections.drayage.registry.tests.unit.support.responses import response

ALICE = Credential("alice", "wonder:land")
ACCESS = Access("team/app", frozenset(["pull"]))
BEARER = 'Bearer realm="https://auth.example/token",service="r.example",scope="repository:team/app:pull"'
INVALID = {"WWW-Authenticate": BEARER + ',error="invalid_token"'}
INSUFFICIENT = {"WWW-Authenticate": BEARER + ',error="insufficient_scope"'}
EXPIRED = {
    "errors": [{"code": "DENIED", "message": "Your authorization token has expired. Reauthenticate and try again."}]
}


def response_of(url, status, headers, body):
    return response(status, body if isinstance(body, bytes) else json.dumps(body).encode(), headers, url)


class Session:
    """A registry that gives these answers (status, headers, body), and a token service that counts its tokens."""

    host, base, quota = "r.example", "https://r.example", None
    settings = RegistrySettings("r.example")

    def __init__(self, answers, token_status=200):
        self.statistics = RunStats()
        self.answers = list(answers)
        self.token_status = token_status
        self.sent = []
        self.tokens = 0
        self.pauses = []

    def exchange(self, method, url, headers, *_more, **_options):
        if url.startswith("https://auth.example/"):
            self.tokens += 1
            return response_of(url, self.token_status, {}, {"token": "t%d" % self.tokens})
        self.sent.append(headers.get("Authorization", ""))
        status, headers, body = self.answers.pop(0)
        return response_of(url, status, headers, body)

    def fetch(self, send, limit):
        found = send()
        return found, found.read(limit) if found.status == 200 else b""

    def back_off(self, attempt):
        self.pauses.append(attempt)

    def is_own(self, url):
        return url.startswith(self.base)


@pytest.fixture
def connect():
    """A client of a registry that gives these answers, and its session."""

    def make(*answers, credential=ANONYMOUS, **options):
        session = Session(answers, **options)
        return RegistryClient(session, Authenticator(session, lambda _repository: credential)), session

    return make


CHALLENGE = (401, {"WWW-Authenticate": BEARER}, b"")
OK = (200, {}, b"")


@pytest.mark.parametrize(
    "refusal",
    [
        (401, {}, b""),
        (400, {}, EXPIRED),
        (403, {}, EXPIRED),
        (400, {}, {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}),
    ],
)
def test_a_token_that_ended_early_is_replaced_once_without_a_challenge(connect, refusal):
    client, session = connect(CHALLENGE, OK, refusal, OK, refusal, refusal)
    assert [client.call("GET", "x", ACCESS).status for _number in range(2)] == [200, 200]
    assert session.sent == ["", "Bearer t1", "Bearer t1", "Bearer t2"]
    assert client.call("GET", "x", ACCESS).status == refusal[0]
    assert session.sent[4:] == ["Bearer t2", "Bearer t3"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"errors": [{"code": "MANIFEST_INVALID", "message": "manifest invalid"}]}),
        (400, b""),
        (403, {"errors": [{"code": "DENIED", "message": "requested access to the resource is denied"}]}),
        (404, EXPIRED),
    ],
)
def test_any_other_refusal_costs_no_token_and_can_be_read(connect, status, body):
    client, session = connect(CHALLENGE, OK, (status, {}, body))
    client.call("GET", "x", ACCESS)
    refused = client.call("GET", "x", ACCESS)
    assert refused.status == status
    assert refused.read(100000) == (body if isinstance(body, bytes) else json.dumps(body).encode())
    assert session.tokens == 1


def test_a_registry_without_challenges_and_tokens_is_taken_at_its_word(connect):
    client, session = connect((401, {}, b""))
    assert client.call("GET", "x", ACCESS).status == 401
    assert (len(session.sent), session.tokens) == (1, 0)


def test_a_token_that_is_not_valid_yet_is_tried_once_more_later(connect):
    client, session = connect(CHALLENGE, (401, INVALID, b""), OK)
    assert client.call("GET", "x", ACCESS).status == 200
    assert session.sent == ["", "Bearer t1", "Bearer t1"]
    assert (session.tokens, len(session.pauses)) == (1, 1)


def test_a_token_that_never_becomes_valid_is_given_up(connect):
    client, session = connect(CHALLENGE, (401, INVALID, b""), (401, INVALID, b""))
    assert client.call("GET", "x", ACCESS).status == 401
    assert (len(session.sent), len(session.pauses)) == (3, 1)


def test_a_fresh_token_with_too_little_scope_is_not_tried_again(connect):
    client, session = connect(CHALLENGE, (401, INSUFFICIENT, b""))
    assert client.call("GET", "x", ACCESS).status == 401
    assert (len(session.sent), session.pauses) == (2, [])


BASIC = (401, {"WWW-Authenticate": 'Basic realm="x"'}, b"")


def test_a_refused_password_is_an_error_about_the_login(connect):
    unauthorized = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}
    client, _session = connect(BASIC, (*BASIC[:2], unauthorized), credential=ALICE)
    with pytest.raises(AccessDenied) as caught, naming("r.example/team/app:1"):
        raise client.error_for(client.call("GET", "x", ACCESS), Action.READ_MANIFEST, ACCESS)
    assert str(caught.value) == (
        "cannot log in to r.example as user alice: the registry returned 401 UNAUTHORIZED (authentication required)."
        " Check the user name and password for r.example in registries or authfile."
    )


def test_a_password_that_the_token_service_refuses_is_an_error_about_the_login(connect):
    client, session = connect(CHALLENGE, credential=ALICE, token_status=401)
    with pytest.raises(AccessDenied) as caught, naming("r.example/team/app:1"):
        client.call("GET", "x", ACCESS)
    assert str(caught.value) == (
        "cannot log in to r.example as user alice: the token service auth.example returned 401."
        " Check the user name and password for r.example in registries or authfile."
    )
    assert session.tokens == 1


@pytest.mark.parametrize("answers", [[BASIC], [CHALLENGE, (401, INSUFFICIENT, b"")], [(403, {}, b"")]])
def test_a_refusal_of_anybody_else_names_the_image(connect, answers):
    client, _session = connect(*answers)
    with pytest.raises(AccessDenied) as caught, naming("r.example/team/app:1"):
        raise client.error_for(client.call("GET", "x", ACCESS), Action.READ_MANIFEST, ACCESS)
    assert str(caught.value).startswith("r.example/team/app:1: cannot read the manifest: ")


@pytest.mark.parametrize("token_status", [200, 401, 403])
def test_what_is_remarkable_about_the_credentials_ends_a_refusal(connect, token_status):
    """Also where the token service refuses anonymous users."""
    client, _session = connect(
        CHALLENGE,
        (401, INSUFFICIENT, b""),
        credential=Credential(remark="The helper is missing"),
        token_status=token_status,
    )
    with pytest.raises(ImageError) as caught:
        raise client.error_for(client.call("GET", "x", ACCESS), Action.READ_MANIFEST, ACCESS)
    assert str(caught.value).endswith(" registries or authfile. The helper is missing.")
