# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an image is found in the index of a layout, and indexes that are malformed."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ImageError,
    InvalidContent,
    LocalFailure,
    NotFound,
)
from ansible_collections.drayage.registry.plugins.module_utils._files import read_regular
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._stores import oci_layout
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support import images, layouts

ONE, TWO = images.image("linux/amd64", b"one", b"shared"), images.image("linux/amd64", b"two", b"shared")


def test_an_image_is_found_by_its_whole_name(layout, path):
    layouts.foreign_layout(path, ("docker.io/library/x:1", ONE), ("2", TWO))
    assert layout.resolve("docker.io/library/x:1").digest == ONE.digest
    assert layout.resolve("2").digest == TWO.digest
    assert layout.manifest("2").raw == TWO.manifest.raw
    for other in ("1", "x:1", "docker.io/library/x", "latest", "@"):
        assert layout.resolve(other) is None


@pytest.mark.parametrize("name", ["1", ""])
def test_the_only_image_needs_no_name(layout, path, name):
    layouts.foreign_layout(path, (name, ONE))
    assert layout.resolve("").digest == ONE.digest
    assert layout.manifest("").digest == ONE.digest


def test_one_image_under_two_names_is_still_the_only_one(layout, path, warnings):
    layouts.foreign_layout(path, ("1", ONE), ("2", ONE))
    assert layout.resolve("").digest == ONE.digest
    assert warnings == []


@pytest.mark.parametrize("ask", [OciLayout.resolve, OciLayout.manifest])
def test_several_images_without_a_name_is_an_error_that_lists_them(layout, path, ask):
    layouts.foreign_layout(path, ("b", ONE), ("a", TWO), ("", images.image("linux/arm64")))
    with pytest.raises(ImageError, match="several images") as caught:
        ask(layout, "")
    assert "Choose one of the available images: (unnamed), a, b." in str(caught.value)


def test_a_position_names_an_entry(layout, path):
    layouts.foreign_layout(path, ("1", ONE), ("", TWO))
    assert [layout.resolve("@%d" % number).digest for number in (0, 1)] == [ONE.digest, TWO.digest]
    assert layout.resolve("@2") is None
    with pytest.raises(NotFound):
        layout.manifest("@2")


@pytest.mark.parametrize("ask", [OciLayout.resolve, OciLayout.manifest])
def test_several_images_with_one_name_are_refused(layout, path, ask):
    layouts.foreign_layout(path, ("0", TWO), ("1", ONE), ("1", TWO))
    with pytest.raises(ImageError) as raised:
        ask(layout, "1")
    assert str(raised.value) == "the layout contains several images named 1. Use one of these positions: @1, @2."
    assert layout.tags() == ["0", "1"]


def test_images_of_docker_save_are_known_by_their_full_names(layout, path):
    layouts.docker_layout(path, ("docker.io/library/app:1", ONE), ("docker.io/library/db:1", TWO))
    for name, image in (("docker.io/library/app:1", ONE), ("app:1", ONE), ("db:1", TWO)):
        assert layout.resolve(name).digest == layout.manifest(name).digest == image.digest
    with pytest.raises(
        ImageError, match=r"several images named 1\. Use one of these names: docker.io/library/app:1, docker.io/libr"
    ):
        layout.resolve("1")
    assert layout.tags() == ["docker.io/library/app:1", "docker.io/library/db:1"]
    assert layout.resolve("latest") is layout.resolve("x:1") is None


def test_the_tag_alone_is_enough_for_the_only_image_of_docker_save(layout, path):
    layouts.docker_layout(path, ("docker.io/library/app:1", ONE), ("docker.io/library/app:2", TWO))
    assert (layout.resolve("1").digest, layout.resolve("app:1").digest) == (ONE.digest, ONE.digest)
    assert layout.tags() == ["1", "2"]


@pytest.mark.parametrize("more", [{"manifests": None}, {"manifests": None, "mediaType": ""}])
def test_a_layout_whose_list_is_null_has_no_image(layout, path, more):
    layouts.foreign_layout(path, **more)
    assert (layout.resolve("1"), layout.tags()) == (None, [])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"schemaVersion": 2, "manifests": 7}', "is not a valid OCI index"),
        ('{"schemaVersion": 2, "manifests": [7]}', "is not a valid OCI index"),
        ("[]", "is not a valid OCI index"),
        ("{}", "is not a valid OCI index"),
        ("", "is not valid JSON"),
        ('{"manifests": [], "Manifests": [{}]}', "contains 'Manifests', which engines read as manifests"),
        ('{"manifests": [], "manifests": [{}]}', "contains the key 'manifests' several times"),
        (
            '{"manifests": [{"digest": "a", "Digest": "b"}]}',
            "an entry of .* contains 'Digest', which engines read as digest",
        ),
        ('{"manifests": [%s]}' % ", ".join(["{}"] * 100_001), "lists more than 100000 images"),
    ],
)
def test_an_index_of_another_shape_is_refused_and_left_alone(layout, path, content, said):
    layouts.foreign_layout(path)
    (path / "index.json").write_text(content)
    with pytest.raises(LocalFailure, match=said):
        layout.resolve("1")
    with pytest.raises(LocalFailure, match=said):
        layouts.publish(layout, ONE, "1")
    assert (path / "index.json").read_text() == content


def test_the_same_image_twice_under_one_name_is_no_reason_to_warn(layout, path, warnings):
    layouts.foreign_layout(path, ("1", ONE), ("1", ONE))
    assert layout.resolve("1").digest == ONE.digest
    assert warnings == []


def test_an_image_is_found_by_its_digest_named_or_not(layout, path):
    layouts.foreign_layout(path, ("1", ONE))
    layouts.write_blob(path, TWO.manifest.raw)
    for content in TWO.blobs:
        layouts.write_blob(path, content)
    assert layout.resolve(ONE.digest).digest == ONE.digest
    assert layout.manifest(ONE.digest).raw == ONE.manifest.raw
    assert layout.has_manifest(TWO.digest)
    assert layout.manifest(TWO.digest).raw == TWO.manifest.raw


@pytest.mark.parametrize("name", ["1", "", "@0", ONE.digest])
def test_a_layout_that_is_not_there_has_nothing(layout, path, name):
    assert layout.resolve(name) is None
    assert not path.exists()


@pytest.mark.parametrize("name", ["1", "", ONE.digest])
def test_reading_from_a_layout_that_is_not_there_is_an_error_that_says_so(layout, path, name):
    with pytest.raises(NotFound, match="the OCI layout %s does not exist" % path):
        layout.manifest(name)


def test_a_name_that_is_not_there_is_an_error_that_lists_those_that_are(layout, path):
    layouts.foreign_layout(path, ("2", TWO), ("1", ONE), ("", TWO))
    with pytest.raises(
        NotFound, match=r"contains no image named .*Choose one of the available images: \(unnamed\), 1, 2"
    ):
        layout.manifest("3")


def test_an_empty_layout_says_that_it_is_empty(layout, path):
    layouts.foreign_layout(path)
    assert layout.resolve("") is None
    with pytest.raises(NotFound, match="Copy an image to the layout first"):
        layout.manifest("")


@pytest.mark.parametrize("ask", [OciLayout.resolve, OciLayout.manifest])
@pytest.mark.parametrize(
    "text",
    [
        "{",
        pytest.param("[" * 100000, id="nested"),
        "",
        "not json",
        "[]",
        "null",
        "{}",
        '{"manifests": {}}',
        '{"manifests": [1]}',
    ],
)
def test_a_broken_index_is_an_error_that_names_the_file(layout, path, ask, text):
    layouts.foreign_layout(path)
    (path / "index.json").write_text(text)
    with pytest.raises(ImageError, match="%s is not" % (path / "index.json")):
        ask(layout, "1")


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"mediaType": media_types.OCI_MANIFEST, "digest": "sha256:../../../etc/passwd", "size": 1},
        {"mediaType": media_types.OCI_MANIFEST, "digest": ONE.digest},
        {"mediaType": None, "digest": ONE.digest, "size": 1},
    ],
)
def test_a_malformed_entry_is_an_error_when_it_is_asked_for(layout, path, entry):
    layouts.foreign_layout(path, manifests=[{**entry, "annotations": {layouts.REF_NAME: "1"}}])
    with pytest.raises(InvalidContent):
        layout.resolve("1")


@pytest.mark.parametrize("annotations", [None, [], "x", {layouts.REF_NAME: 5}, {"other": "1"}])
def test_an_entry_without_a_proper_name_is_unnamed(layout, path, annotations):
    layouts.foreign_layout(path, ("1", ONE), manifests=[images.entry(ONE, annotations=annotations)])
    assert layout.resolve("1") is None
    assert layout.resolve("").digest == ONE.digest
    with pytest.raises(NotFound, match=r"Choose one of the available images: \(unnamed\)\."):
        layout.manifest("1")


def test_an_index_has_an_end(layout, path):
    layouts.foreign_layout(path, ("1", ONE))
    with (path / "index.json").open("r+b") as stream:
        stream.truncate(2**40)
    with pytest.raises(LocalFailure, match="%s/index.json is larger than 67108864 bytes" % path):
        layout.resolve("1")


def test_an_index_is_read_again_only_when_it_was_changed(layout, path, monkeypatch):
    layouts.foreign_layout(path, ("1", ONE), ("2", TWO))
    read = []

    def counted(*arguments):
        read.append(arguments)
        return read_regular(*arguments)

    def look():
        found = [layout.resolve(name) for name in ("1", "2", ONE.digest, "@0")]
        assert layout.tags() == ["1", "2"]
        return [descriptor.digest for descriptor in found]

    monkeypatch.setattr(oci_layout, "read_regular", counted)
    assert (look(), len(read)) == ([ONE.digest, TWO.digest, ONE.digest, ONE.digest], 1)
    layouts.foreign_layout(path, ("1", TWO), ("2", ONE))
    assert (look(), len(read)) == ([TWO.digest, ONE.digest, ONE.digest, TWO.digest], 2)


def test_a_writer_reads_the_index_whatever_was_known_of_it(layout, path, monkeypatch):
    layouts.foreign_layout(path, ("1", ONE))
    monkeypatch.setattr(OciLayout, "_identity", lambda _self: "the same")
    assert layout.resolve("1").digest == ONE.digest
    layouts.foreign_layout(path, ("1", ONE), ("2", TWO))
    layouts.publish(layout, ONE, "3")
    assert layouts.names(path) == [("1", ONE.digest), ("2", TWO.digest), ("3", ONE.digest)]
