# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refused credentials: they are looked up once more, and not sent to other repositories if they are wrong."""

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, LoginRefused
from ansible_collections.drayage.registry.plugins.module_utils._registry.action import Action
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import AuthFiles, Credential
from ansible_collections.drayage.registry.plugins.module_utils._registry.identities import REGISTRY, Identities, keep
from ansible_collections.drayage.registry.tests.unit.support.odd_server import Reply, found
from ansible_collections.drayage.registry.tests.unit.support.responses import response

APP, OTHER, THIRD = (Access(name, frozenset(("pull",))) for name in ("app", "other", "third"))
ASKS_BASIC = Reply(401, {"WWW-Authenticate": 'Basic realm="r"'})
ASKS_TOKEN = Reply(401, {"WWW-Authenticate": 'Bearer realm="https://auth.example/token"'})
REFUSED, OK = Reply(401), Reply(200)
JANE = Credential("jane", "1")


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

    def test_a_new_one_goes_along_with_other_repositories(self, scripted, authfiles):
        client, script = scripted(ASKS_BASIC, ASKS_BASIC, OK, OK, authfiles=authfiles("1", "2"))
        assert [client.call("GET", "x", access).status for access in (APP, OTHER)] == [200, 200]
        assert sent(script) == [None, basic(1), basic(2), basic(2)]

    def test_a_wrong_one_is_confirmed_once_and_not_sent_again(self, scripted, authfiles):
        client, script = scripted(ASKS_BASIC, ASKS_BASIC, REFUSED, ASKS_BASIC, authfiles=authfiles("1", "1"))
        text = refusal(client)
        assert text.startswith("cannot log in to r.example as user jane: the registry returned 401. Check the user")
        assert [refusal(client, access) for access in (APP, APP, OTHER, OTHER)] == [text] * 4
        assert script.log == ["GET x", "GET x", "GET ", "GET x"]
        assert sent(script) == [None, basic(1), basic(1), None]

    def test_one_that_only_a_repository_refuses_is_sent_to_others(self, scripted):
        """Some registries return 401 for a missing permission, and may do so first."""
        client, script = scripted(ASKS_BASIC, ASKS_BASIC, OK, OK, ASKS_BASIC, OK, credential=JANE)
        for _turn in range(2):
            refusal(client, APP)
            assert client.call("GET", "x", OTHER).status == 200
        assert script.log == ["GET x", "GET x", "GET ", "GET x", "GET x", "GET x"]
        assert sent(script) == [None] + [basic(1)] * 5

    @pytest.mark.parametrize("status", [200, 301, 400, 404, 405, 409])
    def test_an_answer_of_the_registry_accepts_it(self, scripted, status):
        client, script = scripted(ASKS_BASIC, Reply(status), ASKS_BASIC, OK, credential=JANE)
        assert client.call("HEAD", "x", APP).status == status
        refusal(client, APP)
        assert client.call("GET", "x", OTHER).status == 200
        assert script.log == ["HEAD x", "HEAD x", "GET x", "GET x"]

    @pytest.mark.parametrize("status", [403, 407, 429, 500, 503])
    def test_other_answers_do_not_accept_it(self, scripted, status):
        client, script = scripted(ASKS_BASIC, Reply(status), ASKS_BASIC, REFUSED, credential=JANE, retries=0)
        assert client.call("HEAD", "x", APP).status == status
        refusal(client, APP)
        refusal(client, APP)
        assert script.log == ["HEAD x", "HEAD x", "GET x", "GET "]

    def test_one_that_is_accepted_in_between_is_not_confirmed(self, scripted):
        client, script = scripted(ASKS_BASIC, ASKS_BASIC, OK, credential=JANE)
        refused = client.call("GET", "x", APP)
        assert isinstance(client.error_for(refused, Action.READ_MANIFEST, APP), LoginRefused)
        client._auth.is_asked(response(404), OTHER, basic(1))
        assert client.call("GET", "x", OTHER).status == 200

    def test_a_repository_may_ask_for_a_token_instead(self, scripted):
        client, script = scripted(
            ASKS_BASIC, ASKS_BASIC, REFUSED, ASKS_TOKEN, found({"token": "t1"}), OK, credential=JANE
        )
        refusal(client, APP)
        assert client.call("GET", "x", OTHER).status == 200
        assert sent(script) == [None, basic(1), basic(1), None, basic(1), "Bearer t1"]

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

    def test_one_that_was_accepted_at_the_same_time_was_not_refused(self):
        """Threads send it together, and the registry responds to one after the other."""
        identities = Identities(lambda _repository: JANE, keep)
        identities.suspect(JANE, "401")
        identities.refuse(JANE, REGISTRY, "401")
        assert (identities.suspicion(JANE), identities.refusal(JANE, REGISTRY)) == ("", "401")
        identities.accept(JANE, REGISTRY)
        identities.suspect(JANE, "401")
        identities.refuse(JANE, REGISTRY, "401")
        assert (identities.suspicion(JANE), identities.refusal(JANE, REGISTRY)) == ("", "")


class TestToken:
    """The token service refuses the password, or the identity token."""

    def test_a_new_password_of_the_helper_is_sent(self, scripted, authfiles):
        token = found({"token": "t1"})
        client, script = scripted(ASKS_TOKEN, REFUSED, token, OK, authfiles=authfiles("1", "2"))
        assert client.call("GET", "x", APP).status == 200
        assert sent(script) == [None, basic(1), basic(2), "Bearer t1"]

    def test_the_same_password_is_not_sent_again(self, scripted, authfiles):
        client, script = scripted(ASKS_TOKEN, REFUSED, ASKS_TOKEN, authfiles=authfiles("1", "1"))
        text = refusal(client)
        assert text.startswith("cannot log in to r.example as user jane: the token service auth.example returned 401.")
        assert [refusal(client, access) for access in (APP, OTHER)] == [text, text]
        assert sent(script) == [None, basic(1), None]

    def test_one_that_was_accepted_before_is_sent_for_other_repositories(self, scripted):
        token = found({"token": "t1"})
        client, script = scripted(
            ASKS_TOKEN, token, OK, REFUSED, ASKS_TOKEN, REFUSED, found({"token": "t2"}), OK, credential=JANE
        )
        client.call("GET", "x", APP)
        refusal(client, OTHER)
        assert client.call("GET", "x", THIRD).status == 200
        assert sent(script)[3:] == [basic(1), None, basic(1), basic(1), "Bearer t2"]

    def test_a_new_password_goes_along_with_other_repositories(self, scripted, authfiles):
        tokens = [found({"token": "t%d" % number}) for number in (1, 2)]
        client, script = scripted(ASKS_TOKEN, REFUSED, tokens[0], OK, tokens[1], OK, authfiles=authfiles("1", "2"))
        assert [client.call("GET", "x", access).status for access in (APP, OTHER)] == [200, 200]
        assert sent(script)[4:] == [basic(2), "Bearer t2"]

    def test_an_identity_token_of_the_task_is_not_sent_again(self, scripted):
        client, script = scripted(ASKS_TOKEN, REFUSED, ASKS_TOKEN, credential=Credential("jane", identity_token="id"))
        assert refusal(client) == refusal(client, OTHER)
        assert [each.method for each in script.sent] == ["GET", "POST", "GET"]
