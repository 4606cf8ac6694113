# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletion after an earlier one was interrupted, so that a tag points to its marker."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, Refused
from ansible_collections.drayage.registry.plugins.module_utils._image import deletion_marker
from ansible_collections.drayage.registry.plugins.module_utils._operations.delete import Deleted
from ansible_collections.drayage.registry.tests.unit.support.deletions import (
    BY_DIGEST,
    ONE,
    REPOSITORY,
    TEN,
    TWO,
    A,
    B,
    Forgetful,
    add_images,
    deleting,
)
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import Api, attach


@pytest.fixture
def place(place):
    return add_images(place)


@pytest.fixture
def run(stores):
    return deleting(stores)


def test_an_interrupted_deletion_is_completed(run, place):
    config, marker = deletion_marker.make(B.digest, docker=False)
    place.add(marker, tag="2")
    assert run(TWO + "@" + B.digest).digest == marker.digest
    assert "2" not in place.tags
    place.add(marker, tag="2")
    with pytest.raises(ImageError, match="the tag points to " + marker.digest):
        run(TWO + "@" + A.digest)


class TestManifestWhoseTagPointsToADeletionMarker:
    """The task is to delete an image with all its tags, after the deletion of one of them was interrupted."""

    NAME = TWO + "@" + A.digest

    @pytest.fixture
    def marker(self, place):
        place.referrers = Api(place)
        config, marker = deletion_marker.make(A.digest, docker=False)
        place.add(marker, tag="2")
        return marker

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_marker_and_image_are_deleted_in_one_run(self, run, place, marker, dry_run):
        deleted = run(self.NAME, "manifest", dry_run)
        image = {ONE: A.digest, TEN: A.digest, BY_DIGEST: A.digest}
        before = {TWO: marker.digest, REPOSITORY + "@" + marker.digest: marker.digest, **image}
        method = "" if dry_run else "digest"
        assert deleted == Deleted(A.digest, ["1", "2", "10"], [], before, dict.fromkeys(before), method)
        assert place.names("delete") == ([] if dry_run else [A.digest, marker.digest])
        if not dry_run:
            assert not place.tags
            assert run(self.NAME, "manifest") == Deleted()

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_referrers_of_the_image_are_deleted(self, run, place, marker, dry_run):
        sbom = attach(place, A, b"sbom")
        deleted = run(self.NAME, "manifest", dry_run, referrers=True)
        assert (deleted.digest, [one.digest for one in deleted.attached]) == (A.digest, [sbom.digest])
        assert place.names("delete") == ([] if dry_run else [A.digest, marker.digest, sbom.digest])

    def test_the_rest_is_deleted_if_the_image_was_deleted(self, run, place, marker):
        sbom = attach(place, A, b"sbom")
        place.delete(A.digest)
        deleted = run(self.NAME, "manifest", referrers=True)
        assert (deleted.digest, deleted.removed, deleted.method) == (A.digest, ["2"], "digest")
        assert BY_DIGEST not in deleted.before
        assert [one.digest for one in deleted.attached] == [sbom.digest]
        assert not {marker.digest, sbom.digest} & set(place.manifests)
        assert run(self.NAME, "manifest", referrers=True) == Deleted()

    def test_a_run_that_fails_between_both_is_repeated(self, run, place, marker):
        delete_manifest, broken = place.delete, [marker.digest]

        def refuse_once(digest):
            if digest in broken:
                broken.remove(digest)
                raise Refused("returned 500")
            return delete_manifest(digest)

        place.delete = refuse_once
        with pytest.raises(Refused):
            run(self.NAME, "manifest")
        assert run(self.NAME, "manifest").removed == ["2"]
        assert marker.digest not in place.manifests

    def test_nothing_is_deleted_while_tags_are_uncertain(self, run, place, marker):
        Forgetful(place, "1", "10")
        with pytest.raises(ImageError, match="would be deleted along with manifest " + A.digest):
            run(self.NAME, "manifest")
        assert {A.digest, marker.digest} < set(place.manifests)

    def test_only_the_tag_is_deleted_with_scope_tag(self, run, place, marker):
        assert (run(self.NAME).digest, set(place.tags)) == (marker.digest, {"1", "10"})
