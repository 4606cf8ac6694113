# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Replace several references in one text at once."""

from __future__ import annotations

import re

_BEFORE = r"(?:(?<=\bdocker://)|(?<=\bdocker-image://)|(?<![A-Za-z0-9._/:@-]))"
_AFTER = r"(?![A-Za-z0-9_/:@-]|\.[A-Za-z0-9])"


class Replacements:
    """The replacements of all references in one value.

    They are made at once, because the replacement of one reference can be another reference that has a replacement too.
    """

    def __init__(self) -> None:
        self._new: dict[str, str] = {}
        self._applied: dict[str, tuple[str, set[str]]] = {}

    def add(self, reference: str, new: str) -> None:
        """Add a replacement, before any is made."""
        self._new[reference] = new

    def matches(self, text: str) -> list[tuple[int, int, str]]:
        """Return the start, the end and the replacement of each reference, except as part of a longer reference."""
        references = "|".join(map(re.escape, sorted(self._new, key=len, reverse=True)))
        found = re.finditer("%s(?:%s)%s" % (_BEFORE, references, _AFTER), text)
        return [(match.start(), match.end(), self._new[match[0]]) for match in found]

    def apply(self, text: str) -> tuple[str, set[str]]:
        """Return the text with the replacements, and the references that were replaced."""
        if text not in self._applied:  # a text can have thousands of references
            pieces, at, replaced = [], 0, set()
            for start, end, new in self.matches(text):
                pieces += [text[at:start], new]
                replaced.add(text[start:end])
                at = end
            self._applied[text] = "".join([*pieces, text[at:]]), replaced
        return self._applied[text]
