# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Documents that refer to images: YAML or JSON with the position of each value, and quadlet units."""

from __future__ import annotations

import dataclasses
import typing as t

import yaml

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError

from ._json_documents import read_json
from ._spans import Path, Span
from ._units import InvalidUnit, is_unit, read_unit

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"
_NULL = "tag:yaml.org,2002:null"
# The largest charts render to some 100,000 values.
_MAX_VALUES = 300_000
_MAX_REPEATED = 5_000_000  # characters
_BYTE_ORDER_MARK = "\ufeff"

_HINT = "Correct the document"


class InvalidDocument(ImageError):
    """A text is not YAML, JSON or a unit file."""


class DocumentTooLarge(InvalidDocument):
    """A document expands to too many values or characters."""


class Budget:
    """What a text and the texts in its values may still expand to. Aliases let a small text stand for any size."""

    def __init__(self) -> None:
        self._values = _MAX_VALUES
        self._characters = _MAX_REPEATED

    def add(self, text: str) -> None:
        """Allow each character of a text once, in addition to those that aliases repeat."""
        self._characters += len(text)

    def spend(self, values: int, characters: int = 0) -> None:
        """Count values, and the characters in them. Raises DocumentTooLarge."""
        self._values -= values
        self._characters -= characters
        if self._values < 0:
            raise DocumentTooLarge("the document has more than %d values" % _MAX_VALUES, hint="Split the document")
        if self._characters < 0:
            cause = "the aliases in the document repeat more than %d characters" % _MAX_REPEATED
            raise DocumentTooLarge(cause, hint="Split the document")


@dataclasses.dataclass(frozen=True)
class Document:
    """One document: its value, and the positions of its scalars. A parsed document has no positions."""

    value: t.Any
    spans: t.Mapping[Path, Span] = dataclasses.field(default_factory=dict)
    budget: Budget = dataclasses.field(default_factory=Budget)


def split_mark(text: str) -> tuple[str, str]:
    """Return the byte order mark of a text, which may be empty, and the rest. The positions of libyaml do not count the mark."""
    return (_BYTE_ORDER_MARK, text[1:]) if text.startswith(_BYTE_ORDER_MARK) else ("", text)


def load(text: str, budget: Budget | None = None) -> list[Document]:
    """Read all documents in a text. Positions do not count a byte order mark. Raises InvalidDocument.

    ``budget`` is that of the document that contains the text.
    """
    text = str.__str__(text)  # libyaml refuses the strings that ansible-core marks with their origin
    budget = budget or Budget()
    budget.add(text)
    _mark, text = split_mark(text)
    try:
        if is_unit(text):
            return [Document(*read_unit(text), budget)]
        documents = read_json(text)
        if documents is not None:
            return [Document(value, spans, budget) for value, spans in documents]
        reader = _Reader(budget)
        return [reader.document(node) for node in list(yaml.compose_all(text, Loader=_LOADER)) if node is not None]
    except yaml.YAMLError as error:
        raise InvalidDocument("the document is not valid YAML or JSON (%s)" % _reason(error), hint=_HINT) from None
    except InvalidUnit as error:
        raise InvalidDocument("the document is not a valid unit file (%s)" % error, hint=_HINT) from None
    except UnicodeError:
        raise InvalidDocument(
            "the document is not valid YAML or JSON (it is not valid Unicode)", hint="Save the document in UTF-8"
        ) from None
    except RecursionError:
        raise InvalidDocument(
            "the document is nested too deeply", hint="Check that this is the right document"
        ) from None


class _Reader:
    """Converts nodes to values. Scalars stay text, so that a tag such as ``1.10`` does not become a number."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._spans: dict[Path, Span] = {}

    def document(self, node: yaml.Node) -> Document:
        """Return one document of the text. Raises DocumentTooLarge."""
        self._spans = {}
        return Document(self._value(node, (), frozenset(), False), self._spans, self._budget)

    def _value(self, node: yaml.Node, path: Path, above: frozenset[int], in_flow: bool) -> t.Any:
        """Return the value of a node. An alias within itself is dropped."""
        if id(node) in above:
            return None
        self._budget.spend(1)
        if isinstance(node, yaml.MappingNode):
            members, above = self._members(node, above), above | {id(node)}
            return {key: self._value(each, (*path, key), above, bool(node.flow_style)) for key, each in members.items()}
        if isinstance(node, yaml.SequenceNode):
            above = above | {id(node)}
            return [
                self._value(each, (*path, number), above, bool(node.flow_style))
                for number, each in enumerate(node.value)
            ]
        self._budget.spend(0, len(node.value))
        style = getattr(node, "style", None) or ""
        self._spans[path] = Span(node.start_mark.index, node.end_mark.index, style, in_flow)
        return None if node.tag == _NULL else node.value

    def _members(self, node: yaml.MappingNode, above: frozenset[int]) -> dict[str, yaml.Node]:
        """Return the members of a mapping, including those from merge keys (``<<``), which the mapping's own members override."""
        above = above | {id(node)}
        merged: dict[str, yaml.Node] = {}
        own: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if key.tag != _MERGE:
                own[_key(key)] = value
                continue
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                self._budget.spend(1)
                if isinstance(source, yaml.MappingNode) and id(source) not in above:
                    members = self._members(source, above)
                    self._budget.spend(len(members))
                    for name, below in members.items():
                        merged.setdefault(name, below)
        # Keys count with their values, except those that occur again.
        self._budget.spend(len(node.value) - len(own), sum(map(len, own)))
        return {**merged, **own}


def _key(node: yaml.Node) -> str:
    return node.value if isinstance(node.value, str) else ""


def _reason(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "unreadable content"
    return "%s, line %d" % (problem, mark.line + 1) if mark else str(problem)
