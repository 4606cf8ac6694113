# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries that match several repositories, not all of which have what the entry selects."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import Refused
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.jobs import told

A, B, C = (image("linux/amd64", b"base", text) for text in (b"a", b"b", b"c"))
NONE = "sha256:" + "0" * 64


@pytest.fixture
def source(memory):
    """Return the registry: ``t/a`` has the tag 1, ``t/b`` has only the tag 2, and ``t/gone`` is only in the catalog."""
    memory.catalog["s.example"] = ["t/a", "t/b", "t/gone"]
    memory["s.example/t/a"].add(A, tag="1")
    memory["s.example/t/b"].add(B, tag="2")
    return memory


@pytest.fixture
def place(source):
    """Return the registry, whose destinations have an old tag as well."""
    for name in ("t/a", "t/b", "t/gone"):
        source["d.example/" + name].add(C, tag="old")
    return source


@pytest.mark.parametrize("entry", [{"tags": ["1"]}, {"tags": [A.digest]}, {"include": ["1"]}])
def test_repositories_without_the_tag_are_skipped(source, sync, entry):
    synced = sync({"name": "t/*", **entry})
    assert not synced.failure
    assert [(job.repository, job.action) for job in synced.images] == [("d.example/t/a", "created")]
    assert not sync({"name": "t/*", **entry}).changed


@pytest.mark.parametrize("missing_ok", [True, False])
@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"tags": ["9"]}, "no matching repository has the tag 9"),
        ({"tags": ["1", "9"]}, "no matching repository has the tag 9"),
        ({"tags": [NONE]}, "no matching repository has the digest %s" % NONE),
        ({"tags": ["9"], "include": ["1"]}, "no matching repository has the tag 9"),
        ({"include": ["typo.*"]}, "no tag matches typo.*"),
        ({"include": ["1", "typo.*"]}, "no tag matches typo.*"),
        ({"semver": ">=9"}, "the entry selects no tags in any of the 3 matching repositories"),
    ],
)
def test_one_repository_needs_to_have_the_tag(place, sync, entry, message, missing_ok):
    """The task fails even if a repository of the catalog does not exist, and nothing is pruned."""
    synced = sync({"name": "t/*", **entry}, missing_ok=missing_ok, prune=True, keep_going=True)
    expected = "" if missing_ok else "s.example/t/*: %s. Correct the selection, or set missing_ok." % message
    assert synced.failure == expected
    if "tags" not in entry or not missing_ok:
        assert "deleted" not in {action for _name, action in told(synced)}


def test_nothing_is_written_if_no_repository_has_the_tag(source, sync):
    assert {action for _name, action in told(sync({"name": "t/*", "tags": ["1", "9"]}))} == {"failed"}
    assert source["d.example/t/a"].tags == {}


def test_a_catalog_of_repositories_that_do_not_exist_has_no_matching_tag(memory, sync):
    memory.catalog["s.example"] = ["t/gone"]
    assert "selects no tags in any of the 1 matching repositories" in sync({"name": "t/*"}).failure


def test_a_repository_that_another_entry_names_needs_to_have_the_tag(source, sync):
    entries = [{"name": "t/*", "tags": ["1"]}, {"name": "t/b", "tags": ["1"]}]
    for declared in (entries, entries[::-1]):
        assert sync(*declared).failure.startswith("s.example/t/b:1: ")


def test_a_listed_tag_that_does_not_exist_is_an_error(source, sync):
    source["s.example/t/a"].tags["3"] = NONE
    assert sync({"name": "t/*"}).failure.startswith("s.example/t/a:3: ")


def test_a_repository_that_cannot_be_listed_may_have_what_an_expression_matches(place, sync, monkeypatch):
    def refuse():
        raise Refused("returned 500")

    monkeypatch.setattr(place["s.example/t/b"], "tags", refuse)
    synced = sync({"name": "t/*", "include": ["1", "2"]}, prune=True, keep_going=True)
    assert "returned 500" in synced.failure
    assert "no tag matches" not in synced.failure
    assert "deleted" not in {action for _name, action in told(synced)}


@pytest.mark.parametrize("existing", ["update", "keep"])
@pytest.mark.parametrize("missing_ok", [True, False])
@pytest.mark.parametrize("entry", [{"tags": ["1"]}, {"include": ["1"]}])
def test_only_repositories_with_the_tag_are_pruned(place, sync, entry, missing_ok, existing):
    place["d.example/t/b"].add(C, tag="1")
    synced = sync({"name": "t/*", **entry}, prune=True, missing_ok=missing_ok, existing=existing)
    assert not synced.failure
    assert [name for name, action in told(synced) if action == "deleted"] == ["t/a:old"]
    assert place["d.example/t/b"].tags.keys() == {"old", "1"}


@pytest.mark.parametrize("names", [["1"], ["1", "2"], ["1", "2", "3"]])
def test_all_shares_together_prune_what_one_host_does(place, sync, names):
    for tag in names[1:]:
        place["s.example/t/a"].add(A, tag=tag)
    for number in range(8):
        for name in ("t/a", "t/gone"):
            place["d.example/" + name].add(C, tag="old-%d" % number)
    for share in ("1/3", "2/3", "3/3"):
        assert not sync({"name": "t/*", "tags": names}, prune=True, slice=share).failure
    assert place["d.example/t/a"].tags.keys() == set(names)
    assert len(place["d.example/t/gone"].tags) == 9
    assert ("old" in place["d.example/t/b"].tags) is ("2" not in names)


@pytest.mark.parametrize(
    ("anchored", "hint"),
    [(True, " An expression must match the whole tag, for example 1\\.2\\..*."), (False, "")],
)
def test_an_expression_that_matches_nothing_is_quoted_as_it_was_written(source, sync, anchored, hint):
    synced = sync({"name": "t/a", "include": ["^9"], "anchored": anchored})
    expected = "s.example/t/a: no tag matches ^9. Correct the expression, or set missing_ok."
    assert synced.failure == expected + hint
