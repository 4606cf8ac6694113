# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens: what is asked of their service, by whom, how long they last, and what its refusals mean."""

from __future__ import annotations

import base64
import gc
from urllib.parse import parse_qsl

import pytest

from ansible_collections.drayage.registry.plugins.module_utils import _run
from ansible_collections.drayage.registry.plugins.module_utils._errors import AccessDenied, ImageError, LoginRefused
from ansible_collections.drayage.registry.plugins.module_utils._registry import token_services
from ansible_collections.drayage.registry.plugins.module_utils._registry.action import Action
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import ANONYMOUS, Credential
from ansible_collections.drayage.registry.tests.unit.support.odd_server import Reply, found, refused

PULL = Access("app", frozenset(("pull",)))
PUSH = Access("app", frozenset(("pull", "push")))
JANE = Credential("jane", "secret")
BASIC = "Basic " + base64.b64encode(b"jane:secret").decode()
REALM = "https://auth.example/token"
OK = Reply(200)
TOKEN = found({"token": "t1"})


def challenge(realm=REALM, service="r.example", **more):
    parameters = {"realm": realm, **({"service": service} if service else {}), **more}
    return Reply(401, {"WWW-Authenticate": "Bearer " + ",".join('%s="%s"' % item for item in parameters.items())})


@pytest.fixture(autouse=True)
def times(clock, monkeypatch):
    monkeypatch.setattr(token_services, "time", clock)


def authorizations(script):
    """What the registry saw."""
    return [sent.headers.get("Authorization") for sent in script.sent if sent.url.startswith("https://r.example/v2/")]


def asked(script, number=0):
    """The parameters of a request for a token."""
    sent = [sent for sent in script.sent if "token" in sent.url][number]
    return parse_qsl(sent.body.decode() if sent.body else sent.url.partition("?")[2])


class TestRequest:
    def test_anonymous_users_show_nothing(self, scripted):
        client, script = scripted(challenge(), TOKEN, OK)
        assert client.call("GET", "x", PULL).status == 200
        assert script.sent[1].method == "GET"
        assert script.sent[1].url == REALM + "?service=r.example&scope=repository%3Aapp%3Apull"
        assert script.sent[1].headers == {}
        assert authorizations(script) == [None, "Bearer t1"]

    def test_a_password_goes_to_the_service_only(self, scripted):
        client, script = scripted(challenge(), TOKEN, OK, credential=JANE)
        client.call("GET", "x", PULL)
        assert asked(script) == [("service", "r.example"), ("scope", "repository:app:pull"), ("account", "jane")]
        assert script.sent[1].headers == {"Authorization": BASIC}
        assert authorizations(script) == [None, "Bearer t1"]

    def test_a_realm_may_have_a_query(self, scripted):
        client, script = scripted(challenge(REALM + "?a=b", service=""), TOKEN, OK)
        client.call("GET", "x", PULL)
        assert script.sent[1].url == REALM + "?a=b&scope=repository%3Aapp%3Apull"

    def test_an_identity_token_is_a_form(self, scripted):
        client, script = scripted(
            challenge(), found({"access_token": "t1"}), OK, credential=Credential("jane", identity_token="id.tok")
        )
        client.call("GET", "x", PULL)
        assert (script.sent[1].method, script.sent[1].url) == ("POST", REALM)
        assert script.sent[1].headers == {"Content-Type": "application/x-www-form-urlencoded"}
        assert asked(script) == [
            ("grant_type", "refresh_token"),
            ("refresh_token", "id.tok"),
            ("client_id", "drayage.registry"),
            ("service", "r.example"),
            ("scope", "repository:app:pull"),
        ]
        assert client.session.statistics.hide("id.tok was sent") == "*** was sent"

    def test_a_mount_names_both_repositories(self, scripted):
        client, script = scripted(challenge(), TOKEN, OK)
        client.call("POST", "x", Access("b/app", frozenset(("pull", "push")), "a/base"))
        assert asked(script)[1:] == [("scope", "repository:a/base:pull"), ("scope", "repository:b/app:pull,push")]

    def test_a_catalog_has_a_scope_of_its_own(self, scripted):
        client, script = scripted(challenge(), TOKEN, OK)
        client.call("GET", "x", Access("", frozenset(), catalog=True))
        assert asked(script)[1:] == [("scope", "registry:catalog:*")]

    def test_a_bearer_token_of_the_user_goes_along_at_once(self, scripted):
        client, script = scripted(challenge(), credential=Credential(bearer="mine"))
        assert client.call("GET", "x", PULL).status == 401
        assert authorizations(script) == ["Bearer mine"]

    def test_bearer_is_preferred_to_basic(self, scripted):
        both = Reply(401, {"WWW-Authenticate": 'Basic realm="r", Bearer realm="%s"' % REALM})
        client, script = scripted(both, TOKEN, OK, credential=JANE)
        client.call("GET", "x", PULL)
        assert authorizations(script) == [None, "Bearer t1"]

    def test_basic_without_a_password_is_not_answered(self, scripted):
        client, script = scripted(Reply(401, {"WWW-Authenticate": 'Basic realm="r"'}), OK)
        assert client.call("GET", "x", PULL).status == 401
        assert client.call("GET", "x", PULL).status == 200
        assert authorizations(script) == [None, None]

    def test_a_password_that_was_asked_for_goes_along_from_then_on(self, scripted):
        client, script = scripted(Reply(401, {"WWW-Authenticate": 'Basic realm="r"'}), OK, OK, credential=JANE)
        assert [client.call("GET", "x", PULL).status for _turn in range(2)] == [200, 200]
        assert authorizations(script) == [None, BASIC, BASIC]

    def test_unknown_schemes_are_not_answered(self, scripted):
        client, _script = scripted(Reply(401, {"WWW-Authenticate": "Negotiate"}), credential=JANE)
        assert client.call("GET", "x", PULL).status == 401

    def test_storage_is_not_answered(self, scripted):
        client, script = scripted(Reply(307, {"Location": "https://storage.example/x"}), challenge(), credential=JANE)
        assert client.call("GET", "x", PULL).status == 401
        assert len(script.sent) == 2


class TestLife:
    @pytest.mark.parametrize(
        ("stated", "seconds"),
        [({"expires_in": 300}, 300), ({"expires_in": 61.5}, 61.5), ({"expires_in": 60}, 60), ({}, 60)]
        + [({"expires_in": value}, 60) for value in (-1, 0, 59, "300", None, 1e12, 30 * 24 * 3600)],
    )
    def test_a_token_is_used_until_five_seconds_before_its_end(self, scripted, clock, stated, seconds):
        client, script = scripted(challenge(), found({"token": "t1", **stated}), OK, OK, found({"token": "t2"}), OK)
        client.call("GET", "x", PULL)
        clock.now += seconds - 5.001
        client.call("GET", "x", PULL)
        clock.now += 0.001
        client.call("GET", "x", PULL)
        assert authorizations(script) == [None, "Bearer t1", "Bearer t1", "Bearer t2"]

    def test_one_token_serves_smaller_scopes(self, scripted):
        client, script = scripted(challenge(), TOKEN, OK, OK)
        for access in (PUSH, PULL):
            client.call("GET", "x", access)
        assert authorizations(script) == [None, "Bearer t1", "Bearer t1"]

    def test_a_larger_scope_needs_another(self, scripted):
        client, script = scripted(challenge(), TOKEN, OK, found({"token": "t2"}), OK, OK)
        for access in (PULL, PUSH, PULL):
            client.call("GET", "x", access)
        assert authorizations(script) == [None, "Bearer t1", "Bearer t2", "Bearer t1"]

    def test_more_scope_is_asked_for_from_then_on(self, scripted):
        more = challenge(scope="repository:app:pull,delete", error="insufficient_scope")
        client, script = scripted(challenge(), TOKEN, more, found({"token": "t2"}), OK, OK)
        for _turn in range(2):
            client.call("GET", "x", PULL)
        assert asked(script, 1)[1:] == [("scope", "repository:app:delete,pull")]
        assert authorizations(script) == [None, "Bearer t1", "Bearer t2", "Bearer t2"]

    def test_scopes_of_other_kinds_are_not_asked_for(self, scripted):
        more = challenge(scope="registry:catalog:* repository:app:,delete nonsense", error="insufficient_scope")
        client, script = scripted(challenge(), TOKEN, more, found({"token": "t2"}), OK)
        client.call("GET", "x", PULL)
        assert asked(script, 1)[1:] == [("scope", "repository:app:delete,pull")]

    def test_a_clock_that_is_ahead_is_waited_for(self, scripted, clock):
        invalid = challenge(error="invalid_token")
        client, _script = scripted(challenge(), TOKEN, invalid, OK)
        assert client.call("GET", "x", PULL).status == 200
        assert clock.naps == [2.0]


def issued(numbers):
    """Replies of a registry without and then with the tokens of these numbers."""
    return [reply for number in numbers for reply in (found({"token": "token-%04d" % number}), OK)]


class TestManyRepositories:
    """Each repository has its own token, which ends after a minute."""

    @pytest.fixture
    def lookups(self, monkeypatch):
        """The scopes that were compared with those of a token."""
        compared, serves = [], token_services.Token.serves

        def counted(token, scopes):
            compared.append(scopes)
            return serves(token, scopes)

        monkeypatch.setattr(token_services.Token, "serves", counted)
        return compared

    def test_tokens_that_have_ended_are_dropped(self, scripted, clock):
        client, _script = scripted(challenge(), *issued(range(100)))
        for _minute in range(10):
            for number in range(10):
                client.call("GET", "x", Access("app-%d" % number, PULL.actions))
            clock.now += 60
        tokens = [
            one.header for one in gc.get_objects() if isinstance(one, token_services.Token) and "token-00" in one.header
        ]
        assert sorted(tokens) == ["Bearer token-%04d" % number for number in range(90, 100)]

    @pytest.mark.parametrize("wanted", [PUSH, PULL])
    def test_a_token_is_found_without_a_search(self, scripted, lookups, wanted):
        client, _script = scripted(challenge(), *issued(range(100)), OK, OK)
        for number in range(100):
            client.call("GET", "x", Access("app-%d" % number, PUSH.actions))
        access = Access("app-99", wanted.actions)
        client.call("GET", "x", access)
        lookups.clear()
        client.call("GET", "x", access)
        assert lookups == [access.scopes()]

    def test_a_token_under_several_scopes_is_replaced_under_all_of_them(self, scripted):
        client, script = scripted(challenge(), *issued([1]), OK, challenge(), *issued([2]), OK)
        for access in (PUSH, PULL, PUSH, PULL):
            client.call("GET", "x", access)
        assert authorizations(script)[-3:] == ["Bearer token-0001", "Bearer token-0002", "Bearer token-0002"]

    def test_only_recent_tokens_are_looked_for_in_messages(self, scripted, monkeypatch):
        count = _run._RECENT_TOKENS + 10
        client, _script = scripted(challenge(), *issued(range(count)), credential=JANE)
        for number in range(count):
            client.call("GET", "x", Access("app-%d" % number, PULL.actions))
        statistics = client.session.statistics
        recent = ["token-%04d" % number for number in range(10, count)]
        assert statistics.hide(" ".join(recent)) == " ".join(["***"] * len(recent))
        assert statistics.hide("jane has secret") == "jane has ***"
        monkeypatch.setattr(_run, "forms_of", lambda secrets: [str(len(secrets))])
        assert statistics.hide("%d" % (_run._RECENT_TOKENS + 1)) == "***"

    def test_a_token_of_the_user_is_never_forgotten(self, scripted):
        client, _script = scripted(OK, credential=Credential(bearer="mine"))
        client.call("GET", "x", PULL)
        for number in range(_run._RECENT_TOKENS):
            client.session.statistics.note_sent("Bearer token-%04d" % number)
        assert client.session.statistics.hide("mine, token-0000") == "***, ***"

    def test_a_warning_does_not_show_the_token_of_its_request(self, scripted, monkeypatch):
        """Its response may come late, or its token be longer than a warning."""
        monkeypatch.setattr(_run, "_RECENT_TOKENS", 0)
        warned = Reply(200, {"Warning": '299 - "you sent %s"' % ("t" * 400)})
        client, _script = scripted(challenge(), found({"token": "t" * 400}), warned)
        client.call("GET", "x", PULL)
        assert client.session.statistics.warnings == ["r.example warns: you sent ***"]


class TestRefusal:
    @pytest.mark.parametrize("status", [400, 401, 403, 404])
    def test_anonymous_users_are_named(self, scripted, status):
        client, _script = scripted(challenge(), Reply(status))
        with pytest.raises(AccessDenied) as caught:
            client.call("GET", "x", PULL)
        assert str(caught.value) == (
            "access denied: the token service auth.example returned %d for anonymous users."
            " Check the credentials for r.example in registries or authfile." % status
        )

    @pytest.mark.parametrize("credential", [JANE, Credential("jane", identity_token="id")])
    def test_401_is_about_the_login_and_not_repeated(self, scripted, credential):
        client, script = scripted(challenge(), Reply(401), credential=credential)
        with pytest.raises(LoginRefused, match="as user jane: the token service auth.example returned 401"):
            client.call("GET", "x", PUSH)
        assert len(script.sent) == 2

    @pytest.mark.parametrize("status", [400, 403, 404])
    def test_less_is_asked_for_step_by_step(self, scripted, status):
        no = Reply(status)
        client, script = scripted(challenge(), no, no, TOKEN, OK, OK, credential=JANE)
        access = Access("app", PUSH.actions, "base")
        for _turn in range(2):
            client.call("POST", "x", access)
        scopes = [[value for name, value in asked(script, number) if name == "scope"] for number in range(3)]
        assert scopes == [
            ["repository:app:pull,push", "repository:base:pull"],
            ["repository:app:pull,push"],
            ["repository:app:pull"],
        ]
        assert authorizations(script)[1:] == ["Bearer t1", "Bearer t1"]

    def test_a_catalog_has_no_smaller_scope(self, scripted):
        client, script = scripted(challenge(), Reply(403))
        with pytest.raises(AccessDenied):
            client.call("GET", "x", Access("app", frozenset(("pull",)), catalog=True))
        assert len(script.sent) == 2

    def test_the_response_is_closed(self, scripted):
        client, script = scripted(challenge(), Reply(403))
        with pytest.raises(AccessDenied):
            client.call("GET", "x", PULL)
        assert all(response._body.closed for response in script.responses)

    @pytest.mark.parametrize(
        ("reply", "text"),
        [
            (
                Reply(500),
                "the token service auth.example returned 500. Check the token service's log, and any proxy in front of it.",
            ),
            (
                found({}),
                "the token service auth.example returned no token. Check the token service's log, and any proxy in front of it.",
            ),
            (
                found({"token": ""}),
                "the token service auth.example returned no token. Check the token service's log, and any proxy in front of it.",
            ),
            (
                found({"token": 7}),
                "the token service auth.example returned no token. Check the token service's log, and any proxy in front of it.",
            ),
            (
                found(["x"]),
                "the token service auth.example returned a response that is not a JSON object. "
                "Check the token service's log, and any proxy in front of it.",
            ),
            (
                Reply(200, {}, b"x"),
                "the token service auth.example returned a response that is not a JSON object. "
                "Check the token service's log, and any proxy in front of it.",
            ),
            (
                found({"token": "a b"}),
                "the token of auth.example contains invalid characters. Check the token for spaces and line breaks.",
            ),
        ],
    )
    def test_nonsense_is_an_error(self, scripted, reply, text):
        client, _script = scripted(challenge(), reply, retries=0)
        with pytest.raises(ImageError) as caught:
            client.call("GET", "x", PULL)
        assert str(caught.value) == text

    def test_a_token_service_must_be_named(self, scripted):
        client, _script = scripted(Reply(401, {"WWW-Authenticate": 'Bearer service="r"'}))
        with pytest.raises(ImageError, match="r.example requires a token, but its response specifies no token service"):
            client.call("GET", "x", PULL)


def test_credentials_that_are_no_text_are_not_sent(scripted):
    client, _script = scripted(credential=Credential("jane", "\udcff"))
    with pytest.raises(ImageError, match="characters that are not valid Unicode"):
        client.call("GET", "x", PULL)


@pytest.mark.parametrize("credential", [ANONYMOUS, Credential("jane"), Credential(bearer="mine")])
def test_only_a_password_that_was_asked_for_can_be_a_wrong_one(scripted, credential):
    client, _script = scripted(Reply(401, {"WWW-Authenticate": 'Basic realm="r"'}), credential=credential)
    response = client.call("GET", "x", PULL)
    assert not isinstance(client.error_for(response, Action.READ_MANIFEST, PULL), LoginRefused)


@pytest.mark.parametrize(
    ("reply", "is_replaced"),
    [
        (refused(400, "DENIED", "Your authorization token has expired"), True),
        (refused(400, "TOKEN_INVALID"), True),
        (refused(403, "DENIED", "the token is expired"), True),
        (refused(403, "EXPIRED", "your subscription"), False),
        (refused(400, "MANIFEST_INVALID", "bad"), False),
    ],
)
def test_a_dead_token_is_replaced_once(scripted, reply, is_replaced):
    after = (found({"token": "t2"}), OK) if is_replaced else ()
    client, script = scripted(challenge(), TOKEN, OK, reply, *after)
    client.call("GET", "x", PULL)
    assert client.call("GET", "x", PULL).status == (200 if is_replaced else reply.status)
    assert len(authorizations(script)) == (4 if is_replaced else 3)
