# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import AccessDenied, InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._image.platform import Platform
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.compare import compare
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.images import Entry, Pair, Target
from ansible_collections.drayage.registry.plugins.module_utils._transfer.known import Known
from ansible_collections.drayage.registry.plugins.module_utils._transfer.parallel import Alone
from ansible_collections.drayage.registry.plugins.module_utils._transfer.plan import CopyRequest, Seen, plan_copy
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore

OLD, NEW = image("linux/amd64", b"old"), image("linux/amd64", b"new")


@pytest.fixture
def pool():
    return Alone()


@pytest.fixture
def source():
    return MemoryStore("r.example", "app").add(NEW, tag="1").add(NEW, tag="2")


@pytest.fixture
def there():
    return MemoryStore("s.example", "app").add(NEW, tag="1").add(OLD, tag="2")


@pytest.fixture
def targets(source, there):
    """Make targets of names, with the names that the destination has listed."""

    def make(*names, listed=("1", "2"), platforms=()):
        pair = Pair(Entry("app"), source, there, platforms, False)
        return [Target(pair, name, source, Known(there, listed)) for name in names]

    return make


def test_a_tag_that_is_the_same_is_done_with(source, there, targets):
    found = compare(targets("1"), 4)
    assert (found[0].action, found[0].digest) == ("unchanged", NEW.digest)
    assert (found[0].src, found[0].dest) == ("r.example/app:1", "s.example/app:1")
    assert (source.asked, there.asked) == ([("resolve", "1")], [("resolve", "1")])


def test_of_a_tag_that_moved_both_digests_are_known_and_nobody_is_asked_again(source, there, targets, pool):
    target = targets("2")[0]
    seen = compare([target], 4)[0]
    assert (seen.source.digest, seen.destination.digest) == (NEW.digest, OLD.digest)
    request = CopyRequest(source, "2", target.pair.destination, ("2",), seen=seen)
    assert plan_copy(request, pool).before == {"2": OLD.digest}
    assert source.counted()["resolve"] == there.counted()["resolve"] == 1


def test_what_is_not_listed_is_not_asked_for(source, there, targets):
    assert not compare(targets("1", listed=()), 4)
    assert not compare(targets("1", listed=None), 4)
    assert not compare(targets(NEW.digest), 4)
    assert not compare(targets("1", platforms=(Platform.parse("linux/amd64"),)), 4)
    assert source.asked == there.asked == []


def test_a_tag_that_went_since_it_was_listed_is_left_to_the_plan(there, targets):
    del there.tags["1"]
    assert compare(targets("1"), 4)[0] == Seen(NEW.manifest.descriptor, None)


def test_an_image_that_is_damaged_is_left_to_the_plan(there, targets):
    there.is_damaged = True
    assert isinstance(compare(targets("1"), 4)[0], Seen)


@pytest.mark.parametrize("side", ["source", "there"])
def test_a_registry_that_refuses_is_an_image_that_failed(request, targets, side):
    request.getfixturevalue(side).resolve = fails(AccessDenied("access denied"))
    found = compare(targets("1", "2"), 4)
    assert [found[number].action for number in (0, 1)] == ["failed", "failed"]
    assert found[0].error.startswith("r.example/app:1: " if side == "source" else "s.example/app:1: ")


def test_a_destination_that_makes_no_sense_is_left_to_the_plan(there, targets):
    there.resolve = fails(InvalidContent("is no manifest"))
    assert not compare(targets("1"), 4)


def test_both_sides_are_asked_at_once(source, there, targets):
    meeting = threading.Barrier(4, timeout=30)
    for store in (source, there):
        store.resolve = meets(meeting, store.resolve)
    assert len(compare(targets("1", "2"), 2)) == 2


def test_one_registry_is_asked_no_more_often_at_once_than_allowed(source, targets):
    pair = targets("1")[0].pair
    source.host = pair.destination.host = "r.example"
    source.resolve = pair.destination.resolve = alone(source.resolve)
    found = compare(targets("1", "2"), 1)
    assert [image.action for image in found.values()] == ["unchanged", "unchanged"]


def fails(error):
    def resolve(_name):
        raise error

    return resolve


def meets(meeting, resolve):
    def meet(name):
        meeting.wait()
        return resolve(name)

    return meet


def alone(resolve):
    busy = threading.Lock()

    def ask(name):
        assert busy.acquire(blocking=False)
        try:
            time.sleep(0)  # lets other threads run, if there are any
            return resolve(name)
        finally:
            busy.release()

    return ask
