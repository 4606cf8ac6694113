# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""registry_login and registries: what they are asked, what is written then, and that other programs read it."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from devtools import images, provision
from devtools.observe import tally
from devtools.servers import DockerRegistry, Haproxy

INDEX = images.index()
PASSWORD = "wonder:land"


def encoded(username, password=PASSWORD):
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def alice(registry, **options):
    return {"host": registry.host, "username": "alice", "password": PASSWORD, **options}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "auth.json"


@pytest.fixture
def login(run_module, file):
    """Return a function that runs registry_login on ``file``."""

    def run(**options):
        return run_module("registry_login", **{"authfile": str(file), **options})

    return run


class TestProgram:
    """skopeo, podman, and files as docker writes them."""

    @pytest.fixture(params=["skopeo", "podman"])
    def run(self, request, tmp_path):
        """Return a function that runs one of the programs and returns what it says."""
        program = provision.program(request.param)
        home = tmp_path / "program"
        (home / "run").mkdir(parents=True)
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}
        asked = subprocess.run([program, "--version"], env=environment, capture_output=True, text=True, check=False)
        if asked.returncode:
            # A package that was unpacked may miss libraries; one that was installed may not.
            assert os.geteuid() != 0, asked.stderr
            pytest.skip(f"{request.param} cannot run here")

        def run_program(*arguments):
            command = [program, *map(str, arguments)]
            return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()

        return run_program

    @staticmethod
    def log_in(run, registry, file):
        run("login", "--authfile", file, "--tls-verify=false", "-u", "alice", "-p", PASSWORD, registry.host)

    def test_what_it_wrote_is_read(self, run, run_module, login, htpasswd_registry, repository, file, tmp_path):
        self.log_in(run, htpasswd_registry, file)
        images.write_layout(INDEX, tmp_path / "layout", "1")
        options = {"src": f"oci:{tmp_path}/layout:1", "dest": f"{htpasswd_registry.host}/{repository}:1"}
        assert run_module("image_copy", authfile=str(file), **options).changed is True
        assert login(**alice(htpasswd_registry)).changed is False

    def test_what_is_written_is_read_by_it(self, run, login, htpasswd_registry, file):
        login(**alice(htpasswd_registry))
        assert run("login", "--authfile", file, "--get-login", htpasswd_registry.host) == "alice"

    def test_the_same_is_written(self, run, login, htpasswd_registry, file, tmp_path):
        self.log_in(run, htpasswd_registry, tmp_path / "other.json")
        login(**alice(htpasswd_registry))
        assert file.read_bytes() == (tmp_path / "other.json").read_bytes()
        run("logout", "--authfile", tmp_path / "other.json", htpasswd_registry.host)
        login(host=htpasswd_registry.host, state="absent")
        assert file.read_bytes() == (tmp_path / "other.json").read_bytes()

    def test_it_logs_out(self, run, login, htpasswd_registry, file):
        login(**alice(htpasswd_registry))
        run("logout", "--authfile", file, htpasswd_registry.host)
        assert login(host=htpasswd_registry.host, state="absent").changed is False


def test_skopeo_reads_the_registry_with_what_is_written(
    run_module, login, htpasswd_registry, repository, file, tmp_path
):
    login(**alice(htpasswd_registry))
    images.write_layout(INDEX, tmp_path / "layout", "1")
    reference = f"{htpasswd_registry.host}/{repository}:1"
    run_module("image_copy", authfile=str(file), src=f"oci:{tmp_path}/layout:1", dest=reference)
    command = [provision.program("skopeo"), "inspect", "--raw", "--tls-verify=false", "--authfile", str(file)]
    assert (
        subprocess.run([*command, f"docker://{reference}"], check=True, capture_output=True).stdout
        == INDEX.manifests[INDEX.digest][1]
    )


def test_the_first_default_path_is_written_and_read(run_module, htpasswd_registry, repository, tmp_path):
    result = run_module("registry_login", **alice(htpasswd_registry))
    assert result.authfile == f"{tmp_path}/home/run/containers/auth.json"
    images.write_layout(INDEX, tmp_path / "layout", "1")
    dest = f"{htpasswd_registry.host}/{repository}:1"
    assert run_module("image_copy", src=f"oci:{tmp_path}/layout:1", dest=dest).changed is True


def test_the_environment_names_the_file(run_module, htpasswd_registry, file, tmp_path):
    result = run_module("registry_login", env={"REGISTRY_AUTH_FILE": str(file)}, **alice(htpasswd_registry))
    assert result.authfile == str(file)
    assert json.loads(file.read_text())["auths"] == {htpasswd_registry.host: {"auth": encoded("alice")}}
    assert list((tmp_path / "home" / "run").iterdir()) == []


class TestRuns:
    def test_second_run_changes_nothing(self, login, htpasswd_registry, file):
        first = login(**alice(htpasswd_registry))
        assert (first.changed, first.login, first.authfile) == (True, "alice", str(file))
        written = file.stat()
        second = login(**alice(htpasswd_registry))
        assert (second.changed, second.login, second.authfile) == (False, "alice", str(file))
        assert (file.stat().st_ino, file.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)

    def test_check_mode_predicts_and_writes_nothing(self, login, htpasswd_registry, file, tmp_path):
        file = tmp_path / "missing" / "auth.json"
        options = alice(htpasswd_registry, authfile=str(file))
        absent = {"host": htpasswd_registry.host, "authfile": str(file), "state": "absent"}
        assert login(check_mode=True, **absent).changed is False
        predicted = login(check_mode=True, diff=True, **options)
        assert not file.parent.exists()
        done = login(diff=True, **options)
        for result in (predicted, done):
            result.raw.pop("invocation", None)
        assert {**predicted.raw, "msg": ""} == {**done.raw, "msg": ""}
        text = file.read_text()
        assert login(check_mode=True, **options).changed is False
        assert login(check_mode=True, **absent).changed is True
        assert file.read_text() == text

    def test_absent(self, login, htpasswd_registry, file):
        login(**alice(htpasswd_registry))
        htpasswd_registry.forget()
        result = login(host=htpasswd_registry.host, state="absent")
        assert (result.changed, result.login) == (True, None)
        assert json.loads(file.read_text()) == {"auths": {}}
        result = login(host=htpasswd_registry.host, state="absent")
        assert (result.changed, result.login) == (False, None)
        assert htpasswd_registry.requests() == []

    def test_absent_where_there_is_no_file(self, login, tmp_path):
        result = login(host="r.example", state="absent", authfile=f"{tmp_path}/missing/auth.json")
        assert result.changed is False
        assert not (tmp_path / "missing").exists()

    def test_another_password(self, login, file):
        with DockerRegistry(htpasswd={"alice": PASSWORD, "bob": "builds:it"}) as server:
            login(**alice(server))
            result = login(diff=True, host=server.host, username="bob", password="builds:it")
        assert (result.changed, result.login) == (True, "bob")
        assert result.diff["before"] == {"authfile": str(file), "host": server.host, "login": "alice"}
        assert result.diff["after"] == {"authfile": str(file), "host": server.host, "login": "bob"}
        assert json.loads(file.read_text())["auths"] == {server.host: {"auth": encoded("bob", "builds:it")}}

    def test_file_is_for_its_owner_only(self, login, htpasswd_registry, file, tmp_path):
        login(**alice(htpasswd_registry, authfile=f"{tmp_path}/a/b/auth.json"))
        paths = [tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/auth.json"]
        assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o700, 0o700, 0o600]
        file.write_text("{}")
        file.chmod(0o644)
        login(**alice(htpasswd_registry))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can write files of others")
    def test_file_of_somebody_else_stays_theirs(self, login, htpasswd_registry, file):
        file.write_text("{}")
        os.chown(file, 1234, 1235)
        login(**alice(htpasswd_registry))
        assert (file.stat().st_uid, file.stat().st_gid) == (1234, 1235)

    def test_parallel_logins_keep_all_entries(self, login, htpasswd_registry, file):
        hosts = [f"{htpasswd_registry.host}/team-{number}" for number in range(8)]
        with ThreadPoolExecutor(len(hosts)) as pool:
            list(pool.map(lambda host: login(**alice(htpasswd_registry, host=host)), hosts))
        assert sorted(json.loads(file.read_text())["auths"]) == hosts
        assert [path.name for path in file.parent.iterdir() if path.is_file()] == [file.name]


class TestRejected:
    @pytest.fixture(params=["htpasswd_registry", "token_registry"])
    def registry(self, request):
        return request.getfixturevalue(request.param)

    @pytest.mark.parametrize("check_mode", [False, True])
    def test_wrong_password_writes_nothing(self, login, registry, file, check_mode):
        result = login(check_mode=check_mode, **alice(registry, password="looking-glass"))
        assert result.failed
        assert result.msg.startswith(f"cannot log in to {registry.host} as user alice: ")
        assert "returned 401" in result.msg
        assert result.msg.endswith(". Check username and password.")
        assert "looking-glass" not in result.stdout
        assert not file.exists()

    def test_former_credentials_stay(self, login, registry, file):
        login(**alice(registry))
        text = file.read_text()
        assert login(**alice(registry, password="looking-glass")).failed
        assert file.read_text() == text

    def test_right_password_is_taken_in_two_requests(self, login, registry, file):
        assert login(**alice(registry)).changed is True
        assert tally(registry.requests()) == {"GET /v2/": 2}


def test_token_is_asked_for_without_scope_and_once(login, token_registry, token_service):
    login(**alice(token_registry))
    assert token_service.log == [("GET", "alice", [])]
    token_service.log.clear()
    login(**alice(token_registry, password="looking-glass"))
    assert len(token_service.log) == 1


def test_token_service_that_knows_no_answer_is_asked_once(login, htpasswd_registry):
    """What it says is final: there is no smaller scope to ask for."""
    realm = f'Bearer realm=\\"{htpasswd_registry.url}/nothing\\"'
    with Haproxy(htpasswd_registry, f'http-response set-header WWW-Authenticate "{realm}"') as server:
        message = login(**alice(server)).msg
    assert "returned 404 for user alice. Check username and password." in message
    assert tally(htpasswd_registry.requests()) == {"GET /v2/": 1, "GET /nothing": 1}


def test_identity_token(run_module, login, token_registry, token_service, repository, file, tmp_path):
    token_service.identity_tokens["an-identity-token"] = "alice"
    options = {"host": token_registry.host, "username": "<token>", "password": "an-identity-token"}
    assert login(**options).changed is True
    assert login(**options).changed is False
    assert login(**{**options, "password": "another-token"}).failed
    images.write_layout(INDEX, tmp_path / "layout", "1")
    dest = f"{token_registry.host}/{repository}:1"
    run_module("image_copy", authfile=str(file), src=f"oci:{tmp_path}/layout:1", dest=dest)
    assert ("POST", "alice", [f"repository:{repository}:pull,push"]) in token_service.log


def test_registry_that_asks_for_nothing_takes_anybody(login, registry):
    assert login(**alice(registry)).changed is True


def test_authority_of_the_registry(login, tls_registry, authority):
    entry = {"host": tls_registry.host, "plain_http": False}
    assert "is not trusted" in login(**alice(tls_registry, registries=[entry])).msg
    entry["ca_path"] = str(authority.ca)
    assert login(**alice(tls_registry, registries=[entry])).changed is True


def test_credentials_of_the_registries_option_do_not_stand_in(login, htpasswd_registry):
    """What is verified is what is written."""
    entry = {"host": htpasswd_registry.host, "username": "alice", "password": PASSWORD}
    assert login(**alice(htpasswd_registry, password="looking-glass", registries=[entry])).failed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"host": "https://r.example"}, "host: 'https://r.example' is not a valid registry name"),
        ({"host": "alice:secret@r.example"}, "host: 'r.example' is not a valid registry name"),
        ({"host": "registry"}, "must contain a dot or have a port"),
        ({"host": ""}, "host: '' is not a valid registry name"),
        ({"host": "r.example/Team"}, "host: 'r.example/Team' is not a valid registry name"),
        ({"host": "r.example/team:tag"}, "is not a valid registry name"),
        ({"username": "a:b"}, "username contains a colon"),
        ({"username": ""}, "username is empty"),
        ({"password": ""}, "password is empty"),
        (
            {"authfile": "/dev/null"},
            "cannot read the auth file /dev/null: not a regular file. Check that this is the right file.",
        ),
        ({"host": "127.0.0.1:9", "retries": 0}, "127.0.0.1:9: cannot reach 127.0.0.1:9: connection refused"),
    ],
)
def test_bad_input(login, registry, options, words):
    result = login(**alice(registry, **options))
    assert result.failed
    assert words in result.msg
    assert "secret@" not in result.msg


@pytest.mark.parametrize("given", ["username", "password"])
def test_name_and_password_are_required(login, registry, given):
    missing = {"username": "password", "password": "username"}[given]
    assert f"missing: {missing}" in login(host=registry.host, **{given: "something"}).msg


def test_host_that_is_no_registry(login, registry, file):
    """A portal logs in everybody."""
    for status in (404, 200):
        page = f'http-request return status {status} content-type text/html string "<html></html>" if {{ path /v2/ }}'
        with Haproxy(registry, page) as server:
            message = login(**alice(server)).msg
        cause = f"{server.host} returned {status} with a web page, which is not a registry response."
        assert message.startswith(f"{server.host}: cannot log in: {cause} Check the host name")
    assert not file.exists()
