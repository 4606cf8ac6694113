# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidReference, NotFound, Refused
from ansible_collections.drayage.registry.plugins.module_utils._image.tag_selection import TagSelection
from ansible_collections.drayage.registry.plugins.module_utils._operations.tags import Listed, assign_tags, list_tags
from ansible_collections.drayage.registry.tests.unit.support import layouts, runs
from ansible_collections.drayage.registry.tests.unit.support.images import image

A, B = image("linux/amd64", b"a"), image("linux/amd64", b"b")
REPOSITORY = "r.example/app"


@pytest.fixture
def place(place):
    return place.add(A, tag="1").add(B, tag="2")


@pytest.fixture
def assign(stores):
    def assigned(repository=REPOSITORY, dry_run=False, **targets):
        stores.run = runs.run(dry_run=dry_run)
        return assign_tags(repository, targets, stores)

    return assigned


class TestList:
    def test_tags_are_listed_without_further_requests(self, stores, place):
        listed = list_tags(REPOSITORY, TagSelection(), False, stores)
        assert listed == Listed(True, ["1", "2"], {})
        assert place.names("resolve") == []
        assert stores.opened == [(REPOSITORY, False, "", False)]

    def test_digests_are_looked_up_on_request(self, stores, place):
        listed = list_tags(REPOSITORY, TagSelection(), True, stores)
        assert listed.digests == {"1": A.digest, "2": B.digest}
        assert stores.run.statistics.warnings == []

    def test_a_repository_that_does_not_exist_has_no_tags(self, stores):
        assert list_tags("r.example/none", TagSelection(), True, stores) == Listed(False, [], {})

    def test_a_listed_tag_that_does_not_exist_is_a_warning(self, stores, place):
        del place.manifests[B.digest]
        assert list_tags(REPOSITORY, TagSelection(), True, stores) == Listed(True, ["1", "2"], {"1": A.digest})
        assert stores.run.statistics.warnings == [
            REPOSITORY + ": the tag list contains tags that do not exist: 2",
        ]


def test_without_tags_to_move_the_repository_is_looked_up(assign, stores, place):
    assert assign().exists
    assert not assign("r.example/none").exists
    assert not assign().changed
    assert stores.opened[0] == (REPOSITORY, False, "", False)
    with pytest.raises(InvalidReference):
        assign(REPOSITORY + ":1")


@pytest.mark.parametrize("dry_run", [True, False])
def test_tags_move_to_their_targets(assign, stores, place, dry_run):
    assigned = assign(dry_run=dry_run, new="1", latest=B.digest, **{"2": 1})
    assert assigned.changed
    assert assigned.before == {"new": None, "latest": None, "2": B.digest}
    assert assigned.after == {"new": A.digest, "latest": B.digest, "2": A.digest}
    assert list(assigned.after) == ["new", "latest", "2"]
    assert assigned.references == {name: "%s:%s" % (REPOSITORY, name) for name in ("new", "latest", "2")}
    moved = {} if dry_run else assigned.after
    assert dict(place.tags) == {"1": A.digest, "2": B.digest, **moved}
    assert stores.opened == [(REPOSITORY, True, "", False)]


def test_a_tag_that_points_to_its_target_is_left_alone(assign, place):
    place.asked.clear()
    assert not assign(**{"1": A.digest}).changed
    assert place.names("put_manifest") == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_tags_can_swap_their_images(assign, stores, place, dry_run):
    assert assign(dry_run=dry_run, **{"1": "2", "2": "1"}).changed
    swapped = {"1": B.digest, "2": A.digest}
    assert dict(place.tags) == ({"1": A.digest, "2": B.digest} if dry_run else swapped)
    assert stores.run.statistics.warnings == []


def test_swapping_equal_tags_is_a_warning(assign, stores, place):
    place.add(A, tag="2")
    assert not assign(**{"2": "1", "1": "2"}).changed
    assert stores.run.statistics.warnings == [REPOSITORY + ": the tags to swap already point to the same image: 1, 2"]


def test_a_tag_that_is_its_own_target_is_no_swap(assign, stores, place):
    assert not assign(**{"1": "1"}).changed
    assert stores.run.statistics.warnings == []


def test_a_target_that_does_not_exist_is_an_error_before_any_tag_moves(assign, place):
    with pytest.raises(NotFound):
        assign(**{"2": "1", "x": "none"})
    assert dict(place.tags) == {"1": A.digest, "2": B.digest}


def refuse(place, refused, then=lambda name: None):
    """Let a repository refuse to write one tag."""
    publish = place.publish

    def publish_or_refuse(manifest, tags, wanted):
        if refused in tags:
            then(refused)
            raise Refused("returned 409", hint="Wait")
        publish(manifest, tags, wanted)

    place.publish = publish_or_refuse


def test_tags_are_restored_if_one_of_them_cannot_move(assign, place):
    refuse(place, "new")
    with pytest.raises(Refused) as caught:
        assign(**{"1": "2", "2": "1", "new": "1"})
    assert str(caught.value) == REPOSITORY + ":new: returned 409. Wait."
    assert dict(place.tags) == {"1": A.digest, "2": B.digest}


def test_a_tag_that_another_client_moves_is_not_restored(assign, place):
    other = image("linux/amd64", b"c")
    place.add(other, tag="other")
    refuse(place, "new", lambda _name: place.tags.update({"1": other.digest}))
    with pytest.raises(Refused):
        assign(**{"1": "2", "new": "1"})
    assert place.tags["1"] == other.digest


def test_tags_that_cannot_be_restored_are_in_the_error(assign, place):
    def break_down(_name):
        def fail(_name):
            raise Refused("returned 500")

        place.resolve = fail

    refuse(place, "new", break_down)
    with pytest.raises(Refused) as caught:
        assign(**{"1": "2", "new": "1"})
    assert str(caught.value) == (
        "%s:new: returned 409. These tags may have moved already. Their previous digests: 1: %s."
        % (REPOSITORY, A.digest)
    )


def test_the_names_in_a_layout_can_be_moved(assign, tmp_path):
    path = tmp_path / "layout"
    layouts.foreign_layout(path, ("1", A), ("2", B))
    assert assign("oci:%s" % path, **{"2": "1", "docker.io/library/x:1": B.digest}).changed
    assert dict(layouts.names(path)) == {"1": A.digest, "2": A.digest, "docker.io/library/x:1": B.digest}


@pytest.mark.parametrize(
    ("repository", "targets", "cause"),
    [
        ("dir:/x", {"a": "1"}, "dir:/x: images in directories have no tags. Use a registry, an OCI layout"),
        (REPOSITORY + ":1", {"a": "1"}, "a repository is required, but the reference has a tag or digest"),
        (REPOSITORY + "@" + A.digest, {"a": "1"}, "Remove the tag or digest."),
        (REPOSITORY, {"a": 1.1}, "tags: the target of tag a is not a string. Put the target in quotes."),
        (REPOSITORY, {"a": True}, "tags: the target of tag a is not a string. Put the target in quotes."),
        (REPOSITORY, {"a": None}, "tags: the target of tag a is not a string. Put the target in quotes."),
        (REPOSITORY, {A.digest: "1"}, "is not a valid tag. Write only the tag, without a repository."),
        (REPOSITORY, {"a/b:1": "1"}, "tags: 'a/b:1' is not a valid tag. Write only the tag, without a repository."),
        (REPOSITORY, {"a": "b/c:1"}, "tags: the target 'b/c:1' of tag a is neither a tag nor a digest. Write only a"),
    ],
)
def test_tags_and_targets_are_checked_before_anything_is_opened(assign, stores, repository, targets, cause):
    with pytest.raises(InvalidReference) as caught:
        assign(repository, **targets)
    assert cause in str(caught.value)
    assert stores.opened == []
