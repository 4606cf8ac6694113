# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
import os
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ContentMissing,
    DigestMismatch,
    ImageError,
    LocalFailure,
    NotFound,
)
from ansible_collections.drayage.registry.plugins.module_utils._files import prefix_for
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._image.verified import Verified
from ansible_collections.drayage.registry.plugins.module_utils._stores import oci_archive
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_archive import OciArchive
from ansible_collections.drayage.registry.plugins.module_utils._stores.tar_reader import TarImage
from ansible_collections.drayage.registry.tests.unit.support import archives, images, layouts
from ansible_collections.drayage.registry.tests.unit.support.layouts import fill, needed, publish
from ansible_collections.drayage.registry.tests.unit.support.rewinding import CONTENT, check_rewinding

ONE, TWO = images.image("linux/amd64", b"one", b"shared"), images.image("linux/amd64", b"two", b"shared")
CHILDREN = [images.image("linux/" + name, b"of " + name.encode(), b"shared") for name in ("amd64", "arm64")]
INDEX = images.index(*map(images.entry, CHILDREN))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images.tar"


@pytest.fixture
def store(path, warnings):
    with_close = OciArchive(str(path), warnings.append)
    yield with_close
    with_close.close()


def members(path):
    with tarfile.open(path) as archive:
        return {info.name: archive.extractfile(info).read() for info in archive if info.isfile()}


def stored(path):
    return {name[6:].replace("/", ":") for name in members(path) if name.startswith("blobs/")}


def names(path):
    entries = json.loads(members(path)["index.json"])["manifests"]
    return [(entry.get("annotations", {}).get(layouts.REF_NAME, ""), entry["digest"]) for entry in entries]


def foreign(path, *contents, **index):
    """An archive as another program makes it: from a directory, with its blobs and a given index."""
    files = [archives.member("./", None, tarfile.DIRTYPE), archives.member("./oci-layout", b"{}")]
    files.append(archives.member("./index.json", images.encode({"schemaVersion": 2, **index})))
    files += [archives.member("./blobs/sha256/%s" % digests.of(content)[7:], content) for content in contents]
    archives.write(path, *files)


def test_an_archive_is_a_layout_in_order(store, path):
    publish(store, ONE, "1")
    with tarfile.open(path) as archive:
        found = archive.getnames()
    assert found == sorted(found)
    assert members(path)["oci-layout"] == b'{"imageLayoutVersion":"1.0.0"}'
    assert (names(path), stored(path)) == ([("1", ONE.digest)], needed(ONE))
    assert store.resolve("1") == ONE.manifest.descriptor
    assert store.manifest("1").raw == ONE.manifest.raw
    assert (store.reference("1"), store.tags()) == ("oci-archive:%s:1" % path, ["1"])


def test_nothing_is_there_until_it_is_published(store, path, tmp_path):
    fill(store, ONE)
    assert os.listdir(tmp_path) == []
    assert store.has_manifest(ONE.digest)
    store.publish(ONE.manifest, ["1"], None)
    assert os.listdir(tmp_path) == ["images.tar"]


def test_other_images_stay_and_what_nobody_needs_goes(store, path):
    publish(store, ONE, "1", "latest")
    publish(store, TWO, "latest")
    assert names(path) == [("1", ONE.digest), ("latest", TWO.digest)]
    assert stored(path) == needed(ONE, TWO)
    publish(store, TWO, "1")
    assert stored(path) == needed(TWO)
    fill(store, *CHILDREN)
    publish(store, INDEX, "1", "latest")
    assert stored(path) == needed(INDEX, *CHILDREN)
    assert store.is_complete(INDEX.descriptor, None)


def test_the_same_images_make_the_same_bytes(store, path, tmp_path, warnings):
    publish(store, ONE, "1")
    publish(store, TWO, "2")
    other = OciArchive(str(tmp_path / "other.tar"), warnings.append)
    publish(other, TWO, "1")
    publish(other, ONE, "1")
    publish(other, TWO, "2")
    assert (tmp_path / "other.tar").read_bytes() == path.read_bytes()


def test_archives_of_others_are_read_and_kept(store, path):
    own = images.entry(TWO, annotations={layouts.REF_NAME: "2", "k": "ä"}, newField=[1])
    foreign(path, *TWO.blobs, TWO.manifest.raw, b"unreferenced", manifests=[own], annotations={"a": "b"})
    assert store.resolve("2").digest == TWO.digest
    assert b"".join(store.open_blob(images.descriptor(b"two"))) == b"two"
    publish(store, ONE, "1")
    document = json.loads(members(path)["index.json"])
    assert (document["manifests"][0], document["annotations"]) == (own, {"a": "b"})
    assert stored(path) == needed(ONE, TWO)


def test_nothing_is_removed_while_a_kept_manifest_cannot_be_understood(store, path):
    odd = images.encode({"schemaVersion": 2, "mediaType": "application/x+json"})
    entry = images.described(odd, "application/x+json", annotations={layouts.REF_NAME: "odd"})
    foreign(path, odd, b"needed by it", manifests=[entry])
    publish(store, ONE, "1")
    assert stored(path) == needed(ONE) | {digests.of(odd), digests.of(b"needed by it")}


def test_nothing_is_removed_while_an_entry_has_no_supported_digest(store, path):
    other = {"mediaType": "application/x", "digest": "blake3:" + "0" * 64, "size": 1}
    foreign(path, b"needed by it", manifests=[other])
    more = archives.tar(archives.member("./blobs/blake3/" + "0" * 64, b"x"), archives.member("./blobs/x/y/z", b"x"))
    path.write_bytes(more[: 4 * tarfile.BLOCKSIZE] + path.read_bytes())
    publish(store, ONE, "1")
    assert stored(path) == needed(ONE) | {"blake3:" + "0" * 64, digests.of(b"needed by it")}
    assert names(path)[0] == ("", other["digest"])


def test_a_sparse_index_stays_sparse(store, path):
    fill(store, CHILDREN[0])
    store.publish(INDEX, ["1"], {CHILDREN[0].digest})
    publish(store, ONE, "2")
    assert stored(path) == needed(INDEX, CHILDREN[0], ONE)


def test_what_was_put_is_written_without_a_new_name_too(store, path):
    foreign(path, ONE.manifest.raw, ONE.blobs[0], manifests=[images.entry(ONE)])
    before = path.stat().st_ino
    store.commit()
    assert path.stat().st_ino == before
    assert not store.is_complete(ONE.manifest.descriptor, None)
    fill(store, ONE)
    store.commit()
    assert (names(path), stored(path)) == ([("", ONE.digest)], needed(ONE))


def test_two_writers_see_each_other(store, path, warnings):
    other = OciArchive(str(path), warnings.append)
    assert other.resolve("1") is None
    fill(other, TWO)
    publish(store, ONE, "1")
    other.publish(TWO.manifest, ["2"], None)
    assert names(path) == [("1", ONE.digest), ("2", TWO.digest)]
    late = OciArchive(str(path), warnings.append)
    assert late.has_blob(images.descriptor(b"one"))
    publish(store, TWO, "1")
    with pytest.raises(ContentMissing, match="was removed from the archive during this run"):
        late.publish(ONE.manifest, ["3"], None)
    assert names(path) == [("2", TWO.digest), ("1", TWO.digest)]


def test_a_reader_keeps_what_it_began_with(store, path, warnings):
    publish(store, ONE, "1")
    reader = OciArchive(str(path), warnings.append)
    assert reader.resolve("1").digest == ONE.digest
    publish(store, TWO, "1")
    assert b"".join(reader.open_blob(images.descriptor(b"one"))) == b"one"
    reader.close()


def test_while_an_archive_is_held_others_wait(store, path, warnings, tmp_path):
    other = threading.Thread(target=publish, args=(OciArchive(str(path), warnings.append), TWO, "2"))
    with store.exclusive():
        other.start()
        other.join(0.2)
        assert not path.exists()
        publish(store, ONE, "1")
    other.join(60)
    assert not other.is_alive()
    assert names(path) == [("1", ONE.digest), ("2", TWO.digest)]
    assert os.listdir(tmp_path) == ["images.tar"]


def test_deleting(store, path, tmp_path):
    publish(store, ONE, "1", "2")
    assert store.delete_tag("3", ONE.digest) == ""
    assert store.delete_tag("1", ONE.digest) == "tag"
    assert names(path) == [("2", ONE.digest)]
    assert store.delete(TWO.digest) is False
    assert store.delete(ONE.digest) is True
    assert os.listdir(tmp_path) == []
    with pytest.raises(NotFound, match="the archive %s does not exist" % path):
        store.tags()


def test_moving_names(store, path):
    publish(store, ONE, "1")
    publish(store, TWO, "2")
    store.retag({"1": TWO.manifest, "2": ONE.manifest, "3": ONE.manifest})
    assert sorted(names(path)) == [("1", TWO.digest), ("2", ONE.digest), ("3", ONE.digest)]
    with pytest.raises(ContentMissing):
        store.retag({"4": CHILDREN[0].manifest})


def test_a_replaced_file_keeps_its_mode_and_a_link_its_place(store, path, tmp_path, warnings):
    publish(store, ONE, "1")
    path.chmod(0o640)
    (tmp_path / "link.tar").symlink_to(path)
    publish(OciArchive(str(tmp_path / "link.tar"), warnings.append), TWO, "2")
    assert (tmp_path / "link.tar").is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert [name for name, _digest in names(path)] == ["1", "2"]


def test_an_empty_file_is_a_place_for_an_archive(store, path):
    path.write_bytes(b"")
    assert store.resolve("1") is None
    publish(store, ONE, "1")
    assert names(path) == [("1", ONE.digest)]


def test_a_file_that_is_removed_while_it_is_opened_is_not_there(store, path, monkeypatch):
    publish(store, ONE, "1")

    def removed_before(name):
        path.unlink()
        return TarImage(name)

    with monkeypatch.context() as patch:
        patch.setattr(oci_archive, "TarImage", removed_before)
        assert store.resolve("1") is None
    publish(store, TWO, "2")
    assert names(path) == [("2", TWO.digest)]


@pytest.mark.parametrize("content", [b"x" * 1000, archives.tar(archives.member("thesis.txt", b"x"))])
def test_other_files_are_refused_and_left_as_they_are(store, path, content):
    path.write_bytes(content)
    for action in (lambda: store.resolve(""), lambda: publish(store, ONE, "1")):
        with pytest.raises(LocalFailure, match="the (file is not a tar archive|archive has no index.json)"):
            action()
    assert path.read_bytes() == content


def test_an_archive_of_docker_is_told_apart(store, path):
    archives.write(path, archives.member("manifest.json", b"[]"))
    with pytest.raises(ImageError, match="The archive is from docker save. Use the docker-archive transport"):
        store.resolve("")


def test_content_that_turns_out_wrong_is_forgotten(store, path):
    blob = images.descriptor(b"right")
    for wrong in ([b"wro", b"ng"], [b"too long"], [b"x"]):
        with pytest.raises(DigestMismatch):
            store.put_blob(blob, lambda wrong=wrong: Verified(lambda _at: wrong, blob.digest, blob.size), "")
    assert not store.has_blob(blob)
    assert store.missing_blobs([blob]) == [blob.digest]
    store.put_blob(blob, lambda: [b"ri", b"ght"], "")
    assert b"".join(store.open_blob(blob)) == b"right"


def test_content_may_come_in_pieces_of_any_size_and_all_at_once(store, monkeypatch):
    monkeypatch.setattr(oci_archive, "_PIECE", 1000)
    contents = [os.urandom(size) for size in (1, 999, 1000, 1001, 5000, 12345)]

    def put(content):
        chunks = [content[start : start + 700] for start in range(0, len(content), 700)]
        store.put_blob(images.descriptor(content), lambda: chunks, "")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(put, contents))
    for content in contents:
        assert b"".join(store.open_blob(images.descriptor(content))) == content


def test_a_blob_is_read_from_any_byte(store, path, monkeypatch):
    blob = images.descriptor(CONTENT)
    store.put_blob(blob, lambda: [CONTENT], "")
    check_rewinding(store, blob, monkeypatch)
    foreign(path, CONTENT, manifests=[])
    check_rewinding(OciArchive(str(path), print), blob, monkeypatch)


def test_a_size_that_is_a_lie_harms_no_other_content(store):
    blob = images.descriptor(b"content")
    lie = Descriptor(blob.media_type, digests.of(b"lie"), 2**60)
    with pytest.raises(DigestMismatch):
        store.put_blob(lie, lambda: Verified(lambda _at: [b"lie", b"more"], lie.digest, lie.size), "")
    store.put_blob(blob, lambda: [b"content"], "")
    assert b"".join(store.open_blob(blob)) == b"content"


def test_what_killed_writers_left_is_cleared(store, path, tmp_path):
    (tmp_path / ".images.tar.staging-0123").write_bytes(b"x")
    (tmp_path / ".images.tar.staging-lock").write_bytes(b"")
    (tmp_path / ".other.tar.staging-0123").write_bytes(b"of another archive")
    publish(store, ONE, "1")
    assert sorted(os.listdir(tmp_path)) == [".other.tar.staging-0123", "images.tar"]


def test_compressed_archives_are_read_and_replaced_by_plain_ones(store, path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in (
            ("index.json", images.encode({"schemaVersion": 2, "manifests": [images.entry(TWO)]})),
            *(("blobs/sha256/" + digests.of(content)[7:], content) for content in (*TWO.blobs, TWO.manifest.raw)),
        ):
            info, _content = archives.member(name, content)
            archive.addfile(info, io.BytesIO(content))
    path.write_bytes(buffer.getvalue())
    assert store.resolve("").digest == TWO.digest
    publish(store, ONE, "1")
    assert stored(path) == needed(ONE, TWO)
    assert path.read_bytes()[:2] != b"\x1f\x8b"


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/null")])
def test_a_pipe_or_device_is_no_archive_and_is_not_replaced(path, warnings, make):
    """root could replace /dev/null by an archive."""
    make(path)
    archive = OciArchive(str(path), warnings.append)
    for use in (lambda: archive.resolve("1"), lambda: archive.manifest("1"), lambda: publish(archive, ONE, "1")):
        with pytest.raises(LocalFailure, match="is not a regular file"):
            use()
    assert not os.path.isfile(path)


def test_content_can_be_removed_while_other_content_is_added(tmp_path):
    spool = oci_archive._Spool(str(tmp_path))
    spool.add("old", 3, [b"old"])

    def chunks():
        yield b"first "
        spool.remove(["old"])
        yield b"second"

    spool.add("new", 12, chunks())
    assert (spool.size("old"), b"".join(spool.chunks("new"))) == (None, b"first second")
    spool.remove(["new"])
    assert not spool and spool._stream is None


def test_each_of_several_writes_holds_the_lock(path, warnings):
    held = []

    def count(_phase, _path, _size, chunks):
        held.append(os.path.exists(path.parent / (prefix_for(str(path)) + "lock")))
        return chunks

    store = OciArchive(str(path), warnings.append, count)
    for image in (ONE, TWO):
        fill(store, image)
    with store.exclusive():
        publish(store, ONE, "1")
        publish(store, TWO, "2")
    assert set(held) == {True}
    assert [name for name, _digest in names(path)] == ["1", "2"]
    assert os.listdir(path.parent) == [path.name]
