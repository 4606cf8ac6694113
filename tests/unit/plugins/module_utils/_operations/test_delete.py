# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    AccessDenied,
    ImageError,
    InvalidReference,
    Refused,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import deletion_marker
from ansible_collections.drayage.registry.plugins.module_utils._operations.delete import (
    Deleted,
    DeleteOptions,
    delete,
)
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import Api, attach

A, B = (image("linux/amd64", b"base", text) for text in (b"a", b"b"))
REPOSITORY = "r.example/app"
ONE, TEN, TWO = (REPOSITORY + ":" + tag for tag in ("1", "10", "2"))
BY_DIGEST = REPOSITORY + "@" + A.digest


@pytest.fixture
def place(place):
    """Have two tags of one image, and one of another."""
    return place.add(A, tag="10").add(A, tag="1").add(B, tag="2")


@pytest.fixture
def run(stores):
    def deleted(image, scope="tag", dry_run=False, **more):
        stores.run = runs.run(dry_run=dry_run)
        return delete(DeleteOptions(image, scope, **more), stores)

    return deleted


def warnings(stores):
    return stores.run.statistics.warnings


@pytest.mark.parametrize("dry_run", [True, False])
def test_deleting_a_tag_keeps_the_other_tags_of_its_image(run, stores, place, dry_run):
    deleted = run(ONE, dry_run=dry_run)
    before = {ONE: A.digest, TEN: A.digest}
    method = "" if dry_run else "unique_manifest"
    assert deleted == Deleted(A.digest, ["1"], ["10"], before, {**before, ONE: None}, method)
    assert list(deleted.before) == [ONE, TEN]
    assert dict(place.tags) == {"10": A.digest, "2": B.digest, **({"1": A.digest} if dry_run else {})}
    assert A.digest in place.manifests
    assert stores.opened == [(ONE, False, "", True)]
    assert warnings(stores) == []


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("name", [TEN, BY_DIGEST, TEN + "@" + A.digest])
def test_deleting_a_manifest_deletes_all_its_tags(run, place, name, dry_run):
    deleted = run(name, "manifest", dry_run)
    before = {ONE: A.digest, TEN: A.digest, BY_DIGEST: A.digest}
    method = "" if dry_run else "digest"
    assert deleted == Deleted(A.digest, ["1", "10"], [], before, dict.fromkeys(before), method)
    assert (A.digest in place.manifests, set(place.tags)) == ((True, {"1", "2", "10"}) if dry_run else (False, {"2"}))


def test_an_image_is_deleted_with_its_last_tag(run, place):
    deleted = run(TWO)
    assert (deleted.method, deleted.removed, deleted.kept) == ("digest", ["2"], [])
    assert (deleted.before, deleted.after) == ({TWO: B.digest}, {TWO: None})
    assert B.digest not in place.manifests


def test_an_image_without_a_tag_stays_if_the_registry_deletes_tags(run, place):
    place.deletes = "tag"
    assert run(TWO).method == "tag"
    assert B.digest in place.manifests


def test_an_image_without_a_tag_stays_if_it_may_be_a_child_of_an_index(run, place):
    place.add(index(entry(B, "linux/amd64")), tag="all")
    assert run(TWO).method == "unique_manifest"
    assert B.digest in place.manifests


@pytest.mark.parametrize("tag", ["2", "new"])
def test_an_image_without_a_tag_stays_if_another_client_moves_tags(run, place, tag):
    """A deleted tag is listed again, or one that was not there before."""
    delete_tag = place.delete_tag

    def push_meanwhile(name, digest):
        how = delete_tag(name, digest)
        place.tags[tag] = B.digest
        return how

    place.delete_tag = push_meanwhile
    assert run(TWO).method == "unique_manifest"
    assert B.digest in place.manifests


@pytest.mark.parametrize("others", [100, 101])
def test_an_image_without_a_tag_stays_if_there_are_too_many_tags_to_look_at(run, place, others):
    del place.tags["1"], place.tags["10"]
    for number in range(others):
        place.tags["t%d" % number] = A.digest
    assert run(TWO).method == ("digest" if others == 100 else "unique_manifest")


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        (REPOSITORY + ":3", "tag"),
        (REPOSITORY + ":3", "manifest"),
        (REPOSITORY + "@sha256:" + "0" * 64, "manifest"),
        ("r.example/none:1", "tag"),
    ],
)
def test_what_does_not_exist_is_not_deleted(run, place, name, scope):
    assert run(name, scope) == Deleted()
    assert set(place.tags) == {"1", "2", "10"}


@pytest.mark.parametrize("existed", [True, False])
@pytest.mark.parametrize("name", [ONE, BY_DIGEST])
def test_tags_that_a_registry_keeps_are_deleted_after_their_image(run, place, name, existed):
    """The image no longer exists if an earlier task failed before it could delete the tags."""
    place.delete = lambda digest: existed
    deleted = run(name, "manifest")
    assert (deleted.method, deleted.removed, set(place.tags)) == ("digest", ["1", "10"], {"2"})
    assert place.names("delete_tag") == ["1", "10"]


def test_a_tag_that_a_registry_keeps_and_does_not_delete_is_an_error(run, place):
    place.delete = lambda digest: place.broken.add("10") or True
    with pytest.raises(Refused) as caught:
        run(ONE, "manifest")
    assert str(caught.value) == (
        TEN + ": returned 500. If tags of the deleted image remain, delete each of them with scope: tag."
    )


def deny_absent(place, status):
    """Let a place refuse to resolve what it does not have, as some registries do, but find it certainly absent."""
    resolve = place.resolve

    def denied(name):
        found = resolve(name)
        if not found:
            raise AccessDenied("denied", status=status)
        return found

    place.find, place.resolve = resolve, denied


def test_a_registry_may_return_403_for_a_deleted_tag(run, place):
    deny_absent(place, 403)
    deleted = run(ONE, "manifest")
    assert (deleted.method, deleted.removed, set(place.tags)) == ("digest", ["1", "10"], {"2"})


def test_a_login_that_is_refused_after_the_deletion_is_an_error(run, place):
    deny_absent(place, 401)
    with pytest.raises(AccessDenied, match=ONE + r": denied\. If tags of the deleted image remain"):
        run(ONE, "manifest")


def test_a_tag_that_moves_while_its_image_is_deleted_stays(run, place):
    def move(digest):
        place.tags.update({"1": B.digest, "10": B.digest})
        return True

    place.delete = move
    assert run(ONE, "manifest").method == "digest"
    assert place.names("delete_tag") == []


def test_what_vanishes_under_way_was_not_deleted(run, place):
    def vanish(digest):
        place.tags.clear()
        return False

    place.delete = vanish
    assert run(ONE, "manifest") == Deleted()
    place.add(B, tag="2")
    place.delete_tag = lambda tag, digest: ""
    assert run(TWO) == Deleted()


def test_an_image_without_its_tag_is_deleted_by_its_digest(run, place):
    deleted = run(REPOSITORY + ":3@" + A.digest, "manifest")
    assert (deleted.digest, deleted.removed) == (A.digest, ["1", "10"])
    assert run(REPOSITORY + ":3@" + B.digest) == Deleted()


@pytest.mark.parametrize("scope", ["tag", "manifest"])
def test_a_tag_that_has_moved_on_is_not_deleted(run, place, scope):
    with pytest.raises(ImageError) as caught:
        run(TWO + "@" + A.digest, scope)
    assert str(caught.value) == (
        "%s@%s: the tag points to %s, not to the digest in the reference. Nothing was deleted. Correct or remove the "
        "digest." % (TWO, A.digest, B.digest)
    )
    assert set(place.tags) == {"1", "2", "10"}


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


@pytest.mark.parametrize(
    ("name", "scope", "cause"),
    [
        ("oci:/x:@0", "tag", "cannot be deleted by position, because positions change. Use the image name"),
        ("oci:/x:@0", "manifest", "an image cannot be deleted by position"),
        ("dir:/x", "tag", "images in directories have no tags. Set scope: manifest to delete the image."),
        (REPOSITORY, "tag", "the reference has no tag to delete. Add a tag, or set scope: manifest to delete"),
        (BY_DIGEST, "tag", "the reference has no tag to delete. Add a tag, or set scope: manifest to delete"),
        (REPOSITORY, "manifest", "the reference has neither a tag nor a digest. Add the tag or digest of the image"),
        ("docker-daemon:app", "manifest", "the reference has neither a tag nor a digest"),
        ("oci:/x:sha256:" + "0" * 64, "tag", "the reference has no tag to delete"),
    ],
)
def test_a_reference_must_have_what_is_deleted(run, stores, name, scope, cause):
    with pytest.raises(InvalidReference) as caught:
        run(name, scope)
    assert cause in str(caught.value)
    assert stores.opened == []


class Forgetful:
    """Lets a repository list these tags, whatever it has."""

    def __init__(self, place, *listed):
        self._tags, self._listed = place.tags, listed
        place.tags = self

    def __call__(self):
        return list(self._listed)

    def __getattr__(self, name):
        return getattr(self._tags, name)

    def __delitem__(self, name):
        del self._tags[name]


def test_a_manifest_is_not_deleted_while_its_tags_are_uncertain(run, place):
    Forgetful(place, "2", "10")
    with pytest.raises(ImageError) as caught:
        run(ONE, "manifest")
    assert str(caught.value) == (
        "%s: cannot determine which tags would be deleted along with manifest %s: the tag list does not contain the "
        "existing tag 1. Nothing was deleted. Run the task again, or delete the tags one by one with scope: tag."
        % (ONE, A.digest)
    )
    assert A.digest in place.manifests


@pytest.mark.parametrize(
    ("scope", "name", "what"), [("tag", TWO, "kept_tags"), ("manifest", BY_DIGEST, "removed_tags")]
)
def test_a_list_with_tags_that_do_not_exist_is_a_warning(run, stores, place, scope, name, what):
    gone = ["x%d" % number for number in range(7)]
    Forgetful(place, "1", "2", "10", *gone)
    deleted = run(name, scope)
    doubt = "the tag list contains tags that do not exist: x0, x1, x2, x3, x4"
    [warning] = warnings(stores)
    assert warning.startswith("The return value %s may be incomplete for %s: %s" % (what, deleted.digest, doubt))
    assert "x5" not in warning
    assert deleted.method == ("unique_manifest" if scope == "tag" else "digest")


def test_a_repository_that_lists_no_tags_is_a_warning(run, stores, place):
    place.tags.clear()
    assert run(BY_DIGEST, "manifest").removed == []
    [warning] = warnings(stores)
    assert warning.endswith(": there is no such repository")


def test_an_image_stays_if_a_tag_cannot_be_resolved(run, place):
    place.broken.add("10")
    with pytest.raises(Refused) as caught:
        run(TWO)
    assert str(caught.value) == TEN + ": returned 500."
    assert B.digest in place.manifests


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
