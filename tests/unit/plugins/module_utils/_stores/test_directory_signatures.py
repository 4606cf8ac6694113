# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signature files of directories and trees, in the formats of containers/image."""

from __future__ import annotations

import base64
import json
import os

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, InvalidContent, Refused
from ansible_collections.drayage.registry.plugins.module_utils._image import cosign_tag, referrers, signature_file
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._stores import directory, signature_files
from ansible_collections.drayage.registry.plugins.module_utils._stores.directory import Directory
from ansible_collections.drayage.registry.plugins.module_utils._stores.directory_tree import TreeRepository
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.layouts import fill

ONE, TWO = images.image("linux/amd64", b"one", b"shared"), images.image("linux/amd64", b"two", b"shared")
BOTH = images.index(images.entry(ONE), images.entry(TWO))
MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
GPG = b"\xa3\x01a message of gpg\x00"


def tag_of(image, suffix=".sig"):
    return "sha256-%s%s" % (image.digest[7:], suffix)


def layer(payload, annotation="x"):
    return images.described(payload, MEDIA_TYPE, annotations={"dev.cosignproject.cosign/signature": annotation})


def signature(*payloads):
    """What cosign keeps under a tag, with the blobs."""
    manifest, config = cosign_tag.image_of([layer(payload) for payload in payloads])
    return images.Image(manifest, (config, *payloads))


def of_skopeo(payload, annotation="x"):
    """A file as containers/image writes it."""
    document = {
        "mimeType": MEDIA_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "annotations": {"dev.cosignproject.cosign/signature": annotation},
    }
    return b"\0sigstore-json\n" + json.dumps(document).encode()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "image"


@pytest.fixture
def store(path):
    return Directory(str(path), print)


def sign(store, image, *payloads, suffix=".sig"):
    """Do what a copy does with the signatures of an image."""
    made = signature(*payloads)
    for content in made.blobs:
        store.put_blob(images.descriptor(content), lambda content=content: [content], "")
    store.publish(made.manifest, [tag_of(image, suffix)], None)


def publish(store, top, *children):
    fill(store, *children, *([top] if isinstance(top, images.Image) else []))
    store.publish(getattr(top, "manifest", top), [""], None)


def signatures(path):
    return {name: (path / name).read_bytes() for name in os.listdir(path) if "signature-" in name}


def payloads(store, image, suffix=".sig"):
    manifest = store.manifest(tag_of(image, suffix))
    assert store.resolve(tag_of(image, suffix)) == manifest.descriptor
    assert store.manifest(manifest.digest) == manifest
    assert store.missing_blobs(manifest.blobs) == []
    config = json.loads(b"".join(store.open_blob(manifest.config)))
    assert config["rootfs"]["diff_ids"] == [blob.digest for blob in manifest.layers]
    return [b"".join(store.open_blob(blob)) for blob in manifest.layers]


def test_files_are_those_of_containers_image(store, path):
    sign(store, ONE, b"payload")
    publish(store, ONE)
    [(name, content)] = signatures(path).items()
    assert name == "signature-1"
    kind, _line, document = content.partition(b"\n")
    assert (kind, json.loads(document)) == (b"\0sigstore-json", json.loads(of_skopeo(b"payload").split(b"\n", 1)[1]))
    assert payloads(store, ONE) == [b"payload"]
    assert not (path / digests.of(b"payload")[7:]).exists()


@pytest.mark.parametrize("content", [GPG, b"\0simple-signing\n" + GPG, b"-----BEGIN PGP MESSAGE-----\n"])
def test_gpg_messages_have_a_tag_of_their_own(store, path, content):
    publish(store, ONE)
    (path / "signature-1").write_bytes(content)
    (path / "signature-2").write_bytes(of_skopeo(b"payload"))
    assert store.referrers.cosign_tags(ONE.digest) == [tag_of(ONE), tag_of(ONE, ".gpg")]
    assert payloads(store, ONE) == [b"payload"]
    assert payloads(store, ONE, ".gpg") == [content.rpartition(b"signing\n")[2]]
    found = store.resolve(tag_of(ONE, ".gpg")).digest
    with pytest.raises(ImageError, match="the tag moved to %s during this run" % found):
        store.delete_tag(tag_of(ONE, ".gpg"), ONE.digest)
    assert store.delete_tag(tag_of(ONE, ".gpg"), found) == "tag"
    assert signatures(path) == {"signature-1": of_skopeo(b"payload")}
    assert store.delete_tag(tag_of(ONE, ".gpg"), found) == ""


def test_an_image_is_never_without_its_signatures(store, path, monkeypatch):
    """Neither the one that was there before nor the new one: both have theirs when manifest.json is replaced."""
    sign(store, ONE, b"of one", b"more of one")
    publish(store, ONE)
    seen = []
    write = directory.write_version
    monkeypatch.setattr(directory, "write_version", lambda *given: (seen.append(len(signatures(path))), write(*given)))
    sign(store, TWO, b"of two")
    assert payloads(store, ONE) == [b"of one", b"more of one"]
    publish(store, TWO)
    assert seen == [4]  # with those of the child that it was until then
    assert list(signatures(path)) == ["signature-1"]
    assert payloads(store, TWO) == [b"of two"]
    assert store.referrers.cosign_tags(ONE.digest) == []


def test_children(store, path):
    fill(store, ONE, TWO)
    sign(store, ONE, b"of one")
    sign(store, BOTH, b"of both")
    publish(store, BOTH)
    assert set(signatures(path)) == {"signature-1", "%s.signature-1" % ONE.digest[7:]}
    assert (payloads(store, ONE), payloads(store, BOTH)) == ([b"of one"], [b"of both"])
    assert store.referrers.seen(ONE.digest)
    assert not store.referrers.seen(TWO.digest)
    assert not store.referrers.seen(ONE.digest, [tag_of(ONE)])


def test_the_tag_has_what_was_written_last(store, path):
    publish(store, ONE)
    sign(store, ONE, b"first", b"second")
    sign(store, ONE, b"second", b"third")
    assert payloads(store, ONE) == [b"second", b"third"]
    assert set(signatures(path)) == {"signature-1", "signature-2"}


def test_signatures_that_are_blobs_of_the_image_too(store, path):
    """Whoever made them so: the image keeps what it needs."""
    publish(store, ONE)
    sign(store, ONE, b"shared")
    assert store.is_complete(ONE.manifest.descriptor, None)
    assert payloads(store, ONE) == [b"shared"]


@pytest.mark.parametrize(
    "content",
    [
        b"\0another-format\n{}",
        b"\0sigstore-json\n{",
        b"\0sigstore-json\n[]",
        b'\0sigstore-json\n{"mimeType": 1, "payload": "", "annotations": {}}',
        b'\0sigstore-json\n{"mimeType": "x", "payload": "=", "annotations": {}}',
        b'\0sigstore-json\n{"mimeType": "x", "payload": "", "annotations": {"a": 1}}',
        b'\0sigstore-json\n{"mimeType": "x", "annotations": {}}',
    ],
)
def test_files_of_unknown_kinds_are_an_error(store, path, content):
    publish(store, ONE)
    (path / "signature-1").write_bytes(content)
    with pytest.raises(InvalidContent, match="%s/signature-1: a signature" % path):
        store.referrers.cosign_tags(ONE.digest)


def test_annotations_may_be_null():
    content = b'\0sigstore-json\n{"mimeType": "x", "payload": "YQ==", "annotations": null}'
    assert signature_file.decode(content) == (images.described(b"a", "x"), b"a")


def test_what_is_no_signature_has_no_place(store):
    publish(store, ONE)
    assert store.referrers.entries(ONE.digest) == []
    assert [store.referrers.keeps(tag_of(ONE, suffix)) for suffix in (".sig", ".gpg", ".att", ".sbom", "")] == [
        *(True, True, False, False, False)
    ]
    assert not store.referrers.keeps("")
    with pytest.raises(Refused):
        store.referrers.attach(ONE.digest, [TWO.manifest])
    with pytest.raises(
        Refused, match="a directory can store only signatures, so it cannot store the tag sha256-.*[.]att"
    ):
        sign(store, ONE, b"x", suffix=".att")
    assert store.resolve("").digest == ONE.digest
    assert store.resolve(tag_of(ONE, ".att")) is None
    with pytest.raises(ImageError, match="is not a signature"):
        sign(store, ONE, b"x", suffix=".gpg")


class TestTree:
    @pytest.fixture
    def repository(self, tmp_path):
        return TreeRepository(str(tmp_path / "tree"), "r.example/app", print)

    def put(self, repository, tag, image, *children):
        store = repository.open(tag)
        fill(store, *children, *([image] if isinstance(image, images.Image) else []))
        store.publish(getattr(image, "manifest", image), [tag], None)

    def test_signature_files(self, repository, tmp_path):
        store = repository.open("1")
        sign(store, ONE, b"payload")
        self.put(repository, "1", ONE)
        assert set(signatures(tmp_path / "tree/r.example/app:1")) == {"signature-1"}
        assert payloads(repository.open("1"), ONE) == [b"payload"]
        assert repository.tags() == ["1"]

    def test_tags_that_were_copied_as_images(self, repository):
        """As skopeo sync does it from a registry."""
        sbom = images.image("unknown/unknown", b"sbom", subject=images.entry(ONE))
        self.put(repository, "1", ONE)
        self.put(repository, tag_of(ONE), signature(b"of cosign"))
        self.put(repository, tag_of(ONE, ".att"), signature(b"attestation"))
        self.put(repository, referrers.list_tag(ONE.digest), images.index(images.entry(sbom)), sbom)
        assert set(repository.tags()) == {"1", *(tag_of(ONE, suffix) for suffix in ("", ".sig", ".att"))}
        assert repository.resolve(tag_of(ONE)).digest == signature(b"of cosign").digest
        store = repository.open("1")
        assert store.referrers.cosign_tags(ONE.digest) == [tag_of(ONE), tag_of(ONE, ".att")]
        assert payloads(store, ONE) == [b"of cosign"]
        assert payloads(store, ONE, ".att") == [b"attestation"]
        [entry] = store.referrers.entries(ONE.digest)
        assert store.manifest(entry.digest) == sbom.manifest
        assert [b"".join(store.open_blob(blob)) for blob in sbom.manifest.layers] == [b"sbom"]

    def test_both(self, repository):
        self.put(repository, "1", ONE)
        self.put(repository, tag_of(ONE), signature(b"of cosign"))
        store = repository.open("1")
        sign(store, ONE, b"of cosign", b"of skopeo")
        assert payloads(store, ONE) == [b"of cosign", b"of skopeo"]


def test_more_than_a_hundred_signatures_are_all_read(store, path):
    publish(store, ONE)
    texts = [b"signature %d" % number for number in range(102)]
    sign(store, ONE, *texts)
    assert payloads(store, ONE) == texts
    before = signatures(path)
    assert len(before) == len(texts)
    sign(store, ONE, *texts)
    assert signatures(path) == before
    sign(store, ONE, texts[0])
    assert len(signatures(path)) == 1


def test_signatures_that_would_not_be_read_are_refused(store, path, monkeypatch):
    monkeypatch.setattr(signature_files, "MOST", 2)
    publish(store, ONE)
    sign(store, ONE, b"a")
    message = "^%s would contain more than 2 signatures of one image. Remove signatures" % path
    with pytest.raises(Refused, match=message):
        sign(store, ONE, b"a", b"b", b"c")
    assert len(signatures(path)) == 1
    sign(store, TWO, b"d", b"e")
    with pytest.raises(Refused, match=message):
        publish(store, TWO)
    assert store.resolve("").digest == ONE.digest
    assert len(signatures(path)) == 3
    sign(store, ONE, b"a", b"b")
    with pytest.raises(Refused, match=message):
        signature_files.append(str(path), signature_files.NAME, b"c")
