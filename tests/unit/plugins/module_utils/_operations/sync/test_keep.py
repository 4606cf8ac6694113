# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With ``existing: keep``, no existing tag is overwritten, whatever the tag list of the destination contains."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import NotFound, Refused
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import Tags

OLD, NEW = image("linux/amd64", b"old"), image("linux/amd64", b"new")


class ShortTags(Tags):
    """Tags of which the list has only the first one; with ``is_absent``, there is no list."""

    is_absent = False

    def __call__(self):
        if self.is_absent:
            raise NotFound("there is no such repository")
        return super().__call__()[:1]


@pytest.fixture
def source(memory):
    return memory["s.example/a"].add(NEW, tag="1").add(NEW, tag="2").add(NEW, tag="3")


@pytest.fixture
def place(memory, source):
    """Return the destination, which has the tags 1 and 2, but does not list 2."""
    found = memory["d.example/a"].add(OLD, tag="1").add(OLD, tag="2")
    found.tags = ShortTags(found.tags)
    return found


def actions(synced):
    return [(job.name, job.action, job.digest) for job in synced.images]


@pytest.mark.parametrize("entry", [{}, {"tags": ["1", "2", "3"]}])
@pytest.mark.parametrize("dry_run", [True, False])
def test_tags_that_are_not_listed_are_kept(sync, place, entry, dry_run):
    synced = sync({"name": "a", **entry}, existing="keep", dry_run=dry_run)
    assert actions(synced) == [("1", "unchanged", ""), ("2", "unchanged", ""), ("3", "created", NEW.digest)]
    assert place.tags["1"] == place.tags["2"] == OLD.digest
    assert place.names("resolve")[:2] in (["2", "3"], ["3", "2"])
    assert "1" not in place.names("resolve")


def test_tags_in_a_repository_without_a_list_are_kept(sync, place):
    place.tags.is_absent = True
    synced = sync({"name": "a"}, existing="keep")
    assert [action for _name, action, _digest in actions(synced)] == ["unchanged", "unchanged", "created"]


def test_a_tag_that_cannot_be_resolved_is_not_written(sync, place, monkeypatch):
    resolve = place.resolve

    def refuse(name):
        if name == "2":
            raise Refused("returned 500")
        return resolve(name)

    monkeypatch.setattr(place, "resolve", refuse)
    synced = sync({"name": "a"}, existing="keep", keep_going=True)
    assert [(job.name, job.action) for job in synced.images] == [("1", "unchanged"), ("2", "failed"), ("3", "created")]
    assert str(synced.images[1].error) == "d.example/a:2: returned 500."
    assert place.tags["2"] == OLD.digest


def test_a_digest_is_not_confirmed(sync, source, place):
    assert actions(sync({"name": "a", "tags": [NEW.digest]}, existing="keep")) == [(NEW.digest, "created", NEW.digest)]
    assert place.names("resolve") == [NEW.digest]


def test_each_tag_is_confirmed_once(sync, place):
    sync({"name": "a"}, existing="keep")
    assert sorted(place.names("resolve")) == ["2", "3"]


def test_tags_that_are_not_listed_are_updated(sync, place):
    synced = sync({"name": "a"})
    assert [action for _name, action, _digest in actions(synced)] == ["updated", "updated", "created"]
    assert sorted(place.names("resolve")) == ["1", "2", "3"]


def test_the_tags_of_an_empty_repository_need_no_confirmation(sync, place):
    place.tags.clear()
    place.tags.is_absent = True
    assert [action for _name, action, _digest in actions(sync({"name": "a"}))] == ["created"] * 3
    assert place.names("resolve") == []
