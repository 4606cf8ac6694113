# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks on files, places that are reserved for a file, and claims."""

from __future__ import annotations

import os
import resource
import threading

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import LocalFailure
from ansible_collections.drayage.registry.plugins.module_utils._files import (
    claimed,
    locked,
    prefix_for,
    remove_abandoned,
    reserved,
    staged,
)
from ansible_collections.drayage.registry.tests.unit.support.files import listed


@pytest.mark.parametrize("lock", [reserved, claimed])
def test_a_lock_is_no_link(tmp_path, lock):
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_bytes(b"content")
    (path if lock is claimed else tmp_path / (prefix_for(str(path)) + "lock")).symlink_to(victim)
    with pytest.raises((OSError, LocalFailure), match="symbolic link"), lock(str(path)):
        pass
    assert victim.read_bytes() == b"content"


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
        assert listed(tmp_path) == [".archive.tar.staging-lock"]
        remove_abandoned(str(tmp_path), prefix_for(target))
        for thread in threads:
            thread.start()
        assert listed(tmp_path) == [".archive.tar.staging-lock"]
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert listed(tmp_path) == []


def test_the_rename_that_publishes_a_file_removes_its_lock(tmp_path, monkeypatch):
    target = str(tmp_path / "archive.tar")
    found = []
    rename = os.rename

    def rename_and_look(source, destination):
        rename(source, destination)
        found.append(listed(tmp_path))

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
    assert listed(tmp_path) == [".archive.tar.staging-lock", "archive.tar"]
    other.__exit__(None, None, None)
    assert listed(tmp_path) == ["archive.tar"]


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
    assert listed(tmp_path) == ["count"]


def test_a_lock_leaves_the_content_of_its_file(tmp_path):
    path = tmp_path / "lock"
    with locked(str(path)) as stream:
        assert stream.read() == b""
        stream.write(b"content")
    with locked(str(path)) as stream:
        assert stream.read() == b"content"


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
    assert listed(tmp_path) == []
