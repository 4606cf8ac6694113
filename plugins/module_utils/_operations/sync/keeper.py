# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Keeping the inventory of a destination in step with what a run has done there."""

from __future__ import annotations

import typing as t

from ..._transfer.parallel import for_each
from .base import Base
from .details import record
from .images import Image, Target
from .inventory import Inventory, Record


class Keeper:
    """Reads details of those images only that the inventory does not know yet."""

    def __init__(self, path: str, targets: t.Mapping[str, Target], base: Base, jobs: int) -> None:
        self._path = path
        self._targets = targets
        self._base = base
        self._jobs = jobs
        self._before = Inventory.load("inventory", path, must_exist=False)

    def keep(self, images: t.Sequence[Image], dry_run: bool) -> bool:
        """Write the inventory if it changes, which is what is returned; with ``dry_run`` only look. Raises ImageError.

        Records of images that are not of this run stay as they are, and so do those of images that failed.
        """
        records = dict(self._before.records)
        for image in images:
            if image.action == "deleted":
                records.pop(image.dest, None)
        present = [image for image in images if image.digest and image.dest in self._targets and self._is_here(image)]
        for found in for_each(self._record, present, self._jobs):
            records[found["ref"]] = found
        inventory = Inventory(records.values())
        return inventory.differs(self._path) if dry_run else inventory.save(self._path)

    def _is_here(self, image: Image) -> bool:
        is_layout = self._targets[image.dest].pair.destination.place[1] == ""
        return not (is_layout and self._base.has(image.dest, image.digest))

    def _record(self, image: Image) -> Record:
        known = self._before.of_digest(image.digest)
        if known:
            return dict(known, ref=image.dest, src=image.src)
        return record(image, self._targets[image.dest])
