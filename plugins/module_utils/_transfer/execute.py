# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Execute any number of jobs in parallel, so that no blob is transferred twice to one registry or layout.

If several jobs need a blob, the first of them transfers it, and the repositories of the others then mount it from
there. Large blobs start first. As soon as an image has all its blobs, its manifests are written, followed by its
tags.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import functools
import threading
import typing as t

from .._errors import ContentMissing, ImageError, naming
from .._image.descriptor import Descriptor
from .._image.manifest import Manifest
from .._run import Run
from .._stores.referrers_interface import required
from .._stores.repository import Batching, Lockable, Publication, commit, exclusive
from .batches import Batches, UnpublishedJob, batching
from .job import Event, Job, Moved, Observe, ignore
from .outgoing import Outgoing
from .parallel import InlineExecutor, Workers, for_each
from .plan import plan_again
from .prediction import BlobOwner, blob_owner_of
from .request import Plan

if t.TYPE_CHECKING:
    from .attached import Attached

_PUBLISH, _MOUNT, _MOVE = range(3)


class Stopped(ImageError):
    """Ends the transfers in progress after another one has failed. It is not reported as an error."""


class _Blob:
    """A blob for one registry or layout: the jobs that wait for it, by repository, and a repository that has it."""

    def __init__(self, descriptor: Descriptor) -> None:
        self.descriptor = descriptor
        self.waiting: dict[str, list[Job]] = collections.OrderedDict()
        self.home = ""


def execute(jobs: t.Sequence[Job], run: Run, keep_going: bool = False, observe: Observe = ignore) -> None:
    """Copy the images to their destinations, and record the outcome in each job.

    At the end, a job is done, has an error, or was not tried: without ``keep_going``, the first error ends the run.
    If expected content is missing at a destination, because a garbage collection or another writer removed it, all
    content is checked again. Tags are written last, so that they do not change if a job fails.
    """
    if jobs:
        _Execution(jobs, run.jobs, keep_going, observe).execute()


class _Execution:
    def __init__(self, jobs: t.Sequence[Job], threads: int, keep_going: bool, observe: Observe) -> None:
        self._jobs = jobs
        self._threads = threads
        self._keep_going = keep_going
        self._observe = observe
        self._missing = {job: len(job.planned.blobs) for job in jobs}
        self._workers = Workers(min(threads, len(jobs) + sum(self._missing.values())))
        self._lock = threading.Lock()
        self._pushing: dict[tuple[BlobOwner, str], threading.Lock] = {}
        self._pushed: set[tuple[BlobOwner, str]] = set()
        self._batches = Batches()

    def execute(self) -> None:
        for job in self._jobs:
            job.moved = Moved()
            self._observe(Event.PLANNED, job, None, 0)
        blobs: dict[tuple[str, str], _Blob] = {}
        for job in self._jobs:
            root, repository = blob_owner_of(job.planned)
            for descriptor in job.planned.blobs:
                blob = blobs.setdefault((root, descriptor.digest), _Blob(descriptor))
                blob.waiting.setdefault(repository, []).append(job)
            if not job.planned.blobs:
                self._workers.add((_PUBLISH, 0), functools.partial(self._publish_or_batch, job))
        for blob in blobs.values():
            self._add_transfer(blob, next(iter(blob.waiting)))
        self._workers.run()
        for batch in self._batches.rest():
            self._publish_all(batch)

    def _add_transfer(self, blob: _Blob, repository: str) -> None:
        self._workers.add((_MOVE, -blob.descriptor.size), functools.partial(self._bring, blob, repository))

    def _bring(self, blob: _Blob, repository: str) -> None:
        """Transfer a blob to a repository with the first job that succeeds, then to all other repositories that wait for it."""
        waiting = blob.waiting[repository]
        has_it = False
        for job in waiting:
            if not job.error and not has_it and not self._workers.is_stopped:
                has_it = self._attempt(job, functools.partial(self._mount_or_put, job, blob, repository))
        if has_it:
            self._arrived(waiting)
        if not blob.home:
            self._open_to_others(blob, repository, repository if has_it else "")

    def _open_to_others(self, blob: _Blob, repository: str, home: str) -> None:
        others = [name for name in blob.waiting if name != repository]
        if home:
            blob.home = home
            for name in others:
                self._workers.add((_MOUNT, 0), functools.partial(self._bring, blob, name))
        elif others:
            del blob.waiting[repository]
            self._add_transfer(blob, others[0])

    def _mount_or_put(self, job: Job, blob: _Blob, repository: str) -> None:
        self._put(job, blob.descriptor, self._mount_source(job, blob, repository))

    def _mount_source(self, job: Job, blob: _Blob, repository: str) -> str:
        plan = job.planned
        found = blob.home or plan.mounts.get(blob.descriptor.digest) or plan.mount_from
        if not found and repository and plan.request.is_set and not plan.request.known.has_content():
            # A run that was killed may have left it where no tag points to: mounting from itself costs no request more.
            return repository
        return found

    def _put(self, job: Job, blob: Descriptor, mount_from: str) -> None:
        opened = functools.partial(self._open, job, blob)
        was_mounted = job.planned.request.destination.put_blob(blob, opened, mount_from)
        with self._lock:
            job.moved.add(blob, was_mounted)
        self._observe(Event.BLOB_MOUNTED if was_mounted else Event.BLOB_FINISHED, job, blob, 0)

    def _open(self, job: Job, blob: Descriptor) -> Outgoing:
        request = job.planned.request
        reference = request.source.reference(request.name)
        with naming(reference):
            content = request.source.open_blob(blob)
        started = functools.partial(self._note_start, job, blob)
        return Outgoing(content, reference, started, functools.partial(self._note_chunk, job, blob))

    def _note_start(self, job: Job, blob: Descriptor, offset: int) -> None:
        self._observe(Event.BLOB_STARTED, job, blob, 0)
        if offset:
            self._observe(Event.BLOB_BYTES, job, blob, offset)

    def _note_chunk(self, job: Job, blob: Descriptor, size: int) -> None:
        if self._workers.is_stopped:
            raise Stopped("the transfer was stopped because another transfer failed", hint="Run the task again")
        self._observe(Event.BLOB_BYTES, job, blob, size)

    def _arrived(self, jobs: t.Iterable[Job]) -> None:
        with self._lock:
            for job in jobs:
                self._missing[job] -= 1
            ready = [job for job in jobs if not self._missing[job] and not job.error]
        for job in ready:
            self._workers.add((_PUBLISH, 0), functools.partial(self._publish_or_batch, job))

    def _publish_or_batch(self, job: Job) -> None:
        destination = batching(job.planned)
        if destination is None:
            self._publish_alone(job)
            return
        publications: list[Publication] = []
        if self._attempt(job, lambda: publications.extend(self._stage(job, destination))):
            self._publish_all(self._batches.add(UnpublishedJob(job, destination, publications)))

    def _publish_alone(self, job: Job) -> None:
        if self._attempt(job, functools.partial(self._publish, job)):
            self._note_done(job)

    def _note_done(self, job: Job) -> None:
        job.is_done = True
        self._observe(Event.FINISHED, job, None, 0)

    def _stage(self, job: Job, destination: Batching) -> list[Publication]:
        """Store everything that an image needs except its names, and return the publications that set them."""
        plan = job.planned
        self._push_parts(job)
        attached = self._attach_lists(job)
        tags = attached.tags.items() if attached else ()
        publications = [destination.stage(manifest, [tag], None) for tag, manifest in tags]
        if plan.outdated_tags and plan.selection:
            publications.append(destination.stage(plan.selection.manifest, _own_tags(plan), plan.selection.wanted))
        return publications

    def _publish_all(self, batch: t.Sequence[UnpublishedJob]) -> None:
        """Publish all images of a batch at once. If that fails, publish them one by one, so that each has its own error."""
        if not batch:
            return
        publications = [publication for waiting in batch for publication in waiting.publications]
        try:
            with exclusive(batch[0].job.planned.request.destination):
                for waiting in batch:
                    self._list_referrers(waiting.job)  # a batch that failed may have dropped a list of this one
                batch[0].destination.publish_all(publications)
        except ImageError:
            for waiting in batch:
                self._publish_alone(waiting.job)
        else:
            for waiting in batch:
                self._note_done(waiting.job)

    def _attempt(self, job: Job, action: t.Callable[[], None]) -> bool:
        try:
            with naming(job.planned.main_reference):
                action()
        except Stopped:
            return False
        except ImageError as error:
            self._fail(job, error)
            return False
        return True

    def _fail(self, job: Job, error: ImageError) -> None:
        with self._lock:
            is_first = job.error is None
            job.fail(error)
        if not self._keep_going:
            self._workers.stop()
        if is_first:
            self._observe(Event.FAILED, job, None, 0)

    def _publish(self, job: Job) -> None:
        plan = job.planned
        try:
            self._push_parts(job)
            self._attach(job)
            with self._lock_of(job, plan.top.digest):
                publish(plan)
        except ContentMissing:
            with self._lock_of(job, plan.top.digest):
                self._repair(job)

    def _push_parts(self, job: Job) -> None:
        for manifest in (*job.planned.manifests, *job.planned.companions):
            self._push_once(job, manifest)

    def _attach(self, job: Job, is_alone: bool = False) -> None:
        """List referrers and write cosign tags before the tags of the image, so that these never appear without them.

        ``is_alone`` says that this thread holds the lock of the destination.
        """
        attached = self._attach_lists(job, is_alone)
        for tag, manifest in attached.tags.items() if attached else ():
            with self._lock_of(job, manifest.digest, is_alone):
                job.planned.request.destination.publish(manifest, [tag], None)

    def _attach_lists(self, job: Job, is_alone: bool = False) -> Attached | None:
        """List referrers, and store the configs of the manifests for cosign tags."""
        destination, attached = job.planned.request.destination, job.planned.attached
        if attached is None:
            return None
        self._list_referrers(job)
        for manifest in attached.tags.values():
            config = attached.configs.get(manifest.config.digest) if manifest.config else None
            if manifest.config and config:
                with self._lock_of(job, manifest.digest, is_alone):
                    destination.put_blob(manifest.config, functools.partial(_one, config), "")
        return attached

    def _list_referrers(self, job: Job) -> None:
        attached = job.planned.attached
        for subject, manifests in attached.by_subject.items() if attached else ():
            required(job.planned.request.destination).attach(subject, manifests)

    def _push_once(self, job: Job, manifest: Manifest) -> None:
        """Push a manifest, but never twice at the same time: distribution 2 could then lose some of its tags."""
        key = (blob_owner_of(job.planned), manifest.digest)
        with self._lock_of(job, manifest.digest):
            if key not in self._pushed:
                job.planned.request.destination.put_manifest(manifest)
                self._pushed.add(key)

    def _lock_of(self, job: Job, digest: str, is_alone: bool = False) -> t.ContextManager[object]:
        """Return the lock of a manifest at the job's destination.

        It is always taken before the lock of the destination. A thread that holds the latter needs no other.
        """
        if is_alone:
            return contextlib.nullcontext()
        with self._lock:
            return self._pushing.setdefault((blob_owner_of(job.planned), digest), threading.Lock())

    def _repair(self, job: Job) -> None:
        """Check all content of the planned image individually under a lock, and copy what is missing.

        An archive gives up the lock with its first write. If another task then removes content, :func:`publish` fails.
        """
        destination = job.planned.request.destination
        # Other images have the other threads.
        threads = self._threads if len(self._jobs) == 1 else 1
        pool = concurrent.futures.ThreadPoolExecutor(threads) if threads > 1 else InlineExecutor()
        try:
            with pool, exclusive(destination):
                plan = job.plan = plan_again(job.planned, pool)
                for_each(functools.partial(self._put_again, job), _by_size(plan.blobs), threads)
                for manifest in (*plan.manifests, *plan.companions):
                    destination.put_manifest(manifest)
                self._attach(job, is_alone=isinstance(destination, Lockable))
                publish(plan)
        except ContentMissing as error:
            if job.planned.request.sparse:
                error.hint = "This registry requires all manifests of an index. Use platform_mode: strip"
            raise

    def _put_again(self, job: Job, blob: Descriptor) -> None:
        try:
            self._put(job, blob, "")
        except ImageError as error:
            if not isinstance(error, Stopped):
                self._fail(job, error)
            raise


def _one(content: bytes) -> t.Iterator[bytes]:
    yield content


def publish(plan: Plan) -> None:
    """Point the tags to the image, whose content exists. If they are up to date, commit pending changes."""
    request = plan.request
    if plan.outdated_tags and plan.selection:
        request.destination.publish(plan.selection.manifest, _own_tags(plan), plan.selection.wanted)
    elif plan.outdated_tags:
        request.destination.set_tags(dict.fromkeys(plan.outdated_tags, plan.top.digest))
    else:
        commit(request.destination)


def _own_tags(plan: Plan) -> list[str]:
    """Return the outdated tags that were requested; none if the image has only its digest."""
    return [tag for tag in plan.outdated_tags if tag in plan.request.tags]


def _by_size(blobs: t.Iterable[Descriptor]) -> list[Descriptor]:
    return sorted(blobs, key=_size, reverse=True)


def _size(blob: Descriptor) -> int:
    return blob.size
