# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidContent, LocalFailure
from ansible_collections.drayage.registry.plugins.module_utils._files import (
    STAGING,
    check_named,
    claimed,
    is_missing,
    keep_access,
    locked,
    open_regular,
    prefix_for,
    read_named,
    read_regular,
    remove_abandoned,
    replaced,
    reserved,
    staged,
    target_of,
    write_file,
)

NOBODY = 65534


def names(directory):
    return sorted(os.listdir(directory))


def test_a_staged_file_becomes_its_target_when_the_block_ends(tmp_path):
    target = tmp_path / "target"
    with staged(str(tmp_path), str(target)) as stream:
        stream.write(b"half")
        stream.flush()
        assert not target.exists()
        assert names(tmp_path)[0].startswith(STAGING)
        stream.write(b" and half")
    assert target.read_bytes() == b"half and half"
    assert names(tmp_path) == ["target"]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, GeneratorExit])
def test_a_staged_file_leaves_nothing_when_the_block_fails(tmp_path, error):
    target = tmp_path / "target"
    target.write_bytes(b"before")
    with pytest.raises(error), staged(str(tmp_path), str(target)) as stream:
        stream.write(b"half")
        raise error
    assert target.read_bytes() == b"before"
    assert names(tmp_path) == ["target"]


def test_a_target_that_cannot_be_leaves_nothing_either(tmp_path):
    with pytest.raises(OSError), staged(str(tmp_path), str(tmp_path / "missing" / "target")) as stream:
        stream.write(b"x")
    assert names(tmp_path) == []


def test_a_directory_may_be_removed_as_soon_as_the_file_is_there(tmp_path, monkeypatch):
    directory = tmp_path / "directory"
    directory.mkdir()
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda *paths: (rename(*paths), shutil.rmtree(directory)))
    write_file(str(directory), str(directory / "target"), b"x")
    assert names(tmp_path) == []


def test_two_staged_files_do_not_meet(tmp_path):
    target = str(tmp_path / "target")
    with staged(str(tmp_path), target) as one, staged(str(tmp_path), target) as two:
        one.write(b"one")
        two.write(b"two")
        assert len(names(tmp_path)) == 2
    assert names(tmp_path) == ["target"]


def test_the_content_is_on_disk_before_the_name_is(tmp_path, monkeypatch):
    order = []
    rename = os.rename
    monkeypatch.setattr(os, "fsync", lambda descriptor: order.append(os.fstat(descriptor).st_size))
    monkeypatch.setattr(os, "rename", lambda *paths: (order.append("rename"), rename(*paths)))
    write_file(str(tmp_path), str(tmp_path / "target"), b"content")
    assert order == [len(b"content"), "rename", tmp_path.stat().st_size]


def test_a_file_is_replaced_whole(tmp_path):
    target = tmp_path / "target"
    target.write_bytes(b"a longer text than the other")
    with target.open("rb") as reader:
        write_file(str(tmp_path), str(target), b"short")
        assert reader.read() == b"a longer text than the other"
    assert target.read_bytes() == b"short"


def test_the_target_of_a_link_is_replaced(tmp_path):
    (tmp_path / "directory").mkdir()
    target, link = tmp_path / "directory" / "target", tmp_path / "link"
    link.symlink_to("directory/target")
    for content in (b"new", b"newer"):
        with replaced(str(link)) as stream:
            stream.write(content)
        assert link.is_symlink()
        assert target.read_bytes() == content
    assert (names(tmp_path), names(tmp_path / "directory")) == (["directory", "link"], ["target"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link to another user")
class TestLinkOfAnotherUser:
    """A user who may create links in a directory must not choose what root writes elsewhere."""

    @pytest.fixture
    def other(self, tmp_path):
        other = tmp_path / "other"
        other.write_bytes(b"before")
        return other

    @pytest.fixture
    def link(self, tmp_path, other):
        (tmp_path / "home").mkdir()
        link = tmp_path / "home" / "link"
        link.symlink_to(other)
        os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
        return link

    def test_the_link_is_replaced_and_not_its_target(self, link, other):
        with reserved(target_of(str(link))), replaced(str(link)) as stream:
            stream.write(b"new")
            assert {name.partition(STAGING)[0] for name in names(link.parent)} == {"link", ".link"}
        assert not link.is_symlink()
        assert (link.read_bytes(), other.read_bytes()) == (b"new", b"before")
        assert names(link.parent) == ["link"]

    def test_what_replaces_the_link_does_not_get_the_access_of_its_target(self, link, other):
        other.chmod(0o666)
        with replaced(str(link), 0o600) as stream:
            keep_access(stream, str(link))
        assert stat.S_IMODE(os.lstat(link).st_mode) == 0o600

    def test_a_link_of_root_leads_to_it_but_no_further(self, link, other, tmp_path):
        first = tmp_path / "first"
        first.symlink_to("home/link")
        assert target_of(str(first)) == str(link)
        os.chown(link, 0, 0, follow_symlinks=False)
        assert target_of(str(first)) == str(other)

    def test_a_user_follows_their_own_links_and_those_of_root(self, link, other, monkeypatch):
        monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
        assert target_of(str(link)) == str(other)
        os.chown(link, NOBODY + 1, NOBODY + 1, follow_symlinks=False)
        assert target_of(str(link)) == str(link)


@pytest.mark.parametrize("path", ["file", "missing/file", "directory/../file", "directory/", ".", "loop", "dangling"])
def test_without_links_of_others_a_target_is_the_real_path(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "directory").symlink_to("real/deep")
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("directory/../missing")
    assert target_of(path) == os.path.realpath(path)


@pytest.mark.parametrize("lock", [reserved, claimed])
def test_a_lock_is_no_link(tmp_path, lock):
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_bytes(b"content")
    (path if lock is claimed else tmp_path / (prefix_for(str(path)) + "lock")).symlink_to(victim)
    with pytest.raises((OSError, LocalFailure), match="symbolic link"), lock(str(path)):
        pass
    assert victim.read_bytes() == b"content"


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_umask_decides_who_may_read(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_file(str(tmp_path), str(tmp_path / "target"), b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_lock_keeps_others_out_until_it_is_let_go(tmp_path):
    path = str(tmp_path / "lock")
    order = []

    def wait_for_it():
        with locked(path):
            order.append("other")

    with locked(path):
        other = threading.Thread(target=wait_for_it)
        other.start()
        other.join(0.1)
        order.append("first")
    other.join(60)
    assert not other.is_alive()
    assert order == ["first", "other"]


def test_who_waited_for_a_lock_whose_file_was_removed_locks_the_new_one(tmp_path):
    path = tmp_path / "lock"
    order = []

    def wait_for_it():
        with locked(str(path)) as stream:
            order.append(os.fstat(stream.fileno()).st_ino == path.stat().st_ino)

    with locked(str(path)):
        other = threading.Thread(target=wait_for_it)
        other.start()
        other.join(0.1)
        path.unlink()
    other.join(60)
    assert not other.is_alive()
    assert order == [True]


def test_a_place_is_reserved_without_leaving_a_file(tmp_path):
    target = str(tmp_path / "archive.tar")
    inside = []

    def enter():
        with reserved(target):
            inside.append(1)
            assert len(inside) == 1
            inside.pop()

    threads = [threading.Thread(target=enter) for _number in range(8)]
    with reserved(target):
        assert names(tmp_path) == [".archive.tar.staging-lock"]
        remove_abandoned(str(tmp_path), prefix_for(target))
        for thread in threads:
            thread.start()
        assert names(tmp_path) == [".archive.tar.staging-lock"]
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert names(tmp_path) == []


def test_the_rename_that_publishes_a_file_removes_its_lock(tmp_path, monkeypatch):
    target = str(tmp_path / "archive.tar")
    found = []
    rename = os.rename

    def rename_and_look(source, destination):
        rename(source, destination)
        found.append(names(tmp_path))

    monkeypatch.setattr(os, "rename", rename_and_look)
    with reserved(target), staged(str(tmp_path), target, prefix=prefix_for(target)) as stream:
        stream.write(b"new")
    assert found[-1] == ["archive.tar"]
    assert (tmp_path / "archive.tar").read_bytes() == b"new"


def test_a_lock_that_another_writer_has_taken_since_is_left_to_it(tmp_path):
    target = str(tmp_path / "archive.tar")
    with reserved(target):
        with staged(str(tmp_path), target, prefix=prefix_for(target)) as stream:
            stream.write(b"new")
        other = reserved(target)
        other.__enter__()
    assert names(tmp_path) == [".archive.tar.staging-lock", "archive.tar"]
    other.__exit__(None, None, None)
    assert names(tmp_path) == ["archive.tar"]


def test_writers_that_wait_for_a_lock_follow_one_another(tmp_path):
    target = tmp_path / "count"
    target.write_text("0")

    def count_on():
        for _time in range(20):
            with reserved(str(target)):
                number = int(target.read_text())
                with staged(str(tmp_path), str(target), prefix=prefix_for(str(target))) as stream:
                    stream.write(b"%d" % (number + 1))

    threads = [threading.Thread(target=count_on) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert target.read_text() == "160"
    assert names(tmp_path) == ["count"]


def test_what_is_under_way_has_a_name_of_any_length(tmp_path):
    target = str(tmp_path / ("x" * 255))
    with reserved(target), staged(str(tmp_path), target, prefix=prefix_for(target)) as stream:
        stream.write(b"x")
    assert names(tmp_path) == ["x" * 255]


def test_a_lock_leaves_the_content_of_its_file(tmp_path):
    path = tmp_path / "lock"
    with locked(str(path)) as stream:
        assert stream.read() == b""
        stream.write(b"content")
    with locked(str(path)) as stream:
        assert stream.read() == b"content"


def test_what_a_dead_writer_left_is_removed_and_nothing_else(tmp_path):
    for name in (STAGING + "abandoned", "blob", "index.json", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    remove_abandoned(str(tmp_path))
    assert names(tmp_path) == [".hidden", "blob", "index.json"]


def test_what_a_living_writer_is_at_stays(tmp_path):
    target = tmp_path / "target"
    with staged(str(tmp_path), str(target)) as stream:
        stream.write(b"x")
        remove_abandoned(str(tmp_path))
        assert len(names(tmp_path)) == 1
    assert target.read_bytes() == b"x"


def test_a_directory_with_such_a_name_is_left_alone(tmp_path):
    (tmp_path / (STAGING + "directory")).mkdir()
    remove_abandoned(str(tmp_path))
    assert names(tmp_path) == [STAGING + "directory"]


WRITER = """
import sys, time
from ansible_collections.drayage.registry.plugins.module_utils._files import staged
with staged(sys.argv[1], sys.argv[1] + "/target") as stream:
    stream.write(b"half")
    stream.flush()
    print("ready", flush=True)
    time.sleep(60)
"""


def test_the_file_of_a_killed_process_is_abandoned_and_that_of_a_running_one_is_not(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"ready\n"
        remove_abandoned(str(tmp_path))
        assert len(names(tmp_path)) == 1
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    remove_abandoned(str(tmp_path))
    assert names(tmp_path) == []


def test_a_file_that_is_taken_for_abandoned_at_birth_is_made_again(tmp_path, monkeypatch):
    flock = fcntl.flock
    removed = []

    def cleaned_up_before(stream, operation):
        if operation == fcntl.LOCK_SH and not removed:
            removed.extend(names(tmp_path))
            os.unlink(tmp_path / removed[0])
        flock(stream, operation)

    monkeypatch.setattr(fcntl, "flock", cleaned_up_before)
    write_file(str(tmp_path), str(tmp_path / "target"), b"x")
    assert removed
    assert (tmp_path / "target").read_bytes() == b"x"


@pytest.fixture
def locks_of_nfs(monkeypatch):
    """flock as NFSv4 has it: a shared lock wants a file open for reading, an exclusive one for writing."""
    flock = fcntl.flock

    def over_the_network(stream, operation):
        mode = fcntl.fcntl(stream, fcntl.F_GETFL) & os.O_ACCMODE
        unfit = os.O_WRONLY if operation & fcntl.LOCK_SH else os.O_RDONLY
        if stat.S_ISREG(os.fstat(stream.fileno()).st_mode) and mode == unfit:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(stream, operation)

    monkeypatch.setattr(fcntl, "flock", over_the_network)


@pytest.mark.usefixtures("locks_of_nfs")
def test_files_are_written_and_left_ones_removed_on_nfs(tmp_path):
    target = tmp_path / "target"
    (tmp_path / (STAGING + "abandoned")).write_bytes(b"x")
    with staged(str(tmp_path), str(target)) as stream:
        stream.write(b"x")
        remove_abandoned(str(tmp_path))
        assert len(names(tmp_path)) == 1
    with reserved(str(target)), locked(str(target)) as stream:
        assert stream.read() == b"x"
    assert names(tmp_path) == ["target"]


def test_a_file_that_cannot_be_locked_is_not_left_behind(tmp_path, monkeypatch):
    def no_locks(stream, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(OSError, match="No locks available"):
        write_file(str(tmp_path), str(tmp_path / "target"), b"x")
    assert names(tmp_path) == []


def test_what_is_no_file_of_ours_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / (STAGING + "pipe"))
    cleaner = threading.Thread(target=remove_abandoned, args=(str(tmp_path),), daemon=True)
    cleaner.start()
    cleaner.join(120)
    assert not cleaner.is_alive()


def test_a_file_is_read_as_far_as_it_may_reach(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    assert read_regular(str(tmp_path / "file"), 7) == b"content"
    with pytest.raises(InvalidContent, match="%s/file is larger than 6 bytes" % tmp_path):
        read_regular(str(tmp_path / "file"), 6)
    with pytest.raises(FileNotFoundError):
        read_regular(str(tmp_path / "other"), 6)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_opened(tmp_path, make):
    """A pipe that nobody writes to would be waited for, and a device may have no end."""
    make(tmp_path / "other")
    with pytest.raises(InvalidContent, match="%s/other is not a regular file" % tmp_path):
        open_regular(str(tmp_path / "other"))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_a_named_file_that_is_none_is_an_error_that_says_what_it_should_be(tmp_path, make):
    make(tmp_path / "other")
    for use in (lambda path: read_named(path, 10, "the inventory"), lambda path: check_named(path, "the inventory")):
        with pytest.raises(
            LocalFailure,
            match="^cannot read the inventory %s/other: not a regular file. Check that this is the right file.$"
            % tmp_path,
        ):
            use(str(tmp_path / "other"))


def test_a_named_file_that_cannot_be_read_is_one_plain_error(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    assert read_named(str(tmp_path / "file"), 7, "the inventory") == b"content"
    with pytest.raises(
        LocalFailure,
        match="^cannot read the inventory .*/file: larger than 6 bytes. Check that this is the right file.$",
    ):
        read_named(str(tmp_path / "file"), 6, "the inventory")
    with pytest.raises(LocalFailure, match="^cannot read the inventory %s/nope: no such file" % tmp_path):
        read_named(str(tmp_path / "nope"), 6, "the inventory")


def test_missing_is_only_what_is_known_not_to_be_there(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    os.symlink("nowhere", tmp_path / "link")
    names_and_answers = {"file": False, "nope": True, "link": True, "file/below": False}
    assert {name: is_missing(str(tmp_path / name)) for name in names_and_answers} == names_and_answers


def test_what_a_killed_writer_left_is_removed_by_the_next_one_of_the_same_file(tmp_path):
    target = tmp_path / "auth.json"
    abandoned = tmp_path / (prefix_for(str(target)) + "dead")
    for path in (abandoned, tmp_path / (prefix_for("other.json") + "dead")):
        path.write_bytes(b"secret")
    with replaced(str(target), 0o600) as stream:
        stream.write(b"x")
    assert names(tmp_path) == [".other.json.staging-dead", "auth.json"]
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_claim_is_for_one_at_a_time_and_leaves_nothing(tmp_path):
    path = tmp_path / "lock"
    with claimed(str(path)) as first:
        with claimed(str(path)) as second:
            assert (first, second) == (True, False)
        assert path.read_text() == f"{os.getpid()}\n"
    assert not path.exists()
    with claimed(str(path)) as again:
        assert again


def test_a_claim_says_why_it_cannot_be_made(tmp_path):
    with pytest.raises(LocalFailure, match="cannot create the lock .*/gone/lock"), claimed(f"{tmp_path}/gone/lock"):
        pass


def test_a_claim_that_cannot_be_written_leaves_nothing(tmp_path):
    """As on a full disk, where a file can often be created, but not written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with (
            pytest.raises(LocalFailure, match="cannot create the lock .*/lock: file too large"),
            claimed(f"{tmp_path}/lock"),
        ):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert names(tmp_path) == []
