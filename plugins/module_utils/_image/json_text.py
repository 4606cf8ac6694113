# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Change values in the text of a JSON object without changing any other byte.

Several programs and people edit auth files, and the digest of a manifest covers its bytes. Decoding and encoding a
document again would change its order and its format. All texts that are passed to these functions must be valid JSON.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

# RFC 8259, 2. Python's str.strip() removes many more.
BLANKS = " \t\r\n"

_SKIPPED = re.compile("[%s]*" % BLANKS)
_INDENT = re.compile(r"\{[ \t]*(\r?\n)([ \t]*)")
_DECODER = json.JSONDecoder()


def put(text: str, path: t.Sequence[str], value: t.Any) -> str:
    """Return the text with ``value`` at ``path``. Missing objects on the path are created.

    New lines are indented like the existing ones. An empty document is indented with tabs, as in docker and podman.
    """
    text = text.strip(BLANKS) and text or "{}"
    style = _Style.of(text)
    start = _skip(text, 0)
    for depth, name in enumerate(path, 1):
        rest = _nested(path[depth:], value)
        member = _find(text, start, name)
        if not member:
            return _insert(text, start, style, depth, json.dumps(name) + style.colon + style.encode(rest, depth))
        if depth == len(path) or text[member.value] != "{":
            return text[: member.value] + style.encode(rest, depth) + text[member.end :]
        start = member.value
    return text


def remove(text: str, path: t.Sequence[str]) -> str:
    """Return the text without the value at ``path``."""
    while True:
        start = _skip(text, 0)
        for name in path[:-1]:
            member = _find(text, start, name)
            if not member or text[member.value] != "{":
                return text
            start = member.value
        members = _members(text, start)
        numbers = [number for number, member in enumerate(members) if member.name == path[-1]]
        if not numbers:
            return text
        text = _without(text, start, members, numbers[0])


def rewrite(text: str, changes: t.Mapping[str, t.Any]) -> str:
    """Return the text with many changes at once, with the rules of a JSON merge patch (RFC 7396).

    None removes a member, a mapping changes the members below, and any other value replaces the existing one. In a
    mapping for a list, the keys are positions. Raises ValueError if a changed object has two members with the same
    name, because readers would disagree about it.
    """
    try:
        return _rewritten(text, _skip(text, 0), changes, _Style.of(text), 1)
    except RecursionError:
        raise ValueError("nested too deeply") from None


class _Member(t.NamedTuple):
    """The location of a member in an object: its name, the end of the name, its value, and the end of the value.

    The name of a list item is its position, and has no length.
    """

    name: t.Any
    start: int
    named: int
    value: int
    end: int


@dataclasses.dataclass(frozen=True)
class _Style:
    """The format of a document; ``indent`` is None if the document is on a single line."""

    newline: str = "\n"
    indent: str | None = "\t"
    colon: str = ": "

    @classmethod
    def of(cls, text: str) -> _Style:
        start = _skip(text, 0)
        members = _members(text, start)
        if not members:
            return cls()
        colon = text[members[0].named : members[0].value]
        colon = cls.colon if "\n" in colon else colon
        lines = _INDENT.match(text, start)
        return cls(lines.group(1), lines.group(2), colon) if lines else cls("", None, colon)

    def encode(self, value: t.Any, depth: int) -> str:
        comma = "," if self.indent is not None else "," + self.gap
        text = json.dumps(value, indent=self.indent, separators=(comma, self.colon))
        return text.replace("\n", self.line(depth))

    def line(self, depth: int) -> str:
        """Return the beginning of a line at this depth."""
        return self.newline + (self.indent or "") * depth

    @property
    def gap(self) -> str:
        """Return the separator of members on one line."""
        return " " if self.colon.endswith(" ") else ""


def _nested(names: t.Sequence[str], value: t.Any) -> t.Any:
    for name in reversed(names):
        value = {name: value}
    return value


def _skip(text: str, position: int) -> int:
    blanks = _SKIPPED.match(text, position)
    return blanks.end() if blanks else position


def _members(text: str, start: int) -> list[_Member]:
    """Return the members of the object that begins at ``start``, in order."""
    found: list[_Member] = []
    position = _skip(text, start + 1)
    while text[position] != "}":
        name, named = _DECODER.raw_decode(text, position)
        value = _skip(text, _skip(text, named) + 1)
        end = _DECODER.raw_decode(text, value)[1]
        found.append(_Member(name, position, named, value, end))
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)
    return found


def _items(text: str, start: int) -> list[_Member]:
    """Return the items of the list that begins at ``start``."""
    found: list[_Member] = []
    position = _skip(text, start + 1)
    while text[position] != "]":
        end = _DECODER.raw_decode(text, position)[1]
        found.append(_Member(len(found), position, position, position, end))
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)
    return found


def _find(text: str, start: int, name: str) -> _Member | None:
    """Return the last member with this name, which is the one that readers use."""
    return next((member for member in reversed(_members(text, start)) if member.name == name), None)


def _insert(text: str, start: int, style: _Style, depth: int, item: str) -> str:
    members = _members(text, start)
    if not members:
        end = text.index("}", start)
        return text[: start + 1] + style.line(depth) + item + style.line(depth - 1) + text[end:]
    last = members[-1]
    before = text.index(",", members[-2].end) if len(members) > 1 else start
    lead = text[before + 1 : last.start] or style.gap
    return text[: last.end] + "," + lead + item + text[last.end :]


def _without(text: str, start: int, members: t.Sequence[_Member], number: int) -> str:
    if len(members) == 1:
        return text[: start + 1] + text[text.index("}", members[0].end) :]
    if number == 0:
        return text[: members[0].start] + text[members[1].start :]
    return text[: members[number - 1].end] + text[members[number].end :]


def _rewritten(text: str, start: int, changes: t.Mapping[t.Any, t.Any], style: _Style, depth: int) -> str:
    """Return the changed object or list that begins at ``start``, with the unchanged text around it."""
    is_list = text[start] == "["
    members = _items(text, start) if is_list else _members(text, start)
    names = {member.name for member in members}
    if len(names) < len(members):
        raise ValueError("an object contains a key twice")
    made, end = text[: start + 1], start + 1
    is_first = True
    for member in members:
        before, end = end, member.end
        if member.name in changes and changes[member.name] is None:
            continue
        made += text[start + 1 : members[0].start] if is_first else text[before : member.start]
        made += _member_text(text, member, changes, style, depth)
        is_first = False
    made += text[end:]
    for name, value in changes.items():
        if value is not None and name not in names and not is_list:
            member_text = json.dumps(name) + style.colon + style.encode(value, depth)
            made = _insert(made, start, style, depth, member_text)
    return made


def _member_text(text: str, member: _Member, changes: t.Mapping[t.Any, t.Any], style: _Style, depth: int) -> str:
    if member.name not in changes:
        return text[member.start : member.end]
    value = changes[member.name]
    if isinstance(value, t.Mapping) and text[member.value] in "{[":
        within = _rewritten(text[member.value : member.end], 0, value, style, depth + 1)
    else:
        within = style.encode(value, depth)
    return text[member.start : member.value] + within
