# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    InvalidContent,
    InvalidReference,
    LocalFailure,
    NotFound,
)
from ansible_collections.drayage.registry.plugins.module_utils._files import STAGING, staged
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._stores import directory_tree
from ansible_collections.drayage.registry.plugins.module_utils._stores.directory_tree import (
    TreeRepository,
    repositories,
)
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.layouts import fill
from ansible_collections.drayage.registry.tests.unit.support.permissions import deny

ONE, TWO = images.image("linux/amd64", b"one", b"shared"), images.image("linux/amd64", b"two", b"shared")
SHARED = images.descriptor(b"shared")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "mirror"


@pytest.fixture
def repository(root, warnings):
    def make(name):
        return TreeRepository(str(root), name, warnings.append)

    return make


def put(repository, name, image):
    store = repository.open(name)
    fill(store, image)
    store.publish(image.manifest, [name], None)


def test_tags_and_digests_have_directories(repository, root):
    app = repository("r.example:5000/team/app")
    with pytest.raises(NotFound, match="the repository contains no images"):
        app.tags()
    put(app, "1.0", ONE)
    put(app, TWO.digest, TWO)
    for other in ("r.example:5000/team/app:not a tag", "r.example:5000/team/apple:1", "r.example:5000/team/app:empty"):
        (root / other).mkdir()
    assert sorted(os.listdir(root / "r.example:5000/team"))[:2] == ["app:1.0", "app:empty"]
    assert sorted(app.tags()) == ["1.0", TWO.digest]
    assert (app.resolve("1.0").digest, app.resolve(TWO.digest).digest) == (ONE.digest, TWO.digest)
    assert app.resolve("1.1") is None
    assert app.open("1.0").manifest("1.0").raw == ONE.manifest.raw
    assert app.reference("1.0") == "dir:%s/r.example:5000/team/app:1.0" % root
    assert app.reference(TWO.digest) == "dir:%s/r.example:5000/team/app@%s" % (root, TWO.digest)
    assert app.delete_tag("1.0", ONE.digest) == "tag"
    assert app.delete_tag("1.0", ONE.digest) == ""
    assert app.tags() == [TWO.digest]


def test_all_repositories_of_a_tree(repository, root):
    with pytest.raises(NotFound, match="the directory %s does not exist" % root):
        repositories(str(root))
    for name in ("app", "127.0.0.1:5000/team/app", "127.0.0.1:5000/cli"):
        put(repository(name), "1", ONE)
        put(repository(name), "2", ONE)
    put(repository("by-digest"), ONE.digest, ONE)
    (root / "plain").mkdir()
    assert repositories(str(root)) == ["127.0.0.1:5000/cli", "127.0.0.1:5000/team/app", "app", "by-digest"]


def test_a_directory_without_a_tag_is_latest(repository, root):
    """So it is for skopeo."""
    app = repository("team/app")
    put(app, "latest", ONE)
    (root / "team/app:latest").rename(root / "team/app")
    put(app, "1.0", TWO)
    assert repositories(str(root)) == ["team/app"]
    assert sorted(app.tags()) == ["1.0", "latest"]
    assert app.resolve("latest").digest == ONE.digest
    assert app.open("latest").manifest("latest").raw == ONE.manifest.raw
    assert app.resolve("2.0") is None
    assert app.reference("latest") == "dir:%s/team/app:latest" % root
    put(app, "latest", TWO)
    assert sorted(os.listdir(root / "team")) == ["app", "app:1.0"]
    assert app.resolve("latest").digest == TWO.digest
    assert app.delete_tag("latest", TWO.digest) == "tag"
    assert app.tags() == ["1.0"]


def test_a_directory_of_the_tag_latest_comes_first(repository, root):
    app = repository("app")
    put(app, "1.0", ONE)
    (root / "app:1.0").rename(root / "app")
    put(app, "2.0", TWO)
    (root / "app:2.0").rename(root / "app:latest")
    assert app.tags() == ["latest"]
    assert app.resolve("latest").digest == TWO.digest


def test_the_directory_of_an_image_is_no_tree(repository, root):
    put(repository("app"), "1.0", ONE)
    with pytest.raises(NotFound) as raised:
        repositories(str(root / "app:1.0"))
    expected = "dir:%s/app:1.0: the directory contains a single image, not a tree of images." % root
    assert str(raised.value) == expected + " Use the parent directory, or copy the image with image_copy."


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "a/../../x", "/x", "a//x", "./x", ".staging-x/a", "a\0b", "\ud800", "a\nb"]
)
def test_no_repository_is_outside(repository, name):
    with pytest.raises(InvalidReference, match="cannot be used as a repository name in a directory"):
        repository(name)


def test_what_another_image_has_is_linked(repository, root):
    app = repository("app")
    put(app, "1", ONE)
    first, second = app.open("1"), app.open("2")
    assert (second.location.root, second.location.repository) == (first.location.root, "app:2")
    assert second.location.mount_source(first.location) == "app:1"
    assert first.location.mount_source(app.open("1").location) == ""
    file = root / "app:1" / digests.split(SHARED.digest)[1]

    def never():
        raise AssertionError

    assert second.put_blob(SHARED, never, "app:1") is True
    linked = root / "app:2" / file.name
    assert linked.stat().st_ino == file.stat().st_ino
    assert second.put_blob(SHARED, never, "app:2") is True
    assert sorted(os.listdir(root / "app:2")) == sorted([file.name, "version"])

    linked.write_bytes(b"half")
    assert second.put_blob(SHARED, lambda: [b"shared"], "app:1") is False
    assert linked.read_bytes() == b"shared"
    assert second.put_blob(SHARED, lambda: [b"shared"], "app:none") is False
    assert not (root / "app:none").exists()


def test_what_is_linked_twice_leaves_no_other_name(repository, root):
    app = repository("app")
    put(app, "1", ONE)
    for _run in range(2):
        assert app.open("2").put_blob(SHARED, lambda: [], "app:1") is True
        assert sorted(os.listdir(root / "app:2")) == sorted([digests.split(SHARED.digest)[1], "version"])
    put(app, "2", TWO)
    assert app.delete_tag("2", TWO.digest) == "tag"
    assert os.listdir(root) == ["app:1"]


def test_deleting_removes_what_a_killed_copy_has_left(repository, root):
    app = repository("app")
    put(app, "1", ONE)
    (root / "app:1" / (STAGING + "x")).write_bytes(b"half")
    assert app.delete_tag("1", ONE.digest) == "tag"
    assert os.listdir(root) == []


def test_deleting_leaves_what_another_task_writes(repository, root):
    app = repository("app")
    put(app, "1", ONE)
    with staged(str(root / "app:1"), str(root / "app:1" / "blob")):
        assert app.delete_tag("1", ONE.digest) == "tag"
    assert os.listdir(root / "app:1") == ["blob"]


def test_a_tree_without_end_is_refused(root, monkeypatch):
    monkeypatch.setattr(directory_tree, "MAX_ENTRIES", 10)
    for number in range(11):
        (root / ("d%d" % number)).mkdir(parents=True)
    with pytest.raises(InvalidContent, match=r"^dir:%s: the directory has more than 10 subdirectories\. " % root):
        repositories(str(root))


@pytest.mark.parametrize("closed", ["", "team", "team/app:2"])
def test_an_unreadable_directory_is_not_an_absent_one(repository, root, monkeypatch, closed):
    """Otherwise, prune would delete its image from the destination."""
    put(repository("team/app"), "1", ONE)
    put(repository("team/app"), "2", TWO)
    deny(monkeypatch, root / closed if closed else root)
    app = repository("team/app")
    for read in (app.tags, lambda: app.find(TWO.digest), lambda: repositories(str(root))):
        with pytest.raises(LocalFailure, match="cannot read %s.*: permission denied" % (root / closed)):
            read()
    with pytest.raises(LocalFailure, match="permission denied"):
        app.resolve("2")


def test_an_unreadable_parent_of_the_tree(root, repository, monkeypatch):
    put(repository("app"), "1", ONE)
    deny(monkeypatch, root.parent)
    for read in (repository("app").tags, lambda: repositories(str(root))):
        with pytest.raises(LocalFailure, match="permission denied"):
            read()


def test_an_unreadable_image_without_a_tag(root, repository, monkeypatch):
    put(repository("app"), "latest", ONE)
    (root / "app:latest").rename(root / "app")
    deny(monkeypatch, root / "app")
    for read in (repository("app").tags, lambda: repository("app").resolve("latest")):
        with pytest.raises(LocalFailure, match="permission denied"):
            read()


def test_a_link_to_an_unreadable_image(root, repository, monkeypatch):
    """A walk does not see that it is a directory."""
    put(repository("app"), "1", ONE)
    (root / "app:2").symlink_to(root / "elsewhere" / "2")
    assert repositories(str(root)) == ["app"]
    deny(monkeypatch, root / "app:2")
    with pytest.raises(LocalFailure, match="cannot read .*app:2/manifest.json: permission denied"):
        repositories(str(root))


@pytest.mark.parametrize(
    "name", ["lost+found", ".Trash-0", ".cache/private", "System Volume Information", "$RECYCLE.BIN", "caf\xe9"]
)
def test_the_top_of_a_file_system_can_be_a_tree(root, repository, monkeypatch, name):
    put(repository("app"), "1", ONE)
    (root / name).mkdir(parents=True)
    deny(monkeypatch, root / name)
    assert repositories(str(root)) == ["app"]


def test_a_link_to_an_unreadable_directory_of_another_program(root, repository, monkeypatch):
    put(repository("app"), "1", ONE)
    (root / ".gvfs").symlink_to(root / "elsewhere")
    deny(monkeypatch, root / ".gvfs")
    assert repositories(str(root)) == ["app"]


def test_names_of_other_programs_can_be_repositories(root, repository):
    for name in (".x/app", "Team A", "a+b"):
        put(repository(name), "1", ONE)
    assert repositories(str(root)) == [".x/app", "Team A", "a+b"]


@pytest.mark.parametrize("name", ["[::1]:5000", "R.example:5000", "app@%s" % ONE.digest, "a__b-c", "app:_1"])
def test_an_unreadable_directory_whose_name_can_be_part_of_a_reference(root, monkeypatch, name):
    (root / name).mkdir(parents=True)
    deny(monkeypatch, root / name)
    with pytest.raises(LocalFailure, match="permission denied"):
        repositories(str(root))


def test_a_tree_that_cannot_be_listed(root, repository, monkeypatch):
    put(repository("app"), "1", ONE)

    def fail(path):
        raise PermissionError(errno.EACCES, "", path)

    monkeypatch.setattr(os, "scandir", fail)
    with pytest.raises(LocalFailure, match="cannot read %s: permission denied" % root):
        repositories(str(root))


def test_a_link_to_itself_is_no_image(root, repository):
    put(repository("app"), "1", ONE)
    (root / "loop").symlink_to("loop")
    (root / "app:2").symlink_to("app:2")
    assert repositories(str(root)) == ["app"]
    assert repository("app").tags() == ["1"]


def test_a_directory_can_be_removed_during_a_walk(root, repository, monkeypatch):
    put(repository("team/app"), "1", ONE)
    put(repository("app"), "1", ONE)
    real = os.scandir

    def removing(path):
        if path == str(root / "team"):
            raise FileNotFoundError(path)
        return real(path)

    monkeypatch.setattr(os, "scandir", removing)
    assert repositories(str(root)) == ["app"]


def test_files_are_no_directories_of_a_tree(root, repository):
    root.mkdir()
    (root / "team").write_text("")
    (root / "app:1").write_text("")
    for name in ("team/app", "app"):
        with pytest.raises(NotFound, match="the repository contains no images"):
            repository(name).tags()
    assert repositories(str(root)) == []
    with pytest.raises(NotFound, match="does not exist"):
        repositories(str(root / "team"))
