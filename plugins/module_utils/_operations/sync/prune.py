# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Removing tags that are no longer selected: one at a time, and never what another tag needs."""

from __future__ import annotations

import typing as t

from ..._errors import ImageError, NotFound, naming
from ..._image.descriptor import Descriptor
from ..._stores.base import Store
from ..._transfer.parallel import for_each
from .images import Image, Unwanted, failed


def look_up(found: t.Sequence[tuple[Store, list[str]]], jobs: int) -> list[Unwanted]:
    """What the unwanted tags name now; those that are gone meanwhile are left out. Raises ImageError."""
    pairs = [(store, tag) for store, tags in found for tag in tags]

    def look(pair: tuple[Store, str]) -> Descriptor | None:
        store, tag = pair
        with naming(store.reference(tag)):
            return store.find(tag)

    named = dict(zip(((id(store), tag) for store, tag in pairs), for_each(look, pairs, jobs)))
    unwanted = []
    for store, tags in found:
        present = {tag: named[id(store), tag] for tag in tags}
        unwanted.append(Unwanted(store, {tag: known for tag, known in present.items() if known}))
    return unwanted


def foresee(unwanted: t.Iterable[Unwanted]) -> list[Image]:
    """What will be deleted."""
    return [_deleted(place.destination, tag, known) for place in unwanted for tag, known in place.tags.items()]


def remove(unwanted: t.Sequence[Unwanted], jobs: int) -> list[Image]:
    """Delete the tags, repository by repository, and tell what became of each."""
    return [image for images in for_each(_remove_from, unwanted, jobs) for image in images]


def _remove_from(place: Unwanted) -> list[Image]:
    """One repository, whose tags must not be removed at once: each looks at what the others name."""
    store = place.destination
    images = []
    others: dict[str, Descriptor] | None = None
    for tag, known in place.tags.items():
        try:
            with naming(store.reference(tag)):
                if others is None:
                    others = _named(store)
                others.pop(tag, None)
                store.delete_tag(tag, known.digest, others)
            images.append(_deleted(store, tag, known))
        except ImageError as error:
            images.append(failed("", store.reference(tag), error))
    return images


def _named(store: Store) -> dict[str, Descriptor]:
    try:
        found = {tag: store.find(tag) for tag in store.tags()}
    except NotFound:
        found = {}
    return {tag: known for tag, known in found.items() if known}


def _deleted(store: Store, tag: str, known: Descriptor) -> Image:
    return Image("", store.reference(tag), "deleted", known.digest, known.digest, 0, "")
