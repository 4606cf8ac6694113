# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Version ranges, in the notation that npm and Masterminds/semver (Helm, skopeo) share.

``||`` separates alternatives. Blanks or commas join conditions that must all be met. A condition is a comparison
(``>=1.2``), ``^1.2.3`` (the left-most number that is not 0 must not change), ``~1.2.3`` (the minor number must not
change), ``1.2 - 1.4`` (both ends included), or a partial version, in which omitted parts, ``x`` and ``*`` may be
anything.

npm and Masterminds differ over pre-releases. As in Masterminds, a condition that mentions a pre-release, such as
``>=1.2-0``, allows all pre-releases in its alternative. As in npm, an upper end that is not a pre-release itself
excludes its own pre-releases, unless the alternative mentions one of them: ``>=3.2.0-rc.1, <3.2.0`` selects the
release candidates of 3.2.0.
"""

from __future__ import annotations

import re
import typing as t

from .._errors import ImageError
from .version import Version

# A tag has no more than 128 characters, so no longer number can matter.
_NUMBER = r"([0-9]{1,128}|[xX*])"
_PRE = r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?"
_PARTIAL = r"[vV]?%s(?:\.%s)?(?:\.%s)?%s" % (_NUMBER, _NUMBER, _NUMBER, _PRE)
_CONDITION = re.compile(r"(=|!=|>=|=>|<=|=<|>|<|~>|~|\^)?\s*%s(?=[\s,<>=!~^]|$)" % _PARTIAL)
_HYPHEN = re.compile(r"(\S+)\s+-\s+(\S+)")
_HINT = 'Write the range as ">=1.2, <2", "^1.4", "~1.4.2", "1.2 - 1.4" or "1.x || 3.x"'

Predicate = t.Callable[[Version], bool]
Numbers = tuple[int, ...]


class VersionRange:
    """A parsed range. Raises :class:`ImageError` with the part that cannot be parsed."""

    def __init__(self, text: str) -> None:
        self._alternatives = [_Alternative(part, text) for part in text.split("||")]

    def allows(self, version: Version) -> bool:
        """Return whether a version is in the range. A pre-release is only if the range mentions a pre-release."""
        return any(alternative.allows(version) for alternative in self._alternatives)


class _Alternative:
    """Conditions that must all be met."""

    def __init__(self, text: str, whole: str) -> None:
        hyphenated = _HYPHEN.sub(r">=\1 <=\2", text.strip())
        matches = list(self._conditions(hyphenated, whole))
        named = {_numbers(*match.group(2, 3, 4)) for match in matches if match.group(5)}
        # The versions whose pre-releases the alternative names; a partial one stands for its first version.
        self._named = {numbers + (0,) * (3 - len(numbers)) for numbers in named}
        self._predicates = [self._predicate(match) for match in matches]

    @staticmethod
    def _conditions(hyphenated: str, whole: str) -> t.Iterator[re.Match[str]]:
        position = 0
        while position < len(hyphenated):
            match = _CONDITION.match(hyphenated, position)
            if not match:
                cause = "%r is not a valid version range: cannot parse %r" % (whole, hyphenated[position:])
                raise ImageError(cause, hint=_HINT)
            yield match
            position = match.end()
            while hyphenated[position : position + 1] in (",", " ", "\t", "\n"):
                position += 1

    def allows(self, version: Version) -> bool:
        if version.pre and not self._named:
            return False
        return all(predicate(version) for predicate in self._predicates)

    def _predicate(self, match: re.Match[str]) -> Predicate:
        operator, major, minor, patch, pre = match.groups()
        numbers = _numbers(major, minor, patch)
        return _predicate(operator or "=", numbers, tuple(pre.split(".")) if pre else (), self._named)


def _numbers(*parts: str | None) -> Numbers:
    """Return the numbers up to the first wildcard."""
    numbers: list[int] = []
    for part in parts:
        if part is None or not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _predicate(operator: str, numbers: Numbers, pre: tuple[str, ...], named: t.Collection[Numbers]) -> Predicate:
    """Return the test for one condition; ``named`` are the versions whose pre-releases the alternative mentions."""
    low = Version(numbers + (0,) * (3 - len(numbers)), pre)
    if operator in ("^", "~", "~>"):
        return _between(low, _bumped(numbers, _fixed(operator, numbers)))
    if operator in (">=", "=>"):
        return lambda version: version >= low
    if operator == "<":
        takes_pre = bool(pre) or low.numbers in named
        return lambda version: bool(numbers) and (version < low if takes_pre else _below(version, low))
    return _exact(operator, low) if len(numbers) == 3 else _partial(operator, low, numbers)


def _exact(operator: str, wanted: Version) -> Predicate:
    """Return the test for ``=``, ``!=``, ``>`` or ``<=`` with a complete version."""
    if operator == "=":
        return lambda version: version == wanted
    if operator == "!=":
        return lambda version: version != wanted
    return (lambda version: version > wanted) if operator == ">" else (lambda version: version <= wanted)


def _partial(operator: str, low: Version, numbers: tuple[int, ...]) -> Predicate:
    """Return the same test for a partial version, which stands for all versions that begin with these numbers."""
    after = _bumped(numbers, len(numbers) - 1)
    inside = _between(low, after)
    if operator == "=":
        return inside
    if operator == "!=":
        return lambda version: not inside(version)
    if operator == ">":
        return lambda version: after is not None and version >= after
    return lambda version: after is None or _below(version, after)


def _between(low: Version, high: Version | None) -> Predicate:
    """Return a test for versions from ``low`` to below ``high``, which may be None."""
    return lambda version: low <= version and (high is None or _below(version, high))


def _fixed(operator: str, numbers: tuple[int, ...]) -> int:
    """Return the position of the number that must not change."""
    if operator == "^":
        significant = [position for position, number in enumerate(numbers) if number]
        return significant[0] if significant else len(numbers) - 1
    return min(1, len(numbers) - 1)


def _bumped(numbers: tuple[int, ...], position: int) -> Version | None:
    """Return the first version with an increased number at this position; None without numbers."""
    if position < 0:
        return None
    bumped = numbers[:position] + (numbers[position] + 1,)
    return Version(bumped + (0,) * (3 - len(bumped)))


def _below(version: Version, high: Version) -> bool:
    """Return whether a version is lower than ``high`` and not one of its pre-releases."""
    return version < high and version.numbers != high.numbers
