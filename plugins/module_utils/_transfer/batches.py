# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Batches of images for a layout or archive, which lists all its images in one document.

Writing that document for each image would take longer with each image that it already lists.
"""

from __future__ import annotations

import threading
import time
import typing as t

from .._stores.repository import Batching, Publication
from .job import Job
from .request import Plan

# A run that is killed loses the names of so many seconds, and no content. Even for 100,000 images the document is
# written in less than a second.
_SECONDS = 5.0


class UnpublishedJob(t.NamedTuple):
    """A job whose content is stored, and the publications that remain."""

    job: Job
    destination: Batching
    publications: list[Publication]


def batching(plan: Plan) -> Batching | None:
    """Return the destination of a plan if it supports batches; None if the plan only moves tags to existing images."""
    destination = plan.request.destination
    moves_tags = plan.outdated_tags and not plan.selection
    return destination if isinstance(destination, Batching) and not moves_tags else None


class Batches:
    """The unpublished jobs of a run, by location. Thread-safe."""

    def __init__(self, clock: t.Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[str, list[UnpublishedJob]] = {}
        self._due: dict[str, float] = {}

    def add(self, unpublished: UnpublishedJob) -> list[UnpublishedJob]:
        """Add a job. If the batch for its location is due, return all jobs in it."""
        root = unpublished.job.planned.request.destination.location.root
        with self._lock:
            waiting = self._waiting.setdefault(root, [])
            waiting.append(unpublished)
            if self._clock() < self._due.setdefault(root, self._clock() + _SECONDS):
                return []
            del self._waiting[root], self._due[root]
            return waiting

    def rest(self) -> list[list[UnpublishedJob]]:
        """Return all remaining jobs, by location."""
        with self._lock:
            waiting = list(self._waiting.values())
            self._waiting.clear()
            self._due.clear()
            return waiting
