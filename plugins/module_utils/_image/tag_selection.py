# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Select tags of a repository by regular expressions, by version range, and by the number of versions."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._errors import ImageError
from .version import Version, in_order
from .version_range import VersionRange

# Python reads [[:digit:]] as a set of the characters [:digt and a bracket. No tag has a colon, so it is always a class.
POSIX_CLASS = re.compile(r"\[:\^?[a-z]+:\]")


@dataclasses.dataclass(frozen=True)
class TagSelection:
    """A filter for tags. The rules apply in the order of the fields.

    With ``strict``, only tags with three numbers count as versions. ``newest`` keeps that many versions; None keeps
    all. If versions are selected, all other tags are dropped.
    """

    include: tuple[re.Pattern[str], ...] = ()
    exclude: tuple[re.Pattern[str], ...] = ()
    versions: VersionRange | None = None
    strict: bool = True
    newest: int | None = None

    @classmethod
    def parse(
        cls,
        include: t.Iterable[str] = (),
        exclude: t.Iterable[str] = (),
        semver: str | None = None,
        strict: bool = True,
        newest: int | None = None,
    ) -> TagSelection:
        """Parse the options. Raises :class:`ImageError` for an invalid value."""
        if newest is not None and newest < 1:
            raise ImageError("newest is %d, but must be 1 or more" % newest)
        # Without a range pre-releases are not wanted either, as in the range of all versions.
        versions = VersionRange(semver or "*") if semver is not None or newest is not None else None
        patterns = [
            tuple(compile_pattern(name, x) for x in texts)
            for name, texts in (("include", include), ("exclude", exclude))
        ]
        return cls(patterns[0], patterns[1], versions, strict, newest)

    def select(self, tags: t.Iterable[str]) -> list[str]:
        """Return the selected tags: first tags that are not versions by name, then versions in ascending order."""
        chosen = in_order([tag for tag in tags if self._allows(tag)])
        return chosen if self.newest is None else chosen[max(len(chosen) - self.newest, 0) :]

    def _allows(self, tag: str) -> bool:
        if self.include and not any(pattern.fullmatch(tag) for pattern in self.include):
            return False
        if any(pattern.fullmatch(tag) for pattern in self.exclude):
            return False
        if self.versions is None:
            return True
        version = Version.parse(tag)
        return version is not None and (version.is_strict or not self.strict) and self.versions.allows(version)


def compile_pattern(option: str, text: str) -> re.Pattern[str]:
    """Compile a regular expression from an option, to be matched against whole tags. Raises :class:`ImageError`."""
    posix_class = POSIX_CLASS.search(text)
    if posix_class:
        cause = "%s: %r uses the POSIX class %s, which Python does not support" % (option, text, posix_class.group())
        raise ImageError(cause, hint="Use 0-9, a-z or A-Z in the brackets, as in [0-9]")
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        cause = "%s: %r is not a valid regular expression (%s)" % (option, text, error)
        raise ImageError(cause, hint="Write an expression that matches whole tags, for example 1\\.2\\..*") from None
