# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Converging a declared set: look at everything, decide everything, then write."""

from __future__ import annotations

import dataclasses
import typing as t

from ..._errors import ImageError, NotFound, naming
from ..._image import digest as digests
from ..._stores.repository import Store
from ..._transfer import execute_set as sets
from ..._transfer.conversion import Conversion
from ..._transfer.parallel import Alone, for_each
from ..._transfer.plan import CopyRequest, Plan, Seen, plan_copy
from ..stores import Stores
from . import prune
from .base import Base
from .compare import compare
from .images import Entry, Image, PrunableTags, Synced, SyncOptions, Target, failed
from .keeper import Keeper
from .names import Names, Root
from .survey import Surveyor

_Planned = t.Optional[tuple[Image, t.Optional[Plan]]]

# How many tags a message names.
_SHOWN = 10
_NOT_TRIED = "was not tried, because another image failed before"


def sync(options: SyncOptions, stores: Stores) -> Synced:
    """Make the destinations what is declared; a dry run only finds out what that would do.

    Raises ImageError where the declaration makes no sense; what goes wrong with single images is in the result.
    """
    if options.max_delete is not None and options.max_delete < 0:
        raise ImageError("max_delete is %d, but must be 0 or more" % options.max_delete)
    if options.source_file:
        from .source_file import read_source_file  # few tasks have one, and each task pays for its imports

        registries = read_source_file(options.source_file, stores.run.warn)
        stores.add_registries(registry.settings for registry in registries if registry.settings)
        entries = [Entry(is_of_file=True, **entry) for registry in registries for entry in registry.entries]
        options = dataclasses.replace(options, images=[*(options.images or ()), *entries])
    elif options.images is None:
        options = dataclasses.replace(options, images=[_everything(options.src)])
    return _Sync(options, stores).run(stores.run.dry_run)


def _everything(src: str | None) -> Entry:
    """All repositories of a place on disk. Raises ImageError for a registry: nobody means all that it has."""
    if src is None or not Root.parse("src", src).transport:
        raise ImageError(
            "nothing is declared: neither images nor source_file is given",
            hint="Give one of them. Only oci:PATH and dir:PATH as src mean all images that are there",
        )
    return Entry("*")


class _Sync:
    def __init__(self, options: SyncOptions, stores: Stores) -> None:
        self._options = options
        self._conversion = Conversion.of_options(options.format, options.attestations)
        self._base = Base(options.base, stores)
        self._names = Names(options, stores, self._base.blobs)
        self._keeper = Keeper(options.inventory, self._base, stores.run.jobs) if options.inventory else None
        self._jobs = stores.run.jobs
        self._stores = stores

    def run(self, dry_run: bool) -> Synced:
        survey = Surveyor(self._options, self._names, self._jobs).survey(self._options.images or ())
        # What is there is either compared, or kept without a look. Digests do not tell whether a conversion is up to date.
        is_comparable = self._options.existing == "update" and not self._conversion
        compared = compare(survey.rows, self._jobs) if is_comparable else {}

        def plan(number: int) -> _Planned:
            known = compared.pop(number, survey.rows[number])
            if isinstance(known, Image):
                return known, None
            return self._plan(t.cast(Target, survey.rows[number]), known if isinstance(known, Seen) else None)

        planned = [item for item in for_each(plan, range(len(survey.rows)), self._jobs) if item]
        works = [(image, sets.Work(plan)) for image, plan in planned if plan]
        sets.mount_what_is_there([work.plan for _image, work in works])
        for (image, _work), moved in zip(works, sets.foresee(work.plan for _image, work in works)):
            image.bytes_copied = moved.bytes
        images = [image for image, _plan in planned]
        prunable, troubles = prune.look_up(survey.unwanted, images, self._jobs)
        images += troubles
        self._check_deletions(prunable)
        prunable = [place.in_share() for place in prunable]
        if not self._may_write(images):
            return Synced(images, _failure(images, _note(works)))
        untried: set[int] = set()
        if not dry_run:
            sets.execute_set([work for _image, work in works], self._jobs, self._options.keep_going)
            untried = _note(works)
        self._warn_of_losses(work.plan for _image, work in works)
        images += self._prune(prunable, images, dry_run)
        synced = Synced(images, _failure(images, untried))
        if self._keeper and not (dry_run and synced.changed):
            targets = [row for row in survey.rows if isinstance(row, Target)]
            try:
                synced.inventory_changed = self._keeper.keep(images, targets, dry_run)
            except ImageError as error:  # what was done is to be told all the same
                synced.failure = synced.failure or str(error)
        return synced

    def _plan(self, target: Target, seen: Seen | None) -> _Planned:
        """What an image needs; None for the plan where that is nothing, and for all where it need not be there."""
        pair, name = target.pair, target.name
        source, place = target.source, target.place
        if self._options.existing == "keep" and name in (target.known.tags or ()):
            return Image(source, place, "unchanged", "", None, 0, ""), None
        is_digest = digests.is_digest(name)
        request = CopyRequest(
            source=target.origin,
            name=target.source_name,
            destination=target.known.store,
            listed=target.known,
            tags=() if is_digest else (name,),
            digest=name if is_digest and not pair.platforms and not self._conversion else "",
            platforms=pair.platforms,
            is_set=True,
            conversion=self._conversion,
            unsigned=self._options.remove_signatures,
            seen=seen,
        )
        try:
            with naming(place):
                try:
                    plan = plan_copy(request, Alone())
                except NotFound:
                    if pair.missing_ok and _is_absent(target.origin, target.source_name):
                        return None
                    raise
                if self._base.makes_needless(plan, place):
                    return Image(source, place, "unchanged", plan.top.digest, None, 0, ""), None
                plan.mounts = self._base.find_missing(plan)
        except ImageError as error:
            return failed(source, place, error), None
        before = next(iter(plan.before.values()))
        action = "unchanged" if not plan.changed else "updated" if before else "created"
        image = Image(source, place, action, plan.top.digest, before, 0, "")
        return image, plan if plan.changed else None

    def _warn_of_losses(self, plans: t.Iterable[Plan]) -> None:
        lost = sorted({name for plan in plans for name in plan.lost})
        if lost:
            self._stores.run.warn(
                "Docker's format has no annotations, so that these were left out: %s" % ", ".join(lost)
            )

    def _prune(self, prunable: list[PrunableTags], images: t.Sequence[Image], dry_run: bool) -> list[Image]:
        """Delete, but nothing where an image could not be brought: it may be the one that was to take over."""
        if not self._may_write(images):
            return []
        failures = {image.repository for image in images if image.error}
        safe = [place for place in prunable if place.destination.reference("") not in failures]
        return prune.foresee(safe) if dry_run else prune.remove(safe, self._jobs)

    def _check_deletions(self, prunable: t.Sequence[PrunableTags]) -> None:
        names = [place.destination.reference(tag) for place in prunable for tag in place.tags]
        limit = self._options.max_delete
        if limit is not None and len(names) > limit:
            raise ImageError(
                "prune would delete %d tags, more than max_delete allows (%d): %s"
                % (len(names), limit, ", ".join(names[:_SHOWN]) + (" and others" if len(names) > _SHOWN else "")),
                hint="Nothing was written. Raise max_delete if that is meant",
            )

    def _may_write(self, images: t.Iterable[Image]) -> bool:
        return self._options.keep_going or not any(image.error for image in images)


def _is_absent(source: Store, name: str) -> bool:
    """Whether it is the image itself that is not there, and not a part of it; schema 1 is there, though not copied."""
    try:
        source.manifest(name, legacy=True)
    except NotFound:
        return True
    return False


def _note(works: t.Iterable[tuple[Image, sets.Work]]) -> set[int]:
    """Put what really happened in place of what was foreseen; what was planned again may have moved meanwhile.

    Returns which images (by ``id``) have nothing wrong with them but that others failed before.
    """
    untried = set()
    for image, work in works:
        image.bytes_copied = work.moved.bytes
        image.digest = work.plan.top.digest
        if not work.is_done:
            error = work.error or ImageError(_NOT_TRIED, image.dest)
            image.action, image.digest, image.error = "failed", "", str(error)
        if not (work.is_done or work.error):
            untried.add(id(image))
    return untried


def _failure(images: t.Sequence[Image], untried: t.Collection[int]) -> str:
    """What is really wrong: the first error is not that of an image which only came too late."""
    errors = [image.error for image in images if image.error and id(image) not in untried]
    if not errors:
        return ""
    skipped = " Images not tried because of that: %d." % len(untried) if untried else ""
    if len(errors) == 1:
        return errors[0] + skipped
    return "%d of %d images failed. The first error: %s%s" % (len(errors), len(images), errors[0], skipped)
