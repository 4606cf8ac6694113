# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Compute the cost of jobs before they are executed: traffic, pulls that Docker Hub counts, and disk space."""

from __future__ import annotations

import collections
import contextlib
import os
import shutil
import typing as t

from .. import _messages as messages
from .._errors import ImageError
from .._run import RunStats
from .._stores.content_location import Location
from .._transfer.job import Job

_DOCKER_HUB = "docker.io"


def cost_of(jobs: t.Iterable[Job], statistics: RunStats) -> dict[str, t.Any]:
    """Return the cost as in RETURN of image_copy and image_sync.

    Docker Hub counts each GET of a manifest as a pull. Check mode sends the same requests, to find out what is
    missing.
    """
    downloads: dict[str, int] = collections.Counter()
    uploads: dict[str, int] = collections.Counter()
    pulls, local = 0, ""
    seen: set[tuple[str, str]] = set()
    for job in jobs:
        plan = job.plan
        if not plan:
            continue
        source, destination = plan.request.source.location, plan.request.destination.location
        if _host(source) == _DOCKER_HUB:
            pulls += plan.reads
        if not plan.changed:
            continue
        if not destination.is_registry:
            local = local or _path(destination)
        for blob in plan.blobs:
            if plan.mount_from or blob.digest in plan.mounts or (destination.root, blob.digest) in seen:
                continue
            seen.add((destination.root, blob.digest))
            if source.is_registry:
                downloads[_host(source)] += blob.size
            if destination.is_registry:
                uploads[_host(destination)] += blob.size
    return {
        "download": dict(downloads),
        "upload": dict(uploads),
        "pulls": pulls,
        "pulls_left": statistics.quotas.get(_DOCKER_HUB) if pulls else None,
        "free": _free(local) if local else None,
    }


def check_bytes(jobs: t.Iterable[Job], max_bytes: int | None) -> None:
    """Raise ImageError if :func:`predict` shows that the jobs would copy more than ``max_bytes``."""
    needed = sum(job.moved.bytes for job in jobs)
    if max_bytes is not None and needed > max_bytes:
        raise ImageError(
            "the task would copy %s (%d bytes), but max_bytes allows %d" % (messages.size(needed), needed, max_bytes),
            hint="Nothing was written. Increase max_bytes if this is intended",
        )


def warn_of_shortage(cost: dict[str, t.Any], needed: int, warn: t.Callable[[str], None]) -> None:
    """Warn if Docker Hub allows fewer pulls than needed, or if the disk has too little space."""
    if cost["pulls_left"] is not None and cost["pulls"] > cost["pulls_left"]:
        text = "Docker Hub currently allows %d more pulls, but this task needs %d. If the task fails, log in or run it later."
        warn(text % (cost["pulls_left"], cost["pulls"]))
    if cost["free"] is not None and needed > cost["free"]:
        warn(
            "The destination has %s of free space, but this task needs %s. If the task fails, free up some space."
            % tuple(map(messages.size, (cost["free"], needed)))
        )


def _host(location: Location) -> str:
    return location.root.rpartition("//")[2] if location.is_registry else ""


def _path(location: Location) -> str:
    return location.root.partition(":")[2] if location.root.startswith(("oci", "dir", "docker-archive")) else ""


def _free(path: str) -> int | None:
    """Return the free bytes on the disk of a path, which need not exist yet."""
    path = os.path.abspath(path)
    while not os.path.exists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    with contextlib.suppress(OSError):
        return shutil.disk_usage(path).free
    return None
