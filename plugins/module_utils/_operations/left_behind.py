# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Warn about artifacts that are attached to copied images but are not copied. Each warning is given once per task."""

from __future__ import annotations

import collections
import typing as t

from .. import _messages as messages
from .._run import Run
from .._stores.content_location import Location
from .._stores.referrers_interface import referrers_of
from .._transfer.attached import LEFT_OUT
from .._transfer.job import Job
from .._transfer.request import CopyRequest


def warn_of_left_behind(jobs: t.Iterable[Job], run: Run) -> None:
    """Warn about images that are copied without their referrers, if these are known already. No request is sent for this.

    Artifacts whose tags are copied as images do not count.
    """
    jobs = list(jobs)
    pending = [job for job in jobs if job.is_pending]
    if not pending:
        return
    copied: dict[Location, set[str]] = collections.defaultdict(set)
    for job in jobs:
        if job.request:
            copied[job.request.source.location].add(job.name)
    names = [
        job.src
        for job in pending
        if _leaves_behind(job.planned.request)
        and _has_more(job.planned.request, job.planned.source_digest, copied[job.planned.request.source.location])
    ]
    if names:
        run.warn(
            "The signatures, SBOMs or other referrers of %s were not copied (%s). Set referrers: true to copy them."
            % (messages.count(len(names), "copied image"), messages.some(names))
        )


def _leaves_behind(request: CopyRequest) -> bool:
    """Return whether referrers would be possible at the destination, are not copied, and are not dropped on purpose."""
    is_same_location = request.destination.location.has_content_of(request.source.location)
    return not (request.referrers or request.unsigned or is_same_location or referrers_of(request.destination) is None)


def _has_more(request: CopyRequest, digest: str, copied: t.Collection[str]) -> bool:
    kept = referrers_of(request.source)
    return kept is not None and kept.seen(digest, copied)


def warn_of_unsupported(jobs: t.Iterable[Job], run: Run) -> None:
    """Warn about referrers that the destination cannot store."""
    names: list[str] = []
    kinds: set[str] = set()
    for job in jobs:
        rows = [row for row in job.referrers if row["action"] == LEFT_OUT]
        kept = referrers_of(job.request.destination) if rows and job.request else None
        rows = [row for row in rows if kept and not kept.keeps(row["tag"] or "")]
        if rows:
            names.append(job.dest)
            kinds.update(str(row["tag"] or row["artifact_type"] or row["digest"]) for row in rows)
    if names:
        run.warn(
            "Directories can store only signatures, so these referrers were not copied to %s: %s. To keep them, copy to a registry."
            % (messages.some(names), messages.some(sorted(kinds)))
        )
