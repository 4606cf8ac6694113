# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the token service of a registry is, and whether it may see credentials there."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    AccessDenied,
    CredentialsNotSent,
    LoginRefused,
)
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import AuthFiles, Credential
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import RegistrySettings
from ansible_collections.drayage.registry.tests.unit.support.odd_server import Reply, found

PULL = Access("app", frozenset(("pull",)))
JANE = Credential("jane", "secret")
OK = Reply(200)
TOKEN = found({"token": "t1"})


def challenge(realm):
    return Reply(401, {"WWW-Authenticate": 'Bearer realm="%s"' % realm})


@pytest.mark.parametrize(
    ("realm", "options", "asked"),
    [
        ("http://auth.example/token", {"plain_http": True}, "http://auth.example/token"),
        (
            "http://auth.example/token",
            {"others": [RegistrySettings("auth.example", plain_http=True)]},
            "http://auth.example/token",
        ),
        ("http://localhost:5001/token", {}, "http://localhost:5001/token"),
        ("https://auth.example/token", {}, "https://auth.example/token"),
        ("http://r.example/token", {}, "https://r.example/token"),
        ("http://r.example:443/token", {}, "https://r.example/token"),
    ],
)
def test_credentials_leave_over_tls_or_where_the_user_accepts_plain_text(scripted, realm, options, asked):
    client, script = scripted(challenge(realm), TOKEN, OK, credential=JANE, **options)
    assert client.call("GET", "x", PULL).status == 200
    assert script.sent[1].url.partition("?")[0] == asked


@pytest.mark.parametrize(
    ("realm", "options"),
    [
        ("http://auth.example/token", {}),
        ("http://auth.example/token", {"others": [RegistrySettings("auth.example:8080", plain_http=True)]}),
        ("http://r.example:5001/token", {}),
    ],
)
def test_credentials_do_not_leave_in_plain_text(scripted, realm, options):
    client, script = scripted(challenge(realm), credential=JANE, **options)
    with pytest.raises(CredentialsNotSent) as caught:
        client.call("GET", "x", PULL)
    service = realm.split("/")[2]
    assert str(caught.value) == (
        "the credentials for r.example were not sent, because the token service %s uses plain HTTP. "
        "Set the URL of the token service to https in the registry's configuration. "
        "If you trust the network, set plain_http: true for %s in registries instead." % (service, service)
    )
    assert len(script.sent) == 1


def test_a_plain_service_may_serve_anonymous_users(scripted):
    client, _script = scripted(challenge("http://auth.example/token"), TOKEN, OK)
    assert client.call("GET", "x", PULL).status == 200


class TestSeveralServices:
    """A host that sends each team to a token service of its own."""

    TEAM_A, TEAM_B = (Access(name, frozenset(("pull",))) for name in ("a/app", "b/app"))
    ASKS_A, ASKS_B = (challenge("https://auth.example/%s/token" % name) for name in "ab")

    @staticmethod
    def urls(script):
        return [sent.url.partition("?")[0] for sent in script.sent if "token" in sent.url]

    def test_a_service_that_refuses_another_repository_is_not_the_last_word(self, scripted):
        client, script = scripted(
            self.ASKS_A, TOKEN, OK, Reply(403), self.ASKS_B, found({"token": "t2"}), OK, OK, OK, credential=JANE
        )
        for access in (self.TEAM_A, self.TEAM_B, self.TEAM_A, self.TEAM_B):
            assert client.call("GET", "x", access).status == 200
        assert self.urls(script) == ["https://auth.example/%s/token" % name for name in "aab"]
        sent = [each.headers.get("Authorization") for each in script.sent if "token" not in each.url]
        assert sent == [None, "Bearer t1", None, "Bearer t2", "Bearer t1", "Bearer t2"]

    def test_a_token_of_one_service_does_not_serve_for_another(self, scripted):
        client, script = scripted(
            self.ASKS_A, TOKEN, OK, found({"token": "t2"}), self.ASKS_B, found({"token": "t3"}), OK, credential=JANE
        )
        for access in (self.TEAM_A, self.TEAM_B):
            assert client.call("GET", "x", access).status == 200
        assert self.urls(script)[2:] == ["https://auth.example/b/token"]

    def test_a_refusal_of_the_own_service_is_the_last_word(self, scripted):
        client, script = scripted(self.ASKS_A, TOKEN, OK, Reply(403), self.ASKS_A, Reply(403), credential=JANE)
        client.call("GET", "x", self.TEAM_A)
        with pytest.raises(AccessDenied, match="the token service auth.example returned 403 for user jane"):
            client.call("GET", "x", self.TEAM_B)
        assert len(self.urls(script)) == 3

    @pytest.mark.usefixtures("home")
    def test_a_password_goes_only_to_the_service_that_was_stated_for_it(self, scripted, write):
        headers = {name: base64.b64encode(b"%s:secret" % name.encode()).decode() for name in "ab"}
        auths = {"r.example/%s" % name: {"auth": header} for name, header in headers.items()}
        authfiles = AuthFiles(write("auth.json", {"auths": auths}), None, print)
        tokens = [found({"token": "t%d" % number}) for number in range(3)]
        client, script = scripted(
            *(self.ASKS_A, tokens[0], OK), *(self.ASKS_B, tokens[1], OK), *(tokens[2], OK), authfiles=authfiles
        )
        for repository in ("a/app", "b/app", "a/other"):
            assert client.call("GET", "x", Access(repository, PULL.actions)).status == 200
        sent = [(each.url[21], each.headers["Authorization"][6:]) for each in script.sent if "token" in each.url]
        assert sent == [(name, headers[name]) for name in "aba"]

    def test_a_refusal_of_one_service_is_not_that_of_another(self, scripted):
        client, script = scripted(self.ASKS_A, Reply(401), self.ASKS_B, TOKEN, OK, credential=JANE)
        with pytest.raises(LoginRefused):
            client.call("GET", "x", self.TEAM_A)
        assert client.call("GET", "x", self.TEAM_B).status == 200
        with pytest.raises(LoginRefused):
            client.call("GET", "x", self.TEAM_A)
        assert self.urls(script) == ["https://auth.example/%s/token" % name for name in "ab"]

    def test_a_wrong_service_may_refuse_the_login(self, scripted):
        tokens = [found({"token": "t%d" % number}) for number in (2, 3)]
        client, script = scripted(
            *(self.ASKS_A, TOKEN, OK), *(Reply(401), self.ASKS_B, tokens[0], OK), *(tokens[1], OK), credential=JANE
        )
        for access in (self.TEAM_A, self.TEAM_B, Access("b/other", PULL.actions)):
            assert client.call("GET", "x", access).status == 200
        assert self.urls(script) == ["https://auth.example/%s/token" % name for name in "aabb"]

    def test_a_service_with_plain_http_is_that_of_one_repository(self, scripted):
        client, script = scripted(challenge("http://auth.example/token"), self.ASKS_B, TOKEN, OK, credential=JANE)
        with pytest.raises(CredentialsNotSent):
            client.call("GET", "x", self.TEAM_A)
        assert client.call("GET", "x", self.TEAM_B).status == 200
