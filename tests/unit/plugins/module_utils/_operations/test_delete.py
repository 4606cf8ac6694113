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
from ansible_collections.drayage.registry.tests.unit.support.images import entry, index


@pytest.fixture
def place(place):
    return add_images(place)


@pytest.fixture
def run(stores):
    return deleting(stores)


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
