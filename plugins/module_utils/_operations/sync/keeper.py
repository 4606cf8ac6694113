# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Keeping the inventory of a destination in step with what a run has done there."""

from __future__ import annotations

import dataclasses
import typing as t

from ..._errors import naming
from ..._transfer.parallel import for_each
from .base import Base
from .details import record
from .images import Image, Target
from .inventory import Inventory, Record


class Keeper:
    """Reads details of those images only that the inventory does not know yet."""

    def __init__(self, path: str, base: Base, jobs: int) -> None:
        """Raises ImageError where the file is there, but is no inventory."""
        self._path = path
        self._base = base
        self._jobs = jobs
        self._before = Inventory.load("inventory", path, must_exist=False)

    def keep(self, images: t.Sequence[Image], targets: t.Iterable[Target], dry_run: bool) -> bool:
        """Write the inventory if it changes, which is what is returned; with ``dry_run`` only look. Raises ImageError.

        Records of images that are not of this run stay as they are, and so do those of images that failed.
        """
        places = {target.place: target for target in targets}
        present = [(image, places[image.dest]) for image in images if image.dest in places]
        found = [record for record in for_each(self._record, present, self._jobs) if record]
        deleted = [image.dest for image in images if image.action == "deleted"]
        inventory = self._before.merged(found, deleted)
        if dry_run or not inventory.differs(self._path):
            return inventory.differs(self._path)
        return Inventory.update("inventory", self._path, found, deleted)

    def _record(self, present: tuple[Image, Target]) -> Record | None:
        """None for what is not here, or not to be looked at because nothing was done to it and it is known."""
        image, target = present
        store = target.known.store
        if image.action == "unchanged" and not image.digest and image.dest not in self._before.records:
            with naming(image.dest):
                kept = store.find(target.name)
            image = dataclasses.replace(image, digest=kept.digest if kept else "")
        is_layout = store.location.owner == ""
        if not image.digest or (is_layout and self._base.has(image.dest, image.digest)):
            return None
        known = self._before.of_digest(image.digest)
        return dict(known, ref=image.dest, src=image.src) if known else record(image, target)
