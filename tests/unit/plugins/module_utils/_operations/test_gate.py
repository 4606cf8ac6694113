# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Only the image that was verified is copied, even if its tag moves while the destination loses content."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ContentMissing, ImageError, NotFound
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._operations.copy import CopyOptions, copy
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.gate import OPEN, Gate
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.declaration import Entry, SyncOptions
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.sync import sync
from ansible_collections.drayage.registry.tests.unit.support import layouts
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import Repository
from ansible_collections.drayage.registry.tests.unit.support.signing_keys import new_key

IMAGE = image("linux/amd64", b"signed", b"shared")
SIGNED = index(entry(IMAGE, "linux/amd64"))
EVIL = image("linux/amd64", b"a much larger layer", b"shared")


class OnlySigned:
    """A rule that only one image meets."""

    def __init__(self):
        self.checked = []

    def check(self, image, used):
        self.checked.append(used.digest)
        if used.digest != SIGNED.digest:
            raise ImageError("it is not signed")
        return []


class Collected(Repository):
    """Loses all blobs when the first manifest arrives; at that moment, ``move`` is called."""

    has_lost = False

    def put_manifest(self, manifest):
        if not self.has_lost:
            self.has_lost = True
            self.content.clear()
            self.move()
            raise ContentMissing("blob unknown")
        super().put_manifest(manifest)


class OnlyTags(Repository):
    """Finds no image by its digest, only by its tag."""

    def manifest(self, name, legacy=False):
        if name in (SIGNED.digest, EVIL.digest):
            raise NotFound("it is not there")
        return super().manifest(name, legacy)


@pytest.fixture
def destination(stores):
    return stores.repository("s.example", "app", Collected)


@pytest.fixture
def rule():
    return OnlySigned()


def run_copy(stores, gate, src="r.example/app:1", **options):
    return copy(CopyOptions(src, "s.example/app:1", **options), stores, gate).job


def run_sync(stores, gate, **options):
    options = SyncOptions(images=[Entry("app", tags=["1"])], src="r.example", dest="s.example", **options)
    result = sync(options, stores, gate)
    (job,) = result.images
    if job.error:
        raise job.error
    return job


def move_tag(source, destination):
    """Let the destination lose content, and the tag of the source point to the other image."""
    source.add(EVIL, IMAGE, SIGNED, tag="1")
    destination.move = lambda: source.tags.update({"1": EVIL.digest})


NO_REQUIREMENTS = {"signed_by": None, "policy": None, "registries_d": None}


def read_options(**options):
    return Gate.from_options({**NO_REQUIREMENTS, **options}, lambda *_arguments: (1, "", ""), lambda *_arguments: None)


@pytest.mark.parametrize(
    "options", [{"policy": ""}, {"signed_by": {"public_keys": [new_key().public.pem], "identity": {}}}]
)
def test_an_empty_requirement_is_an_error(options):
    assert read_options() == OPEN
    with pytest.raises(ImageError):
        read_options(**options)


@pytest.mark.parametrize("run", [run_copy, run_sync])
def test_the_verified_image_is_copied_even_if_its_tag_moves(stores, place, destination, rule, run):
    move_tag(place, destination)
    job = run(stores, Gate((rule,)), max_bytes=sum(map(len, IMAGE.blobs)))
    assert rule.checked == [SIGNED.digest]
    assert (job.digest, job.planned.source_digest, job.is_done) == (SIGNED.digest, SIGNED.digest, True)
    assert destination.tags == {"1": SIGNED.digest}
    assert set(destination.manifests) == {IMAGE.digest, SIGNED.digest}
    assert set(destination.content) == {digests.of(content) for content in IMAGE.blobs}


@pytest.mark.parametrize("run", [run_copy, run_sync])
def test_no_other_image_is_copied_if_the_source_does_not_find_digests(stores, destination, rule, run):
    move_tag(stores.repository("r.example", "app", OnlyTags), destination)
    with pytest.raises(ImageError) as caught:
        run(stores, Gate((rule,)))
    assert str(caught.value) == (
        "r.example/app:1: the source changed from %s to %s during this run, so the image was not copied. Run the task again."
        % (SIGNED.digest, EVIL.digest)
    )
    assert (destination.tags, destination.manifests, destination.content) == ({}, {}, {})


def test_content_is_sent_again_if_the_source_does_not_find_digests(stores, destination, rule):
    stores.repository("r.example", "app", OnlyTags).add(IMAGE, SIGNED, tag="1")
    destination.move = lambda: None
    assert run_copy(stores, Gate((rule,))).digest == SIGNED.digest
    assert destination.tags == {"1": SIGNED.digest}


def test_platforms_are_selected_from_the_verified_image(stores, place, destination, rule):
    move_tag(place, destination)
    run_copy(stores, Gate((rule,)), platforms=["linux/amd64"], platform_mode="image")
    assert destination.tags == {"1": IMAGE.digest}


@pytest.fixture
def disk(stores, place, destination, tmp_path):
    """Write the signed image to disk, and replace it by the other one when the destination loses content."""
    place.add(EVIL, tag="evil").add(IMAGE, SIGNED, tag="1")

    def write(kind, name, *more):
        src = "%s:%s%s" % (kind, tmp_path / "images", name)
        copy(CopyOptions("r.example/app:1", src, tags=more), stores)
        destination.move = lambda: copy(CopyOptions("r.example/app:evil", src), stores)
        return src

    return write


def test_a_layout_still_has_the_verified_image_under_another_name(stores, destination, rule, disk, tmp_path):
    run_copy(stores, Gate((rule,)), disk("oci", ":1", "kept"))
    assert dict(layouts.names(tmp_path / "images")) == {"1": EVIL.digest, "kept": SIGNED.digest}
    assert destination.tags == {"1": SIGNED.digest}


@pytest.mark.parametrize(("kind", "name"), [("oci", ":1"), ("dir", "")])
def test_an_image_that_is_replaced_on_disk_is_not_copied(stores, destination, rule, disk, kind, name):
    with pytest.raises(ImageError, match="the source changed from %s to %s" % (SIGNED.digest, EVIL.digest)):
        run_copy(stores, Gate((rule,)), disk(kind, name))
    assert (destination.tags, destination.manifests, destination.content) == ({}, {}, {})
