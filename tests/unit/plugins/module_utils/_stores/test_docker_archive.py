# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ContentMissing,
    ImageError,
    InvalidContent,
    LocalFailure,
    NotFound,
)
from ansible_collections.drayage.registry.plugins.module_utils._files import prefix_for
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._stores import docker_archive, docker_save
from ansible_collections.drayage.registry.plugins.module_utils._stores.docker_archive import DockerArchive
from ansible_collections.drayage.registry.plugins.module_utils._stores.tar_reader import TarImage
from ansible_collections.drayage.registry.tests.unit.support.engines import names, saved

A, B = "r.example/a:1", "r.example/b:1"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images.tar"


def write(path, *images):
    for image in images:
        DockerArchive(str(path)).add(image)


def test_images_by_name_id_and_position(path):
    one, two = saved(b"1", names=(A,)), saved(b"2", names=(B,))
    write(path, one, two)
    archive = DockerArchive(str(path))
    assert [archive.find(name) for name in (A, B, one.id, "@0", "@1", "@2", "r.example/c:1")] == [
        one.id,
        two.id,
        one.id,
        one.id,
        two.id,
        None,
        None,
    ]
    assert archive.find(digests.of(b"nothing")) is None
    with pytest.raises(
        ImageError, match=r"several images. Choose one of the available images: r.example/a:1, r.example/b:1"
    ):
        archive.find("")


def test_positions_are_those_of_manifest_json(path):
    """Some programs list an image once for each of its names."""
    one, same, two = saved(b"1", names=(A,)), saved(b"1", names=(B,)), saved(b"2")
    path.write_bytes(b"".join(docker_save.archive([one, same, two])))
    archive = DockerArchive(str(path))
    assert [archive.find("@%d" % position) for position in range(4)] == [one.id, one.id, two.id, None]
    path.unlink()
    assert archive.find("@0") is None


def test_a_name_belongs_to_the_last_entry_with_it(path):
    one, two = saved(b"1", names=(A,)), saved(b"2", names=(A, B))
    path.write_bytes(b"".join(docker_save.archive([one, two, one])))
    assert DockerArchive(str(path)).find(A) == one.id
    assert names(path) == {A: one.id, B: two.id}
    path.write_bytes(b"".join(docker_save.archive([one, two])))
    assert names(path) == {A: two.id, B: two.id}


def test_a_file_that_was_replaced_after_the_image_was_found(path):
    write(path, saved(b"1", names=(A,)))
    archive = DockerArchive(str(path))
    found = archive.find(A)
    path.write_bytes(b"".join(docker_save.archive([saved(b"other")])))
    with pytest.raises(NotFound, match="image %s was removed from the file during this run" % found):
        archive.image(found)


def test_only_image_needs_no_name(path):
    image = saved(b"1")
    write(path, image)
    assert DockerArchive(str(path)).find("") == image.id
    assert names(path) == {}


def test_file_that_is_not_there(path):
    archive = DockerArchive(str(path))
    assert archive.find(A) is None
    with pytest.raises(ImageError, match="the file .* does not exist"):
        archive.names()


def test_name_that_moves_takes_the_image_that_loses_its_last(path):
    one, two = saved(b"1", names=(A,)), saved(b"2", names=(B,))
    write(path, one, two, saved(b"3", names=(A,)))
    assert names(path) == {A: saved(b"3").id, B: two.id}
    assert DockerArchive(str(path)).find(one.id) is None


def test_image_without_a_name_stays(path):
    write(path, saved(b"1"), saved(b"2", names=(A,)))
    write(path, saved(b"3", names=(A,)))
    assert DockerArchive(str(path)).find(saved(b"1").id)


def test_same_image_under_another_name_is_there_once(path):
    write(path, saved(b"1", names=(A,)), saved(b"1", names=(B,)))
    assert names(path) == {A: saved(b"1").id, B: saved(b"1").id}
    assert len(DockerArchive(str(path))._read()) == 1


def test_names_are_swapped_at_once(path):
    one, two = saved(b"1", names=(A,)), saved(b"2", names=(B,))
    write(path, one, two)
    DockerArchive(str(path)).name({A: two.id, B: one.id})
    assert names(path) == {A: two.id, B: one.id}


def test_naming_what_is_gone(path):
    write(path, saved(b"1", names=(A,)))
    before = path.read_bytes()
    with pytest.raises(ContentMissing):
        DockerArchive(str(path)).name({B: digests.of(b"gone")})
    assert path.read_bytes() == before


def test_removing_names_and_images(path):
    write(path, saved(b"1", names=(A, B)), saved(b"2"))
    archive = DockerArchive(str(path))
    assert archive.remove([A]) is True
    assert archive.remove([A]) is False
    assert names(path) == {B: saved(b"1").id}
    assert archive.remove([saved(b"1").id]) is True
    assert archive.find("") == saved(b"2").id
    assert archive.remove([saved(b"2").id]) is True
    assert list(path.parent.iterdir()) == []


def test_link_to_a_file_stays_one(path):
    write(path, saved(b"1", names=(A,)))
    (path.parent / "link.tar").symlink_to(path.name)
    write(path.parent / "link.tar", saved(b"2", names=(B,)))
    assert (path.parent / "link.tar").is_symlink()
    assert set(names(path)) == {A, B}


def test_layers_can_be_read_after_the_file_was_replaced(path):
    write(path, saved(b"the old layer", names=(A,)))
    archive = DockerArchive(str(path))
    image = archive.image(saved(b"the old layer").id)
    write(path, saved(b"another", names=(A,)))
    assert archive.find(A) == saved(b"another").id
    assert b"".join(image.layers[0].open()) == b"the old layer"


def test_many_threads_lose_no_name(path):
    archive = DockerArchive(str(path))
    images = [saved(b"%d" % number, names=("r.example/a:%d" % number,)) for number in range(20)]
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(archive.add, images))
    assert set(names(path)) == {"r.example/a:%d" % number for number in range(20)}


def test_what_a_killed_writer_left_is_removed(path):
    (path.parent / (prefix_for(str(path)) + "0123")).write_bytes(b"half of an archive")
    write(path, saved(b"1", names=(A,)))
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_file_that_is_removed_while_it_is_opened_is_not_there(path, monkeypatch):
    write(path, saved(b"1", names=(A,)))

    def removed_before(name):
        path.unlink()
        return TarImage(name)

    archive = DockerArchive(str(path))
    with monkeypatch.context() as patch:
        patch.setattr(docker_archive, "TarImage", removed_before)
        assert archive.find(A) is None
    archive.add(saved(b"2", names=(B,)))
    assert names(path) == {B: saved(b"2").id}


def test_empty_file_is_a_place_for_an_archive(path):
    path.write_bytes(b"")
    archive = DockerArchive(str(path))
    assert archive.find("") is None
    with pytest.raises(NotFound, match="the file %s is empty" % path):
        archive.names()
    write(path, saved(b"1", names=(A,)))
    assert names(path) == {A: saved(b"1").id}


def test_file_of_another_kind_is_left_alone(path):
    path.write_text("nothing of ours")
    with pytest.raises(InvalidContent, match="is not a tar archive"):
        write(path, saved(b"1", names=(A,)))
    assert path.read_text() == "nothing of ours"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/null")])
def test_a_pipe_or_device_is_no_archive_and_is_not_replaced(path, make):
    make(path)
    archive = DockerArchive(str(path))
    for use in (lambda: archive.find(A), archive.names, lambda: archive.add(saved(b"1", names=(A,)))):
        with pytest.raises(LocalFailure, match="is not a regular file"):
            use()
    assert not os.path.isfile(path)


def test_each_of_several_writes_holds_the_lock(path):
    held = []

    def count(_phase, _path, _size, chunks):
        held.append(os.path.exists(path.parent / (prefix_for(str(path)) + "lock")))
        return chunks

    archive = DockerArchive(str(path), count)
    with archive.exclusive():
        archive.add(saved(b"1", names=(A,)))
        archive.add(saved(b"2", names=(B,)))
    assert held == [True, True]
    assert os.listdir(path.parent) == [path.name]
