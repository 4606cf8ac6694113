# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletion of an image with its referrers."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, Refused
from ansible_collections.drayage.registry.plugins.module_utils._operations.delete import Deleted
from ansible_collections.drayage.registry.tests.unit.support.deletions import (
    BY_DIGEST,
    ONE,
    REPOSITORY,
    TEN,
    A,
    B,
    add_images,
    deleting,
)
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import Api, attach


@pytest.fixture
def place(place):
    return add_images(place)


@pytest.fixture
def run(stores):
    return deleting(stores)


class TestReferrers:
    @pytest.fixture(autouse=True)
    def referrers(self, place):
        place.referrers = Api(place)
        return place.referrers

    @pytest.fixture
    def sbom(self, place):
        return attach(place, A, b"sbom")

    @pytest.fixture
    def signature(self, place, sbom):
        return attach(place, sbom, b"signature of the sbom")

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_they_are_deleted_after_the_image_and_the_deepest_first(
        self, run, stores, place, sbom, signature, referrers, dry_run
    ):
        kept = attach(place, B, b"sbom of another image")
        deleted = run(ONE, "manifest", dry_run, referrers=True)
        assert [one.digest for one in deleted.attached] == [sbom.digest, signature.digest]
        assert stores.opened == [(ONE, True, "", True)]
        gone = [] if dry_run else [A.digest, signature.digest, sbom.digest]
        assert place.names("delete") == gone
        lists = [(sbom.digest, [signature.digest]), (A.digest, [sbom.digest])]
        assert referrers.detached == ([] if dry_run else lists)
        assert kept.digest in place.manifests

    def test_they_stay_unless_their_deletion_is_requested(self, run, place, sbom):
        assert run(ONE, "manifest").attached == []
        assert sbom.digest in place.manifests

    def test_one_with_a_tag_stays_with_what_is_attached_to_it(self, run, place, sbom, signature):
        place.add(sbom, tag="sbom")
        assert run(ONE, "manifest", referrers=True).attached == []
        assert {sbom.digest, signature.digest} < set(place.manifests)

    def test_a_cosign_tag_is_deleted_with_its_manifest(self, run, place, referrers):
        tag = "sha256-%s.sig" % A.digest[7:]
        signature = image("unknown/unknown", b"cosign's signature")
        place.add(signature, tag=tag)
        deleted = run(ONE, "manifest", referrers=True)
        assert [(one.digest, one.tag) for one in deleted.attached] == [(signature.digest, tag)]
        assert signature.digest not in place.manifests
        assert (tag in place.tags, referrers.detached) == (False, [])

    def test_a_cosign_tag_that_outlives_its_manifest_is_deleted_too(self, run, place):
        tag = "sha256-%s.sig" % A.digest[7:]
        place.add(image("unknown/unknown", b"cosign's signature"), tag=tag)
        delete_manifest = place.delete
        place.delete = lambda digest: delete_manifest(digest) if digest == A.digest else True
        run(ONE, "manifest", referrers=True)
        assert place.names("delete_tag") == [tag]

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_the_rest_of_an_interrupted_deletion_is_deleted_by_the_digest(self, run, place, sbom, dry_run):
        place.delete(A.digest)
        deleted = run(BY_DIGEST, "manifest", dry_run, referrers=True)
        assert [one.digest for one in deleted.attached] == [sbom.digest]
        assert deleted == Deleted(A.digest, method="" if dry_run else "digest", attached=deleted.attached)
        assert (sbom.digest in place.manifests) is dry_run
        if not dry_run:
            assert run(BY_DIGEST, "manifest", referrers=True) == Deleted()
            assert run(ONE, "manifest", referrers=True) == Deleted()

    def test_a_failure_says_how_to_delete_the_rest(self, run, place, sbom):
        delete_manifest = place.delete

        def refuse(digest):
            if digest == sbom.digest:
                raise Refused("returned 405", hint="Allow it.")
            return delete_manifest(digest)

        place.delete = refuse
        with pytest.raises(Refused) as caught:
            run(ONE, "manifest", referrers=True)
        assert str(caught.value) == (
            "%s@%s: returned 405. Allow it. The image itself was deleted. Run the task again with its digest to delete "
            "its referrers. If tags of the deleted image remain, delete each of them with scope: tag."
            % (REPOSITORY, sbom.digest)
        )

    def test_they_are_deleted_before_a_tag_that_cannot_be_deleted(self, run, place, sbom):
        place.delete = lambda digest: place.asked.append(("delete", digest)) or True
        place.broken.add("10")
        place.find = place.resolve
        with pytest.raises(Refused, match=TEN + ": returned 500"):
            run(ONE, "manifest", referrers=True)
        assert place.names("delete") == [A.digest, sbom.digest]

    def test_they_cannot_be_deleted_with_a_tag(self, run, place):
        with pytest.raises(ImageError, match="referrers cannot be deleted with scope: tag") as caught:
            run(ONE, referrers=True)
        assert str(caught.value).endswith("Set scope: manifest, or remove the referrers option.")
        del place.referrers
        with pytest.raises(ImageError, match="cannot store referrers"):
            run(ONE, "manifest", referrers=True)
