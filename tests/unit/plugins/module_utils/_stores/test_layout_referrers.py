# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ContentMissing, ImageError, Refused
from ansible_collections.drayage.registry.plugins.module_utils._image import referrers
from ansible_collections.drayage.registry.plugins.module_utils._stores.named import repositories
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_archive import OciArchive
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.plugins.module_utils._stores.repository import commit
from ansible_collections.drayage.registry.tests.unit.support import images, layouts
from ansible_collections.drayage.registry.tests.unit.support.layouts import fill, names, publish, stored

CHILDREN = [images.image("linux/" + name, b"of " + name.encode()) for name in ("amd64", "arm64")]
INDEX = images.index(*map(images.entry, CHILDREN))
IMAGE = images.image("linux/amd64", b"image")
LIST = referrers.list_tag(IMAGE.digest)


def referrer(subject, content):
    return images.image("", content, config_type="application/vnd.test", subject=images.entry(subject))


SIGNATURE, SBOM = referrer(IMAGE, b"signature"), referrer(IMAGE, b"sbom")
OF_SBOM = referrer(SBOM, b"signature of the SBOM")


@pytest.fixture(params=[OciLayout, OciArchive])
def kind(request):
    return request.param


@pytest.fixture
def open_store(kind, tmp_path):
    """Return a function that opens the layout or archive anew, as another run does."""
    opened = []

    def start():
        opened.append(kind(str(tmp_path / "images"), lambda _text: None))
        return opened[-1]

    yield start
    for store in opened if kind is OciArchive else ():
        store.close()


def attach(store, *attached, subject=IMAGE):
    fill(store, *attached)
    store.referrers.attach(subject.digest, [one.manifest for one in attached])


def listed(store, subject=IMAGE):
    return [entry.digest for entry in store.referrers.entries(subject.digest)]


def test_referrers_come_back(open_store):
    store = open_store()
    assert listed(store) == []
    attach(store, SIGNATURE, SBOM)
    attach(store, OF_SBOM, subject=SBOM)
    publish(store, IMAGE, "1")
    again = open_store()
    assert listed(again) == [SIGNATURE.digest, SBOM.digest]
    assert listed(again, SBOM) == [OF_SBOM.digest]
    assert again.manifest(OF_SBOM.digest).raw == OF_SBOM.manifest.raw
    assert again.resolve(LIST).artifact_type is None


def test_a_list_can_arrive_after_the_image(open_store):
    publish(open_store(), IMAGE, "1")
    store = open_store()
    attach(store, SIGNATURE)
    attach(store, SIGNATURE)
    commit(store)
    store = open_store()
    attach(store, SBOM)
    commit(store)
    assert listed(open_store()) == [SIGNATURE.digest, SBOM.digest]


def test_other_changes_of_the_index_keep_them(open_store):
    store = open_store()
    publish(store, IMAGE, "1")
    attach(store, SIGNATURE)
    store.retag({"2": IMAGE.manifest})
    assert listed(open_store()) == [SIGNATURE.digest]
    store = open_store()
    attach(store, SBOM)
    assert store.delete_tag("2", IMAGE.digest) == "tag"
    assert listed(open_store()) == [SIGNATURE.digest, SBOM.digest]


def test_an_image_with_referrers_needs_no_name(open_store):
    """The list is no second image."""
    store = open_store()
    attach(store, SIGNATURE)
    publish(store, IMAGE, "1")
    assert open_store().manifest("").digest == IMAGE.digest


def test_two_images_still_need_a_name(open_store):
    publish(open_store(), IMAGE, "1")
    publish(open_store(), CHILDREN[0], "2")
    with pytest.raises(ImageError, match="contains several images"):
        open_store().manifest("")


def test_nothing_is_written_over_another_image(open_store):
    publish(open_store(), CHILDREN[0], LIST)
    store = open_store()
    assert listed(store) == []
    with pytest.raises(Refused, match="the image %s in the .* is not a list of referrers" % LIST):
        attach(store, SIGNATURE)
    assert open_store().resolve(LIST).digest == CHILDREN[0].digest


def test_detach_removes_entries_and_then_the_list(open_store):
    store = open_store()
    attach(store, SIGNATURE, SBOM)
    publish(store, IMAGE, "1")
    open_store().referrers.detach(IMAGE.digest, [SIGNATURE.digest])
    assert listed(open_store()) == [SBOM.digest]
    assert not open_store().has_manifest(SIGNATURE.digest)
    open_store().referrers.detach(IMAGE.digest, [SBOM.digest])
    store = open_store()
    assert listed(store) == []
    assert store.tags() == ["1"]
    assert not store.has_manifest(SBOM.digest)


def test_a_referrer_that_is_gone_is_not_listed(tmp_path):
    store = OciLayout(str(tmp_path / "images"), lambda _text: None)
    publish(store, IMAGE, "1")
    store.put_manifest(SIGNATURE.manifest)  # its blobs are missing
    store.referrers.attach(IMAGE.digest, [SIGNATURE.manifest])
    with pytest.raises(ContentMissing, match="a referrer of %s was removed" % IMAGE.digest):
        commit(store)
    assert listed(OciLayout(str(tmp_path / "images"), lambda _text: None)) == []


def test_a_referrer_that_is_gone_does_not_affect_other_images(tmp_path):
    store = OciLayout(str(tmp_path / "images"), lambda _text: None)
    fill(store, IMAGE, CHILDREN[0])
    attach(store, SIGNATURE)
    gone = referrer(CHILDREN[0], b"gone")
    attach(store, gone, subject=CHILDREN[0])
    layouts.blob_file(tmp_path / "images", gone.digest).unlink()
    with pytest.raises(ContentMissing, match="a referrer of %s was removed" % CHILDREN[0].digest):
        store.publish_all([store.stage(CHILDREN[0].manifest, ["gone"], None)])
    store.publish_all([store.stage(IMAGE.manifest, ["1"], None)])
    store = OciLayout(str(tmp_path / "images"), lambda _text: None)
    assert listed(store) == [SIGNATURE.digest]
    assert listed(store, CHILDREN[0]) == []


def test_lists_that_were_not_written_are_written_the_next_time(open_store, monkeypatch):
    store = open_store()
    publish(store, IMAGE, "1")
    attach(store, SIGNATURE)
    rewrite = store._rewrite

    def fail(_document, _entries):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "_rewrite", fail)
    with pytest.raises(ImageError, match="no space left"):
        commit(store)

    def attach_meanwhile(document, entries):
        rewrite(document, entries)
        attach(store, SBOM)

    monkeypatch.setattr(store, "_rewrite", attach_meanwhile)
    commit(store)
    assert listed(open_store()) == [SIGNATURE.digest]
    monkeypatch.setattr(store, "_rewrite", rewrite)
    commit(store)
    assert listed(open_store()) == [SIGNATURE.digest, SBOM.digest]
    assert not store.referrers.is_pending


@pytest.fixture
def by_oras(tmp_path):
    """A layout as oras writes it: every manifest is an entry, and only the image has a name."""
    path = tmp_path / "oras"
    of_index = referrer(INDEX, b"of the index")
    named = [("1", INDEX), ("", CHILDREN[0]), ("", CHILDREN[1]), ("", of_index), ("", referrer(of_index, b"of it"))]
    layouts.foreign_layout(path, *named)
    return OciLayout(str(path), lambda _text: None), of_index


def test_entries_of_oras_are_read(by_oras):
    store, of_index = by_oras
    assert listed(store, INDEX) == [of_index.digest]
    assert listed(store, of_index) == [referrer(of_index, b"of it").digest]
    assert listed(store, IMAGE) == []


def test_the_only_image_of_oras_needs_no_name(by_oras):
    assert by_oras[0].manifest("").digest == INDEX.digest


def test_entries_of_oras_are_detached(by_oras, tmp_path):
    store, of_index = by_oras
    store.referrers.detach(INDEX.digest, [of_index.digest])
    assert listed(store, INDEX) == []
    assert of_index.digest not in stored(tmp_path / "oras")
    assert len(names(tmp_path / "oras")) == 4


def test_repositories_of_a_layout_share_lists_and_not_tags(open_store):
    store = open_store()
    repository = store.repository("registry.example/app")
    attach(repository, SIGNATURE)
    fill(repository, IMAGE, SBOM)
    repository.publish(IMAGE.manifest, ["1"], None)
    repository.publish(SBOM.manifest, [LIST + ".sbom"], None)
    other = open_store().repository("registry.example/other")
    assert listed(other) == [SIGNATURE.digest]
    assert other.referrers.cosign_tags(IMAGE.digest) == []
    again = open_store().repository("registry.example/app")
    assert again.referrers.cosign_tags(IMAGE.digest) == [LIST + ".sbom"]
    warnings = []
    assert repositories(open_store().tags(), open_store().reference(""), warnings.append) == ["registry.example/app"]
    assert warnings == []


def test_one_image_of_several_repositories_has_its_tags_too(open_store):
    """Whoever names an image of a bundle in full means one of its repositories, and what is attached to the image."""
    tag = LIST + ".sig"
    repository = open_store().repository("registry.example/app")
    fill(repository, IMAGE, SIGNATURE)
    repository.publish(IMAGE.manifest, ["1"], None)
    repository.publish(SIGNATURE.manifest, [tag], None)
    store = open_store()
    assert store.referrers.cosign_tags(IMAGE.digest) == [tag]
    assert store.resolve(tag).digest == store.manifest(tag).digest == SIGNATURE.digest
    store.delete(SIGNATURE.digest)
    fill(store, SIGNATURE)
    store.publish(SIGNATURE.manifest, [tag], None)  # as image_copy writes it
    assert open_store().repository("registry.example/app").referrers.cosign_tags(IMAGE.digest) == [tag]
