# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Synchronize a declared set: find out what exists, decide what to do, and then write."""

from __future__ import annotations

import dataclasses
import typing as t

from ... import _messages as messages
from ..._errors import ImageError, NotFound, naming
from ..._image import digest as digests
from ..._image import reference as references
from ..._imports import importing
from ..._stores.repository import is_listed
from ..._transfer.conversion import Conversion
from ..._transfer.job import UNCHANGED, Job, Moved, NotTried
from ..._transfer.parallel import InlineExecutor, do_all
from ..._transfer.plan import plan_copy
from ..._transfer.prediction import mount_what_exists, predict
from ..._transfer.request import CopyRequest, Plan
from ..cost import check_bytes, cost_of, warn_of_shortage
from ..left_behind import warn_of_left_behind, warn_of_unsupported
from ..signing.gate import OPEN, Gate
from ..stores import Stores
from .compare import compare
from .declaration import Entry, SyncOptions
from .discover import Discovered, discover
from .early_heads import EarlyHeads
from .far_side import FarSide
from .outcome import Synced, failure_of
from .resolver import RepositoryResolver, SyncRoot
from .unmatched import OptionalTags, find_unprunable

if t.TYPE_CHECKING:
    from ..prune import PrunableTags


def sync(options: SyncOptions, stores: Stores, gate: Gate = OPEN) -> Synced:
    """Synchronize the set. A dry run only predicts the result.

    An image that does not pass the gate fails and is not written. Raises ImageError if the declaration is invalid.
    Errors of single images are in the result.
    """
    if options.max_delete is not None and options.max_delete < 0:
        raise ImageError("max_delete is %d, but must be 0 or more" % options.max_delete)
    images = _declared(options, stores)
    return _Sync(dataclasses.replace(options, images=images), stores, gate).run()


def _declared(options: SyncOptions, stores: Stores) -> list[Entry]:
    """Return the entries of the task and its files. Readers are imported only when they are needed, as each task pays for its imports."""
    entries = list(options.images or ())
    if options.lock_file:
        with importing:
            from ..images_lock import read_lock

        entries += [Entry(**image.entry()) for image in read_lock(options.lock_file)]
    if options.source_file:
        with importing:
            from .source_file import check_locations, read_source_file

        registries = read_source_file(options.source_file, stores.run.warn, stores.has_credentials)
        check_locations(options.source_file, registries, options.src, options.dest)
        stores.add_registries(registry.settings for registry in registries if registry.settings)
        entries += [Entry(**{"is_of_file": True, **entry}) for registry in registries for entry in registry.entries]
    if options.images is None and not options.lock_file and not options.source_file:
        entries.append(_everything(options.src))
    return entries


def _everything(src: str | None) -> Entry:
    """Return an entry for all repositories in a location on disk. Raises ImageError for a registry, which is probably a mistake."""
    if src is None or not SyncRoot.parse("src", src).transport:
        raise ImageError(
            "there is nothing to synchronize",
            hint="Set images, source_file or lock_file, or set src to oci:PATH or dir:PATH to select all images",
        )
    return Entry("*")


class _Sync:
    def __init__(self, options: SyncOptions, stores: Stores, gate: Gate) -> None:
        self._options = options
        self._gate = gate
        self._run = stores.run
        self._far_side = FarSide(options.base, stores)
        self._resolver = RepositoryResolver(options, stores, self._far_side.blobs)
        self._inventory = None
        if options.inventory:
            with importing:
                from .inventory_writer import InventoryWriter

            self._inventory = InventoryWriter(options.inventory, self._far_side, self._run)

    def run(self) -> Synced:
        """Find out what exists, decide what to do, and then write."""
        heads = EarlyHeads(self._run.jobs)
        found = discover(self._options.images or (), self._options, self._resolver, self._run, heads, self._far_side)
        images = self._planned(found.jobs, heads)
        images += filter(None, map(OptionalTags.failure, found.named))
        prunable = self._prunable(found)
        pending = [image for image in images if image.is_pending]
        mount_what_exists(pending)
        predict(pending)
        cost = cost_of(pending, self._run.statistics)
        check_bytes(pending, self._options.max_bytes)
        warn_of_shortage(cost, sum(image.moved.bytes for image in pending), self._run.warn)
        warn_of_left_behind(images, self._run)
        warn_of_unsupported(images, self._run)
        images += self._look_up(prunable, images)
        if not self._may_write(images):
            for image in pending:
                image.moved = Moved()
            _mark_untried(pending)
            return Synced(images, failure_of(images), cost=cost)
        if pending and not self._run.dry_run:
            with importing:
                from ..._transfer.execute import execute

            execute(pending, self._run, self._options.keep_going, self._run.observe)
            _mark_untried(pending)
        self._warn_of_losses(pending)
        images += self._prune(prunable, images)
        synced = Synced(images, failure_of(images), cost=cost)
        self._update_inventory(synced)
        return synced

    def _planned(self, jobs: list[Job], heads: EarlyHeads) -> list[Job]:
        """Return all decided jobs, without those whose images are absent and may be."""
        # Digests do not show whether a conversion is up to date.
        if self._options.existing == "update" and not Conversion.of_options(
            self._options.format, self._options.attestations
        ):
            compare(jobs, self._run, heads)
            if self._gate.rules:
                do_all(self._check_unchanged, [job for job in jobs if job.action == UNCHANGED], self._run.jobs)
        do_all(self._plan, [job for job in jobs if not job.action], self._run.jobs)
        return [job for job in jobs if job.action]

    def _plan(self, job: Job) -> None:
        """Decide what happens to an image. If it is absent and may be, nothing is decided."""
        request = job.request
        if request is None:
            return
        try:
            with naming(job.dest):
                if self._options.existing == "keep" and _exists(job, request):
                    job.decide_unchanged()
                    return
                if request.conversion:
                    self._run.enter("converting", job.src)
                plan = _plan_if_present(job, request)
                if plan is None:
                    return
                self._enter_verification(job)
                self._gate.check_plan(references.parse(job.src), request.source, plan)
                if self._far_side.makes_needless(plan, job.dest):
                    job.leave_out(plan.top.digest)
                    return
                plan.mounts = self._far_side.find_missing(plan)
        except ImageError as error:
            job.fail(error)
            return
        job.decide(plan)
        if not plan.changed:
            job.plan = None  # there may be thousands of them

    def _check_unchanged(self, job: Job) -> None:
        """Let an up-to-date image fail if it does not pass the gate, because somebody else may have copied it."""
        if job.request:
            self._enter_verification(job)
            try:
                self._gate.check_digest(references.parse(job.src), job.request.source, job.digest)
            except ImageError as error:
                job.fail(error)

    def _enter_verification(self, job: Job) -> None:
        if self._gate.rules:
            self._run.enter("verifying", job.src)

    def _warn_of_losses(self, jobs: t.Iterable[Job]) -> None:
        lost = sorted({name for job in jobs for name in job.planned.lost})
        if lost:
            self._run.warn("Docker's format does not support annotations, so these were left out: %s" % ", ".join(lost))

    def _prunable(self, found: Discovered) -> list[PrunableTags]:
        """Return the tags that may be deleted, once all jobs are planned."""
        kept = find_unprunable(found.named, {group.repository for group in found.prunable}, self._run)
        return [group for group in found.prunable if group.repository not in kept]

    def _look_up(self, prunable: t.Sequence[PrunableTags], images: t.Sequence[Job]) -> list[Job]:
        """Find out what may be deleted. Return failed jobs for tags that cannot be resolved. Raises ImageError if there are too many."""
        if not prunable:
            return []
        with importing:
            from .. import prune

        failed = prune.look_up(prunable, images, self._run)
        self._check_deletions(prunable)
        for group in prunable:
            group.leave_to_others()
        return failed

    def _prune(self, prunable: t.Sequence[PrunableTags], images: t.Sequence[Job]) -> list[Job]:
        """Delete tags, except in repositories with a failed image, which may be the replacement."""
        if not prunable or not self._may_write(images):
            return []
        with importing:
            from .. import prune

        failed = {image.repository for image in images if image.error}
        safe = [group for group in prunable if group.repository not in failed]
        return prune.predict_deletions(safe) if self._run.dry_run else prune.delete(safe, self._run)

    def _check_deletions(self, prunable: t.Iterable[PrunableTags]) -> None:
        names = [group.store.reference(tag) for group in prunable for tag in group.tags]
        limit = self._options.max_delete
        if limit is not None and len(names) > limit:
            raise ImageError(
                "prune would delete %d tags, but max_delete allows %d: %s" % (len(names), limit, messages.some(names)),
                hint="Nothing was written. Increase max_delete if this is intended",
            )

    def _update_inventory(self, synced: Synced) -> None:
        if self._inventory and not (self._run.dry_run and synced.changed):
            try:
                synced.inventory_changed = self._inventory.write(synced.images)
            except ImageError as error:  # what was done is reported all the same
                synced.failure = synced.failure or str(error)

    def _may_write(self, images: t.Iterable[Job]) -> bool:
        return self._options.keep_going or not any(image.error for image in images)


def _exists(job: Job, request: CopyRequest) -> bool:
    """Return whether the destination has the tag. As its list may lack existing tags, one request confirms that a tag is absent.

    A digest needs no request, because it always belongs to the same image.
    """
    if job.name in (request.known.tags or ()):
        return True
    if digests.is_digest(job.name):
        return False
    found = request.destination.resolve(job.name)
    if not found:
        request.known.note_absent(job.name)
    return found is not None


def _plan_if_present(job: Job, request: CopyRequest) -> Plan | None:
    """Return the plan; None if the image is absent from its source and may be."""
    try:
        return plan_copy(request, InlineExecutor(), job.heads)
    except NotFound:
        if job.missing_ok and _is_absent(request):
            return None
        raise


def _is_absent(request: CopyRequest) -> bool:
    """Return whether the image itself is absent, and not only a part of it. A schema 1 image exists, although it is not copied."""
    try:
        request.source.manifest(request.name, legacy=True)
    except NotFound:
        return not is_listed(request.source, request.name)
    return False


def _mark_untried(jobs: t.Iterable[Job]) -> None:
    """Let jobs fail that were not executed because others failed."""
    for job in jobs:
        if not (job.is_done or job.error):
            job.fail(NotTried("the image was skipped, because another image failed", job.dest))
