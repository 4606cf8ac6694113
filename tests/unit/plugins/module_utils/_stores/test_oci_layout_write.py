# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written into a layout: the entries of its index, manifests and blobs."""

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ContentMissing, DigestMismatch, ImageError
from ansible_collections.drayage.registry.plugins.module_utils._files import STAGING
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._image.verified import Verified
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support import images, layouts
from ansible_collections.drayage.registry.tests.unit.support.files import listed
from ansible_collections.drayage.registry.tests.unit.support.layouts import (
    blob_file,
    fill,
    names,
    needed,
    publish,
    stored,
)

ONE, TWO = images.image("linux/amd64", b"one", b"shared"), images.image("linux/amd64", b"two", b"shared")
OTHER = images.image("linux/s390x", b"other")
CHILDREN = [images.image("linux/" + name, b"of " + name.encode(), b"shared") for name in ("amd64", "arm64", "s390x")]


def test_the_first_image_makes_a_layout_that_the_specification_knows(layout, path):
    publish(layout, ONE, "1")
    assert listed(path) == ["blobs", "index.json", "oci-layout"]
    assert json.loads((path / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert json.loads((path / "index.json").read_bytes()) == {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [images.entry(ONE, annotations={layouts.REF_NAME: "1"})],
    }
    assert stored(path) == needed(ONE)
    assert blob_file(path, ONE.digest).read_bytes() == ONE.manifest.raw


def test_directories_above_the_layout_are_made(tmp_path, warnings):
    publish(OciLayout(str(tmp_path / "a" / "b"), warnings.append), ONE, "1")
    assert names(tmp_path / "a" / "b") == [("1", ONE.digest)]


def test_what_was_published_is_found(layout, path, warnings):
    publish(layout, ONE, "1")
    for store in (layout, OciLayout(str(path), warnings.append)):
        assert store.resolve("1").digest == ONE.digest
        assert store.manifest("1").raw == ONE.manifest.raw


def test_one_image_may_get_many_names(layout, path):
    publish(layout, ONE, "1", "latest", "docker.io/library/x:1")
    assert names(path) == [(name, ONE.digest) for name in ("1", "latest", "docker.io/library/x:1")]


def test_a_name_moves_to_the_new_image_and_other_names_stay(layout, path):
    publish(layout, ONE, "1", "latest")
    publish(layout, OTHER, "s390x")
    publish(layout, TWO, "latest")
    assert names(path) == [("1", ONE.digest), ("s390x", OTHER.digest), ("latest", TWO.digest)]


def test_a_name_that_other_tools_gave_many_times_is_there_once(layout, path):
    layouts.foreign_layout(path, ("1", ONE), ("1", OTHER), ("1", ONE))
    publish(layout, TWO, "1")
    assert names(path) == [("1", TWO.digest)]


def test_an_image_without_a_name_is_entered_once(layout, path):
    layouts.foreign_layout(path, ("", ONE), ("1", ONE), ("", OTHER))
    publish(layout, ONE)
    assert sorted(names(path)) == sorted([("", ONE.digest), ("1", ONE.digest), ("", OTHER.digest)])
    assert json.loads((path / "index.json").read_bytes())["manifests"].count(images.entry(ONE)) == 1


def test_many_images_are_entered_by_one_change(layout, path):
    publish(layout, OTHER, "a:1", "b:2")
    fill(layout, ONE, TWO)
    a, b = layout.repository("a"), layout.repository("b")
    staged = [
        a.stage(ONE.manifest, ["1"], None),
        b.stage(TWO.manifest, ["1", "2"], None),
        b.stage(TWO.manifest, ["1"], None),
    ]
    assert names(path) == [("a:1", OTHER.digest), ("b:2", OTHER.digest)]
    layout.publish_all(staged)
    assert names(path) == [("a:1", ONE.digest), ("b:1", TWO.digest), ("b:2", TWO.digest)]
    assert stored(path) == needed(ONE, TWO)


def test_of_many_images_none_is_entered_while_content_of_one_is_missing(layout, path):
    fill(layout, ONE)
    staged = [layout.stage(ONE.manifest, ["1"], None), layout.stage(TWO.manifest, ["2"], None)]
    with pytest.raises(ContentMissing, match="content of image %s was removed" % TWO.digest):
        layout.publish_all(staged)
    assert names(path) == []


def test_publishing_again_changes_nothing(layout, path):
    publish(layout, ONE, "1")
    before = (path / "index.json").read_bytes(), stored(path)
    publish(layout, ONE, "1")
    assert ((path / "index.json").read_bytes(), stored(path)) == before


def test_what_other_tools_wrote_into_the_index_stays(layout, path):
    own = images.entry(OTHER, "linux/s390x", annotations={layouts.REF_NAME: "x", "k": "ä"}, newField=[1])
    layouts.foreign_layout(path, manifests=[own], annotations={"a": "b"}, newField={})
    publish(layout, ONE, "1")
    document = json.loads((path / "index.json").read_bytes())
    assert document["manifests"][0] == own
    assert (document["annotations"], document["newField"]) == ({"a": "b"}, {})


def test_an_entry_tells_the_type_of_an_artifact(layout, path):
    publish(layout, images.image("linux/amd64", artifactType="application/x"), "1")
    assert json.loads((path / "index.json").read_bytes())["manifests"][0]["artifactType"] == "application/x"


def test_an_image_under_sha512_is_kept_under_sha512(layout, path):
    manifest = ONE.manifest.parse(ONE.manifest.raw, digest=digests.of(ONE.manifest.raw, "sha512"))
    fill(layout, ONE)
    layout.publish(manifest, ["1"], None)
    assert names(path) == [("1", manifest.digest)]
    assert layout.resolve("1").digest == manifest.digest


def test_an_index_may_be_published_without_children_that_are_not_wanted(layout, path):
    fill(layout, CHILDREN[0])
    index = images.index(*map(images.entry, CHILDREN))
    layout.publish(index, ["1"], {CHILDREN[0].digest})
    assert layout.resolve("1").digest == index.digest
    assert stored(path) == needed(index, CHILDREN[0])


def test_an_index_is_not_published_while_a_child_that_is_wanted_is_missing(layout, path):
    fill(layout, CHILDREN[0])
    index = images.index(*map(images.entry, CHILDREN))
    for wanted in (None, {CHILDREN[0].digest, CHILDREN[1].digest}):
        with pytest.raises(ContentMissing):
            layout.publish(index, ["1"], wanted)
    assert names(path) == []


def test_a_broken_entry_can_be_replaced(layout, path):
    broken = [
        {"digest": digest, "annotations": {layouts.REF_NAME: "1"}} for digest in ("x", None, "sha256:../x", ONE.digest)
    ]
    layouts.foreign_layout(path, manifests=broken)
    publish(layout, ONE, "1")
    assert names(path) == [("1", ONE.digest)]
    assert layout.resolve("1").digest == ONE.digest


@pytest.mark.parametrize("missing", [b"one", b"shared", ONE.blobs[0]])
def test_an_image_is_not_published_while_content_is_missing(layout, path, missing):
    publish(layout, OTHER, "1")
    fill(layout, ONE)
    blob_file(path, digests.of(missing)).unlink()
    before = (path / "index.json").read_bytes(), stored(path)
    with pytest.raises(ContentMissing, match=ONE.digest):
        layout.publish(ONE.manifest, ["1"], None)
    assert ((path / "index.json").read_bytes(), stored(path) - {ONE.digest}) == (before[0], before[1] - {ONE.digest})


def test_a_blob_that_turns_out_wrong_leaves_nothing(layout, path):
    publish(layout, OTHER, "1")
    before = stored(path)
    blob = images.descriptor(b"right")
    with pytest.raises(DigestMismatch):
        layout.put_blob(blob, lambda: Verified(lambda _at: [b"wro", b"ng"], blob.digest, blob.size), "")
    assert stored(path) == before
    assert listed(path) == ["blobs", "index.json", "oci-layout"]


def test_a_blob_of_a_wrong_size_is_replaced(layout, path):
    publish(layout, ONE, "1")
    blob_file(path, digests.of(b"one")).write_bytes(b"half")
    assert layout.put_blob(images.descriptor(b"one"), lambda: [b"o", b"ne"], "") is False
    assert blob_file(path, digests.of(b"one")).read_bytes() == b"one"


def test_a_manifest_that_is_there_is_not_written_again_and_a_broken_one_is(layout, path):
    publish(layout, ONE, "1")
    file = blob_file(path, ONE.digest)
    before = file.stat().st_ino
    layout.put_manifest(ONE.manifest)
    assert file.stat().st_ino == before
    file.write_bytes(b"x" * ONE.manifest.size)
    layout.put_manifest(ONE.manifest)
    assert file.read_bytes() == ONE.manifest.raw


def test_a_directory_with_other_files_is_refused_and_left_as_it_is(layout, path):
    path.mkdir()
    (path / "thesis.txt").write_text("x")
    for write in (lambda: fill(layout, ONE), lambda: layout.publish(ONE.manifest, ["1"], None)):
        with pytest.raises(ImageError, match="%s contains files, but is not an OCI layout" % path) as caught:
            write()
        assert "empty directory" in str(caught.value)
    assert listed(path) == ["thesis.txt"]


@pytest.mark.parametrize("present", [[], ["blobs"], [STAGING + "x"], ["blobs", STAGING + "x"]])
def test_an_empty_directory_becomes_a_layout(layout, path, present):
    path.mkdir()
    for name in present:
        (path / name).mkdir() if name == "blobs" else (path / name).write_bytes(b"x")
    publish(layout, ONE, "1")
    assert listed(path) == ["blobs", "index.json", "oci-layout"]
    assert names(path) == [("1", ONE.digest)]


def test_a_layout_with_further_files_stays_a_layout(layout, path):
    layouts.foreign_layout(path, ("1", OTHER))
    (path / "README").write_text("x")
    (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0", "own": 1}')
    publish(layout, ONE, "2")
    assert (path / "README").read_text() == "x"
    assert json.loads((path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0", "own": 1}
    assert names(path) == [("1", OTHER.digest), ("2", ONE.digest)]


def test_an_index_that_is_broken_is_not_overwritten(layout, path):
    layouts.foreign_layout(path, ("1", OTHER))
    (path / "index.json").write_text("{")
    fill(layout, ONE)
    with pytest.raises(ImageError, match="index.json is not valid JSON"):
        layout.publish(ONE.manifest, ["1"], None)
    assert (path / "index.json").read_text() == "{"


def test_a_file_in_the_place_of_the_layout_is_a_plain_error(layout, path):
    path.write_text("x")
    with pytest.raises(ImageError, match="cannot write %s" % path):
        fill(layout, ONE)
    assert path.read_text() == "x"


def test_a_layout_never_mounts_and_always_says_to_look(layout, path, warnings):
    assert layout.location.mount_source(OciLayout(str(path), warnings.append).location) == ""
    assert layout.has_content()


APP, DB = "docker.io/library/app:1", "docker.io/library/db:1"


def test_a_name_of_several_images_of_docker_save_is_not_written(layout, path):
    layouts.docker_layout(path, (APP, ONE), (DB, TWO))
    before = (path / "index.json").read_bytes()
    for change in (
        lambda: publish(layout, OTHER, "1"),
        lambda: layout.retag({"1": ONE.manifest}),
        lambda: layout.delete_tag("1", ONE.digest),
    ):
        with pytest.raises(ImageError, match="several images named 1. Use one of these names: %s, %s" % (APP, DB)):
            change()
    assert (path / "index.json").read_bytes() == before


def test_an_image_of_docker_save_is_replaced_and_deleted_by_its_full_name(layout, path):
    layouts.docker_layout(path, (APP, ONE), (DB, TWO))
    publish(layout, OTHER, "app:1")
    assert names(path) == [("1", TWO.digest), ("app:1", OTHER.digest)]
    assert layout.delete_tag(DB, TWO.digest) == "tag"
    assert names(path) == [("app:1", OTHER.digest)]
    assert stored(path) == needed(OTHER)


@pytest.mark.parametrize("write", ["publish", "retag"])
def test_images_in_dockers_format_are_warned_of(layout, path, warnings, write):
    docker = images.image("linux/amd64", b"docker", mediaType=media_types.DOCKER_MANIFEST)
    if write == "publish":
        publish(layout, docker, "1", "2")
        publish(layout, docker, "3")
    else:
        layouts.fill(layout, docker)
        layout.retag({"1": docker.manifest})
    assert set(warnings) == {
        "oci:%s contains images in Docker's format. umoci cannot find them by name, and neither can versions of skopeo and podman that use "
        "containers/image before 5.35 (as in Debian 12). If you use one of these tools, copy the images with format: oci."
        % path
    }


def test_images_that_others_find_are_not_warned_of(layout, path, warnings):
    publish(layout, ONE, "1")
    publish(layout, images.image("linux/amd64", b"docker", mediaType=media_types.DOCKER_MANIFEST))
    assert warnings == []
