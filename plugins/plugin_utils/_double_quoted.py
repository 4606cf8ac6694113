# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Change the source of double-quoted values in YAML and JSON, where escapes can precede or be part of a reference."""

from __future__ import annotations

import json
import re

from yaml.scanner import Scanner

from ._replacements import Replacements

# The value at the end, after an anchor and a tag.
_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"\Z', re.DOTALL)
# An escaped line break, a pair of surrogates in JSON, another escape, line breaks with the spaces around them, spaces, or a
# character.
_PIECE = re.compile(
    r"\\\r?\n[ \t]*|\\u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}"
    r"|\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)|[ \t]*(?:\r?\n[ \t]*)+|[ \t]+|.",
    re.DOTALL,
)
_PAIR_LENGTH = len(r"\ud83d\ude00")


class DoubleQuoted:
    """A double-quoted value. Everything that is not replaced keeps its escapes and line breaks."""

    def __init__(self, source: str, value: str) -> None:
        """``source`` may begin with an anchor and a tag; ``value`` is what YAML reads."""
        found = _VALUE.search(source)
        self._before = source[: found.start()] if found else ""
        self._pieces = [(piece, _read(piece)) for piece in _PIECE.findall(found[1])] if found else []
        if self._value() != value:  # rare notations, such as an escaped line break before empty lines
            self.set(value)

    def _value(self) -> str:
        return "".join(text for _piece, text in self._pieces)

    def set(self, value: str) -> None:
        """Replace the whole value."""
        self._pieces = _written(value)

    def substitute(self, replacements: Replacements) -> bool:
        """Replace all references. Return whether there are any."""
        matches = replacements.matches(self._value())
        # The piece of each character of the value. An escaped line break has no character.
        at = [number for number, (_piece, text) in enumerate(self._pieces) for _character in text]
        for start, end, new in reversed(matches):
            self._pieces[at[start] : at[end - 1] + 1] = _written(new)
        return bool(matches)

    def __str__(self) -> str:
        return '%s"%s"' % (self._before, "".join(piece for piece, _text in self._pieces))


def _read(piece: str) -> str:
    """Return the text that a piece of the source stands for."""
    breaks = piece.count("\n")
    if piece[0] == "\\":
        if breaks:
            return ""
        if len(piece) == _PAIR_LENGTH:
            return str(json.loads('"%s"' % piece))
        is_code = len(piece) > 2
        return chr(int(piece[2:], 16)) if is_code else Scanner.ESCAPE_REPLACEMENTS.get(piece[1], piece[1])
    if breaks:
        return "\n" * (breaks - 1) or " "
    return piece


def _written(text: str) -> list[tuple[str, str]]:
    """Return a text in pieces that are valid in YAML and JSON."""
    return [(json.dumps(each, ensure_ascii=not each.isprintable())[1:-1], each) for each in text]
