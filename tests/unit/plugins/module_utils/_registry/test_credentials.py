# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of an auth file: which of them belongs to a repository, and what it holds."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import LocalFailure
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import (
    ANONYMOUS,
    AuthFiles,
    Credential,
)
from ansible_collections.drayage.registry.tests.unit.support.auth_files import encoded, login, no_helper


@pytest.fixture
def find(home, write):
    """Look up in a single auth file of this content."""

    def find_in(document, host="r.example", repository="a/b"):
        return AuthFiles(write("auth.json", document), no_helper, print).find(host, repository)

    return find_in


@pytest.mark.parametrize(
    ("key", "repository", "found"),
    [
        ("r.example", "a/b", True),
        ("r.example/a", "a/b", True),
        ("r.example/a/b", "a/b", True),
        ("r.example/a/b/", "a/b", True),
        ("r.example/a/b/c", "a/b", False),
        ("r.example/a/b", "a/bc", False),
        ("r.example/b", "a/b", False),
        ("r.example:443", "a/b", False),
        ("r.example.org", "a/b", False),
        ("https://r.example", "a/b", True),
        ("https://r.example/", "a/b", True),
        ("http://r.example", "a/b", True),
        ("https://r.example/v1/", "a/b", True),
        ("https://r.example/v2/", "a/b", True),
        ("https://r.example/some/path", "a/b", True),
        ("r.example/v1/", "a/b", True),
        ("r.example/v2", "a/b", False),
        ("r.example/v2", "v2/b", True),
        ("https://other.example/v1/", "a/b", False),
        ("r.example/a/v1", "a/b", False),
        ("r.example/a/v1", "a/v1", True),
    ],
)
def test_an_entry_is_found_by_its_key(find, key, repository, found):
    assert find({"auths": {key: login("u")}}, repository=repository) == (
        Credential("u", "secret") if found else ANONYMOUS
    )


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("repository", "user"), [("a/b", "deep"), ("a/c", "middle"), ("c/b", "top"), ("a", "middle"), ("", "top")]
)
def test_the_longest_key_wins_whatever_the_order(find, repository, user, order):
    keys = {"r.example": "top", "r.example/a": "middle", "r.example/a/b": "deep", "s.example": "other"}
    entries = {key: login(name) for key, name in list(keys.items())[::order]}
    assert find({"auths": entries}, repository=repository).username == user


def test_an_empty_entry_leaves_the_word_to_a_shorter_key(find):
    assert find({"auths": {"r.example/a": {}, "r.example": login("u")}}).username == "u"


@pytest.mark.parametrize(
    "key",
    [
        "docker.io",
        "index.docker.io",
        "registry-1.docker.io",
        "https://index.docker.io/v1/",
        "https://index.docker.io/v1",
        "index.docker.io/v1/",
        "index.docker.io/v1",
    ],
)
def test_docker_hub_has_many_names(find, key):
    assert find({"auths": {key: login("u")}}, "docker.io", "library/busybox").username == "u"


def test_docker_hub_may_have_an_entry_for_a_namespace(find):
    entries = {"docker.io/org": login("org"), "https://index.docker.io/v1/": login("all")}
    assert find({"auths": entries}, "docker.io", "org/x").username == "org"
    assert find({"auths": entries}, "docker.io", "library/x").username == "all"


@pytest.mark.parametrize(
    ("entry", "credential"),
    [
        ({"auth": encoded("u:p")}, Credential("u", "p")),
        ({"auth": encoded("u:p:q:")}, Credential("u", "p:q:")),
        ({"auth": encoded("u:pä€")}, Credential("u", "pä€")),
        ({"auth": encoded("u:p\0\0")}, Credential("u", "p")),
        ({"auth": encoded("u:p"), "email": "x", "extra": 5}, Credential("u", "p")),
        ({"username": "u", "password": "p"}, Credential("u", "p")),
        ({"auth": encoded("u:"), "identitytoken": "it"}, Credential("u", identity_token="it")),
        ({"identitytoken": "it"}, Credential(identity_token="it")),
        ({"auth": encoded("<token>:it")}, Credential("<token>", identity_token="it")),
        ({"username": "<token>", "password": "it"}, Credential("<token>", identity_token="it")),
        ({"registrytoken": "rt"}, Credential(bearer="rt")),
        ({"auth": encoded("u:p"), "registrytoken": "rt"}, Credential(bearer="rt")),
        ({}, ANONYMOUS),
        ({"auth": ""}, ANONYMOUS),
        ({"auth": None, "identitytoken": 5}, ANONYMOUS),
        ("x", ANONYMOUS),
        (None, ANONYMOUS),
    ],
)
def test_every_kind_of_entry(find, entry, credential):
    assert find({"auths": {"r.example": entry}}) == credential


@pytest.mark.parametrize(
    "auth", ["dXNlcjpwdw", "\u00e4\u00e4\u00e4\u00e4", encoded("u") + "=x", base64.b64encode(b"u:\xff\xfe").decode()]
)
def test_an_entry_that_cannot_be_decoded_is_an_error_that_names_the_file_and_the_host(find, tmp_path, auth):
    with pytest.raises(LocalFailure) as caught:
        find({"auths": {"r.example": {"auth": auth}}})
    assert str(tmp_path / "auth.json") in str(caught.value)
    assert "r.example" in str(caught.value)
    assert auth not in str(caught.value)


@pytest.mark.parametrize(
    "document", [{}, {"auths": {}}, {"auths": None}, {"auths": []}, {"auths": "x", "credHelpers": 5}, "", "  \n"]
)
def test_a_file_without_entries_has_none(find, document):
    assert find(document) == ANONYMOUS


@pytest.mark.parametrize(
    "text",
    ["{", pytest.param("[" * 100000, id="nested"), "not json", "[]", '"x"', "null", "5", "\f", "\x1f\n", "\u00a0"],
)
def test_a_broken_file_is_one_plain_error_that_names_it(find, tmp_path, text):
    with pytest.raises(LocalFailure) as caught:
        find(text)
    assert str(tmp_path / "auth.json") in str(caught.value)
    assert "JSON" in str(caught.value)


@pytest.mark.parametrize(
    ("credential", "shown"),
    [
        (Credential("u", "hunter2"), "user u"),
        (Credential("u", identity_token="hunter2"), "user u"),
        (Credential("hunter2", "hunter2"), "user ***"),
        (Credential("hunter2", identity_token="hunter2"), "user ***"),
        (Credential("<token>", identity_token="hunter2"), "the configured token"),
        (Credential(bearer="hunter2"), "the configured token"),
        (ANONYMOUS, "anonymous users"),
    ],
)
def test_a_credential_shows_who_it_is_and_no_secret(credential, shown):
    assert str(credential) == shown
    assert "hunter2" not in repr(credential)


@pytest.mark.parametrize(
    "keys", [["docker.io", "https://index.docker.io/v1/"], ["https://index.docker.io/v1/", "docker.io"]]
)
def test_an_empty_entry_hides_no_other_of_the_same_host(find, keys):
    full, empty = keys
    document = {"auths": {full: login("alice"), empty: {}}}
    assert find(document, "docker.io", "library/app").username == "alice"


def test_an_entry_without_a_password_is_passed_over(find):
    document = {"auths": {"r.example/a": {"auth": encoded("alice")}, "r.example": login("bob")}}
    assert find(document).username == "bob"


def test_an_empty_helper_means_none(find):
    document = {"credHelpers": {"r.example": ""}, "auths": {"r.example": login("alice")}}
    assert find(document).username == "alice"


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("other", ["https://r.example", "https://r.example/v2/", "R.example", "r.example/"])
def test_the_exact_name_wins_over_other_forms(find, other, order):
    entries = {other: login("old"), "r.example": login("new")}
    assert find({"auths": dict(list(entries.items())[::order])}).username == "new"


@pytest.mark.parametrize("key", ["docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"])
def test_the_host_of_docker_hubs_api_has_the_credentials_of_docker_hub(find, key):
    assert find({"auths": {key: login("u")}}, "registry-1.docker.io", "library/busybox").username == "u"


def test_what_docker_keeps_of_a_login_in_the_browser_is_no_credential(find):
    names = ("access-token", "refresh-token")
    entries = {"https://index.docker.io/v1/" + name: login("u", name) for name in names}
    assert find({"auths": entries}, "docker.io", "library/busybox") == ANONYMOUS
    entries["https://index.docker.io/v1/"] = login("u", "password")
    assert find({"auths": entries}, "docker.io", "library/busybox").password == "password"
