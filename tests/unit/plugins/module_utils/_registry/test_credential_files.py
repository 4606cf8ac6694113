# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the auth files of a user are, in which order they are read, and what is wrong with one of them."""

from __future__ import annotations

import os

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import LocalFailure
from ansible_collections.drayage.registry.plugins.module_utils._registry import credentials
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import (
    ANONYMOUS,
    AuthFiles,
    Credential,
    default_files,
    default_path,
)
from ansible_collections.drayage.registry.tests.unit.support.auth_files import login, no_helper


def test_a_file_that_is_not_text_is_an_error_that_names_it(home, tmp_path):
    path = tmp_path / "auth.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LocalFailure, match="auth.json is not valid JSON"):
        AuthFiles(str(path), no_helper, print).find("r.example", "a")


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_given_file_that_cannot_be_read_is_an_error(home, tmp_path, name):
    path = str(tmp_path / name)
    with pytest.raises(LocalFailure) as caught:
        AuthFiles(path, no_helper, print).find("r.example", "a")
    assert "cannot read the auth file %s" % path in str(caught.value)


ORDER = ["run/containers/auth.json", "home/.config/containers/auth.json", "home/.docker/config.json", "home/.dockercfg"]


def write_all(write, names):
    for name in names:
        entries = {"r.example": login(name)}
        write(name, entries if name.endswith(".dockercfg") else {"auths": entries})


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_files_are_searched_in_order(home, write, first):
    write_all(write, ORDER[first:])
    assert AuthFiles(None, no_helper, print).find("r.example", "a") == Credential(ORDER[first], "secret")


def test_a_file_without_a_match_leaves_the_word_to_the_next(home, write):
    write(ORDER[0], {"auths": {"other.example": login("x"), "r.example": {}}})
    write(ORDER[1], "")
    write_all(write, ORDER[2:])
    assert AuthFiles(None, no_helper, print).find("r.example", "a").username == ORDER[2]


def test_the_old_file_of_docker_has_its_entries_at_the_top(home, write):
    write("home/.dockercfg", {"https://index.docker.io/v1/": {**login("u"), "email": "u@example"}})
    assert AuthFiles(None, no_helper, print).find("docker.io", "library/x").username == "u"


def test_the_environment_moves_the_files(home, write, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    write_all(write, ORDER[1:3])
    assert AuthFiles(None, no_helper, print).find("r.example", "a") == ANONYMOUS
    write_all(write, ["docker/config.json"])
    assert AuthFiles(None, no_helper, print).find("r.example", "a").username == "docker/config.json"
    write_all(write, ["config/containers/auth.json"])
    assert AuthFiles(None, no_helper, print).find("r.example", "a").username == "config/containers/auth.json"


@pytest.mark.parametrize(
    ("uid", "first", "second"),
    [(1234, "/run/user/1234", "/run/containers/1234"), (0, "/run/containers/0", "/run/user/0")],
)
def test_without_a_runtime_directory_both_fixed_ones_are_looked_into(home, monkeypatch, uid, first, second):
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr("os.getuid", lambda: uid)
    directories = [path.replace("/containers/auth.json", "").replace("/auth.json", "") for path in default_files()[:2]]
    assert directories == [first, second]
    assert default_files()[2] == str(home / ".config/containers/auth.json")


@pytest.mark.parametrize("directory", ["~/run", "run", "."])
def test_a_relative_directory_of_the_environment_is_ignored(home, monkeypatch, directory):
    monkeypatch.setenv("XDG_CONFIG_HOME", directory)
    assert default_files()[1] == str(home / ".config/containers/auth.json")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    expected = default_path()
    monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
    assert default_path() == expected
    assert all(map(os.path.isabs, default_files()))


def test_a_relative_home_directory_is_one_below_the_working_directory(home, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "nowhere")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr("os.getuid", lambda: 1234)
    monkeypatch.setattr("os.access", lambda path, mode: path == str(tmp_path))
    assert default_path() == "nowhere/.config/containers/auth.json"


def test_credentials_are_written_to_the_first_place_that_this_user_can_write(home, monkeypatch, tmp_path):
    places = [str(tmp_path / name / "containers/auth.json") for name in ("user", "run", "config")]
    monkeypatch.setattr(credentials, "_containers_files", lambda: places)
    writable = []
    monkeypatch.setattr("os.access", lambda path, mode: path in writable)
    assert default_path() == places[0]  # whose error says what is wrong
    for path in (tmp_path, tmp_path / "run", tmp_path / "user"):
        path.mkdir(exist_ok=True)
        writable[:] = [str(path)]
        expected = {tmp_path: 0, tmp_path / "run": 1, tmp_path / "user": 0}[path]
        assert default_path() == places[expected]
    (tmp_path / "config").mkdir()
    writable[:] = [str(tmp_path / "config")]
    assert default_path() == places[2]


def test_a_file_of_the_environment_stands_for_all(home, write, monkeypatch):
    write_all(write, ORDER)
    monkeypatch.setenv("REGISTRY_AUTH_FILE", write("env.json", {"auths": {"s.example": login("env")}}))
    assert AuthFiles(None, no_helper, print).find("s.example", "a").username == "env"
    assert AuthFiles(None, no_helper, print).find("r.example", "a") == ANONYMOUS


def test_a_given_file_wins_over_the_environment(home, write, monkeypatch):
    monkeypatch.setenv("REGISTRY_AUTH_FILE", write("env.json", {"auths": {"r.example": login("env")}}))
    given = write("given.json", {"auths": {"r.example": login("given")}})
    assert AuthFiles(given, no_helper, print).find("r.example", "a").username == "given"


def test_a_missing_file_of_the_environment_is_an_error(home, monkeypatch, tmp_path):
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "missing.json"))
    with pytest.raises(LocalFailure, match=r"missing\.json"):
        AuthFiles(None, no_helper, print).find("r.example", "a")


def test_a_tilde_in_the_name_of_a_file_is_the_home_directory(home, write):
    write("home/mine.json", {"auths": {"r.example": login("u")}})
    assert AuthFiles("~/mine.json", no_helper, print).find("r.example", "a").username == "u"


def test_nobody_without_any_file(home):
    assert AuthFiles(None, no_helper, print).find("r.example", "a") == ANONYMOUS
    assert not ANONYMOUS


def test_a_broken_file_is_an_error_even_where_a_later_one_has_the_entry(home, write):
    path = write(ORDER[0], "{")
    write_all(write, ORDER[1:])
    with pytest.raises(LocalFailure) as caught:
        AuthFiles(None, no_helper, print).find("r.example", "a")
    assert path in str(caught.value)


def test_a_broken_file_matters_only_where_no_earlier_one_has_the_entry(home, write):
    write_all(write, ORDER[:1])
    path = write(ORDER[2], "{")
    files = AuthFiles(None, no_helper, print)
    for _turn in range(2):
        assert files.find("r.example", "a").username == ORDER[0]
        with pytest.raises(LocalFailure, match=path):
            files.find("other.example", "a")


def test_each_file_is_read_once_and_only_if_it_is_needed(home, write, monkeypatch):
    write_all(write, ORDER)
    read = []
    monkeypatch.setattr(
        credentials, "read_text", lambda path, real=credentials.read_text: read.append(path) or real(path)
    )
    files = AuthFiles(None, no_helper, print)
    for host, count in [("r.example", 1), ("r.example", 1), ("s.example", 4), ("s.example", 4)]:
        files.find(host, "a")
        assert len(read) == count


@pytest.mark.parametrize(
    ("mode", "document", "warning"),
    [
        (0o600, {"auths": {"r.example": login("u")}}, ""),
        (0o640, {"auths": {"r.example": login("u")}}, ""),
        (0o644, {"auths": {"r.example": login("u")}}, "read"),
        (0o644, {"auths": {"r.example": {}}, "credsStore": "test"}, ""),
        (0o660, {"credsStore": "test"}, "change"),
        (0o602, {}, "change"),
    ],
)
def test_a_file_that_others_can_read_or_change_is_warned_of(home, write, tmp_path, mode, document, warning):
    path = write("auth.json", document)
    os.chmod(path, mode)
    warnings = []
    AuthFiles(path, lambda argv, stdin: (1, "credentials not found in native keychain", ""), warnings.append).find(
        "r.example", "a"
    )
    expected = "Other users can %s the auth file %s, because its mode is %04o. Set the mode to 0600." % (
        warning,
        path,
        mode,
    )
    assert warnings == ([expected] if warning else [])
