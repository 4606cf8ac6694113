# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_copy and credentials: challenges, tokens, files, helpers; what they cost and what they must not show."""

from __future__ import annotations

import base64
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from devtools import images
from devtools.observe import digest_at, tally
from devtools.process import wait_until
from devtools.servers import DockerRegistry, Haproxy

INDEX = images.index()
PASSWORD = "wonder:land"


@pytest.fixture
def layout(tmp_path):
    """Return the reference of INDEX in a layout."""
    images.write_layout(INDEX, tmp_path / "layout", "1")
    return f"oci:{tmp_path}/layout:1"


def entry(registry, **options):
    return [{"host": registry.host, **options}]


def alice(registry):
    return entry(registry, username="alice", password=PASSWORD)


def encoded(username, password):
    return base64.b64encode(f"{username}:{password}".encode()).decode()


class TestBasic:
    def test_password_is_sent_once_asked_for(self, run_module, htpasswd_registry, repository, layout):
        dest = f"{htpasswd_registry.host}/{repository}:1"
        assert run_module("image_copy", src=layout, dest=dest, registries=alice(htpasswd_registry)).changed is True
        statuses = [request.status for request in htpasswd_registry.requests()]
        assert (statuses[0], statuses.count(401)) == (401, 1)
        htpasswd_registry.forget()
        assert run_module("image_copy", src=layout, dest=dest, registries=alice(htpasswd_registry)).changed is False
        assert [(request.method, request.status) for request in htpasswd_registry.requests()] == [
            ("HEAD", 401),
            ("HEAD", 200),
        ]

    @pytest.mark.parametrize("credentials", [{}, {"username": "alice", "password": "looking-glass"}])
    def test_no_access_is_an_error_and_never_absent(
        self, run_module, htpasswd_registry, repository, layout, credentials
    ):
        dest = f"{htpasswd_registry.host}/{repository}:1"
        result = run_module("image_copy", src=layout, dest=dest, registries=entry(htpasswd_registry, **credentials))
        assert result.failed
        host = htpasswd_registry.host
        if credentials:
            assert result.msg.startswith(f"cannot log in to {host} as user alice: the registry returned 401. ")
            assert result.msg.endswith(f"Check the user name and password for {host} in registries or authfile.")
        else:
            assert result.msg.startswith(f"{dest}: cannot read the manifest: {host} returned 401")
            assert "for anonymous users. Check" in result.msg
        assert "looking-glass" not in result.stdout
        assert len(htpasswd_registry.requests()) <= 2


class TestToken:
    def test_one_token_serves_the_whole_copy(self, run_module, token_registry, token_service, repository, layout):
        dest = f"{token_registry.host}/{repository}:1"
        result = run_module("image_copy", src=layout, dest=dest, registries=alice(token_registry))
        assert result.digest == INDEX.digest
        assert token_service.log == [("GET", "alice", [f"repository:{repository}:pull,push"])]
        assert [request.status for request in token_registry.requests()].count(401) == 1
        assert run_module("image_copy", src=layout, dest=dest, registries=alice(token_registry)).changed is False

    def test_mounting_asks_for_both_repositories_at_once(
        self, run_module, token_registry, token_service, repository, layout
    ):
        source = f"{token_registry.host}/{repository}:1"
        run_module("image_copy", src=layout, dest=source, registries=alice(token_registry))
        token_service.log.clear()
        token_registry.forget()
        dest = f"{token_registry.host}/{repository}/prod:1"
        result = run_module("image_copy", src=source, dest=dest, registries=alice(token_registry))
        assert result.blobs == {"copied": 0, "mounted": len(INDEX.blobs), "skipped": 0}
        scopes = [f"repository:{repository}:pull", f"repository:{repository}/prod:pull,push"]
        assert token_service.log == [("GET", "alice", scopes)]

    def test_anonymous_pull(self, run_module, token_registry, token_service, repository, layout, tmp_path):
        source = f"{token_registry.host}/{repository}:1"
        run_module("image_copy", src=layout, dest=source, registries=alice(token_registry))
        token_service.log.clear()
        result = run_module("image_copy", src=source, dest=f"oci:{tmp_path}/copy:1")
        assert result.digest == INDEX.digest
        assert token_service.log == [("GET", None, [f"repository:{repository}:pull"])]

    def test_anonymous_push_is_denied(self, run_module, token_registry, repository, layout):
        result = run_module("image_copy", src=layout, dest=f"{token_registry.host}/{repository}:1")
        assert result.failed
        assert "returned 401 UNAUTHORIZED" in result.msg
        assert "anonymous users" in result.msg

    def test_wrong_password_is_tried_once(self, run_module, token_registry, token_service, repository, layout):
        credentials = entry(token_registry, username="alice", password="looking-glass")
        dest = f"{token_registry.host}/{repository}:1"
        result = run_module("image_copy", src=layout, dest=dest, registries=credentials)
        assert result.msg.startswith(
            f"cannot log in to {token_registry.host} as user alice: the token service 127.0.0.1"
        )
        assert "looking-glass" not in result.stdout
        assert len(token_service.log) == 1

    def test_token_that_dies_in_the_middle_is_renewed(
        self, run_module, registry, token_registry, token_service, repository
    ):
        """The registry of the source sends for its blobs to a storage that stands still until the token is refused."""
        token_service.lifetime, token_service.skew = 10, -60
        images.push(INDEX, registry.host, repository, "1")
        with Haproxy(registry, "") as storage, ThreadPoolExecutor(1) as pool:
            storage.pause()
            rule = f"http-request redirect prefix {storage.url} if {{ path_sub /blobs/ }}"
            with Haproxy(registry, rule) as proxy:
                running = pool.submit(
                    run_module,
                    "image_copy",
                    src=f"{proxy.host}/{repository}:1",
                    dest=f"{token_registry.host}/{repository}:1",
                    registries=alice(token_registry),
                )
                try:
                    wait_until(lambda: token_service.log or running.done())
                    younger = token_service.answer_get({"scope": []}, "Basic " + encoded("alice", PASSWORD))["token"]
                    wait_until(lambda: not self.is_alive(token_registry, younger))
                    token_service.lifetime = 300
                finally:
                    storage.resume()
                result = running.result()
        assert result.digest == INDEX.digest
        assert [request.status for request in token_registry.requests()].count(401) > 1

    @staticmethod
    def is_alive(registry, token):
        answer = requests.get(f"{registry.url}/v2/", headers={"Authorization": f"Bearer {token}"}, timeout=60)
        return answer.status_code == 200

    def test_identity_token(self, run_module, token_registry, token_service, repository, layout, tmp_path):
        token_service.identity_tokens["an-identity-token"] = "alice"
        auths = {token_registry.host: {"auth": encoded("<token>", ""), "identitytoken": "an-identity-token"}}
        (tmp_path / "auth.json").write_text(json.dumps({"auths": auths}))
        dest = f"{token_registry.host}/{repository}:1"
        result = run_module("image_copy", src=layout, dest=dest, authfile=str(tmp_path / "auth.json"))
        assert result.digest == INDEX.digest
        assert {(request.method, request.account) for request in token_service.log} == {("POST", "alice")}
        assert "an-identity-token" not in result.stdout

    def test_service_that_denies_the_whole_for_a_part(
        self, run_module, token_registry, token_service, repository, layout
    ):
        """The registry has the last word: a token for less than was asked still pulls."""
        source = f"{token_registry.host}/{repository}:1"
        run_module("image_copy", src=layout, dest=source, registries=alice(token_registry))
        token_service.grants = lambda _user, _type, _name, actions: [x for x in actions if x == "pull"]
        result = run_module("image_copy", src=layout, dest=source, registries=alice(token_registry))
        assert result.changed is False
        result = run_module("image_copy", src=layout, dest=source + "-new", registries=alice(token_registry))
        assert result.failed
        assert "user alice" in result.msg


class TestFiles:
    @pytest.fixture
    def copy(self, run_module, htpasswd_registry, repository, layout):
        """Return a function that copies to ``htpasswd_registry`` with no credentials in the task."""
        dest = f"{htpasswd_registry.host}/{repository}:1"

        def run(**options):
            return run_module("image_copy", src=layout, dest=dest, **options)

        return run

    @pytest.mark.parametrize(
        "name", ["run/containers/auth.json", ".config/containers/auth.json", ".docker/config.json"]
    )
    def test_default_paths(self, copy, htpasswd_registry, tmp_path, name):
        file = tmp_path / "home" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"auths": {htpasswd_registry.host: {"auth": encoded("alice", PASSWORD)}}}))
        assert copy().changed is True

    def test_longest_name_wins(self, copy, htpasswd_registry, repository, tmp_path):
        auths = {
            htpasswd_registry.host: {"auth": encoded("alice", "wrong")},
            f"{htpasswd_registry.host}/{repository.partition('/')[0]}": {"auth": encoded("alice", PASSWORD)},
        }
        (tmp_path / "auth.json").write_text(json.dumps({"auths": auths}))
        assert copy(authfile=str(tmp_path / "auth.json")).changed is True

    def test_task_wins_over_file(self, copy, htpasswd_registry, tmp_path):
        auths = {htpasswd_registry.host: {"auth": encoded("alice", "wrong")}}
        (tmp_path / "auth.json").write_text(json.dumps({"auths": auths}))
        options = {"authfile": str(tmp_path / "auth.json")}
        assert copy(**options).failed
        assert copy(**options, registries=alice(htpasswd_registry)).changed is True

    def test_environment_names_the_file(self, copy, htpasswd_registry, tmp_path):
        auths = {htpasswd_registry.host: {"auth": encoded("alice", PASSWORD)}}
        (tmp_path / "auth.json").write_text(json.dumps({"auths": auths}))
        assert copy(env={"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}).changed is True

    @pytest.mark.parametrize("key", ["credHelpers", "credsStore"])
    def test_helpers(self, copy, htpasswd_registry, tmp_path, key):
        helper = self.helper(tmp_path, f'printf \'{{"Username":"alice","Secret":"{PASSWORD}"}}\'')
        value = "test" if key == "credsStore" else {htpasswd_registry.host: "test"}
        (tmp_path / "auth.json").write_text(json.dumps({key: value}))
        assert copy(authfile=str(tmp_path / "auth.json"), env=helper).changed is True
        assert (tmp_path / "asked").read_text() == f"get {htpasswd_registry.host}\n"

    def test_helper_that_has_none_means_anonymous(self, copy, tmp_path):
        helper = self.helper(tmp_path, "echo credentials not found in native keychain; exit 1")
        (tmp_path / "auth.json").write_text(json.dumps({"credsStore": "test"}))
        assert "anonymous users" in copy(authfile=str(tmp_path / "auth.json"), env=helper).msg

    def test_helper_that_fails_is_named(self, copy, tmp_path):
        helper = self.helper(tmp_path, "echo it is locked >&2; exit 3")
        (tmp_path / "auth.json").write_text(json.dumps({"credsStore": "test"}))
        message = copy(authfile=str(tmp_path / "auth.json"), env=helper).msg
        assert "docker-credential-test" in message
        assert "exit status 3" in message

    @pytest.mark.parametrize(
        ("script", "words"),
        [("exec sleep 600", "did not finish within 1 seconds"), ("exec yes", "wrote more than 1048576 bytes")],
    )
    def test_helper_without_end_is_stopped(self, copy, tmp_path, script, words):
        helper = self.helper(tmp_path, script)
        (tmp_path / "auth.json").write_text(json.dumps({"credsStore": "test"}))
        message = copy(authfile=str(tmp_path / "auth.json"), env=helper, timeout=1 if "sleep" in script else 60).msg
        assert f"docker-credential-test (configured in {tmp_path}/auth.json for 127.0.0.1:" in message
        assert f"): the program {words}. " in message

    def test_missing_helper_keeps_nobody_from_public_images(self, run_module, copy, registry, repository, tmp_path):
        images.push(INDEX, registry.host, repository, "1")
        (tmp_path / "auth.json").write_text(json.dumps({"credsStore": "absent"}))
        options = {"authfile": str(tmp_path / "auth.json")}
        source = f"{registry.host}/{repository}:1"
        assert run_module("image_copy", src=source, dest=f"oci:{tmp_path}/copy:1", **options).digest == INDEX.digest
        message = copy(**options).msg
        assert "for anonymous users. Check" in message
        assert f"docker-credential-absent (configured in {tmp_path}/auth.json for " in message
        assert message.endswith(
            " is not installed. Install the program in a directory on the task's PATH, or remove it from the auth file."
        )

    def test_entry_for_another_port_is_mentioned(self, copy, htpasswd_registry):
        message = copy(registries=[{"host": "127.0.0.1", "username": "alice", "password": PASSWORD}]).msg
        assert "for anonymous users. Check" in message
        assert f"The entry for 127.0.0.1 in registries is not used for {htpasswd_registry.host}: " in message

    @staticmethod
    def helper(directory, script):
        """Install a credential helper; return the environment in which it is found."""
        path = directory / "bin" / "docker-credential-test"
        path.parent.mkdir()
        path.write_text(f'#!/bin/sh\nread -r server\necho "$1 $server" >> {directory}/asked\n{script}\n')
        path.chmod(0o755)
        return {"PATH": f"{path.parent}{os.pathsep}{os.environ['PATH']}"}

    @pytest.mark.parametrize("text", ["{not json", '{"auths": {"%s": {"auth": "%%%%"}}}', "[]"])
    def test_broken_file_is_named(self, copy, htpasswd_registry, tmp_path, text):
        file = tmp_path / "auth.json"
        file.write_text(text.replace("%s", htpasswd_registry.host))
        message = copy(authfile=str(file)).msg
        assert str(file) in message
        assert message.count(". ") <= 1

    def test_missing_file_is_named(self, copy, tmp_path):
        assert f"cannot read the auth file {tmp_path}/nope" in copy(authfile=f"{tmp_path}/nope").msg

    def test_netrc_is_not_read(self, copy, htpasswd_registry, tmp_path):
        netrc = tmp_path / "home" / ".netrc"
        netrc.write_text(f"machine 127.0.0.1 login alice password {PASSWORD}\n")
        netrc.chmod(0o600)
        assert copy(env={"NETRC": str(netrc)}).failed


def test_different_users_for_different_repositories(run_module, repository, layout):
    users = {"reader": "reads-only", "writer": "writes-too"}
    with DockerRegistry(htpasswd=users) as server:
        registries = [
            {"host": server.host, "username": "reader", "password": "wrong-for-all"},
            {"host": f"{server.host}/{repository}", "username": "writer", "password": "writes-too"},
        ]
        result = run_module("image_copy", src=layout, dest=f"{server.host}/{repository}:1", registries=registries)
        assert result.digest == INDEX.digest


def test_bearer_token_of_the_task_is_sent_as_it_is(
    run_module, token_registry, token_service, repository, layout, tmp_path
):
    """A token fetched by the user: the token service is not asked."""
    token = token_service.answer_get(
        {"scope": [f"repository:{repository}:pull,push"]}, "Basic " + encoded("alice", PASSWORD)
    )["token"]
    token_service.log.clear()
    dest = f"{token_registry.host}/{repository}:1"
    result = run_module("image_copy", src=layout, dest=dest, registries=entry(token_registry, token=token))
    assert result.digest == INDEX.digest
    assert token_service.log == []
    assert token not in result.stdout


def test_key_that_ansible_has_taken_apart_is_sent_as_json(run_module, repository, layout):
    """lookup('file') of a JSON file is a mapping on ansible-core 2.16."""
    key = {"type": "service_account", "private_key": "-----BEGIN\nsecret\n"}
    with DockerRegistry(htpasswd={"_json_key": json.dumps(key)}) as server:
        registries = entry(server, username="_json_key", password=key)
        result = run_module("image_copy", src=layout, dest=f"{server.host}/{repository}:1", registries=registries)
        assert result.digest == INDEX.digest
        login = run_module("registry_login", host=server.host, username="_json_key", password=key)
        assert login.changed is True
    for output in (result.stdout, login.stdout):
        assert "service_account" not in output
    refused = run_module("registry_login", host="r.example", username="alice", password=1.5)
    assert refused.msg == "password is not a string. Put the value in quotes."


def test_one_challenge_among_others_on_a_single_line(run_module, htpasswd_registry, repository, layout):
    header = 'http-response set-header WWW-Authenticate "Negotiate, Basic realm=\\"x,y\\"" if { status 401 }'
    with Haproxy(htpasswd_registry, header) as proxy:
        dest = f"{proxy.host}/{repository}:1"
        assert run_module("image_copy", src=layout, dest=dest, registries=alice(proxy)).digest == INDEX.digest


def test_plain_registry_sees_no_credentials_it_did_not_ask_for(run_module, registry, repository, layout):
    run_module("image_copy", src=layout, dest=f"{registry.host}/{repository}:1", registries=alice(registry))
    assert 401 not in [request.status for request in registry.requests()]
    assert tally(registry.requests())["HEAD manifest"] == 1
    assert digest_at(registry.host, repository, "1") == INDEX.digest
