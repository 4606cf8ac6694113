# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all stores of files have in common: where they are, and what they say if files cannot be read or written."""

from __future__ import annotations

import os

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, LocalFailure, NotFound
from ansible_collections.drayage.registry.plugins.module_utils._stores.content_location import Location
from ansible_collections.drayage.registry.plugins.module_utils._stores.directory import Directory
from ansible_collections.drayage.registry.plugins.module_utils._stores.directory_tree import DirectoryTree
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_archive import OciArchive
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support import engines, images

ONE, BLOB = images.image(), images.descriptor(b"x")
SIGNATURE = ONE.digest.replace(":", "-") + ".sig"
ALL = ("oci", "oci-archive", "dir", "tree", "docker-archive")
WITH_REFERRERS = ("oci", "oci-archive", "dir", "tree")


@pytest.fixture
def open_store(warnings):
    def opened(kind, path):
        path = str(path)
        return {
            "oci": lambda: OciLayout(path, warnings.append),
            "mirror": lambda: OciLayout(path, warnings.append).repository("r.example/app"),
            "oci-archive": lambda: OciArchive(path, warnings.append),
            "dir": lambda: Directory(path, warnings.append),
            "tree": lambda: DirectoryTree(path, warnings.append).repository("app").open("1"),
            "repository": lambda: DirectoryTree(path, warnings.append).repository("app"),
            "docker-archive": lambda: engines.store(path),
        }[kind]()

    return opened


@pytest.mark.parametrize(
    ("kind", "transport", "repository", "shares_content"),
    [
        ("oci", "oci", "", True),
        ("mirror", "oci", "r.example/app", True),
        ("oci-archive", "oci-archive", "", True),
        ("dir", "dir", "", True),
        ("tree", "dir", "app:1", False),
        ("repository", "dir", "app", False),
        ("docker-archive", "docker-archive", "r.example/app", True),
    ],
)
def test_a_location_is_the_real_path(open_store, tmp_path, kind, transport, repository, shares_content):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    location = open_store(kind, tmp_path / "link" / "x").location
    assert location == Location(transport, "%s:%s/real/x" % (transport, tmp_path), repository, shares_content)
    assert location.is_registry is False


def test_locations_share_content_unless_they_say_otherwise():
    one, other = Location("oci", "oci:/x"), Location("oci", "oci:/x", "app")
    assert (one.repository, one.shares_content, other.owner) == ("", True, "")
    assert one.has_content_of(other)
    assert one.mount_source(other) == ""
    here, there = (Location("docker", "docker://r.example", name, shares_content=False) for name in ("a", "b"))
    assert (here.has_content_of(there), here.has_content_of(here)) == (False, True)
    assert (here.mount_source(there), here.mount_source(here)) == ("b", "")
    elsewhere = Location("docker", "docker://s.example", "b", shares_content=False)
    assert (here.mount_source(elsewhere), there.has_content_of(elsewhere)) == ("", False)
    assert here.is_registry


@pytest.mark.parametrize("kind", ALL)
def test_nothing_runs_in_a_file_and_only_docker_keeps_no_manifests(open_store, tmp_path, kind):
    store = open_store(kind, tmp_path / "x")
    is_docker = kind == "docker-archive"
    assert (store.keeps_manifests, store.has_content()) == (not is_docker, not is_docker)
    assert store.platform() is None
    assert store.holds(ONE.manifest.descriptor, lambda: ONE.blobs[0]) is False
    assert store.neighbours() == {}
    assert store.open("other") is store
    if not is_docker:
        assert store.registry_form(ONE.manifest, None) is ONE.manifest


READING = {
    "resolve": (ALL, lambda store: store.resolve("1")),
    "resolve a digest": (ALL, lambda store: store.resolve(ONE.digest)),
    "find": (ALL, lambda store: store.find(ONE.digest)),
    "tags": (("oci-archive", "dir", "tree", "docker-archive"), lambda store: store.tags()),
    "manifest": (("oci-archive", "dir", "tree", "docker-archive"), lambda store: store.manifest("1")),
    "neighbours": (("oci", "oci-archive"), lambda store: store.neighbours()),
    "has_manifest": (("oci", "dir", "tree", "docker-archive"), lambda store: store.has_manifest(ONE.digest)),
    "is_complete": (
        ("oci-archive", "dir", "tree", "docker-archive"),
        lambda store: store.is_complete(ONE.manifest.descriptor, None),
    ),
    "open_blob": (WITH_REFERRERS, lambda store: list(store.open_blob(BLOB))),
    "signatures": (WITH_REFERRERS, lambda store: store.manifest(SIGNATURE) if store.resolve(SIGNATURE) else None),
    "entries": (("oci", "oci-archive"), lambda store: store.referrers.entries(ONE.digest)),
    "cosign_tags": (WITH_REFERRERS, lambda store: store.referrers.cosign_tags(ONE.digest)),
    "seen": (WITH_REFERRERS, lambda store: store.referrers.seen(ONE.digest)),
}
WRITING = {
    "put_blob": (WITH_REFERRERS, lambda store: store.put_blob(BLOB, lambda: [b"x"], "")),
    "put_manifest": (WITH_REFERRERS, lambda store: store.put_manifest(ONE.manifest)),
    "publish": (ALL, lambda store: store.publish(ONE.manifest, ["1"], None)),
    "retag": (ALL, lambda store: store.retag({"1": ONE.manifest})),
    "exclusive": (ALL, lambda store: store.exclusive().__enter__()),
}


@pytest.mark.parametrize(
    ("kind", "action", "do"),
    [
        pytest.param(kind, action, do, id="%s-%s" % (kind, name))
        for action, operations in (("read", READING), ("write", WRITING))
        for name, (kinds, do) in operations.items()
        for kind in kinds
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_that_says_what_failed(open_store, tmp_path, kind, action, do):
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(LocalFailure) as caught:
        do(open_store(kind, tmp_path / "file" / "x"))
    assert caught.value.cause.startswith("cannot %s %s/file" % (action, tmp_path))
    assert caught.value.cause.endswith((": not a directory", ": file exists"))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("oci", "the OCI layout PATH does not exist. Check the path."),
        ("oci-archive", "the archive PATH does not exist. Check the path."),
        ("dir", "the directory PATH contains no image. Check the path."),
        ("tree", "the directory PATH/app:1 contains no image. Check the path."),
        ("docker-archive", "the file PATH does not exist. Check the path."),
    ],
)
def test_what_does_not_exist_has_no_tags(open_store, tmp_path, kind, message):
    store = open_store(kind, tmp_path / "x")
    with pytest.raises(NotFound) as caught:
        store.tags()
    assert str(caught.value) == message.replace("PATH", str(tmp_path / "x"))
    assert store.resolve("1") is None
    assert store.resolve(ONE.digest) is None
    assert store.delete(ONE.digest) is False
    assert store.delete_tag("1", ONE.digest) == ""
    with pytest.raises(NotFound):
        store.manifest("1")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["oci", "mirror", "oci-archive", "repository", "docker-archive"])
def test_a_tag_that_moved_is_not_deleted(open_store, tmp_path, kind):
    """Another task may move the tag after the caller has resolved it."""
    before, after = (engines.pushed(content) for content in (b"before", b"after"))
    store = open_store(kind, tmp_path / "x")
    for image in (before, after):
        for blob, content in zip(image.manifest.blobs, image.blobs):
            store.open("1").put_blob(blob, lambda content=content: [content], "")
        store.open("1").put_manifest(image.manifest)
        store.open("1").publish(image.manifest, ["1"], None)
    moved = store.resolve("1")
    with pytest.raises(ImageError) as caught:
        store.delete_tag("1", store.open("1").identity(before.manifest).digest)
    assert str(caught.value) == (
        "the tag moved to %s during this run, so it was not deleted. Run the task again." % moved.digest
    )
    assert store.resolve("1").digest == moved.digest == store.open("1").identity(after.manifest).digest
    assert store.delete_tag("1", moved.digest) == "tag"
    assert store.resolve("1") is None


@pytest.mark.parametrize("kind", WITH_REFERRERS)
def test_files_can_be_read_by_whom_the_umask_allows(open_store, tmp_path, kind):
    before = os.umask(0o027)
    try:
        store = open_store(kind, tmp_path / "x")
        for blob, content in zip(ONE.manifest.blobs, ONE.blobs):
            store.put_blob(blob, lambda content=content: [content], "")
        store.publish(ONE.manifest, ["" if kind == "dir" else "1"], None)
    finally:
        os.umask(before)
    files = [path for path in [tmp_path / "x", *(tmp_path / "x").rglob("*")] if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o640}


@pytest.mark.parametrize("kind", WITH_REFERRERS)
def test_blobs_count_only_with_their_size(open_store, tmp_path, kind):
    store = open_store(kind, tmp_path / "x")
    store.put_blob(BLOB, lambda: [b"x"], "")
    larger = type(BLOB)(BLOB.media_type, BLOB.digest, 2)
    assert (store.has_blob(BLOB), store.has_blob(larger)) == (True, False)
    assert (store.missing_blobs([BLOB]), store.missing_blobs([larger])) == ([], [BLOB.digest])


@pytest.mark.parametrize("kind", ["oci", "oci-archive"])
def test_what_keeps_names_keeps_referrers_and_attestations(open_store, tmp_path, kind):
    kept = open_store(kind, tmp_path / "x").referrers
    tags = ["", SIGNATURE, SIGNATURE.replace(".sig", ".att"), SIGNATURE.replace(".sig", ".sbom")]
    assert [kept.keeps(tag) for tag in tags] == [True] * 4
    assert not kept.keeps(SIGNATURE.replace(".sig", ".gpg"))


def test_a_directory_keeps_only_signatures(open_store, tmp_path):
    kept = open_store("dir", tmp_path / "x").referrers
    tags = ["", SIGNATURE, SIGNATURE.replace(".sig", ".att"), SIGNATURE.replace(".sig", ".sbom")]
    assert [kept.keeps(tag) for tag in tags] == [False, True, False, False]
    assert kept.keeps(SIGNATURE.replace(".sig", ".gpg"))
    with pytest.raises(ImageError, match="a directory can store only signatures, not the other referrers of "):
        kept.attach(ONE.digest, [ONE.manifest])
    assert kept.entries(ONE.digest) == []
