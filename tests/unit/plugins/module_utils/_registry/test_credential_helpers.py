# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import errno

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._process import ProgramStopped
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import (
    ANONYMOUS,
    AuthFiles,
    Credential,
)

ANSWER = """printf '{"ServerURL": "%s", "Username": "user of %s", "Secret": "hunter2"}' "$server" "$server\""""
NOT_FOUND = "echo 'credentials not found in native keychain'; exit 1"
AUTH = {"auth": base64.b64encode(b"file:secret").decode()}


@pytest.fixture
def files(home, write, run):
    """The auth file of this content."""
    return lambda document: AuthFiles(write("auth.json", document), run, print)


@pytest.mark.parametrize("document", [{"credHelpers": {"r.example": "test"}}, {"credsStore": "test"}])
def test_a_helper_is_asked_for_the_host(files, helper, document):
    helper("test", ANSWER)
    assert files(document).find("r.example", "a/b") == Credential("user of r.example", "hunter2")


@pytest.mark.parametrize(
    ("key", "host", "asked"),
    [
        ("r.example:5000", "r.example:5000", "r.example:5000"),
        ("https://r.example", "r.example", "https://r.example"),
        ("docker.io", "docker.io", "docker.io"),
        ("https://index.docker.io/v1/", "docker.io", "https://index.docker.io/v1/"),
    ],
)
def test_a_helper_of_a_host_is_asked_by_the_name_that_the_file_gives(files, helper, run, key, host, asked):
    helper("test", ANSWER)
    assert files({"credHelpers": {key: "test"}}).find(host, "a").username == "user of " + asked
    assert run.calls == [(["docker-credential-test", "get"], asked)]


@pytest.mark.parametrize(
    ("host", "asked"), [("r.example:5000", "r.example:5000"), ("docker.io", "https://index.docker.io/v1/")]
)
def test_a_store_is_asked_as_docker_asks_it(files, helper, host, asked):
    helper("test", ANSWER)
    assert files({"credsStore": "test"}).find(host, "a").username == "user of " + asked


def test_a_helper_of_the_host_comes_before_entries_and_store(files, helper, run):
    helper("test", ANSWER)
    document = {"auths": {"r.example/a": AUTH}, "credHelpers": {"r.example": "test"}, "credsStore": "other"}
    assert files(document).find("r.example", "a").username == "user of r.example"
    assert len(run.calls) == 1


def test_a_helper_is_not_asked_for_other_hosts(files, run):
    document = {"auths": {"r.example": AUTH}, "credHelpers": {"s.example": "test", "r.example:5000": "test"}}
    assert files(document).find("r.example", "a").username == "file"
    assert run.calls == []


def test_an_entry_comes_before_the_store(files, run):
    assert files({"auths": {"r.example": AUTH}, "credsStore": "test"}).find("r.example", "a").username == "file"
    assert run.calls == []


def test_the_store_has_what_an_empty_entry_stands_for(files, helper):
    helper("test", ANSWER)
    assert (
        files({"auths": {"r.example": {}}, "credsStore": "test"}).find("r.example", "a").username == "user of r.example"
    )


@pytest.mark.parametrize("body", [NOT_FOUND, "echo 'credentials not found in native keychain' >&2; exit 1"])
@pytest.mark.parametrize("document", [{"credHelpers": {"r.example": "test"}}, {"credsStore": "test"}])
def test_a_helper_that_knows_nothing_means_anonymous(files, helper, document, body):
    helper("test", body)
    assert files(document).find("r.example", "a") == ANONYMOUS


def test_a_helper_that_knows_nothing_leaves_the_word_to_the_next_file(home, write, run, helper):
    helper("test", NOT_FOUND)
    write("run/containers/auth.json", {"credsStore": "test"})
    write("home/.docker/config.json", {"auths": {"r.example": AUTH}})
    assert AuthFiles(None, run, print).find("r.example", "a").username == "file"


def test_an_identity_token_of_a_helper(files, helper):
    helper("test", """echo '{"Username": "<token>", "Secret": "hunter2"}'""")
    assert files({"credsStore": "test"}).find("r.example", "a") == Credential("<token>", identity_token="hunter2")


@pytest.mark.parametrize("body", [ANSWER, NOT_FOUND])
def test_a_helper_is_asked_once_a_host(files, helper, run, body):
    helper("test", body)
    authfiles = files({"credsStore": "test"})
    for repository in ("a", "b", "a"):
        authfiles.find("r.example", repository)
    assert len(run.calls) == 1
    authfiles.find("s.example", "a")
    assert len(run.calls) == 2


def test_a_helper_that_fails_is_an_error_that_says_which_and_how_to_look(files, helper, tmp_path):
    helper("test", "echo 'the keychain is locked: hunter2' >&2; exit 3")
    with pytest.raises(ImageError) as caught:
        files({"credsStore": "test"}).find("r.example", "a")
    text = str(caught.value)
    assert "docker-credential-test" in text
    assert str(tmp_path / "auth.json") in text
    assert "exit status 3" in text
    assert "echo r.example | docker-credential-test get" in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    "answer",
    [
        '{"Username": "u", "Secret": null}',
        '{"Username": 5, "Secret": "hunter2"}',
        "",
        "hunter2",
        "[]",
        "null",
        '{"Username": "u"}',
        '{"Secret": "hunter2"}',
    ],
)
def test_a_helper_that_answers_something_else_is_an_error_without_the_answer(files, helper, answer):
    helper("test", "printf '%%s' '%s'" % answer)
    with pytest.raises(ImageError, match="docker-credential-test .* did not return a user name and a secret") as caught:
        files({"credsStore": "test"}).find("r.example", "a")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("document", [{"credHelpers": {"r.example": "absent"}}, {"credsStore": "absent"}])
def test_a_missing_helper_has_no_credentials_and_is_remarked_on(files, tmp_path, document):
    """The image may be public."""
    found = files(document).find("r.example", "a")
    assert found == ANONYMOUS
    assert found.remark == (
        "The credential helper docker-credential-absent (configured in %s/auth.json for r.example) is not installed."
        " Install the program in a directory on the task's PATH, or remove it from the auth file" % tmp_path
    )


def test_a_missing_helper_leaves_the_word_to_the_next_file(home, write, run):
    write("run/containers/auth.json", {"credsStore": "absent"})
    write("home/.docker/config.json", {"auths": {"r.example": AUTH}})
    assert AuthFiles(None, run, print).find("r.example", "a").username == "file"
    assert (
        AuthFiles(None, run, print)
        .find("s.example", "a")
        .remark.startswith("The credential helper docker-credential-absent (configured in ")
    )


def test_a_helper_that_cannot_be_started_is_remarked_on_with_the_reason(files, helper, monkeypatch, tmp_path):
    helper("test", ANSWER)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin/docker-credential-test").chmod(0o600)
    remark = files({"credsStore": "test"}).find("r.example", "a").remark
    assert remark.startswith(
        "Cannot run the credential helper docker-credential-test (configured in %s/auth.json for r.example): "
        % tmp_path
    )
    assert "permission denied. Fix the program" in remark
    assert "b'" not in remark


def test_the_reason_of_a_helper_does_not_depend_on_the_language_of_the_environment(home, write):
    def fail(argv, stdin):
        raise PermissionError(errno.EACCES, "Keine Berechtigung")

    remark = AuthFiles(write("auth.json", {"credsStore": "test"}), fail, print).find("r.example", "a").remark
    assert "permission denied. Fix the program" in remark


def test_a_helper_that_is_stopped_is_an_error_that_says_how_to_look(home, write, tmp_path):
    def stopped(argv, stdin):
        raise ProgramStopped("the program did not finish within 60 seconds")

    with pytest.raises(ImageError) as caught:
        AuthFiles(write("auth.json", {"credsStore": "test"}), stopped, print).find("r.example", "a")
    assert str(caught.value) == (
        "cannot run the credential helper docker-credential-test (configured in %s/auth.json for r.example): "
        "the program did not finish within 60 seconds. The program may be"
        " waiting for someone to unlock a keychain. Run the program as this user to see its output:"
        " echo r.example | docker-credential-test get." % tmp_path
    )


@pytest.mark.parametrize("name", ["../evil", "/bin/sh", "a b", "x;id", "x\n"])
def test_a_helper_is_a_plain_name(files, run, name):
    with pytest.raises(ImageError, match="contains an invalid credential helper name"):
        files({"credHelpers": {"r.example": name}}).find("r.example", "a")
    assert run.calls == []
