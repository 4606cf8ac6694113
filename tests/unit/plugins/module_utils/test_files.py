# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidContent, LocalFailure
from ansible_collections.drayage.registry.plugins.module_utils._files import (
    STAGING,
    check_named,
    is_missing,
    keep_access,
    open_regular,
    prefix_for,
    read_named,
    read_regular,
    replaced,
    reserved,
    staged,
    target_of,
    write_file,
)
from ansible_collections.drayage.registry.tests.unit.support.files import listed

NOBODY = 65534


def test_a_staged_file_becomes_its_target_when_the_block_ends(tmp_path):
    target = tmp_path / "target"
    with staged(str(tmp_path), str(target)) as stream:
        stream.write(b"half")
        stream.flush()
        assert not target.exists()
        assert listed(tmp_path)[0].startswith(STAGING)
        stream.write(b" and half")
    assert target.read_bytes() == b"half and half"
    assert listed(tmp_path) == ["target"]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, GeneratorExit])
def test_a_staged_file_leaves_nothing_when_the_block_fails(tmp_path, error):
    target = tmp_path / "target"
    target.write_bytes(b"before")
    with pytest.raises(error), staged(str(tmp_path), str(target)) as stream:
        stream.write(b"half")
        raise error
    assert target.read_bytes() == b"before"
    assert listed(tmp_path) == ["target"]


def test_a_target_that_cannot_be_leaves_nothing_either(tmp_path):
    with pytest.raises(OSError), staged(str(tmp_path), str(tmp_path / "missing" / "target")) as stream:
        stream.write(b"x")
    assert listed(tmp_path) == []


def test_a_directory_may_be_removed_as_soon_as_the_file_is_there(tmp_path, monkeypatch):
    directory = tmp_path / "directory"
    directory.mkdir()
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda *paths: (rename(*paths), shutil.rmtree(directory)))
    write_file(str(directory), str(directory / "target"), b"x")
    assert listed(tmp_path) == []


def test_two_staged_files_do_not_meet(tmp_path):
    target = str(tmp_path / "target")
    with staged(str(tmp_path), target) as one, staged(str(tmp_path), target) as two:
        one.write(b"one")
        two.write(b"two")
        assert len(listed(tmp_path)) == 2
    assert listed(tmp_path) == ["target"]


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
    assert (listed(tmp_path), listed(tmp_path / "directory")) == (["directory", "link"], ["target"])


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
            assert {name.partition(STAGING)[0] for name in listed(link.parent)} == {"link", ".link"}
        assert not link.is_symlink()
        assert (link.read_bytes(), other.read_bytes()) == (b"new", b"before")
        assert listed(link.parent) == ["link"]

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


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_umask_decides_who_may_read(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_file(str(tmp_path), str(tmp_path / "target"), b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o666 & ~umask


def test_what_is_under_way_has_a_name_of_any_length(tmp_path):
    target = str(tmp_path / ("x" * 255))
    with reserved(target), staged(str(tmp_path), target, prefix=prefix_for(target)) as stream:
        stream.write(b"x")
    assert listed(tmp_path) == ["x" * 255]


def test_a_file_that_cannot_be_locked_is_not_left_behind(tmp_path, monkeypatch):
    def no_locks(stream, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(OSError, match="No locks available"):
        write_file(str(tmp_path), str(tmp_path / "target"), b"x")
    assert listed(tmp_path) == []


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
