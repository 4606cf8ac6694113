# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Read JSON documents with the position of each value.

A YAML reader refuses some of JSON: several documents without a separator, as in the output of ``opm render``, surrogate
pairs, long keys and some characters.
"""

from __future__ import annotations

import json
import re
import typing as t

from ._spans import Path, Span

_SKIPPED = re.compile("[ \t\r\n]*")
# Numbers stay text, so that a tag such as 1.10 does not change.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)

Read = tuple[t.Any, dict[Path, Span]]


def read_json(text: str) -> list[Read] | None:
    """Return the value and the positions of each document; None if the text is not a sequence of JSON objects and lists.

    Raises RecursionError.
    """
    documents: list[Read] = []
    position = _skip(text, 0)
    try:
        while text[position : position + 1] in ("{", "["):
            reader = _Reader(text)
            value, position = reader.value(position, ())
            documents.append((value, reader.spans))
            position = _skip(text, position)
    except ValueError:
        return None
    return documents if position == len(text) and documents else None


class _Reader:
    """Reads one document. The methods return a value and its end, and raise ValueError if it is invalid."""

    def __init__(self, text: str) -> None:
        self.spans: dict[Path, Span] = {}
        self._text = text

    def value(self, start: int, path: Path) -> tuple[t.Any, int]:
        """Read the value that begins at ``start``."""
        mark = self._text[start : start + 1]
        if mark == "{":
            return self._object(start, path)
        if mark == "[":
            return self._list(start, path)
        value, end = _DECODER.raw_decode(self._text, start)
        # A number is replaced by text, which has quotes in JSON.
        self.spans[path] = Span(start, end, '"', in_flow=True)
        return (value if value is None or isinstance(value, str) else self._text[start:end]), end

    def _object(self, start: int, path: Path) -> tuple[dict[str, t.Any], int]:
        members: dict[str, t.Any] = {}
        position, has_more = self._first(start, "}")
        while has_more:
            name, position = _DECODER.raw_decode(self._text, position)
            position = _skip(self._text, position)
            if not isinstance(name, str) or not self._text.startswith(":", position):
                raise ValueError(position)
            members[name], position = self.value(_skip(self._text, position + 1), (*path, name))
            position, has_more = self._next(position, "}")
        return members, position

    def _list(self, start: int, path: Path) -> tuple[list[t.Any], int]:
        items: list[t.Any] = []
        position, has_more = self._first(start, "]")
        while has_more:
            item, position = self.value(position, (*path, len(items)))
            items.append(item)
            position, has_more = self._next(position, "]")
        return items, position

    def _first(self, start: int, end: str) -> tuple[int, bool]:
        """Return the position of the first member, and whether there is one; if not, the position after the end."""
        position = _skip(self._text, start + 1)
        is_empty = self._text.startswith(end, position)
        return position + is_empty, not is_empty

    def _next(self, position: int, end: str) -> tuple[int, bool]:
        """Return the same for the member after the one that ends at ``position``."""
        position = _skip(self._text, position)
        if self._text.startswith(end, position):
            return position + 1, False
        if not self._text.startswith(",", position):
            raise ValueError(position)
        return _skip(self._text, position + 1), True


def _skip(text: str, position: int) -> int:
    blanks = _SKIPPED.match(text, position)
    return blanks.end() if blanks else position
