# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Content that already exists on the other side of an air gap, so that it need not be transferred again."""

from __future__ import annotations

import re
import threading

from ..._errors import NotFound
from ..._image import reference as references
from ..._image.descriptor import Descriptor
from ..._transfer.request import Plan
from ..stores import Stores
from .inventory import Inventory


class FarSide:
    """The inventory of the site; empty if none is given."""

    def __init__(self, path: str | None, stores: Stores) -> None:
        self._inventory = Inventory.load("base", path, must_exist=True) if path else Inventory()
        self._stores = stores
        self.blobs = self._inventory.blobs()
        # Many images share a blob, and a lost one is looked for in each repository that should have it.
        self._found: dict[tuple[str, str], str] = {}
        self._searching: dict[tuple[str, str], threading.Lock] = {}

    def has(self, reference: str, digest: str) -> bool:
        """Return whether an image exists there under the same name."""
        return self._inventory.has(reference, digest)

    def lists(self, reference: str) -> bool:
        """Return whether an image with this name exists there. Its digest may differ."""
        return self._inventory.lists(reference)

    def makes_needless(self, plan: Plan, dest: str) -> bool:
        """Return whether a layout does not need an image, because the site already has it.

        It is needed if it has referrers that the site does not have yet, or if the layout has its tag for another
        image, which would replace it at the site.
        """
        shares_content = plan.request.destination.location.owner == ""
        if not (plan.changed and shares_content and self.has(dest, plan.top.digest)):
            return False
        if any(plan.previous[tag] for tag in plan.outdated_tags):
            return False
        known = self._inventory.referrers(dest, plan.top.digest)
        return plan.attached is None or plan.attached.digests <= known

    def find_missing(self, plan: Plan) -> dict[str, str]:
        """Return repositories of the destination to mount blobs from that the source lacks. This happens before the first transfer.

        Raises NotFound with the digests of blobs that do not exist anywhere.
        """
        absent = set(plan.request.source.missing_blobs(plan.blobs))
        root = plan.request.destination.location.root
        found = {blob.digest: self._repository_with(blob, root) for blob in plan.blobs if blob.digest in absent}
        missing = [digest for digest, repository in found.items() if not repository]
        if missing:
            shown = ", ".join(missing[:5]) + (" and %d more" % (len(missing) - 5) if len(missing) > 5 else "")
            raise NotFound(
                "blobs %s exist neither in the source nor at the destination" % shown,
                plan.request.source.reference(plan.request.name),
                "Import the earlier bundle first",
            )
        return found

    def _repository_with(self, blob: Descriptor, registry: str) -> str:
        """Return a repository of the registry that has a blob according to the inventory and to the registry."""
        key = (blob.digest, registry)
        with self._searching.setdefault(key, threading.Lock()):
            if key not in self._found:
                self._found[key] = self._search(blob, registry)
            return self._found[key]

    def _search(self, blob: Descriptor, registry: str) -> str:
        names = (name.partition("/") for name in self._inventory.references(blob.digest))
        contexts = (
            (host, re.sub("[:@].*", "", path)) for host, _slash, path in names if "docker://" + host == registry
        )
        for host, repository in dict.fromkeys(contexts):
            reference = references.parse_registry("%s/%s" % (host, repository))
            if self._stores.open(reference).has_blob(blob):
                return repository
        return ""
