# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several writers of one layout: they wait for each other, and clear what killed ones left."""

from __future__ import annotations

import os
import pathlib
import tempfile
import threading

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ContentMissing, InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._files import STAGING, staged
from ansible_collections.drayage.registry.plugins.module_utils._stores import oci_layout
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support import images, layouts
from ansible_collections.drayage.registry.tests.unit.support.files import listed
from ansible_collections.drayage.registry.tests.unit.support.layouts import fill, names, needed, publish, stored

ONE, TWO = images.image("linux/amd64", b"one", b"shared"), images.image("linux/amd64", b"two", b"shared")
OTHER = images.image("linux/s390x", b"other")


def test_a_second_writer_is_told_when_a_first_took_away_what_it_relied_on(layout, path, warnings):
    publish(layout, ONE, "1")
    second = OciLayout(str(path), warnings.append)
    assert second.has_blob(images.descriptor(b"one"))
    publish(layout, OTHER, "1")
    with pytest.raises(ContentMissing):
        second.publish(ONE.manifest, ["2"], None)
    assert names(path) == [("1", OTHER.digest)]


def test_while_a_layout_is_held_others_wait(layout, path, warnings):
    publish(layout, ONE, "1")
    other = threading.Thread(target=publish, args=(OciLayout(str(path), warnings.append), OTHER, "1"))
    with layout.exclusive():
        other.start()
        other.join(0.2)
        assert names(path) == [("1", ONE.digest)]
        layout.publish(ONE.manifest, ["2"], None)
    other.join(60)
    assert not other.is_alive()
    assert sorted(names(path)) == [("1", OTHER.digest), ("2", ONE.digest)]


def test_writing_clears_what_a_dead_writer_left_and_spares_a_living_one(layout, path):
    layouts.foreign_layout(path, ("1", OTHER))
    (path / (STAGING + "dead")).write_bytes(b"x")
    before = listed(path)
    with staged(str(path), str(path / "blobs" / "living")) as stream:
        stream.write(b"x")
        living = set(listed(path)) - set(before)
        publish(layout, ONE, "2")
        assert {name for name in listed(path) if name.startswith(STAGING)} == living
    assert (path / "blobs" / "living").read_bytes() == b"x"


@pytest.fixture
def elsewhere(tmp_path):
    """A directory in another file system."""
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("/dev/shm is no other file system")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        yield pathlib.Path(directory)


@pytest.mark.parametrize("link", ["blobs", "blobs/sha256"])
def test_writing_clears_what_a_dead_writer_left_in_another_file_system(layout, path, elsewhere, link):
    """Blobs are staged there, because a rename cannot leave a file system."""
    (path / link).parent.mkdir(parents=True)
    (path / link).symlink_to(elsewhere)
    (path / "blobs" / "sha256").mkdir(exist_ok=True)
    dead = path / "blobs" / "sha256" / (STAGING + "dead")
    dead.write_bytes(b"half")
    publish(layout, ONE, "1")
    assert not dead.exists()
    assert stored(path) == needed(ONE)


def test_reading_clears_nothing(layout, path):
    layouts.foreign_layout(path, ("1", OTHER))
    (path / (STAGING + "dead")).write_bytes(b"x")
    layout.resolve("1")
    assert STAGING + "dead" in listed(path)


def test_writers_at_the_same_time_do_not_lose_each_others_images(path, warnings):
    made = [images.image("linux/amd64", b"layer %d" % number, b"shared") for number in range(8)]
    errors = []

    def write(number):
        try:
            publish(OciLayout(str(path), warnings.append), made[number], str(number))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(names(path)) == [(str(number), made[number].digest) for number in range(8)]
    assert stored(path) == needed(*made)
    assert listed(path) == ["blobs", "index.json", "oci-layout"]


def test_a_layout_whose_lock_is_a_pipe_is_refused(layout, path):
    layouts.foreign_layout(path, ("1", ONE))
    (path / "oci-layout").unlink()
    os.mkfifo(path / "oci-layout")
    with pytest.raises(InvalidContent, match="%s/oci-layout is not a regular file" % path):
        publish(layout, TWO, "2")


def test_blobs_are_on_the_disk_before_the_index_refers_to_them(layout, path, monkeypatch):
    done = []
    sync, rename = oci_layout.sync_directory, os.rename
    monkeypatch.setattr(oci_layout, "sync_directory", lambda directory: (done.append(directory), sync(directory)))
    monkeypatch.setattr(os, "rename", lambda old, new: (done.append(new), rename(old, new)))
    with layout.exclusive():
        done.clear()
    fill(layout, ONE, TWO)
    layout.publish_all([layout.stage(image.manifest, [tag], None) for image, tag in ((ONE, "1"), (TWO, "2"))])
    blobs = str(path / "blobs" / "sha256")
    *before, synced, index = done
    assert (synced, index) == (blobs, str(path / "index.json"))
    assert {os.path.dirname(name) for name in before if name != str(path / "blobs")} == {blobs}
    assert blobs not in before
