# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Resolve tags while the tag lists of their repositories are still being read.

Registries list 50 or 100 tags per page, and each page takes a round trip. Only tags that exist on both sides are
resolved early, because they would be resolved afterwards anyway.
"""

from __future__ import annotations

import collections
import concurrent.futures
import threading
import typing as t

from ..._errors import ImageError, naming
from ..._image.descriptor import Descriptor
from ..._stores.repository import Repository, Store
from ..._transfer.parallel import Turns

HeadResponse = t.Union[Descriptor, ImageError, None]


class _Pair:
    """Two repositories, and the names of each that are known so far, by the references of the repositories.

    One repository may be open several times, because it may be the destination of one pair and the source of another.
    A complete list is used only if the other list turns out to have several pages.
    """

    def __init__(self, source: Repository, destination: Repository, selects: t.Callable[[str], bool]) -> None:
        self.source = source
        self.destination = destination
        self._selects = selects
        self._known: dict[str, set[str]] = {source.reference(""): set(), destination.reference(""): set()}
        self._whole: dict[str, t.Collection[str]] = {}
        self._has_pages = False

    @property
    def references(self) -> t.Collection[str]:
        """The references of the repositories; only one if the source is the destination."""
        return self._known.keys()

    def add_page(self, reference: str, names: t.Collection[str]) -> list[str]:
        """Add a page of a list. Return the names that are now known on both sides, and were not before."""
        self._has_pages = True
        found = self._add(reference, names)
        for other, whole in list(self._whole.items()):
            found += self.add_all(other, whole)
        return found

    def add_all(self, reference: str, names: t.Collection[str]) -> list[str]:
        """Add a complete list. Return names like :meth:`add_page`."""
        if self._has_pages:
            self._whole.pop(reference, None)
            return self._add(reference, names)
        self._whole[reference] = names
        return []

    def _add(self, reference: str, names: t.Collection[str]) -> list[str]:
        fresh = [name for name in names if name not in self._known[reference]]
        self._known[reference].update(fresh)
        return [name for name in fresh if self._is_on_both_sides(name) and self._selects(name)]

    def _is_on_both_sides(self, name: str) -> bool:
        return all(name in known for known in self._known.values())


class EarlyHeads:
    """A context manager that stops sending requests when it ends. Thread-safe.

    ``turns`` are taken for each request, and may be shared with those for lists.
    """

    def __init__(self, jobs: int) -> None:
        self.turns = Turns(jobs)
        self._threads = 2 * jobs
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None
        self._changed = threading.Condition()
        self._pairs: dict[str, list[_Pair]] = collections.defaultdict(list)
        self._waiting: collections.deque[tuple[Store, str]] = collections.deque()
        self._responses: dict[str, HeadResponse] = {}
        self._is_over = False

    def __enter__(self) -> EarlyHeads:
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        if self._pool:
            self._pool.shutdown()
        self._pairs.clear()
        self._waiting.clear()

    def expect(self, source: Repository, destination: Repository, selects: t.Callable[[str], bool]) -> None:
        """Resolve names that exist in both repositories and for which ``selects`` returns True."""
        pair = _Pair(source, destination, selects)
        for reference in pair.references:
            self._pairs[reference].append(pair)

    def note_page(self, repository: Repository, names: t.Collection[str]) -> None:
        """Note a page of a repository's tag list, except the last one."""
        self._note(repository, lambda pair, reference: pair.add_page(reference, names))

    def note_all(self, repository: Repository, names: t.Collection[str]) -> None:
        """Note the complete tag list of a repository."""
        self._note(repository, lambda pair, reference: pair.add_all(reference, names))

    def _note(self, repository: Repository, add: t.Callable[[_Pair, str], list[str]]) -> None:
        reference = repository.reference("")
        with self._changed:
            for pair in self._pairs.get(reference, ()):
                for name in add(pair, reference):
                    self._waiting.append((pair.source.open(name), name))
                    self._waiting.append((pair.destination.open(name), name))
            if self._waiting and not self._pool:
                self._pool = concurrent.futures.ThreadPoolExecutor(self._threads)
                for _thread in range(self._threads):
                    self._pool.submit(self._work)
            self._changed.notify_all()

    def ask(self, store: Store, name: str) -> HeadResponse:
        """Return what a name points to, or the error. If it was resolved early, return that result."""
        if self._responses:
            with self._changed:
                reference = store.reference(name)
                if reference in self._responses:
                    return self._responses.pop(reference)
        with self.turns.at(store.location.root):
            return _ask(store, name)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._is_over:
                    self._changed.wait()
                if self._is_over:
                    return
                store, name = self._waiting.popleft()
            with self.turns.at(store.location.root):
                response = _ask(store, name)
            with self._changed:
                self._responses[store.reference(name)] = response


def _ask(store: Store, name: str) -> HeadResponse:
    try:
        with naming(store.reference(name)):
            return store.resolve(name)
    except ImageError as error:
        return error
