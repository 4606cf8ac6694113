# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Carrying out a plan: blobs in parallel, then manifests, then the tags."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import threading
import typing as t

from .._errors import ContentMissing, ImageError, naming
from .._image.descriptor import Descriptor
from .._stores.repository import commit, exclusive
from .plan import Plan, plan_copy


@dataclasses.dataclass
class Moved:
    """What was done so far. ``bytes`` counts the blobs that went through this machine."""

    copied: int = 0
    mounted: int = 0
    bytes: int = 0

    def add(self, blob: Descriptor, was_mounted: bool) -> None:
        """Count one more blob."""
        if was_mounted:
            self.mounted += 1
        else:
            self.copied += 1
            self.bytes += blob.size


def carry_out(plan: Plan, pool: concurrent.futures.Executor, moved: Moved) -> Plan:
    """Make the destination have the image, add what that took to ``moved``, and return what was executed.

    Where content that was believed to be at the destination is not (it was removed by a garbage collection, or by
    another writer of the layout), all of it is looked at again. Raises ImageError.
    """
    with contextlib.suppress(ContentMissing):
        execute(plan, pool, moved)
        return plan
    return repair(plan, pool, moved)


def repair(plan: Plan, pool: concurrent.futures.Executor, moved: Moved) -> Plan:
    """As :func:`carry_out`, looking for all content one by one while nobody else may remove anything."""
    request = dataclasses.replace(plan.request, listed=None, thorough=True, may_mount=False)
    try:
        with exclusive(request.destination):
            again = plan_copy(request, pool)
            execute(again, pool, moved)
    except ContentMissing as error:
        if request.sparse:
            error.hint = "This registry wants every child of an index: use platform_mode: strip"
        raise
    return dataclasses.replace(again, before=plan.before, skipped=plan.skipped)


def execute(plan: Plan, pool: concurrent.futures.Executor, moved: Moved) -> None:
    """Make the destination have the image, and add what that took to ``moved``.

    Raises the first :class:`ImageError`, with the tags of the destination as they were: those are written last.
    """
    request = plan.request
    with naming(request.destination.reference(next(iter(plan.before)))):
        _move_blobs(plan, pool, moved)
        for manifest in plan.manifests:
            request.destination.put_manifest(manifest)
        publish(plan)


def publish(plan: Plan) -> None:
    """Make the tags name the image, whose content is there; or where they do, make its content last."""
    if plan.stale_tags and plan.selection:
        tags = [tag for tag in plan.stale_tags if tag in plan.request.tags]
        plan.request.destination.publish(plan.selection.manifest, tags, plan.selection.wanted)
    elif plan.stale_tags:
        plan.request.destination.set_tags(dict.fromkeys(plan.stale_tags, plan.top.digest))
    else:
        commit(plan.request.destination)


def _move_blobs(plan: Plan, pool: concurrent.futures.Executor, moved: Moved) -> None:
    """Big blobs first, so that none of them is what the others wait for at the end."""
    stopped = threading.Event()
    blobs = sorted(plan.blobs, key=lambda blob: blob.size, reverse=True)
    futures = {pool.submit(_move, plan, blob, stopped): blob for blob in blobs}
    try:
        for future in concurrent.futures.as_completed(futures):
            moved.add(futures[future], was_mounted=future.result())
    finally:
        stopped.set()
        for future in futures:
            future.cancel()
        concurrent.futures.wait(futures)


def _move(plan: Plan, blob: Descriptor, stopped: threading.Event) -> bool:
    request = plan.request

    def open_blob() -> t.Iterator[bytes]:
        with naming(request.source.reference(request.name)):
            for chunk in request.source.open_blob(blob):
                if stopped.is_set():
                    raise Stopped("stopped because another blob failed")
                yield chunk

    return request.destination.put_blob(blob, open_blob, plan.mount_from)


class Stopped(ImageError):
    """Not an error of its own: ends the transfers that are under way when one of them has failed."""
