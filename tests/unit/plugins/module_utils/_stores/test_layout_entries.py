# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of an index that are not images: attached artifacts, and content of other types (OCI image spec, image-layout.md)."""

from __future__ import annotations

import json
import tarfile

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, NotFound
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.referrers import digest_tags, list_tag
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_archive import OciArchive
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support import images, layouts

ONE, TWO = images.image("linux/amd64", b"one"), images.image("linux/amd64", b"two")
SBOM = images.image("unknown/unknown", b"sbom", subject=images.entry(ONE))
REFERRERS = images.index(images.entry(SBOM))
XML = b"<component/>"


@pytest.fixture(params=[OciLayout, OciArchive])
def written(request, tmp_path, path):
    """Return a function that returns a layout or an archive with these images, and with further entries of other content."""
    opened = []

    def write(*named, added=()):
        layouts.foreign_layout(path, *named)
        document = json.loads((path / "index.json").read_bytes())
        document["manifests"] += added
        (path / "index.json").write_bytes(images.encode(document))
        layouts.write_blob(path, XML)
        where = path
        if request.param is OciArchive:
            where = tmp_path / "images.tar"
            with tarfile.open(where, "w") as tar:
                tar.add(path, "")
        opened.append(request.param(str(where), lambda _text: None))
        return opened[-1]

    yield write
    for store in opened:
        if isinstance(store, OciArchive):
            store.close()


def stored(store):
    """The digests of all blobs of a layout or archive."""
    contents = (ONE.manifest.raw, TWO.manifest.raw, SBOM.manifest.raw, XML, *ONE.blobs, *TWO.blobs, *SBOM.blobs)
    parts = [images.descriptor(content) for content in contents]
    return {part.digest for part in parts if store.has_blob(part)}


@pytest.mark.parametrize("tag", digest_tags(ONE.digest))
def test_an_attached_artifact_is_not_the_only_image(written, tag):
    """It remains if its image is deleted without it."""
    store = written((tag, REFERRERS if tag == list_tag(ONE.digest) else SBOM))
    assert store.resolve("") is None
    with pytest.raises(NotFound, match=r"contains no images\. Copy an image to the"):
        store.manifest("")
    assert store.tags() == [tag]
    assert store.manifest(tag).digest == store.resolve(tag).digest


def test_an_artifact_without_a_name_is_the_only_image(written):
    """An artifact may be copied without its subject."""
    assert written(("", SBOM)).manifest("").digest == SBOM.digest


@pytest.mark.parametrize("name", ["1", ""])
def test_content_that_is_not_a_manifest_is_not_an_image(written, name):
    store = written((name, ONE), added=[images.described(XML, "application/xml")])
    assert (store.resolve("").digest, store.manifest("").digest) == (ONE.digest, ONE.digest)


@pytest.mark.parametrize("media_type", ["application/vnd.example.manifest.v3+json", "", None])
def test_content_that_may_be_a_manifest_may_be_an_image(written, media_type):
    store = written(("1", ONE), added=[images.described(XML, media_type)])
    with pytest.raises(ImageError, match="contains several images"):
        store.resolve("")


def test_content_that_is_not_a_manifest_needs_only_itself(written):
    store = written(("1", ONE), ("2", TWO), added=[images.described(XML, "application/xml")])
    store.delete_tag("1", ONE.digest)
    assert stored(store) == layouts.needed(TWO) | {digests.of(XML)}
    store.delete(digests.of(XML))
    assert stored(store) == layouts.needed(TWO)


@pytest.mark.parametrize(
    "added",
    [
        [images.described(XML, "application/vnd.example.manifest.v3+json")],
        [images.described(XML, "application/xml", digest="blake3:" + "0" * 64)],
        [images.described(XML, "application/xml"), images.described(XML, "application/json")],
    ],
)
def test_content_that_may_be_a_manifest_may_need_anything(written, added):
    store = written(("1", ONE), ("2", TWO), added=added)
    store.delete_tag("1", ONE.digest)
    assert stored(store) == layouts.needed(ONE, TWO) | {digests.of(XML)}
