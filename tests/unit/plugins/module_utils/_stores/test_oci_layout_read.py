# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests and blobs that are read from a layout, and images that are not whole."""

from __future__ import annotations

import os

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    DigestMismatch,
    ImageError,
    InvalidContent,
    LocalFailure,
    NotFound,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support import images, layouts
from ansible_collections.drayage.registry.tests.unit.support.rewinding import CONTENT, check_rewinding

ONE, TWO = images.image("linux/amd64", b"one", b"shared"), images.image("linux/amd64", b"two", b"shared")


def is_whole(layout, name="1"):
    """Whether an image of that name is entered and all that it needs is there."""
    found = layout.resolve(name)
    return found is not None and layout.is_complete(found, None) and layout.has_manifest(found.digest)


def test_an_image_under_sha512_is_read(layout, path):
    digest = digests.of(ONE.manifest.raw, "sha512")
    layouts.foreign_layout(path, ("1", ONE))
    file = layouts.blob_file(path, digest)
    file.parent.mkdir()
    file.write_bytes(ONE.manifest.raw)
    assert layout.manifest(digest).digest == digest


@pytest.mark.parametrize("missing", range(4))
def test_an_image_of_which_a_file_is_missing_is_not_whole(layout, path, missing):
    layouts.foreign_layout(path, ("1", ONE), ("2", TWO))
    assert is_whole(layout)
    layouts.blob_file(path, [ONE.digest, *map(digests.of, ONE.blobs)][missing]).unlink()
    assert not is_whole(layout)
    assert not layout.has_manifest(ONE.digest)


@pytest.mark.parametrize("content", [b"", b"on", b"one and more"])
def test_an_image_with_a_file_of_another_size_is_not_whole(layout, path, content):
    layouts.foreign_layout(path, ("1", ONE))
    layouts.blob_file(path, digests.of(b"one")).write_bytes(content)
    assert not is_whole(layout)


def test_a_manifest_that_was_tampered_with_is_not_whole_and_cannot_be_read(layout, path):
    layouts.foreign_layout(path, ("1", ONE))
    layouts.blob_file(path, ONE.digest).write_bytes(ONE.manifest.raw.replace(b"amd64", b"arm64")[::-1])
    assert not is_whole(layout)
    with pytest.raises(DigestMismatch):
        layout.manifest("1")


def test_a_manifest_whose_file_is_missing_is_an_error_that_names_it(layout, path):
    layouts.foreign_layout(path, ("1", ONE))
    layouts.blob_file(path, ONE.digest).unlink()
    with pytest.raises(NotFound, match="manifest %s is missing" % ONE.digest):
        layout.manifest("1")


def test_foreign_layers_need_not_be_there(layout, path):
    foreign = images.image(
        "windows/amd64", b"own", layer_type="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    )
    layouts.foreign_layout(path, ("1", foreign))
    layouts.blob_file(path, digests.of(b"own")).unlink()
    assert is_whole(layout)


CHILDREN = [images.image("linux/amd64"), images.image("linux/arm64")]
INDEX = images.index(*(images.entry(child, "linux/x") for child in CHILDREN))


def test_an_index_without_a_child_is_whole_where_that_child_is_not_wanted(layout, path):
    layouts.foreign_layout(path, ("1", INDEX), ("", CHILDREN[0]))
    assert layout.is_complete(INDEX.descriptor, {CHILDREN[0].digest})
    assert not layout.is_complete(INDEX.descriptor, {child.digest for child in CHILDREN})
    assert not layout.is_complete(INDEX.descriptor, None)


def test_an_index_with_a_child_that_is_broken_is_not_whole(layout, path):
    layouts.foreign_layout(path, ("1", INDEX), ("", CHILDREN[0]), ("", CHILDREN[1]))
    assert is_whole(layout)
    layouts.blob_file(path, digests.of(CHILDREN[1].blobs[1])).unlink()
    assert not is_whole(layout)


def test_the_children_of_a_nested_index_count(layout, path):
    outer = images.index(images.entry(INDEX))
    layouts.foreign_layout(path, ("1", outer), ("", INDEX), ("", CHILDREN[0]), ("", CHILDREN[1]))
    assert is_whole(layout)
    layouts.blob_file(path, digests.of(CHILDREN[0].blobs[0])).unlink()
    assert not is_whole(layout)


def test_a_blob_is_read_and_verified(layout, path):
    content = b"x" * 1500000
    layouts.foreign_layout(path)
    layouts.write_blob(path, content)
    assert b"".join(layout.open_blob(images.descriptor(content))) == content
    layouts.blob_file(path, digests.of(content)).write_bytes(b"y" + content[1:])
    with pytest.raises(DigestMismatch):
        list(layout.open_blob(images.descriptor(content)))


def test_a_blob_is_read_from_any_byte(layout, path, monkeypatch):
    layouts.foreign_layout(path)
    layouts.write_blob(path, CONTENT)
    check_rewinding(layout, images.descriptor(CONTENT), monkeypatch)


def test_a_missing_blob_is_an_error_that_names_it(layout, path):
    layouts.foreign_layout(path)
    with pytest.raises(NotFound, match="blob %s is missing" % digests.of(b"x")):
        list(layout.open_blob(images.descriptor(b"x")))


def test_a_blob_is_there_when_its_size_is_right(layout, path):
    layouts.foreign_layout(path, ("1", ONE))
    assert layout.has_blob(images.descriptor(b"one"))
    assert not layout.has_blob(images.descriptor(b"other"))
    layouts.blob_file(path, digests.of(b"one")).write_bytes(b"")
    assert not layout.has_blob(images.descriptor(b"one"))


def test_a_file_in_the_place_of_the_layout_is_a_plain_error(layout, path):
    path.write_text("x")
    with pytest.raises(ImageError, match="cannot read %s" % path):
        layout.resolve("1")


def test_two_stores_of_one_directory_are_the_same(layout, path, tmp_path, warnings):
    path.mkdir()
    (tmp_path / "link").symlink_to(path)
    assert layout.location.has_content_of(OciLayout(str(tmp_path / "link"), warnings.append).location)
    assert not layout.location.has_content_of(OciLayout(str(tmp_path / "other"), warnings.append).location)


@pytest.mark.parametrize(("name", "suffix"), [("1", ":1"), ("", ""), (ONE.digest, "")])
def test_an_image_is_shown_as_it_is_written(layout, path, name, suffix):
    assert layout.reference(name) == "oci:%s%s" % (path, suffix)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
class TestWhatIsNoFile:
    def test_as_an_index(self, layout, path, make):
        layouts.foreign_layout(path, ("1", ONE))
        (path / "index.json").unlink()
        make(path / "index.json")
        for action in (lambda: layout.resolve("1"), layout.tags, lambda: layouts.publish(layout, TWO, "2")):
            with pytest.raises(LocalFailure, match="%s/index.json is not a regular file" % path):
                action()

    def test_as_a_blob(self, layout, path, make):
        """It is not taken for content, and content takes its place."""
        layouts.foreign_layout(path, ("1", ONE))
        for digest in (ONE.digest, digests.of(b"one")):
            layouts.blob_file(path, digest).unlink()
            make(layouts.blob_file(path, digest))
        with pytest.raises(InvalidContent, match="is not a regular file"):
            layout.manifest("1")
        with pytest.raises(InvalidContent, match="is not a regular file"):
            list(layout.open_blob(images.descriptor(b"one")))
        assert not is_whole(layout)
        layouts.publish(layout, ONE, "1")
        assert is_whole(layout)
