# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deleting the image in a directory that also contains other files."""

from __future__ import annotations

import os

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._operations.delete import (
    Deleted,
    DeleteOptions,
    delete,
)
from ansible_collections.drayage.registry.plugins.module_utils._stores.directory import Directory
from ansible_collections.drayage.registry.plugins.module_utils._stores.directory_tree import TreeRepository
from ansible_collections.drayage.registry.tests.unit.support import images, runs
from ansible_collections.drayage.registry.tests.unit.support.layouts import fill

IMAGE = images.image("linux/amd64", b"one")
SIGNATURE = b"\xa3\x01a message of gpg\x00"


class Directories:
    """Opens directories only."""

    def __init__(self, dry_run):
        self.run = runs.run(dry_run=dry_run)

    def open(self, reference, writable=False, name="", deletes=False):
        return Directory(reference.path, print)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "image"
    store = Directory(str(path), print)
    fill(store, IMAGE)
    store.publish(IMAGE.manifest, [], None)
    (path / "notes.txt").write_text("x")
    (path / "signature-1").write_bytes(SIGNATURE)
    return path


@pytest.mark.parametrize("referrers", [False, True])
def test_the_image_is_deleted_once(path, referrers):
    def run(dry_run):
        return delete(DeleteOptions("dir:%s" % path, "manifest", referrers), Directories(dry_run))

    for dry_run in (True, False):
        deleted = run(dry_run)
        assert deleted.digest == IMAGE.digest
        assert len(deleted.attached) == referrers
    assert os.listdir(path) == ["notes.txt"]
    for dry_run in (True, False):
        assert run(dry_run) == Deleted()
    assert (path / "notes.txt").read_text() == "x"


def test_the_image_in_a_tree_is_deleted_once(tmp_path, path):
    path.rename(tmp_path / "app:1")
    app = TreeRepository(str(tmp_path), "app", print)
    assert app.delete_tag("1", IMAGE.digest) == "tag"
    assert app.find("1") is None
    assert app.delete_tag("1", IMAGE.digest) == ""
    assert os.listdir(tmp_path / "app:1") == ["notes.txt"]
