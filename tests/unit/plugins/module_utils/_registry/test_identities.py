# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refused credentials: they are looked up once more, and sent no second time if they are the same."""

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, LoginRefused
from ansible_collections.drayage.registry.plugins.module_utils._registry.action import Action
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import AuthFiles, Credential
from ansible_collections.drayage.registry.tests.unit.support.odd_server import Reply, found

APP, OTHER = (Access(name, frozenset(("pull",))) for name in ("app", "other"))
ASKS_BASIC = Reply(401, {"WWW-Authenticate": 'Basic realm="r"'})
ASKS_TOKEN = Reply(401, {"WWW-Authenticate": 'Bearer realm="https://auth.example/token"'})
REFUSED, OK = Reply(401), Reply(200)


def basic(password):
    return "Basic " + base64.b64encode(("jane:%s" % password).encode()).decode()


def sent(script):
    """Every Authorization that went out."""
    return [each.headers.get("Authorization") for each in script.sent]


@pytest.fixture
def authfiles(home, write):
    """An auth file with a helper that returns these passwords, each once."""

    def make(*passwords):
        left = list(passwords)

        def run(argv, stdin):
            return 0, json.dumps({"Username": "jane", "Secret": left.pop(0)}), ""

        return AuthFiles(write("auth.json", {"credsStore": "test"}), run, print)

    return make


def refusal(client, access=APP):
    with pytest.raises(LoginRefused) as caught:
        raise client.error_for(client.call("GET", "x", access), Action.READ_MANIFEST, access)
    return str(caught.value)


class TestPassword:
    """Of a registry that asks for it."""

    def test_a_new_one_of_the_helper_is_sent(self, scripted, authfiles):
        client, script = scripted(ASKS_BASIC, OK, ASKS_BASIC, OK, ASKS_BASIC, OK, authfiles=authfiles("1", "2", "3"))
        assert [client.call("GET", "x", APP).status for _turn in range(3)] == [200, 200, 200]
        assert sent(script) == [None, basic(1), basic(1), basic(2), basic(2), basic(3)]

    def test_the_same_one_is_not_sent_again(self, scripted, authfiles):
        client, script = scripted(ASKS_BASIC, ASKS_BASIC, authfiles=authfiles("1", "1"))
        text = refusal(client)
        assert text.startswith("cannot log in to r.example as user jane: the registry returned 401. Check the user")
        assert [refusal(client, access) for access in (APP, OTHER)] == [text, text]
        assert sent(script) == [None, basic(1)]

    def test_one_that_was_accepted_before_is_sent_for_other_repositories(self, scripted, authfiles):
        client, script = scripted(ASKS_BASIC, OK, ASKS_BASIC, OK, authfiles=authfiles("1", "1"))
        client.call("GET", "x", APP)
        refusal(client, OTHER)
        assert client.call("GET", "x", APP).status == 200
        assert sent(script) == [None, basic(1), basic(1), basic(1)]

    def test_a_new_login_in_the_file_is_read(self, scripted, write, home):
        def log_in(password):
            auth = base64.b64encode(b"jane:" + password).decode()
            return write("auth.json", {"auths": {"r.example": {"auth": auth}}})

        client, script = scripted(ASKS_BASIC, OK, ASKS_BASIC, OK, authfiles=AuthFiles(log_in(b"1"), None, print))
        client.call("GET", "x", APP)
        log_in(b"2")
        assert client.call("GET", "x", APP).status == 200
        assert sent(script) == [None, basic(1), basic(1), basic(2)]

    def test_an_error_of_the_helper_closes_the_response(self, scripted, authfiles):
        client, script = scripted(ASKS_BASIC, ASKS_BASIC, authfiles=authfiles("1", None))
        with pytest.raises(ImageError, match="did not return a user name and a secret"):
            client.call("GET", "x", APP)
        assert all(response._body.closed for response in script.responses)


class TestToken:
    """The token service refuses the password, or the identity token."""

    def test_a_new_password_of_the_helper_is_sent(self, scripted, authfiles):
        token = found({"token": "t1"})
        client, script = scripted(ASKS_TOKEN, REFUSED, token, OK, authfiles=authfiles("1", "2"))
        assert client.call("GET", "x", APP).status == 200
        assert sent(script) == [None, basic(1), basic(2), "Bearer t1"]

    def test_the_same_password_is_not_sent_again(self, scripted, authfiles):
        client, script = scripted(ASKS_TOKEN, REFUSED, authfiles=authfiles("1", "1"))
        text = refusal(client)
        assert text.startswith("cannot log in to r.example as user jane: the token service auth.example returned 401.")
        assert [refusal(client, access) for access in (APP, OTHER)] == [text, text]
        assert sent(script) == [None, basic(1)]

    def test_an_identity_token_of_the_task_is_not_sent_again(self, scripted):
        client, script = scripted(ASKS_TOKEN, REFUSED, credential=Credential("jane", identity_token="id"))
        assert refusal(client) == refusal(client, OTHER)
        assert len(script.sent) == 2
