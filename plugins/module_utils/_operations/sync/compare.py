# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Find the tags that are the same on both sides, which most of them usually are. Both sides are asked in parallel."""

from __future__ import annotations

import threading
import typing as t

from ..._errors import ImageError, InvalidContent
from ..._run import Run
from ..._transfer.job import Job
from ..._transfer.parallel import do_all
from ..._transfer.request import CopyRequest, Heads
from .early_heads import EarlyHeads, HeadResponse


def compare(jobs: t.Iterable[Job], run: Run, heads: EarlyHeads) -> None:
    """Decide the jobs that are up to date or fail, and set the heads of the others.

    ``heads`` may have some results already. Only tags that the destination has listed are compared, and only if their
    digests show whether they are the same. No registry receives more than ``run.jobs`` requests at the same time.
    """
    comparison = _Comparison(heads)
    waiting = [job for job in jobs if not job.action]
    requests = ((job, job.request) for job in waiting)
    comparable = ((job, request) for job, request in requests if request and _is_comparable(job, request))
    halves = ((job, request, is_source) for job, request in comparable for is_source in (True, False))
    do_all(comparison.look, halves, 2 * run.jobs)


def _is_comparable(job: Job, request: CopyRequest) -> bool:
    return job.name in (request.known.tags or ()) and not request.platforms


class _Comparison:
    def __init__(self, heads: EarlyHeads) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Job, HeadResponse] = {}
        self._heads = heads

    def look(self, half: tuple[Job, CopyRequest, bool]) -> None:
        """Resolve an image on one side. The second result decides the job."""
        job, request, is_source = half
        store, name = (request.source, request.name) if is_source else (request.destination, job.name)
        response = self._heads.ask(store, name)
        with self._lock:
            if job not in self._waiting:
                self._waiting[job] = response
                return
            other = self._waiting.pop(job)
        _decide(job, request, *((response, other) if is_source else (other, response)))


def _decide(job: Job, request: CopyRequest, source: HeadResponse, destination: HeadResponse) -> None:
    if isinstance(destination, InvalidContent):
        return  # whatever it is, it is not the image
    if isinstance(destination, ImageError):
        job.fail(destination)
    elif isinstance(source, ImageError):
        job.fail(source)
    else:
        heads = Heads(source, destination)
        is_same = source and heads.are_same and request.destination.is_complete(source, None)
        if source and is_same and not request.referrers:
            job.decide_unchanged(source.digest)
        else:
            job.heads = heads
