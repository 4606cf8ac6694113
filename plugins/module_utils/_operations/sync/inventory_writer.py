# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Update the inventory of a destination with the results of a run."""

from __future__ import annotations

import contextlib
import typing as t

from ..._errors import NotFound, naming
from ..._image.attached_kinds import kinds_of
from ..._run import Run
from ..._transfer.attached import LEFT_OUT
from ..._transfer.job import DELETED, UNCHANGED, Job
from ..._transfer.parallel import for_each
from ..._transfer.request import CopyRequest
from .details import record
from .far_side import FarSide
from .inventory import Inventory, Record


class InventoryWriter:
    """Reads the details of images that are not yet in the inventory."""

    def __init__(self, path: str, far_side: FarSide, run: Run) -> None:
        """Raise ImageError if the file exists but is not an inventory."""
        self._path = path
        self._far_side = far_side
        self._run = run
        self._before = Inventory.load("inventory", path, must_exist=False)

    def write(self, images: t.Sequence[Job]) -> bool:
        """Write the inventory if it changes, and return whether it does. A dry run does not write it. Raises ImageError.

        Records of failed images, and of images that are not part of this run, are not changed.
        """
        found = [record for record in for_each(self._record, images, self._run.jobs) if record]
        deleted = [image.dest for image in images if image.action == DELETED]
        inventory = self._before.merged(found, deleted)
        if self._run.dry_run or not inventory.differs(self._path):
            return inventory.differs(self._path)
        return Inventory.update("inventory", self._path, found, deleted)

    def _record(self, image: Job) -> Record | None:
        """Return the record; None for an image that does not exist here, or is unchanged and already in the inventory."""
        if image.request is None:
            return None
        digest, destination = image.digest, image.request.destination
        if image.action == UNCHANGED and not digest and image.dest not in self._before.records:
            with naming(image.dest):
                kept = destination.find(image.name)
            digest = kept.digest if kept else ""
        is_layout = destination.location.owner == ""
        # A layout has an image of the far side only if something new is attached to it.
        is_left_out = is_layout and image.action == UNCHANGED and self._far_side.has(image.dest, digest)
        if not digest or is_left_out:
            return None
        known = self._before.of_image(image.dest, digest)
        found = dict(known, ref=image.dest, src=image.src) if known else record(image, image.request, digest)
        return dict(found, **_attached(image, image.request, found)) if image.request.referrers else found


def _attached(image: Job, request: CopyRequest, known: Record) -> Record:
    """Return the attached artifacts. For an unchanged image, they were not all read, so those in the old record are included."""
    rows = [row for row in image.referrers if row["action"] != LEFT_OUT]
    before = set(known.get("referrers") or ())
    kinds = set(known.get("attached") or ())
    plan = image.plan.attached if image.plan else None
    at_hand = {one.digest: one.manifest for one in (*plan.missing, *plan.present)} if plan else {}
    for digest in {str(row["digest"]) for row in rows} - before:
        with contextlib.suppress(NotFound):
            kinds |= kinds_of(at_hand.get(digest) or request.destination.manifest(digest))
    types = {str(row["artifact_type"]) for row in rows if row["artifact_type"]}.union(known.get("artifact_types") or ())
    found = before.union(str(row["digest"]) for row in rows)
    return {"referrers": sorted(found), "artifact_types": sorted(types), "attached": sorted(kinds)}
