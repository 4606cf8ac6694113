# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Parse untrusted JSON.

A description of an image must not be read as one image here and as a different one in an engine. Engines are written
in Go, whose encoding/json ignores the case of field names, and uses the last of several members with the same name.
"""

from __future__ import annotations

import functools
import json
import typing as t

from .._errors import InvalidContent

# Python from 3.11 refuses longer ones, and before takes minutes for a million digits.
_MAX_DIGITS = 4300


def decode(content: bytes | str) -> t.Any:
    """Decode JSON. Raises ValueError, even for nesting that is too deep for the decoder."""
    try:
        return json.loads(content if isinstance(content, str) else content.decode("utf-8"), parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read(content: bytes | str, what: str, hint: str = "") -> t.Any:
    """Decode JSON that describes an image. ``what`` completes "... is not valid JSON".

    Raises :class:`InvalidContent`, even if an object has several members with the same name and different values,
    because readers would disagree about it.
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
    """Reject members whose names differ from one of these fields only in case, because engines would use them as that field.

    Without ``lone``, reject them only if there is more than one, or the field itself as well. Members of a map, such
    as labels and annotations, are not fields. Raises :class:`InvalidContent`.
    """
    variants = [name for name in document if name not in fields and name.casefold() in _folded(fields)]
    if not variants:
        return
    field = _folded(fields)[variants[0].casefold()]
    if lone or field in document or len({name.casefold() for name in variants}) < len(variants):
        cause = "%s contains %r, which engines read as %s but other tools ignore" % (what, variants[0], field)
        raise InvalidContent(cause, hint="Build the image with a tool that writes %s" % field)


def encode(document: t.Any) -> bytes:
    """Return the compact form. Equal documents give equal text. Raises ValueError if the nesting is too deep."""
    try:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError:  # half a surrogate pair: only the escaped form has it
        return json.dumps(document, separators=(",", ":")).encode("ascii")
    except RecursionError:
        raise ValueError("nested too deeply") from None


def cut_nested(document: t.Any, levels: int) -> bool:
    """Empty objects and lists below this nesting level, in place. Return whether there were any."""
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
    if len(found) == len(members):
        return found
    seen: dict[str, t.Any] = {}
    for name, value in members:
        # Only repeated values are encoded. Otherwise, nested objects that repeat a small value cost their size per level.
        if name in seen and encode(value) != encode(seen[name]):
            raise _Ambiguous(name)
        seen[name] = value
    return found


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("a number has more than %d digits" % _MAX_DIGITS)
    return int(digits)


def _constant(name: str) -> t.NoReturn:
    """Reject NaN and Infinity, which Python accepts but JSON does not."""
    raise ValueError("%s is not valid JSON" % name)


@functools.cache
def _folded(fields: frozenset[str]) -> dict[str, str]:
    return {name.casefold(): name for name in fields}
