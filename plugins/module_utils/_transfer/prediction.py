# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Combine several plans: decide which blobs are transferred, and which are mounted from the repository of another plan."""

from __future__ import annotations

import typing as t

from .job import Job, Moved
from .request import Plan

BlobOwner = tuple[str, str]


def mount_what_exists(jobs: t.Iterable[Job]) -> None:
    """Let jobs for new repositories mount blobs that planning has found in other repositories of the same registry."""
    plans = [job.planned for job in jobs]
    homes: dict[tuple[str, str], str] = {}
    for plan in plans:
        root, repository = blob_owner_of(plan)
        for digest in plan.request.known.blobs:
            homes.setdefault((root, digest), repository)
    for plan in plans:
        root, repository = blob_owner_of(plan)
        for blob in plan.blobs:
            home = homes.get((root, blob.digest), repository)
            if home != repository:
                plan.mounts.setdefault(blob.digest, home)


def predict(jobs: t.Iterable[Job]) -> None:
    """Set what each job will transfer if all jobs are executed: blobs from earlier jobs are mounted, or already exist."""
    homes: dict[tuple[str, str], set[str]] = {}
    for job in jobs:
        plan = job.planned
        job.moved = Moved()
        root, repository = blob_owner_of(plan)
        for blob in plan.blobs:
            known = homes.setdefault((root, blob.digest), set())
            if repository not in known:
                job.moved.add(blob, bool(known or plan.mount_from or blob.digest in plan.mounts))
                known.add(repository)


def blob_owner_of(plan: Plan) -> BlobOwner:
    """Return the destination of a plan's blobs: the root, and the repository in it that they belong to."""
    location = plan.request.destination.location
    return location.root, location.owner
