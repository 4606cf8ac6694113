# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Removing tags that are no longer selected: one at a time, and never what another tag needs."""

from __future__ import annotations

import collections
import typing as t

from ..._errors import ImageError, naming
from ..._image import digest as digests
from ..._image.descriptor import Descriptor
from ..._stores.repository import Repository
from ..._transfer.parallel import for_each
from ..other_tags import current_tags, delete_untagged
from . import attached
from .images import Image, PrunableTags, failed
from .survey import Stale


def look_up(found: t.Sequence[Stale], images: t.Iterable[Image], jobs: int) -> tuple[list[PrunableTags], list[Image]]:
    """The tags to delete with what they point to now, without those that are gone; and those that cannot be looked at.

    ``images`` are those that are declared. One that is declared by its digest stays; of an index with fewer platforms
    that is another digest.
    """
    declared: dict[str, list[Image]] = collections.defaultdict(list)
    for image in images:
        declared[image.repository].append(image)
    places = [_Place(stale, declared[stale.store.reference("")]) for stale in found]
    pairs = [(place.store, tag) for place in places for tag in place.tags]

    def look(pair: tuple[Repository, str]) -> Descriptor | Image | None:
        store, tag = pair
        try:
            with naming(store.reference(tag)):
                return store.find(tag)
        except ImageError as error:
            return failed("", store.reference(tag), error)

    looks = dict(zip(((id(store), tag) for store, tag in pairs), for_each(look, pairs, jobs)))
    prunable = []
    for place in places:
        present = {tag: looks[id(place.store), tag] for tag in place.tags}
        there = {tag: known for tag, known in present.items() if isinstance(known, Descriptor)}
        tags = attached.without_needed(place.store, there, place.declared, jobs)
        prunable.append(PrunableTags(place.store, tags, place.needed, place.declared, place.is_ours))
    return prunable, [image for image in looks.values() if isinstance(image, Image)]


class _Place:
    """A repository: its tags that are not selected, and what was declared there."""

    def __init__(self, stale: Stale, images: t.Sequence[Image]) -> None:
        self.store = stale.store
        self.is_ours = stale.is_ours
        by_digest = [image.digest for image in images if digests.is_digest(image.name) and image.digest]
        self.tags = [tag for tag in stale.tags if tag not in by_digest and tag not in stale.digests]
        self.declared = frozenset([*stale.digests, *(image.digest for image in images if image.digest)])
        # What this host declares is known by now; what others do may yet come.
        names = {image.name for image in images}
        by_others = [name for name in (*stale.selected, *stale.digests) if name not in names and not self.is_ours(name)]
        own = [name for name in names if name and not digests.is_digest(name)]
        self.needed = frozenset([*own, *by_digest, *by_others])


def foresee(prunable: t.Iterable[PrunableTags]) -> list[Image]:
    """What will be deleted."""
    return [_deleted(place.destination, tag, known) for place in prunable for tag, known in place.tags.items()]


def remove(prunable: t.Sequence[PrunableTags], jobs: int) -> list[Image]:
    """Delete the tags, repository by repository, and report what became of each."""
    return [image for found in for_each(lambda place: _Removal(place, jobs).run(), prunable, jobs) for image in found]


class _Removal:
    """The deletions in one repository, one after the other."""

    def __init__(self, place: PrunableTags, jobs: int) -> None:
        self._place = place
        self._store = place.destination
        self._jobs = jobs
        self._deleted: list[str] = []
        self._untagged: list[str] = []
        self._failed: set[str] = set()

    def run(self) -> list[Image]:
        """First the images, then what is attached to them, and last the manifests that are left without a tag."""
        tags = self._place.tags
        going = {known.digest for known in tags.values()}
        last = {tag: subject for tag, subject in attached.subjects(tags).items() if subject in going}
        images = {tag: self._remove(tag, known) for tag, known in tags.items() if tag not in last}
        if last:
            staying = self._staying()
            images.update((tag, self._remove_attached(tag, subject, staying)) for tag, subject in last.items())
        untagged = [digest for digest in self._untagged if digest not in self._place.declared | self._failed]
        if untagged:
            delete_untagged(self._store, untagged, self._deleted, self._place.needed, self._jobs)
        return [images[tag] for tag in tags]

    def _remove(self, tag: str, known: Descriptor) -> Image:
        """What other clients have done since the tag was looked at counts, until the request before its deletion."""
        store = self._store
        try:
            with naming(store.reference(tag)):
                _check_unmoved(store, tag, known)
                if store.delete_tag(tag, known.digest) == "unique_manifest":
                    self._untagged.append(known.digest)
        except ImageError as error:
            self._failed.add(known.digest)
            return failed("", store.reference(tag), error)
        self._deleted.append(tag)
        return _deleted(store, tag, known)

    def _staying(self) -> set[str] | None:
        """The digests of the images that stay; None if that is not certain."""
        going = {*self._place.tags, *self._place.left_to_others}
        try:
            found = current_tags(self._store, self._deleted, self._place.needed, self._jobs, without=going)
        except ImageError:
            return None
        if found is None:
            return None
        return {descriptor.digest for descriptor in found.values()} | self._place.declared | self._failed

    def _remove_attached(self, tag: str, subject: str, staying: set[str] | None) -> Image:
        if staying is not None and subject not in staying:
            return self._remove(tag, self._place.tags[tag])
        cause = "was not deleted, because the image that it belongs to may still have a tag (%s)" % subject
        return failed(
            "", self._store.reference(tag), ImageError(cause, self._store.reference(tag), "Run the task again")
        )


def _check_unmoved(store: Repository, tag: str, known: Descriptor) -> None:
    """Raise ImageError if the tag was given to another image during this run."""
    now = store.find(tag)
    if now and now.digest != known.digest:
        raise ImageError("moved to %s during this run; it was not deleted" % now.digest, hint="Run the task again")


def _deleted(store: Repository, tag: str, known: Descriptor) -> Image:
    return Image("", store.reference(tag), "deleted", known.digest, known.digest, 0, "")
