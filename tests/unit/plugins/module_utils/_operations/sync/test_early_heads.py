# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.early_heads import EarlyHeads
from ansible_collections.drayage.registry.plugins.module_utils._stores.repository import Paging
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore

IMAGE = image("linux/amd64")
SIDES = ("s.example", "d.example")


class Paged(MemoryStore, Paging):
    """A repository with these names on each page; ``await_page`` is called before a page but the first is read."""

    def __init__(self, host, *pages):
        super().__init__(host, "app")
        self.pages = pages
        self.await_page = lambda: None
        self.looked_up = threading.Condition()
        for name in sum(pages, ()):
            self.add(IMAGE, tag=name)

    def tags_by_page(self, note):
        for number, page in enumerate(self.pages):
            if number:
                self.await_page()
            if number < len(self.pages) - 1:
                note(list(page))
        return list(sum(self.pages, ()))

    def resolve(self, name):
        with self.looked_up:
            found = super().resolve(name)
            self.looked_up.notify_all()
        return found

    def await_heads(self, *names):
        """Return when these names were asked for."""
        with self.looked_up:
            assert self.looked_up.wait_for(lambda: set(names) <= set(self.names("resolve")), timeout=120)


@pytest.fixture
def stores():
    """Two repositories, of which the first lists its names on three pages."""
    return [Paged(SIDES[0], ("1", "2", "x"), ("3",), ("4",)), Paged(SIDES[1], ("3", "2", "1", "4", "y"))]


def listed(heads, stores, selects=lambda _name: True):
    heads.expect(*stores, selects)
    read_lists(heads, reversed(stores))


def read_lists(heads, stores):
    with heads:
        for store in stores:
            heads.note_all(store, store.tags_by_page(lambda names, store=store: heads.note_page(store, names)))


def asked(store):
    return sorted(store.names("resolve"))


@pytest.mark.parametrize("paged", [0, 1])
def test_what_is_on_both_sides_is_asked_for_before_the_last_page_is_read(paged):
    stores = [Paged(host, ("3", "2", "1", "y")) for host in SIDES]
    stores[paged] = Paged(SIDES[paged], ("1", "2", "x"), ("3",), ("4",))
    order = stores if paged else stores[::-1]
    heads = EarlyHeads(2)
    stores[paged].await_page = lambda: [store.await_heads("1", "2") for store in stores]
    heads.expect(*stores, lambda _name: True)
    read_lists(heads, order)
    assert [store.names("resolve").count(name) for store in stores for name in ("1", "2")] == [1, 1, 1, 1]
    assert not {"x", "y"} & {*asked(stores[0]), *asked(stores[1])}


def test_an_answer_is_used_once_and_the_rest_is_asked_for(stores):
    heads = EarlyHeads(2)
    stores[0].await_page = lambda: [store.await_heads("1", "2") for store in stores]
    listed(heads, stores)
    for name in ("1", "2", "3", "4"):
        for store in stores:
            assert heads.ask(store, name).digest == IMAGE.digest
    assert [asked(store) for store in stores] == [["1", "2", "3", "4"]] * 2
    heads.ask(stores[0], "1")
    assert asked(stores[0]) == ["1", "1", "2", "3", "4"]


def test_what_is_not_selected_is_not_asked_for(stores):
    stores[0].await_page = lambda: stores[0].await_heads("2")
    listed(EarlyHeads(2), stores, lambda name: name == "2")
    assert [asked(store) for store in stores] == [["2"], ["2"]]


def test_lists_of_one_page_begin_nothing(stores):
    heads = EarlyHeads(2)
    stores[0].pages = (("1", "2", "3", "4"),)
    listed(heads, stores)
    assert [asked(store) for store in stores] == [[], []]


@pytest.mark.parametrize("paged", range(4))
def test_a_repository_may_be_a_destination_and_a_source(paged):
    """It is open twice then, and each of its lists counts for both pairs."""
    hosts = ("dev.example", "staging.example", "staging.example", "prod.example")
    stores = [
        Paged(host, ("1",), ("2",)) if number == paged else Paged(host, ("1", "2")) for number, host in enumerate(hosts)
    ]
    heads = EarlyHeads(2)
    heads.expect(*stores[:2], lambda _name: True)
    heads.expect(*stores[2:], lambda _name: True)
    read_lists(heads, stores)
    for store in stores:
        assert [heads.ask(store, name).digest for name in ("1", "2")] == [IMAGE.digest] * 2


def test_names_of_a_repository_that_is_copied_to_itself_are_on_both_sides():
    stores = [Paged(SIDES[0], ("1",), ("2",)) for _side in range(2)]
    stores[0].await_page = lambda: [store.await_heads("1") for store in stores]
    heads = EarlyHeads(2)
    listed(heads, stores)
    assert heads.ask(stores[1], "1").digest == IMAGE.digest
