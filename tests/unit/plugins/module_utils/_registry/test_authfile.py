# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import fcntl
import json
import os

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, LocalFailure
from ansible_collections.drayage.registry.plugins.module_utils._registry.authfile import AuthFile
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import (
    ANONYMOUS,
    AuthFiles,
    Credential,
    credential_of,
)

ALICE = credential_of("alice", "wonder:land")
HUB = "https://index.docker.io/v1/"


@pytest.fixture
def run():
    """A credential helper in memory."""

    def run_command(argv, stdin):
        action = argv[1]
        run_command.calls.append((argv[0], action))
        if action == "store":
            document = json.loads(stdin)
            run_command.stored[document["ServerURL"]] = document
        elif stdin not in run_command.stored:
            return 1, "credentials not found in native keychain", ""
        elif action == "erase":
            del run_command.stored[stdin]
        else:
            return 0, json.dumps(run_command.stored[stdin]), ""
        return 0, "", ""

    run_command.calls = []
    run_command.stored = {}
    return run_command


@pytest.fixture
def change(home, tmp_path, run):
    """Change a file of this name and return its ``auths``."""

    def change_file(name, wanted, file="auth.json", dry_run=False):
        done = AuthFile(str(tmp_path / file), run, print).change(name, wanted, dry_run)
        change_file.changed, change_file.before = bool(done), done.before
        path = tmp_path / file
        return json.loads(path.read_text()).get("auths") if path.exists() else None

    return change_file


@pytest.mark.parametrize(
    ("file", "name", "key"),
    [
        ("auth.json", "docker.io", "docker.io"),
        ("config.json", "docker.io", HUB),
        ("config.json", "docker.io/team", "docker.io/team"),
        ("config.json", "r.example:5000", "r.example:5000"),
    ],
)
def test_a_new_entry_has_the_key_that_the_readers_of_the_file_look_for(change, file, name, key):
    assert list(change(name, ALICE, file)) == [key]


@pytest.mark.parametrize("file", ["auth.json", "config.json"])
@pytest.mark.parametrize("key", [HUB, "docker.io", "index.docker.io", "https://registry-1.docker.io"])
def test_an_entry_for_docker_hub_keeps_its_key(change, write, file, key):
    write(file, {"auths": {key: {}}})
    assert list(change("docker.io", ALICE, file)) == [key]


def test_what_is_written_is_read(change, home, tmp_path, run):
    for name in ("docker.io", "r.example", "r.example/team"):
        change(name, Credential("user of " + name, "secret"))
    files = AuthFiles(str(tmp_path / "auth.json"), run, print)
    assert files.find("docker.io", "library/alpine").username == "user of docker.io"
    assert files.find("r.example", "a").username == "user of r.example"
    assert files.find("r.example", "team/a").username == "user of r.example/team"


@pytest.mark.parametrize("secret", ["a:b:c", "ünï", " blanks ", '"{', "\n"])
def test_any_password_is_read_as_it_was(change, tmp_path, run, secret):
    wanted = credential_of("alice", secret)
    change("r.example", wanted)
    assert AuthFiles(str(tmp_path / "auth.json"), run, print).find("r.example", "a") == wanted


def test_an_identity_token_is_written_as_docker_does(change):
    entry = change("r.example", credential_of("<token>", "an-identity-token"))["r.example"]
    assert entry == {"auth": base64.b64encode(b"<token>:").decode(), "identitytoken": "an-identity-token"}


@pytest.mark.parametrize("other", [{"identitytoken": "t"}, {"registrytoken": "t"}])
def test_what_would_win_over_the_password_is_dropped(change, write, other):
    entry = change("r.example", ALICE)["r.example"]
    write("auth.json", {"auths": {"r.example": {**entry, **other}}})
    assert change("r.example", ALICE) == {"r.example": entry}
    assert change.changed


def test_other_keys_of_an_entry_that_is_right_stay(change, write):
    entry = {**change("r.example", ALICE)["r.example"], "email": "alice@r.example"}
    write("auth.json", {"auths": {"r.example": entry}})
    assert change("r.example", ALICE) == {"r.example": entry}
    assert not change.changed


def test_docker_asks_its_store_for_docker_hub_by_an_old_name(change, write, run):
    write("config.json", {"credsStore": "test"})
    assert change("docker.io", ALICE, "config.json") == {HUB: {}}
    assert list(run.stored) == [HUB]


def test_a_helper_of_the_host_comes_before_the_store(change, write, run):
    write("auth.json", {"credsStore": "other", "credHelpers": {"https://r.example": "test"}})
    assert change("r.example", ALICE) is None
    assert run.calls == [("docker-credential-test", action) for action in ("get", "get", "store")]
    assert list(run.stored) == ["https://r.example"]


def test_a_helper_of_another_host_is_left_alone(change, write, run):
    write("auth.json", {"credHelpers": {"s.example": "test"}})
    assert list(change("r.example", ALICE)) == ["r.example"]
    assert run.calls == []


def test_credentials_for_a_part_of_a_registry_can_be_removed_beside_a_store(change, write, run):
    write("auth.json", {"credsStore": "test", "auths": {"r.example/team": {"auth": "YTpi"}}})
    assert change("r.example/team", ANONYMOUS) == {}
    assert run.calls == []


def test_a_dry_run_leaves_helper_and_file_alone(change, write, run):
    write("auth.json", {"credsStore": "test", "auths": {"r.example": {"auth": "YTpi"}}})
    assert change("r.example", ALICE, dry_run=True) == {"r.example": {"auth": "YTpi"}}
    assert change.changed
    assert run.calls == [("docker-credential-test", "get")]


def test_who_was_there_before(change):
    change("r.example", ALICE)
    change("r.example", credential_of("bob", "builds"))
    assert change.before == ALICE


@pytest.mark.parametrize(("before", "wanted"), [(ALICE, ANONYMOUS), (ANONYMOUS, ALICE)])
def test_a_concurrent_task_that_changes_the_keychain_first_leaves_nothing_to_do(
    change, write, run, monkeypatch, before, wanted
):
    write("auth.json", {"credHelpers": {"r.example": "test"}})
    change("r.example", before)
    flock = fcntl.flock

    def wait_for_the_other_task(descriptor, operation):
        flock(descriptor, operation)
        monkeypatch.setattr(fcntl, "flock", flock)
        run.stored.clear()
        if wanted:
            run.stored["r.example"] = {"Username": wanted.username, "Secret": wanted.password}

    monkeypatch.setattr(fcntl, "flock", wait_for_the_other_task)
    run.calls.clear()
    change("r.example", wanted)
    assert change.changed is False
    assert {action for _program, action in run.calls} == {"get"}


def test_a_helper_that_cannot_be_one(change, write, run):
    write("auth.json", {"credsStore": "../evil"})
    with pytest.raises(ImageError, match="invalid credential helper name"):
        change("r.example", ALICE)
    assert run.calls == []


def test_a_directory_that_cannot_be_made(home, run, monkeypatch, tmp_path):
    def refuse(path, mode):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "mkdir", refuse)
    file = AuthFile(str(tmp_path / "missing" / "auth.json"), run, print)
    with pytest.raises(LocalFailure, match="cannot write the auth file .*/missing/auth.json: permission denied. Check"):
        file.change("r.example", ALICE, False)


def test_a_write_that_fails_leaves_no_half(change, monkeypatch, tmp_path):
    change("r.example", ALICE)
    before = (tmp_path / "auth.json").read_text()

    def refuse(source, target):
        raise OSError(28, "No space left on device", source)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(
        LocalFailure, match="cannot write the auth file .*auth.json: no space left on device. Free up some space"
    ):
        change("s.example", ALICE)
    assert (tmp_path / "auth.json").read_text() == before
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["auth.json"]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_a_file_that_is_none_is_neither_read_nor_replaced(home, run, tmp_path, make):
    path = tmp_path / "auth.json"
    make(path)
    for use in (
        lambda: AuthFile(str(path), run, print).change("r.example", ALICE, False),
        lambda: AuthFiles(str(path), run, print).find("r.example", "a"),
    ):
        with pytest.raises(LocalFailure, match="cannot read the auth file %s: not a regular file" % path):
            use()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link to another user")
def test_the_link_of_another_user_is_an_error(home, run, tmp_path):
    """The owner of the link could take the place of the file, and so get a copy of the secrets that it leads to."""
    target, link = tmp_path / "target.json", tmp_path / "auth.json"
    target.write_text("{}")
    link.symlink_to(target)
    os.chown(link, 65534, 65534, follow_symlinks=False)
    for dry_run in (True, False):
        with pytest.raises(LocalFailure) as error:
            AuthFile(str(link), run, print).change("r.example", ALICE, dry_run)
        assert str(error.value) == (
            "the auth file %s is a symbolic link of another user. Set authfile to the target of the link." % link
        )
    assert link.is_symlink()
    assert target.read_text() == "{}"


def test_what_a_killed_login_left_is_removed_by_the_next_one(change, tmp_path):
    (tmp_path / ".auth.json.staging-dead").write_text("all credentials")
    change("r.example", ALICE, dry_run=True)
    assert (tmp_path / ".auth.json.staging-dead").exists()
    change("r.example", ANONYMOUS)
    assert os.listdir(tmp_path) == ["home"]


def test_what_docker_keeps_of_a_login_in_the_browser_stays(change, write):
    kept = {HUB + "access-token": {"auth": "YTpi"}, HUB + "refresh-token": {"auth": "YTpi"}}
    write("config.json", {"auths": {**kept, HUB: {"auth": "YTpi"}}})
    found = change("docker.io", ALICE, "config.json")
    assert {name: found[name] for name in kept} == kept
    assert found[HUB] != {"auth": "YTpi"}
    assert change("docker.io", ANONYMOUS, "config.json") == kept


def test_the_entry_that_readers_use_is_the_one_that_was_there_before(change, write):
    write(
        "auth.json", {"auths": {"https://r.example": {"auth": "b2xkOm9sZA=="}, "r.example": {"auth": "bmV3Om5ldw=="}}}
    )
    change("r.example", ALICE)
    assert change.before.username == "new"


def test_a_file_that_others_can_read_is_warned_of_unless_it_is_written(home, write, run):
    path = write("auth.json", {"auths": {"r.example": {"auth": "YTpi"}}})
    warnings = []
    file = AuthFile(path, run, warnings.append)
    os.chmod(path, 0o644)
    file.change("r.example", credential_of("a", "b"), False)
    assert len(warnings) == 1
    file.change("r.example", ALICE, False)
    assert (len(warnings), os.stat(path).st_mode & 0o777) == (1, 0o600)
