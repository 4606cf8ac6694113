# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import AccessDenied, ImageError, NotFound
from ansible_collections.drayage.registry.plugins.module_utils._operations.login import LoggedIn, LoginOptions, login
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._registry.session import Policy
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import RegistrySettings
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.odd_server import REGISTRY, OddServer, Reply, refused

UNAUTHORIZED = refused(401, "UNAUTHORIZED")
PASSWORD = Reply(401, {"WWW-Authenticate": 'Basic realm="x"'}, UNAUTHORIZED.body)


@pytest.fixture
def server():
    """A registry without authentication, unless ``reply`` is changed."""
    with OddServer(lambda _method, _target: server.reply) as server:
        server.reply = Reply(200, REGISTRY)
        yield server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "auth.json"


@pytest.fixture
def run(server, path):
    def logged_in(
        host=server.host, username="alice", password="secret", state="present", dry_run=False, plain_http=True
    ):
        settings = RegistrySettings(server.host, plain_http=plain_http)
        policy = Policy(timeout=120, retries=0)
        with Stores([settings], str(path), policy, runs.run(dry_run=dry_run)) as stores:
            return login(LoginOptions(host, username, password, state), stores)

    return logged_in


def auths(path):
    return {
        name: base64.b64decode(each["auth"]).decode() for name, each in json.loads(path.read_text())["auths"].items()
    }


def test_credentials_are_verified_and_stored_once(run, server, path):
    assert run(dry_run=True) == LoggedIn(server.host, str(path), None, "alice", True)
    assert not path.exists()
    assert server.log[0] == "GET /v2/"
    assert run() == LoggedIn(server.host, str(path), None, "alice", True)
    assert auths(path) == {server.host: "alice:secret"}
    assert run() == LoggedIn(server.host, str(path), "alice", "alice", False)
    assert run(username="bob") == LoggedIn(server.host, str(path), "alice", "bob", True)


@pytest.mark.parametrize("dry_run", [True, False])
def test_logging_out_needs_neither_credentials_nor_the_registry(run, server, path, dry_run):
    run()
    server.log.clear()
    logged_out = run(username=None, password=None, state="absent", dry_run=dry_run)
    assert logged_out == LoggedIn(server.host, str(path), "alice", None, True)
    assert auths(path) == ({server.host: "alice:secret"} if dry_run else {})
    assert server.log == []
    if not dry_run:
        assert run(state="absent") == LoggedIn(server.host, str(path), None, None, False)


def test_credentials_can_be_for_a_part_of_a_registry(run, server, path):
    assert run(" %s/team " % server.host).host == server.host + "/team"
    assert auths(path) == {server.host + "/team": "alice:secret"}


@pytest.mark.parametrize("host", ["%s/v2", "%s/v1", "%s/v2/"])
def test_a_path_like_an_api_version_leaves_the_login_of_the_host_alone(run, server, path, host):
    run()
    project = (host % server.host).rstrip("/")
    assert run(host % server.host, username="bob") == LoggedIn(project, str(path), None, "bob", True)
    assert auths(path) == {server.host: "alice:secret", project: "bob:secret"}
    assert run(host % server.host, state="absent") == LoggedIn(project, str(path), "bob", None, True)
    assert auths(path) == {server.host: "alice:secret"}


def test_a_token_that_is_also_the_user_name_is_not_shown(run, server, path):
    """As some clouds say to log in with their API tokens."""
    assert run(username="token1", password="token1") == LoggedIn(server.host, str(path), None, "***", True)
    assert run(username="token2", password="token2") == LoggedIn(server.host, str(path), "***", "***", True)
    assert auths(path) == {server.host: "token2:token2"}
    assert run(state="absent") == LoggedIn(server.host, str(path), "***", None, True)


def test_refused_credentials_are_not_stored(run, server, path):
    server.reply = PASSWORD
    with pytest.raises(AccessDenied) as caught:
        run()
    assert str(caught.value).endswith("Check username and password.")
    assert not path.exists()


def test_credentials_that_were_not_sent_have_another_hint(run, server, path):
    server.reply = Reply(401, {"WWW-Authenticate": 'Bearer realm="http://203.0.113.1/token"'}, UNAUTHORIZED.body)
    with pytest.raises(AccessDenied) as caught:
        run(plain_http=None)
    assert "were not sent, because the token service 203.0.113.1 uses plain HTTP" in str(caught.value)
    assert str(caught.value).endswith("set plain_http: true for 203.0.113.1 in registries instead.")
    assert not path.exists()


def test_a_server_that_is_no_registry_is_an_error(run, server, path):
    server.reply = Reply(404, REGISTRY)
    with pytest.raises(NotFound) as caught:
        run()
    assert str(caught.value).startswith(server.host)
    assert str(caught.value).endswith("Check that the host is a registry.")
    assert not path.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"username": ""}, "username is empty. Set the username option."),
        ({"username": None}, "username is empty. Set the username option."),
        ({"password": ""}, "password is empty. Set the password option."),
        ({"password": None}, "password is empty. Set the password option."),
        (
            {"username": "a:b"},
            "username contains a colon. Remove the colon, because HTTP basic authentication does not allow it.",
        ),
    ],
)
def test_credentials_must_be_complete(run, server, options, message):
    with pytest.raises(ImageError) as caught:
        run(**options)
    assert str(caught.value) == message
    assert server.log == []


@pytest.mark.parametrize("host", ["https://r.example", "app", "", "r.example:x", "R.example/App", "r.example/a:1"])
def test_a_host_is_written_as_in_references(run, server, host):
    with pytest.raises(ImageError) as caught:
        run(host)
    assert str(caught.value) == (
        "host: %r is not a valid registry name. Write host[:port] or host[:port]/path. Unless it is localhost, the "
        "host must contain a dot or have a port." % host
    )
    assert server.log == []


def test_the_error_about_a_host_contains_no_password(run):
    with pytest.raises(ImageError) as caught:
        run("alice:secret@r.example")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "docker.io", "index.docker.io", "r.example", "[::1]:5000"])
def test_any_registry_can_be_logged_out_of(run, host):
    found = run(host, state="absent")
    assert (found.host, found.changed) == (host.replace("index.", ""), False)


@pytest.mark.parametrize("host", ["index.docker.io/v1/", "index.docker.io/v1", "registry-1.docker.io/v2/"])
def test_the_urls_of_docker_hub_stand_for_the_whole_of_it(run, host):
    assert run(host, state="absent").host == "docker.io"
