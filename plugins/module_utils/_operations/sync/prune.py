# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Removing tags that are no longer selected: one at a time, and never what another tag needs."""

from __future__ import annotations

import collections
import threading
import typing as t

from ..._errors import ImageError, NotFound, naming
from ..._image import digest as digests
from ..._image.descriptor import Descriptor
from ..._stores.base import Store
from ..._transfer.parallel import for_each
from . import attached
from .images import Image, Unwanted, failed
from .survey import Stale


def look_up(found: t.Sequence[Stale], images: t.Iterable[Image], jobs: int) -> tuple[list[Unwanted], list[Image]]:
    """What the unwanted tags name now, without those that are gone meanwhile; and those that cannot be looked at.

    Those of ``images`` that are declared by a digest stay; of an index with fewer platforms it is another digest.
    """
    kept: dict[str, list[str]] = collections.defaultdict(list)
    for image in images:
        if digests.is_digest(image.name) and image.digest:
            kept[image.repository].append(image.digest)
    for stale in found:
        kept[stale.store.reference("")] += stale.digests
    pairs = [(it.store, tag) for it in found for tag in it.tags if tag not in kept[it.store.reference("")]]

    def look(pair: tuple[Store, str]) -> Descriptor | Image | None:
        store, tag = pair
        try:
            with naming(store.reference(tag)):
                return store.find(tag)
        except ImageError as error:
            return failed("", store.reference(tag), error)

    named = dict(zip(((id(store), tag) for store, tag in pairs), for_each(look, pairs, jobs)))
    unwanted = []
    for store, tags, _digests, is_ours in found:
        present = {tag: named.get((id(store), tag)) for tag in tags}
        there = {tag: known for tag, known in present.items() if isinstance(known, Descriptor)}
        removable = attached.without_needed(store, there, jobs)
        unwanted.append(Unwanted(store, removable, kept[store.reference("")], is_ours))
    return unwanted, [it for it in named.values() if isinstance(it, Image)]


def foresee(unwanted: t.Iterable[Unwanted]) -> list[Image]:
    """What will be deleted."""
    return [_deleted(place.destination, tag, known) for place in unwanted for tag, known in place.tags.items()]


def remove(unwanted: t.Sequence[Unwanted], jobs: int) -> list[Image]:
    """Delete the tags, repository by repository, and tell what became of each."""
    lock = threading.Lock()

    def remove_from(place: Unwanted) -> list[Image]:
        return _remove_from(place, _Others(place, lock, jobs))

    return [image for found in for_each(remove_from, unwanted, jobs) for image in found]


class _Others(t.Mapping[str, Descriptor]):
    """What is in a repository and what it names; looked at only when somebody asks, as many registries need not know.

    One repository after the other is looked at, under the lock, with all ``jobs``.
    """

    def __init__(self, place: Unwanted, lock: threading.Lock, jobs: int) -> None:
        self._store = place.destination
        self._kept = place.kept
        self._lock = lock
        self._jobs = jobs
        self._removed: set[str] = set()
        self._found: dict[str, Descriptor] | None = None

    def discard(self, tag: str) -> None:
        """Be without a tag that is to go."""
        self._removed.add(tag)

    def restore(self, tag: str) -> None:
        """Have again what could not be removed."""
        self._removed.discard(tag)

    def __getitem__(self, name: str) -> Descriptor:
        if name in self._removed:
            raise KeyError(name)
        return self._read()[name]

    def __iter__(self) -> t.Iterator[str]:
        return iter([name for name in self._read() if name not in self._removed])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _read(self) -> dict[str, Descriptor]:
        if self._found is None:
            with self._lock:
                names = [*self._tags(), *self._kept]
                found = zip(names, for_each(self._store.find, names, self._jobs))
                self._found = {name: known for name, known in found if known}
        return self._found

    def refresh(self) -> None:
        """Take in tags that others have made since this was looked at."""
        if self._found is not None:
            with self._lock:
                fresh = [name for name in self._tags() if name not in self._found and name not in self._removed]
                found = zip(fresh, for_each(self._store.find, fresh, self._jobs))
                self._found.update((name, known) for name, known in found if known)

    def _tags(self) -> list[str]:
        try:
            return self._store.tags()
        except NotFound:
            return []


def _remove_from(place: Unwanted, others: _Others) -> list[Image]:
    """One repository, whose tags must not be removed at once: each looks at what the others name.

    What other clients have done since the tags were looked at counts. Only what they do between the last look at a tag
    and its removal, which is one request later, cannot be seen.
    """
    store = place.destination
    images = []
    for tag, known in place.tags.items():
        others.discard(tag)
        try:
            with naming(store.reference(tag)):
                others.refresh()
                _check_unmoved(store, tag, known)
                store.delete_tag(tag, known.digest, others)
            images.append(_deleted(store, tag, known))
        except ImageError as error:
            others.restore(tag)
            images.append(failed("", store.reference(tag), error))
    return images


def _check_unmoved(store: Store, tag: str, known: Descriptor) -> None:
    """Raise ImageError where the tag was given to another image while this run was at work."""
    now = store.find(tag)
    if now and now.digest != known.digest:
        raise ImageError("names another image by now (%s), and was left alone" % now.digest, hint="Run the task again")


def _deleted(store: Store, tag: str, known: Descriptor) -> Image:
    return Image("", store.reference(tag), "deleted", known.digest, known.digest, 0, "")
