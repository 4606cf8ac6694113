# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Find image references in documents for Kubernetes, compose, kustomize, Helm and quadlets.

If a format defines a value as an image, the reference is certain. Other values may look like references: the value of
a key such as ``image``, a pair of ``repository`` and ``tag``, an argument or an environment variable of an operator.
"""

from __future__ import annotations

import typing as t

from . import _likely_references, _typed_references
from ._documents import Budget, Document, load
from ._found import Found
from ._spans import Path

_MAX_DEPTH = 100


def find_in(document: Document, default_tag: str = "") -> list[Found]:
    """Return all references in a document, in order; ``default_tag`` is for pairs of values without a tag.

    Raises DocumentTooLarge.
    """
    finder = _Finder(default_tag, document.budget)
    finder.look(document.value, ())
    return finder.found


def find(content: t.Any, default_tag: str = "") -> list[Found]:
    """Return all references in a text, a parsed document, or a list of documents. Raises InvalidDocument."""
    return [found for document in documents_of(content) for found in find_in(document, default_tag)]


def documents_of(content: t.Any) -> list[Document]:
    """Return the documents of a text, a parsed document, or a list of either. Raises InvalidDocument."""
    if isinstance(content, str):
        return load(content)
    if isinstance(content, (list, tuple)):
        return [document for item in content for document in documents_of(item)]
    return [Document(content)]


def once(found: t.Iterable[Found]) -> list[Found]:
    """Return each reference once, at its first position, and as certain if it is certain anywhere."""
    known: dict[str, Found] = {}
    for item in found:
        first = known.setdefault(item.reference, item)
        if item.certain and not first.certain:
            known[item.reference] = item
    return list(known.values())


def describe(found: Found) -> dict[str, t.Any]:
    """Return a reference in the form of the filter's result."""
    path = "".join("[%d]" % key if isinstance(key, int) else ".%s" % key for key in found.path).lstrip(".")
    return {"reference": found.reference, "kind": found.kind, "path": path, "certain": found.certain}


class _Finder:
    def __init__(self, default_tag: str, budget: Budget) -> None:
        self.found: list[Found] = []
        self._budget = budget
        self._default_tag = default_tag
        self._done: set[Path] = set()
        self._is_schema = False

    def look(self, value: t.Any, path: Path) -> None:
        """Search a value and everything below it."""
        if len(path) > _MAX_DEPTH or path in self._done:
            return
        if isinstance(value, t.Mapping):
            self._look_into(value, path)
        elif isinstance(value, (list, tuple)):
            self._add(_likely_references.flags(value, path))
            for number, below in enumerate(value):
                self.look(below, (*path, number))
        elif isinstance(value, str) and not (self._is_schema and path[-1] == "description"):
            self._add(_likely_references.in_text(value, path))

    def _look_into(self, value: t.Mapping[str, t.Any], path: Path) -> None:
        if not path:  # the texts of a schema are examples
            self._is_schema = value.get("kind") == "CustomResourceDefinition"
        for candidate in _typed_references.findings(value, path, self._budget):
            if isinstance(candidate, Found):
                self.found.append(candidate)
            else:
                self._done.add(candidate)
        for pair in _likely_references.pairs(value, path, self._default_tag):
            self._add([pair])
        self._add(_likely_references.variable(value, path))
        for key, below in value.items():
            self.look(below, (*path, str(key)))

    def _add(self, candidates: t.Iterable[Found]) -> None:
        """Add references whose values do not belong to another reference."""
        new = [candidate for candidate in candidates if not self._done.intersection(candidate.parts.values())]
        self.found += new
        self._done.update(where for candidate in new for where in candidate.parts.values())
