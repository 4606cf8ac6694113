# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Documents that refer to images: YAML or JSON with the position of each value, and quadlet units."""

from __future__ import annotations

import configparser
import dataclasses
import typing as t

import yaml

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError

# Keys of mappings and positions in lists, from the top of a document.
Path = tuple[t.Union[str, int], ...]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNITS = frozenset(("Container", "Image", "Volume"))


class InvalidDocument(ImageError):
    """A text is neither YAML, JSON nor a unit file."""


@dataclasses.dataclass(frozen=True)
class Span:
    """Where the text of a scalar stands, as offsets, with the quotes around it; ``style`` is YAML's, such as ``'``."""

    start: int
    end: int
    style: str


@dataclasses.dataclass(frozen=True)
class Document:
    """One document: its value, and where its scalars stand. Values of structures that were given have no place."""

    value: t.Any
    spans: t.Mapping[Path, Span] = dataclasses.field(default_factory=dict)


def load(text: str) -> list[Document]:
    """Read all documents of a text. Raises InvalidDocument."""
    text = str.__str__(text)  # libyaml refuses the strings that ansible-core marks with their origin
    if _is_unit(text):
        return [Document(_read_unit(text), _unit_spans(text))]
    try:
        nodes = list(yaml.compose_all(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise InvalidDocument("is not valid YAML or JSON (%s)" % _reason(error)) from None
    except RecursionError:
        raise InvalidDocument("is nested too deeply") from None
    return [_document(node) for node in nodes if node is not None]


def _document(node: yaml.Node) -> Document:
    spans: dict[Path, Span] = {}
    return Document(_value(node, (), spans, frozenset()), spans)


def _value(node: yaml.Node, path: Path, spans: dict[Path, Span], above: frozenset[int]) -> t.Any:
    """The value of a node. Scalars stay text: a tag of ``1.10`` is no number. An alias within itself is left out."""
    if id(node) in above:
        return None
    above = above | {id(node)}
    if isinstance(node, yaml.MappingNode):
        pairs = [(_key(key), value) for key, value in node.value]
        return {key: _value(value, (*path, key), spans, above) for key, value in pairs}
    if isinstance(node, yaml.SequenceNode):
        return [_value(value, (*path, number), spans, above) for number, value in enumerate(node.value)]
    spans[path] = Span(node.start_mark.index, node.end_mark.index, getattr(node, "style", None) or "")
    return None if node.tag == "tag:yaml.org,2002:null" else node.value


def _key(node: yaml.Node) -> str:
    return node.value if isinstance(node.value, str) else ""


def _reason(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it cannot be read"
    return "%s, line %d" % (problem, mark.line + 1) if mark else str(problem)


def _is_unit(text: str) -> bool:
    """Quadlet units begin with a section; a YAML list of one word would be on a line of its own too, but not of these."""
    for line in text.splitlines():
        line = line.strip()
        if line and line[0] not in "#;":
            return line[0] == "[" and line[-1] == "]" and line[1:-1].isidentifier()
    return False


def _read_unit(text: str) -> t.Any:
    parser = configparser.RawConfigParser(strict=False, interpolation=None, allow_no_value=True)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise InvalidDocument("is not a valid unit file (%s)" % str(error).splitlines()[0]) from None
    except AttributeError:  # Python before 3.12, of a line that goes on from a key without a value
        raise InvalidDocument("is not a valid unit file (a line continues nothing)") from None
    return {"kind": "Quadlet", "sections": {name: dict(parser[name]) for name in parser.sections() if name in _UNITS}}


def _unit_spans(text: str) -> dict[Path, Span]:
    spans: dict[Path, Span] = {}
    section, offset = "", 0
    for line in text.splitlines(keepends=True):
        stripped = line.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            section = stripped[1:-1]
        key, equals, value = line.partition("=")
        if equals and section in _UNITS:
            start = offset + len(key) + 1 + len(value) - len(value.lstrip())
            spans["sections", section, key.strip()] = Span(start, start + len(value.strip()), "")
        offset += len(line)
    return spans
