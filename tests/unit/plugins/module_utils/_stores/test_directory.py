# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import threading

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ContentMissing,
    DigestMismatch,
    ImageError,
    InvalidContent,
    LocalFailure,
    NotFound,
)
from ansible_collections.drayage.registry.plugins.module_utils._files import STAGING
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.verified import Verified
from ansible_collections.drayage.registry.plugins.module_utils._stores.directory import Directory
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.layouts import fill
from ansible_collections.drayage.registry.tests.unit.support.rewinding import CONTENT, check_rewinding

ONE, TWO = images.image("linux/amd64", b"one", b"shared"), images.image("linux/amd64", b"two", b"shared")
CHILDREN = [images.image("linux/" + name, b"of " + name.encode(), b"shared") for name in ("amd64", "arm64")]
INDEX = images.index(*map(images.entry, CHILDREN))
FIXED = {"version", "manifest.json"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "image"


@pytest.fixture
def store(path, warnings):
    return Directory(str(path), warnings.append)


def publish(store, top, *children):
    fill(store, *children)
    if isinstance(top, images.Image):
        for content in top.blobs:
            store.put_blob(images.descriptor(content), lambda content=content: [content], "")
        top = top.manifest
    store.publish(top, [""], None)


def listed(path):
    return set(os.listdir(path))


def blobs(*found):
    return {digests.of(content)[7:] for image in found for content in image.blobs}


def test_an_image_is_as_the_transport_has_it(store, path):
    publish(store, ONE)
    assert listed(path) == FIXED | blobs(ONE)
    assert (path / "version").read_bytes() == b"Directory Transport Version: 1.1\n"
    assert (path / "manifest.json").read_bytes() == ONE.manifest.raw
    assert store.resolve("") == store.resolve(ONE.digest) == ONE.manifest.descriptor
    assert store.resolve(TWO.digest) is None
    assert (store.reference(""), store.tags()) == ("dir:%s" % path, [])


def test_children_of_an_index_have_names_of_their_own(store, path):
    publish(store, INDEX, *CHILDREN)
    assert listed(path) == FIXED | blobs(*CHILDREN) | {"%s.manifest.json" % child.digest[7:] for child in CHILDREN}
    assert store.manifest(CHILDREN[1].digest).raw == CHILDREN[1].manifest.raw
    assert store.is_complete(INDEX.descriptor, None)
    (path / ("%s.manifest.json" % CHILDREN[1].digest[7:])).unlink()
    assert not store.is_complete(INDEX.descriptor, None)
    assert store.is_complete(INDEX.descriptor, {CHILDREN[0].digest})
    with pytest.raises(NotFound, match="manifest %s is missing from the directory" % CHILDREN[1].digest):
        store.manifest(CHILDREN[1].digest)


def test_the_image_is_replaced_in_one_step(store, path):
    publish(store, ONE)
    with (path / "manifest.json").open("rb") as reader:
        publish(store, TWO)
        assert reader.read() == ONE.manifest.raw
    assert (path / "manifest.json").read_bytes() == TWO.manifest.raw


def test_the_image_so_far_may_be_a_child_of_the_next(store, path):
    """It needs no bytes then, but a name of its own: in manifest.json it is overwritten."""
    inner = images.index(images.entry(CHILDREN[0]))
    outer = images.index(images.entry(inner), images.entry(CHILDREN[1]))
    publish(store, CHILDREN[0])
    for top, *children in ((inner,), (outer, CHILDREN[1])):
        assert store.has_manifest(store.resolve("").digest)
        publish(store, top, *children)
        assert store.is_complete(top.descriptor, None)
    assert listed(path) == FIXED | blobs(*CHILDREN) | {
        "%s.manifest.json" % child.digest[7:] for child in (inner, *CHILDREN)
    }
    assert [store.manifest(child.digest).raw for child in (inner, CHILDREN[0].manifest)] == [
        inner.raw,
        CHILDREN[0].manifest.raw,
    ]
    publish(store, CHILDREN[0])
    assert listed(path) == FIXED | blobs(CHILDREN[0])


def test_other_algorithms_make_it_version_1_2(store, path):
    content = b"strong"
    layer = images.described(content, digest=digests.of(content, "sha512"))
    image = images.image("linux/amd64", b"x")
    document = dict(image.manifest.document, layers=[layer])
    top = image.manifest.parse(images.encode(document))
    descriptor = top.layers[0]
    fill(store, image)
    store.put_blob(descriptor, lambda: [content], "")
    store.publish(top, [""], None)
    name = digests.split(descriptor.digest)[1]
    assert (path / "version").read_bytes() == b"Directory Transport Version: 1.2\n"
    assert (path / ("sha512-" + name)).read_bytes() == content
    assert b"".join(store.open_blob(descriptor)) == content

    (path / ("sha512-" + name)).rename(path / name)  # as programs wrote it before there was 1.2
    assert store.has_blob(descriptor)
    assert b"".join(store.open_blob(descriptor)) == content
    store.publish(top, [""], None)
    assert store.is_complete(top.descriptor, None)
    publish(store, ONE)
    assert (path / "version").read_bytes() == b"Directory Transport Version: 1.1\n"
    assert listed(path) == FIXED | blobs(ONE)


def test_a_blob_is_read_from_any_byte(store, monkeypatch):
    blob = images.descriptor(CONTENT)
    store.put_blob(blob, lambda: [CONTENT], "")
    check_rewinding(store, blob, monkeypatch)


def test_signatures_stay_with_what_they_sign(store, path):
    publish(store, INDEX, *CHILDREN)
    of_child = "%s.signature-1" % CHILDREN[0].digest[7:]
    for name in ("signature-1", "signature-2", of_child):
        (path / name).write_bytes(b"x")
    publish(store, INDEX, *CHILDREN)
    assert {"signature-1", "signature-2", of_child} < listed(path)
    publish(store, images.index(*map(images.entry, CHILDREN), annotations={"new": "one"}))
    assert {name for name in listed(path) if "signature" in name} == {of_child}
    publish(store, ONE)
    assert listed(path) == FIXED | blobs(ONE)


def test_what_is_no_part_of_an_image_stays(store, path):
    publish(store, ONE)
    for name in ("README", "sbom.json", "abc"):
        (path / name).write_bytes(b"x")
    publish(store, TWO)
    assert listed(path) == FIXED | blobs(TWO) | {"README", "sbom.json", "abc"}


@pytest.mark.parametrize(
    "files",
    [
        {"thesis.txt": "x"},
        {"version": "1.2.3\n"},
        {"version": "Directory Transport Version: 2.0\n"},
        {"version": "Directory Transport Version: 2.0\n", "manifest.json": ONE.manifest.raw.decode()},
        {"manifest.json": '{"name": "Shop", "icons": []}', "index.html": "x"},
        {"manifest.json": '{"name": "Shop", "icons": []}'},
        {"manifest.json": '[{"Config": "x.json", "RepoTags": [], "Layers": []}]', "version": "", "x.json": "x"},
        {"version": "", "thesis.txt": "x"},
    ],
)
def test_other_directories_are_refused_and_left_as_they_are(store, path, files):
    path.mkdir()
    for name, content in files.items():
        (path / name).write_text(content)
    for action in (lambda: store.resolve(""), lambda: fill(store, ONE), lambda: publish(store, ONE)):
        with pytest.raises(ImageError, match="contains files, but no image|version has unexpected content"):
            action()
    assert {name: (path / name).read_text() for name in listed(path)} == files


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (ONE.manifest.raw[:-1], "the manifest is not valid JSON"),
        (b'{"schemaVersion": 1, "fsLayers": [], "history": []}', "the manifest is in Docker schema 1 format"),
    ],
)
def test_an_image_without_a_version_that_cannot_be_read_is_refused_with_the_reason(store, path, content, reason):
    publish(store, ONE)
    (path / "version").unlink()
    (path / "manifest.json").write_bytes(content)
    before = listed(path)
    for action in (lambda: store.resolve(""), lambda: fill(Directory(str(path), print), ONE)):
        with pytest.raises(LocalFailure) as caught:
            action()
        assert caught.value.cause.startswith("the directory %s contains files, but no image (%s" % (path, reason))
        assert caught.value.hint == "Check the path. If this is the destination, use an empty directory"
    assert listed(path) == before


def test_images_without_a_version_are_accepted(store, path):
    publish(store, ONE)
    (path / "version").write_bytes(b"")
    (path / "README").write_bytes(b"x")
    assert Directory(str(path), print).resolve("") == ONE.manifest.descriptor
    (path / "version").unlink()
    publish(Directory(str(path), print), TWO)
    assert listed(path) == FIXED | blobs(TWO) | {"README"}


def test_subdirectories_are_never_removed(store, path):
    publish(store, ONE)
    (path / ("a" * 64)).mkdir()
    (path / ("a" * 64) / "layer.tar").write_bytes(b"x")
    publish(store, TWO)
    assert listed(path) == FIXED | blobs(TWO) | {"a" * 64}
    assert store.delete(TWO.digest) is True
    assert listed(path) == {"a" * 64}


def test_leftovers_of_killed_runs_are_taken_over(store, path):
    path.mkdir()
    (path / digests.of(b"one")[7:]).write_bytes(b"one")
    (path / (STAGING + "x")).write_bytes(b"x")
    (path / "dir-put-blob123").write_bytes(b"x")
    assert store.resolve("") is None
    assert store.has_blob(images.descriptor(b"one"))
    publish(store, ONE)
    assert listed(path) == FIXED | blobs(ONE)


def test_an_image_is_not_published_while_content_is_missing(store, path):
    publish(store, ONE)
    for top in (TWO.manifest, INDEX):
        with pytest.raises(ContentMissing, match="%s was removed from the directory" % top.digest):
            store.publish(top, [""], None)
    assert store.resolve("").digest == ONE.digest
    fill(store, CHILDREN[0])
    store.publish(INDEX, [""], {CHILDREN[0].digest})
    assert store.resolve("").digest == INDEX.digest


def test_a_blob_that_turns_out_wrong_leaves_nothing(store, path):
    publish(store, ONE)
    before = listed(path)
    blob = images.descriptor(b"right")
    with pytest.raises(DigestMismatch):
        store.put_blob(blob, lambda: Verified(lambda _at: [b"wro", b"ng"], blob.digest, blob.size), "")
    assert listed(path) == before


def test_a_broken_child_is_written_again(store, path):
    publish(store, INDEX, *CHILDREN)
    file = path / ("%s.manifest.json" % CHILDREN[0].digest[7:])
    before = file.stat().st_ino
    store.put_manifest(CHILDREN[0].manifest)
    assert file.stat().st_ino == before
    file.write_bytes(b"x" * CHILDREN[0].manifest.size)
    assert not store.has_manifest(CHILDREN[0].digest)
    store.put_manifest(CHILDREN[0].manifest)
    assert store.has_manifest(CHILDREN[0].digest)


def test_the_image_itself_is_not_written_again_as_a_child(store, path):
    publish(store, ONE)
    store.put_manifest(ONE.manifest)
    assert listed(path) == FIXED | blobs(ONE)


@pytest.mark.parametrize("content", [b"", b"{", b'{"schemaVersion": 2}', b"[]"])
def test_a_broken_image_can_be_replaced(store, path, content):
    publish(store, ONE)
    (path / "manifest.json").write_bytes(content)
    with pytest.raises(ImageError):
        store.resolve("")
    publish(store, TWO)
    assert store.resolve("").digest == TWO.digest


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_taken_for_content(store, path, make):
    publish(store, INDEX, *CHILDREN)
    child = CHILDREN[0]
    for name in (child.digest[7:] + ".manifest.json", digests.of(child.blobs[1])[7:], "manifest.json"):
        (path / name).unlink()
        make(path / name)
    for read in (
        lambda: store.resolve(""),
        lambda: store.manifest(child.digest),
        lambda: list(store.open_blob(images.descriptor(child.blobs[1]))),
    ):
        with pytest.raises(InvalidContent, match="is not a regular file"):
            read()
    assert not store.has_manifest(child.digest)
    publish(store, INDEX, *CHILDREN)
    assert store.is_complete(INDEX.descriptor, None)

    (path / "version").unlink()
    make(path / "version")
    with pytest.raises(LocalFailure, match="%s/version is not a regular file" % path):
        store.resolve("")


def test_deleting(store, path):
    assert store.delete(ONE.digest) is False
    publish(store, INDEX, *CHILDREN)
    assert store.delete(ONE.digest) is False
    (path / "notes").write_bytes(b"x")
    assert store.delete(INDEX.digest) is True
    assert listed(path) == {"notes"}
    (path / "notes").unlink()
    publish(store, ONE)
    assert store.delete(ONE.digest) is True
    assert not path.exists()


def test_while_a_directory_is_held_others_wait(store, path, warnings):
    publish(store, ONE)
    other = threading.Thread(target=publish, args=(Directory(str(path), warnings.append), TWO))
    with store.exclusive():
        other.start()
        other.join(0.2)
        assert store.resolve("").digest == ONE.digest
    other.join(120)
    assert not other.is_alive()
    assert store.resolve("").digest == TWO.digest


def test_a_directory_that_is_deleted_while_it_is_written_to_is_made_again(store, path, warnings):
    publish(store, ONE)
    other = Directory(str(path), warnings.append)
    fill(other, TWO)
    assert store.delete(ONE.digest) is True
    assert not path.exists()
    with pytest.raises(ContentMissing, match="was removed from the directory during this run"):
        other.publish(TWO.manifest, [""], None)
    assert store.delete(ONE.digest) is False

    (path / "version").unlink()
    path.rmdir()
    publish(other, TWO)
    assert listed(path) == FIXED | blobs(TWO)
    store.delete(TWO.digest)
    publish(other, INDEX, *CHILDREN)
    assert other.is_complete(INDEX.descriptor, None)


def test_who_waits_while_the_directory_is_deleted_writes_into_a_new_one(store, path, warnings):
    publish(store, ONE)
    other = threading.Thread(target=publish, args=(Directory(str(path), warnings.append), TWO))
    with store.exclusive():
        other.start()
        other.join(0.2)
        store.delete(ONE.digest)
    other.join(120)
    assert not other.is_alive()
    assert listed(path) == FIXED | blobs(TWO)


def test_what_another_one_deletes_meanwhile_is_gone(store, path, warnings):
    publish(store, ONE)
    found = []
    late = Directory(str(path), warnings.append)
    other = threading.Thread(target=lambda: found.append(late.delete(ONE.digest)))
    with store.exclusive():
        other.start()
        other.join(0.2)
        store.delete(ONE.digest)
    other.join(120)
    assert not other.is_alive()
    assert found == [False]
    assert not path.exists()


def test_a_directory_that_cannot_be_made_is_not_tried_for_ever(store, path):
    path.mkdir()
    (path / "version").symlink_to("missing/version")
    with pytest.raises(ImageError, match="cannot write %s/version: no such file" % path):
        publish(store, ONE)


def test_what_is_missing_is_told(store, path):
    with pytest.raises(NotFound, match="the directory %s contains no image" % path):
        store.manifest("")
    assert store.missing_blobs([images.descriptor(b"one")]) == [digests.of(b"one")]
    publish(store, ONE)
    assert store.missing_blobs(ONE.manifest.blobs) == []
    (path / digests.of(b"one")[7:]).unlink()
    with pytest.raises(NotFound, match="blob %s is missing from the directory" % digests.of(b"one")):
        list(store.open_blob(images.descriptor(b"one")))
    assert json.loads((path / "manifest.json").read_bytes()) == ONE.manifest.document
