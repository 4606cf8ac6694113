# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Delete tags that nothing selects any longer: one at a time, and never what another tag needs."""

from __future__ import annotations

import collections
import dataclasses
import functools
import typing as t

from .._errors import ImageError, naming
from .._image import digest as digests
from .._image.descriptor import Descriptor
from .._run import Run
from .._stores.repository import Repository
from .._transfer.job import Job
from .._transfer.parallel import for_each
from . import attached_tags
from .other_tags import current_tags, delete_untagged


@dataclasses.dataclass
class PrunableTags:
    """Tags of a repository that nothing selects. Each stage fills in its fields.

    Listed: ``names`` are the tags, and ``selected`` the tags and digests that are declared there, by all hosts that share
    the work. ``is_ours`` returns whether this host deletes a tag.
    Looked up: ``tags`` holds what the tags point to, without those that must stay; ``declared`` the digests of the declared
    images, and ``needed`` the tags and digests that the repository must have. ``left_to_others`` are tags that other hosts
    delete.
    """

    store: Repository
    names: list[str]
    selected: t.Collection[str]
    is_ours: t.Callable[[str], bool]
    tags: dict[str, Descriptor] = dataclasses.field(default_factory=dict)
    declared: frozenset[str] = frozenset()
    needed: frozenset[str] = frozenset()
    left_to_others: frozenset[str] = frozenset()

    @property
    def repository(self) -> str:
        """The full reference, without a tag."""
        return self.store.reference("")

    def declare(self, images: t.Sequence[Job]) -> None:
        """Take in what is declared there, as it is known now. One that is declared by its digest stays.

        Of an index with fewer platforms that is another digest.
        """
        selected = list(filter(digests.is_digest, self.selected))
        by_digest = [image.digest for image in images if digests.is_digest(image.name) and image.digest]
        self.names = [tag for tag in self.names if tag not in by_digest and tag not in selected]
        self.declared = frozenset([*selected, *(image.digest for image in images if image.digest)])
        # What this host declares is known by now; what others do may yet come.
        names = {image.name for image in images}
        by_others = [name for name in self.selected if name not in names and not self.is_ours(name)]
        own = [name for name in names if name and not digests.is_digest(name)]
        self.needed = frozenset([*own, *by_digest, *by_others])

    def leave_to_others(self) -> None:
        """Keep only the tags that this host deletes."""
        self.left_to_others = frozenset(tag for tag in self.tags if not self.is_ours(tag))
        self.tags = {tag: known for tag, known in self.tags.items() if tag not in self.left_to_others}


def look_up(prunable: t.Sequence[PrunableTags], images: t.Iterable[Job], run: Run) -> list[Job]:
    """Find out what the tags point to now, and which of them can be deleted; return those that cannot be looked at.

    ``images`` are those that are declared.
    """
    declared: dict[str, list[Job]] = collections.defaultdict(list)
    for image in images:
        declared[image.repository].append(image)
    for place in prunable:
        place.declare(declared[place.repository])
    pairs = [(place, tag) for place in prunable for tag in place.names]
    failed = []
    for (place, tag), found in zip(pairs, for_each(_look, pairs, run.jobs)):
        if isinstance(found, ImageError):
            failed.append(Job.failed("", place.store.reference(tag), found, tag))
        elif found:
            place.tags[tag] = found
    for place in prunable:
        place.tags = attached_tags.without_needed(place.store, place.tags, place.declared, run)
    return failed


def _look(pair: tuple[PrunableTags, str]) -> Descriptor | ImageError | None:
    place, tag = pair
    try:
        with naming(place.store.reference(tag)):
            return place.store.find(tag)
    except ImageError as error:
        return error


def predict_deletions(prunable: t.Iterable[PrunableTags]) -> list[Job]:
    """What will be deleted."""
    return [_deleted(place.store, tag, known) for place in prunable for tag, known in place.tags.items()]


def delete(prunable: t.Iterable[PrunableTags], run: Run) -> list[Job]:
    """Delete the tags, repository by repository, and report what came of each."""
    found = for_each(functools.partial(_delete_in, run), prunable, run.jobs)
    return [image for images in found for image in images]


def _delete_in(run: Run, place: PrunableTags) -> list[Job]:
    return _Deletion(place, run).delete()


class _Deletion:
    """The deletions in one repository, one after the other."""

    def __init__(self, place: PrunableTags, run: Run) -> None:
        self._place = place
        self._store = place.store
        self._run = run
        self._deleted: list[str] = []
        self._untagged: list[str] = []
        self._failed: set[str] = set()

    def delete(self) -> list[Job]:
        """First the images, then what is attached to them, and last the manifests that are left without a tag."""
        tags = self._place.tags
        going = {known.digest for known in tags.values()}
        last = {tag: subject for tag, subject in attached_tags.subjects(tags).items() if subject in going}
        images = {tag: self._remove(tag, known) for tag, known in tags.items() if tag not in last}
        if last:
            staying = self._staying()
            images.update((tag, self._remove_attached(tag, subject, staying)) for tag, subject in last.items())
        untagged = [digest for digest in self._untagged if digest not in self._place.declared | self._failed]
        if untagged:
            delete_untagged(self._store, untagged, self._deleted, self._place.needed, self._run)
        return [images[tag] for tag in tags]

    def _remove(self, tag: str, known: Descriptor) -> Job:
        """What other clients have done since the tag was looked at counts, until the request before its deletion."""
        store = self._store
        try:
            with naming(store.reference(tag)):
                _check_unmoved(store, tag, known)
                if store.delete_tag(tag, known.digest) == "unique_manifest":
                    self._untagged.append(known.digest)
        except ImageError as error:
            self._failed.add(known.digest)
            return Job.failed("", store.reference(tag), error, tag)
        self._deleted.append(tag)
        return _deleted(store, tag, known)

    def _staying(self) -> set[str] | None:
        """The digests of the images that stay; None if that is not certain."""
        going = {*self._place.tags, *self._place.left_to_others}
        try:
            found = current_tags(self._store, self._deleted, self._place.needed, self._run, without=going)
        except ImageError:
            return None
        if found is None:
            return None
        return {descriptor.digest for descriptor in found.values()} | self._place.declared | self._failed

    def _remove_attached(self, tag: str, subject: str, staying: set[str] | None) -> Job:
        if staying is not None and subject not in staying:
            return self._remove(tag, self._place.tags[tag])
        cause = "was not deleted, because the image that it belongs to may still have a tag (%s)" % subject
        place = self._store.reference(tag)
        return Job.failed("", place, ImageError(cause, place, "Run the task again"), tag)


def _check_unmoved(store: Repository, tag: str, known: Descriptor) -> None:
    """Raise ImageError if the tag was given to another image during this run."""
    now = store.find(tag)
    if now and now.digest != known.digest:
        raise ImageError("moved to %s during this run; it was not deleted" % now.digest, hint="Run the task again")


def _deleted(store: Repository, tag: str, known: Descriptor) -> Job:
    return Job.deleted(store.reference(tag), tag, known.digest)
