# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Versions in tags and their order (Semantic Versioning 2.0.0, section 11)."""

from __future__ import annotations

import dataclasses
import functools
import re

# No tag is longer. Names in layouts and archives may be, but are no versions then.
_MAX_LENGTH = 128
_GRAMMAR = re.compile(
    r"[vV]?(?P<numbers>[0-9]+(?:\.[0-9]+){0,2})"
    r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
    r"(?:(?P<separator>[+_])[0-9A-Za-z.-]+)?"
)


@functools.total_ordering
@dataclasses.dataclass(frozen=True)
class Version:
    """``numbers`` has at least three parts; ``parts`` is the number of parts that were written."""

    numbers: tuple[int, ...]
    pre: tuple[str, ...] = ()
    parts: int = 3

    @classmethod
    def parse(cls, text: str) -> Version | None:
        """Parse ``1.2.3``, ``v1.2``, ``7``, ``1.2.3-rc.1`` or ``1.2.3_build``; None if the text is not a version.

        Helm writes ``_`` instead of the ``+`` before build metadata, because a tag cannot contain ``+``. It does this
        only in complete versions, so ``1_2`` is not a version.
        """
        match = _GRAMMAR.fullmatch(text) if len(text) <= _MAX_LENGTH else None
        if not match:
            return None
        numbers = tuple(int(number) for number in match.group("numbers").split("."))
        if match.group("separator") == "_" and len(numbers) < 3:
            return None
        pre = tuple(match.group("pre").split(".")) if match.group("pre") else ()
        return cls(numbers + (0,) * (3 - len(numbers)), pre, len(numbers))

    @property
    def is_strict(self) -> bool:
        """Whether it was written with exactly three parts, like semantic versions."""
        return self.parts == 3

    def _key(self) -> tuple[object, ...]:
        """The sort key: a release comes after its pre-releases, and numbers come before words in their fields."""
        return (self.numbers, not self.pre, tuple(map(_field_key, self.pre)))

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


def _field_key(field: str) -> tuple[int, int, str]:
    """Return the sort key of a field. Numbers are compared as text, as those in a range may have too many digits for :class:`int`."""
    digits = field.lstrip("0")
    return (0, len(digits), digits) if field.isdigit() else (1, 0, field)


def in_order(tags: list[str]) -> list[str]:
    """Return tags that are not versions by name, then versions in ascending order; equal versions are sorted by name."""
    keyed = [(Version.parse(tag), tag) for tag in tags]
    words = sorted(tag for version, tag in keyed if version is None)
    versions = sorted((version, tag) for version, tag in keyed if version is not None)
    return words + [tag for _version, tag in versions]
