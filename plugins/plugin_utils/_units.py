# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Read quadlet units, in which systemd and podman define containers, images and volumes."""

from __future__ import annotations

import collections
import re
import typing as t

from ._spans import Path, Span

_SECTIONS = frozenset(("Container", "Image", "Volume"))
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
# A line that ends in a backslash continues on the next line that is not a comment.
_CONTINUED = re.compile(r"\\\r?\n(?:[ \t]*[#;][^\n]*\n)*")


class InvalidUnit(Exception):
    """A text is not a unit. The message is the reason."""


def is_unit(text: str) -> bool:
    """Return whether a text is a quadlet unit, which begins with a section."""
    for line in text.splitlines():
        line = line.strip()
        if line and line[0] not in "#;":
            return line[0] == "[" and line[-1] == "]" and line[1:-1].isidentifier()
    return False


def read_unit(text: str) -> tuple[dict[str, t.Any], dict[Path, Span]]:
    """Return the sections of a unit, and the positions of the values. Raises InvalidUnit.

    If a section has the same key several times, the key has a list of values.
    """
    section = ""
    found: dict[tuple[str, str], list[Span]] = collections.defaultdict(list)
    for number, start, line in _lines(text):
        stripped = line.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            section = stripped[1:-1]
            continue
        key, equals, value = line.partition("=")
        if not equals or not key.strip():
            raise InvalidUnit("line %d is neither a section nor a key with a value" % number)
        if section in _SECTIONS:
            begin = start + len(key) + 1 + len(value) - len(value.lstrip())
            # As in a block of YAML, a value never needs quotes.
            found[section, key.strip()].append(Span(begin, begin + len(value.strip()), "|"))
    return _document(text, found)


def _lines(text: str) -> t.Iterator[tuple[int, int, str]]:
    """Yield the number, the offset and the text of each line with its continuation lines. Empty lines and comments are left out."""
    start: int | None = None
    first = 0
    for number, match in enumerate(_LINE.finditer(text), 1):
        line = match[0].strip()
        is_comment = line[:1] in ("#", ";")
        if start is None:
            if not line or is_comment:
                continue
            first, start = number, match.start()
        if not is_comment and not line.endswith("\\"):
            yield first, start, text[start : match.end()]
            start = None
    if start is not None:
        yield first, start, text[start:]


def _document(
    text: str, found: t.Mapping[tuple[str, str], t.Sequence[Span]]
) -> tuple[dict[str, t.Any], dict[Path, Span]]:
    sections: dict[str, dict[str, t.Any]] = collections.defaultdict(dict)
    spans: dict[Path, Span] = {}
    for (section, key), positions in found.items():
        values = [_CONTINUED.sub(" ", text[span.start : span.end]) for span in positions]
        path: Path = ("sections", section, key)
        if len(values) == 1:
            sections[section][key], spans[path] = values[0], positions[0]
        else:
            sections[section][key] = values
            spans.update(((*path, number), span) for number, span in enumerate(positions))
    return {"kind": "Quadlet", "sections": dict(sections)}, spans
