# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The share of a set that a host processes. All shares are disjoint and together complete. Each host computes its own share."""

from __future__ import annotations

import dataclasses
import hashlib
import re

from ..._errors import ImageError

# With so many repositories for each host, whole repositories are shared out: their lists are then read by one host only.
_MANY = 100


@dataclasses.dataclass(frozen=True)
class Slice:
    """Share ``number`` of ``count``, starting with 1."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str | None) -> Slice:
        """Parse ``2/5``. Raises ImageError."""
        if text is None:
            return cls()
        match = re.fullmatch(r"\s*([0-9]{1,6})\s*/\s*([0-9]{1,6})\s*", text)
        if not match or not 1 <= int(match.group(1)) <= int(match.group(2)):
            raise ImageError("slice: %r is not a valid slice" % text, hint='Write "2/5" for the second of five slices')
        return cls(int(match.group(1)), int(match.group(2)))

    def has(self, name: str) -> bool:
        """Return whether an image or repository with this name at the destination is in this share.

        This depends only on the name, so that hosts agree even if they read a registry at different times.
        """
        if self.count == 1:
            return True
        number = int.from_bytes(hashlib.sha256(name.encode("utf-8")).digest()[:8], "big")
        return number % self.count == self.number - 1

    def shares_repositories(self, declared: int) -> bool:
        """Return whether there are enough entries to share whole repositories instead of tags."""
        return declared >= _MANY * self.count
