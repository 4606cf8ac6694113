# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""JSON from outside.

What describes an image is read so that it cannot be one image here and another one for an engine. Engines are written in
Go, whose encoding/json takes a member for a field whatever its case, and of several members the last.
"""

from __future__ import annotations

import functools
import json
import typing as t

from .._errors import InvalidContent

# Python from 3.11 refuses longer ones, and before takes minutes for a million digits.
_MAX_DIGITS = 4300


def decode(content: bytes | str) -> t.Any:
    """Decode JSON. Raises ValueError, also for nesting that the decoder cannot follow."""
    try:
        return json.loads(content if isinstance(content, str) else content.decode("utf-8"), parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read(content: bytes | str, what: str, hint: str = "") -> t.Any:
    """Decode JSON that describes an image. ``what`` completes "... is not valid JSON".

    Raises :class:`InvalidContent`, also where an object has several members of one name with different values: which of
    them counts would depend on the reader.
    """
    try:
        text = content if isinstance(content, str) else content.decode("utf-8")
        return json.loads(text, parse_int=_integer, parse_constant=_constant, object_pairs_hook=_object)
    except _Ambiguous as error:
        cause = "%s contains the key %r several times, with different values" % (what, error.name[:100])
        raise InvalidContent(cause, hint=hint) from None
    except (ValueError, RecursionError):
        raise InvalidContent("%s is not valid JSON" % what, hint=hint) from None


def check_fields(document: t.Mapping[str, t.Any], fields: frozenset[str], what: str, lone: bool = True) -> None:
    """Refuse members that differ from one of these fields in nothing but case: engines would take them for it.

    Without ``lone`` only where there is the field itself too, or several of them. The members of a map, such as labels
    and annotations, are no fields. Raises :class:`InvalidContent`.
    """
    variants = [name for name in document if name not in fields and name.casefold() in _folded(fields)]
    if not variants:
        return
    field = _folded(fields)[variants[0].casefold()]
    if lone or field in document or len({name.casefold() for name in variants}) < len(variants):
        cause = "%s contains %r, which engines read as %s, but other tools ignore" % (what, variants[0], field)
        raise InvalidContent(cause, hint="Build the image with a tool that writes %s" % field)


def encode(document: t.Any) -> bytes:
    """The compact form, the same for the same document. Raises ValueError where it is nested too deeply."""
    try:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError:  # half a surrogate pair: only the escaped form has it
        return json.dumps(document, separators=(",", ":")).encode("ascii")
    except RecursionError:
        raise ValueError("nested too deeply") from None


def cut_nested(document: t.Any, levels: int) -> bool:
    """Empty the objects and lists that are nested deeper than so many levels, in place; returns whether there were any."""
    within = [document]
    for _level in range(levels):
        items = (item for one in within for item in (one.values() if isinstance(one, dict) else one))
        within = [item for item in items if item and isinstance(item, (dict, list))]
        if not within:
            return False
    for one in within:
        one.clear()
    return True


class _Ambiguous(ValueError):
    """An object has several values for this name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _object(members: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    found = dict(members)
    if len(found) < len(members):
        for name, value in members:
            if encode(value) != encode(found[name]):
                raise _Ambiguous(name)
    return found


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("a number has more than %d digits" % _MAX_DIGITS)
    return int(digits)


def _constant(name: str) -> t.NoReturn:
    """NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError("%s is not valid JSON" % name)


@functools.cache
def _folded(fields: frozenset[str]) -> dict[str, str]:
    return {name.casefold(): name for name in fields}
