# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Finding out which tags are the same on both sides: most of them are, in most runs, and both are asked at once."""

from __future__ import annotations

import collections
import functools
import threading
import typing as t

from ..._errors import ImageError, InvalidContent, naming
from ..._image.descriptor import Descriptor
from ..._stores.repository import Store
from ..._transfer.parallel import for_each
from ..._transfer.plan import Seen
from .images import Image, Target, failed

_Answer = t.Union[Descriptor, ImageError, None]


def compare(rows: t.Sequence[Target | Image], jobs: int) -> dict[int, Image | Seen]:
    """What is known of rows by their numbers: those that are done with, and for others what both sides named.

    Only tags that the destination has listed are looked at, and only where their digests tell whether they are the same.
    No registry has more than ``jobs`` requests under way.
    """
    targets = {number: row for number, row in enumerate(rows) if isinstance(row, Target) and _is_comparable(row)}
    comparison = _Comparison(targets, jobs)
    halves = ((number, is_source) for number in targets for is_source in (True, False))
    for_each(comparison.look, halves, 2 * jobs)
    return comparison.found


def _is_comparable(target: Target) -> bool:
    return target.name in (target.known.tags or ()) and not target.pair.platforms


class _Comparison:
    def __init__(self, targets: t.Mapping[int, Target], jobs: int) -> None:
        self.found: dict[int, Image | Seen] = {}
        self._targets = targets
        self._lock = threading.Lock()
        self._waiting: dict[int, _Answer] = {}
        self._limits: dict[str, threading.Semaphore] = collections.defaultdict(
            functools.partial(threading.Semaphore, jobs)
        )

    def look(self, half: tuple[int, bool]) -> None:
        """Ask one side about a target; who has the second answer decides."""
        number, is_source = half
        target = self._targets[number]
        store, name = target.known.store, target.name
        if is_source:
            store, name = target.origin, target.source_name
        with self._lock:
            limit = self._limits[store.location.root]
        with limit:
            answer = _ask(store, name)
        with self._lock:
            if number not in self._waiting:
                self._waiting[number] = answer
                return
            other = self._waiting.pop(number)
        self._decide(number, *((answer, other) if is_source else (other, answer)))

    def _decide(self, number: int, source: _Answer, destination: _Answer) -> None:
        target = self._targets[number]
        origin, place = target.source, target.place
        if isinstance(destination, InvalidContent):
            return  # whatever it is, it is not what is to be there
        for answer in (destination, source):
            if isinstance(answer, ImageError):
                self.found[number] = failed(origin, place, answer)
                return
        seen = Seen(t.cast("Descriptor | None", source), t.cast("Descriptor | None", destination))
        if seen.source and seen.is_same and target.known.store.is_complete(seen.source, None):
            self.found[number] = Image(origin, place, "unchanged", seen.source.digest, None, 0, "")
        else:
            self.found[number] = seen


def _ask(store: Store, name: str) -> _Answer:
    try:
        with naming(store.reference(name)):
            return store.resolve(name)
    except ImageError as error:
        return error
