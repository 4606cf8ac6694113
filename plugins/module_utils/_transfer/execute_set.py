# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Carrying out many plans at once, so that no blob moves twice to one registry or layout.

Each blob that several plans need is brought once, by the first of them; the repositories of the others then mount it
from there. Big blobs begin first. An image is finished, manifests first and then its tags, as soon as it has its blobs.
"""

from __future__ import annotations

import collections
import threading
import typing as t

from .._errors import ContentMissing, ImageError, naming
from .._image.descriptor import Descriptor
from .._image.manifest import Manifest
from .execute import Moved, Stopped, publish, repair
from .parallel import Alone, Workers
from .plan import Plan

# Ranks of tasks: what completes an image goes before what begins one, or nothing would be complete until the end.
_FINISH, _MOUNT, _MOVE = range(3)


class Work:
    """One plan and what came of it: ``is_done``, or an error, or neither where it was not begun.

    ``missing`` counts the blobs that have not arrived yet.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.moved = Moved()
        self.error: ImageError | None = None
        self.is_done = False
        self.missing = len(plan.blobs)

    @property
    def location(self) -> tuple[str, str]:
        """Where its blobs go."""
        return _location(self.plan)


class _Blob:
    """A blob for one registry or layout: what waits for it, by repository, and a repository that has it."""

    def __init__(self, descriptor: Descriptor) -> None:
        self.descriptor = descriptor
        self.waiting: dict[str, list[Work]] = collections.OrderedDict()
        self.home = ""


def mount_what_is_there(plans: t.Sequence[Plan]) -> None:
    """Let plans for new repositories mount blobs that were found in others of the same registry while they were planned."""
    homes: dict[tuple[str, str], str] = {}
    for plan in plans:
        root, repository = _location(plan)
        for digest in plan.request.known.blobs:
            homes.setdefault((root, digest), repository)
    for plan in plans:
        root, repository = _location(plan)
        for blob in plan.blobs:
            home = homes.get((root, blob.digest), repository)
            if home != repository:
                plan.mounts.setdefault(blob.digest, home)


def foresee(plans: t.Iterable[Plan]) -> t.Iterator[Moved]:
    """What each plan will move when they are carried out together: what an earlier one brings is mounted, or there."""
    homes: dict[tuple[str, str], set[str]] = {}
    for plan in plans:
        moved = Moved()
        root, repository = _location(plan)
        for blob in plan.blobs:
            known = homes.setdefault((root, blob.digest), set())
            if repository not in known:
                is_mounted = bool(known or plan.mount_from or blob.digest in plan.mounts)
                moved.add(blob, is_mounted)
                known.add(repository)
        yield moved


def execute_set(works: t.Sequence[Work], jobs: int, keep_going: bool) -> None:
    """Carry out all plans, and note in each what came of it; without ``keep_going`` stop at the first error."""
    _Execution(works, Workers(jobs), keep_going).run()


class _Execution:
    def __init__(self, works: t.Sequence[Work], workers: Workers, keep_going: bool) -> None:
        self._works = works
        self._workers = workers
        self._keep_going = keep_going
        self._lock = threading.Lock()
        self._pushing: dict[tuple[tuple[str, str], str], threading.Lock] = {}
        self._pushed: set[tuple[tuple[str, str], str]] = set()

    def run(self) -> None:
        blobs: dict[tuple[str, str], _Blob] = {}
        for work in self._works:
            root, repository = work.location
            for descriptor in work.plan.blobs:
                blob = blobs.setdefault((root, descriptor.digest), _Blob(descriptor))
                blob.waiting.setdefault(repository, []).append(work)
            if not work.plan.blobs:
                self._workers.add((_FINISH, 0), _bind(self._finish, work))
        for blob in blobs.values():
            first = next(iter(blob.waiting))
            self._workers.add((_MOVE, -blob.descriptor.size), _bind(self._bring, blob, first))
        self._workers.run()

    def _bring(self, blob: _Blob, repository: str) -> None:
        """Get a blob into a repository, by way of the first plan there that can; then into all others that wait."""
        waiting = blob.waiting[repository]
        has_it = False
        for work in waiting:
            if not work.error and not has_it and not self._workers.is_stopped:
                has_it = self._attempt(work, _bind(self._put, work, blob, repository))
        if has_it:
            self._arrived(waiting)
        if not blob.home:
            self._open_to_others(blob, repository, repository if has_it else "")

    def _open_to_others(self, blob: _Blob, repository: str, home: str) -> None:
        others = [name for name in blob.waiting if name != repository]
        if home:
            blob.home = home
            for name in others:
                self._workers.add((_MOUNT, 0), _bind(self._bring, blob, name))
        elif others:
            del blob.waiting[repository]
            self._workers.add((_MOVE, -blob.descriptor.size), _bind(self._bring, blob, others[0]))

    def _put(self, work: Work, blob: _Blob, repository: str) -> None:
        request = work.plan.request
        mount_from = blob.home or work.plan.mounts.get(blob.descriptor.digest) or work.plan.mount_from
        if not mount_from and repository and not request.known.has_content():
            # A run that was killed may have left it where no tag tells: mounting from itself costs no request more.
            mount_from = repository
        opened = self._opener(work, blob.descriptor)
        was_mounted = request.destination.put_blob(blob.descriptor, opened, mount_from)
        with self._lock:
            work.moved.add(blob.descriptor, was_mounted)

    def _opener(self, work: Work, blob: Descriptor) -> t.Callable[[], t.Iterator[bytes]]:
        request = work.plan.request

        def open_blob() -> t.Iterator[bytes]:
            with naming(request.source.reference(request.name)):
                for chunk in request.source.open_blob(blob):
                    if self._workers.is_stopped:
                        raise Stopped("stopped because another image failed")
                    yield chunk

        return open_blob

    def _arrived(self, works: t.Iterable[Work]) -> None:
        with self._lock:
            for work in works:
                work.missing -= 1
            ready = [work for work in works if not work.missing and not work.error]
        for work in ready:
            self._workers.add((_FINISH, 0), _bind(self._finish, work))

    def _finish(self, work: Work) -> None:
        work.is_done = self._attempt(work, lambda: self._publish(work))

    def _attempt(self, work: Work, action: t.Callable[[], None]) -> bool:
        try:
            with naming(_main_reference(work.plan)):
                action()
        except Stopped:
            return False
        except ImageError as error:
            work.error = error
            if not self._keep_going:
                self._workers.stop()
            return False
        return True

    def _publish(self, work: Work) -> None:
        try:
            for manifest in work.plan.manifests:
                self._push_once(work, manifest)
            with self._lock_of(work, work.plan.top.digest):
                publish(work.plan)
        except ContentMissing:
            with self._lock_of(work, work.plan.top.digest):
                work.plan = repair(work.plan, Alone(), work.moved)

    def _push_once(self, work: Work, manifest: Manifest) -> None:
        """Never the same manifest twice at once: distribution 2 may then lose tags of it."""
        key = (work.location, manifest.digest)
        with self._lock_of(work, manifest.digest):
            if key not in self._pushed:
                work.plan.request.destination.put_manifest(manifest)
                self._pushed.add(key)

    def _lock_of(self, work: Work, digest: str) -> threading.Lock:
        with self._lock:
            return self._pushing.setdefault((work.location, digest), threading.Lock())


def _location(plan: Plan) -> tuple[str, str]:
    """Where the blobs of a plan go: the root, and the repository in it that they belong to."""
    location = plan.request.destination.location
    return location.root, location.owner


def _main_reference(plan: Plan) -> str:
    return plan.request.destination.reference(next(iter(plan.before)))


def _bind(function: t.Callable[..., None], *arguments: t.Any) -> t.Callable[[], None]:
    return lambda: function(*arguments)
