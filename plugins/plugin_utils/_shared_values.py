# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Detect references of a text that share a value, but need different replacements.

With a merge key of YAML, mappings with different tags have the repository from the same place in the text.
"""

from __future__ import annotations

import collections
import typing as t

from ._found import Found, parse
from ._spans import Path, Span

# The value at a position, or a key to add after it.
_Place = tuple[Span, str]


class Change(t.NamedTuple):
    """A reference, its replacement, which is None if it stays, and the values to set for it."""

    found: Found
    new: str | None
    values: t.Sequence[tuple[Path, str]]


def without_conflicts(
    changes: t.Sequence[Change], spans: t.Mapping[Path, Span], get: t.Callable[[Path], t.Any]
) -> list[Change]:
    """Return the changes, where a reference stays if another one needs a different value in the same place."""
    result = list(changes)
    wanted: dict[_Place, set[str]] = collections.defaultdict(set)
    places = {number: _places(change, spans, get) for number, change in enumerate(changes) if _has_parts(change)}
    for values in places.values():
        _add(wanted, values)
    is_done = False
    while not is_done:  # those that now stay can have another conflict
        is_done = True
        for number, values in places.items():
            if result[number].new is not None and any(len(wanted[place]) > 1 for place in values):
                result[number] = Change(changes[number].found, None, ())
                _add(wanted, _places(result[number], spans, get))
                is_done = False
    return result


def _has_parts(change: Change) -> bool:
    """Return whether a reference consists of several values. One without a tag may be the base of others, and blocks none."""
    if "image" in change.found.parts:
        return False
    reference = parse(change.found.reference)
    return change.new is not None or bool(reference and (reference.tag or reference.digest))


def _places(change: Change, spans: t.Mapping[Path, Span], get: t.Callable[[Path], t.Any]) -> dict[_Place, str]:
    """Return the value that the reference needs in each place."""
    parts = change.found.parts
    values = {(spans[path], ""): str(get(path) or "") for path in parts.values() if path in spans}
    for path, value in change.values:
        if path in spans:
            values[spans[path], ""] = value
        elif "sibling" in parts:
            values[spans[parts["sibling"]], str(path[-1])] = value
    return values


def _add(wanted: dict[_Place, set[str]], values: t.Mapping[_Place, str]) -> None:
    for place, value in values.items():
        wanted[place].add(value)
