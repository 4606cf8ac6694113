# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collect the errors and warnings of the plugins. Run as a module, writes the error index of the documentation."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from devtools.provision import REPOSITORY

INDEX = REPOSITORY / "docs" / "docsite" / "rst" / "error_index.rst"

_PLUGINS = REPOSITORY / "plugins"
_ANSIBLE = {"AnsibleFilterError", "AnsibleLookupError"}
# Functions that make or raise an error, with the position of its text, and what comes before the text.
_HELPERS = {"wrong": (0, ""), "kind": (0, ""), "_error_for": (2, "manifest ... cannot be converted to format ...: ")}
_WARNINGS = {"warn", "_warn"}
_PLACEHOLDER = re.compile(r"%(?:\.\d+)?0?\d*[srdgxo]")
_LEAST_WORDS = 2
# A hint comes from a function, which gets it from a function, and so on; this is enough.
_CALLS = 2
_MODULE = -1

# The first path that fits decides.
_SECTIONS = (
    ("module_utils/_operations/sync/", "Sets of images, source files and pruning"),
    ("module_utils/_operations/sign", "Signatures"),
    ("module_utils/_image/sign", "Signatures"),
    ("module_utils/_image/policy", "Signatures"),
    ("module_utils/_operations/verify", "Signatures"),
    ("module_utils/_image/", "References, manifests and configs"),
    ("module_utils/_registry/auth", "Credentials"),
    ("module_utils/_registry/cred", "Credentials"),
    ("module_utils/_registry/identities", "Credentials"),
    ("module_utils/_registry/token_services", "Credentials"),
    ("module_utils/_registry/helper", "Credentials"),
    ("module_utils/_operations/login", "Credentials"),
    ("module_utils/_registry/", "Registries and connections"),
    ("module_utils/_stores/", "Layouts, archives, directories and engines"),
    ("module_utils/_engine/", "Layouts, archives, directories and engines"),
    ("module_utils/_transfer/", "Copies, tags and deletions"),
    ("module_utils/_operations/", "Copies, tags and deletions"),
    ("module_utils/", "Options, files and libraries"),
    ("modules/", "Options, files and libraries"),
    ("", "Filters and lookups"),
)

_HEAD = """..
  Copyright (c) 2026, the drayage.registry contributors
  GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later

.. Do not edit: ``python -m devtools.toolchain.messages`` writes this page from the code.

.. _ansible_collections.drayage.registry.docsite.error_index:

Error index
===========

This page lists the errors and warnings of this collection. Search it for part of the message that you see. ``...`` stands for the parts that depend on your
case, such as the name of an image. The text before the first colon of a message is usually the image, file or option that it is about, and is not part of this
list. Text in parentheses usually comes from the registry or program that failed.

:ref:`ansible_collections.drayage.registry.docsite.guide_troubleshooting` explains the most frequent messages.

.. contents::
   :local:
   :depth: 1
"""


class Message(NamedTuple):
    """An error or a warning, with ``...`` in place of values, and its hints."""

    section: str
    text: str
    hints: tuple[str, ...]
    is_warning: bool


class _Block(NamedTuple):
    """A list of statements, and whether the function ends with it or goes on elsewhere."""

    owner: int
    field: str
    ends: bool


class _Assigned(NamedTuple):
    name: str
    value: ast.expr
    line: int
    blocks: tuple[_Block, ...]


@functools.cache
def messages() -> tuple[Message, ...]:
    """Return the messages of all plugins, each once, in the order of sections and texts."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(_PLUGINS.rglob("*.py"))}
    errors = _error_classes(trees.values()) | _ANSIBLE
    code = _Code(list(trees.values()))
    found: dict[tuple[str, str], Message] = {}
    for path, tree in trees.items():
        section = _section(path)
        for message in _of_tree(tree, errors, section, code):
            known = found.get((section, message.text))
            hints = (*known.hints, *message.hints) if known else message.hints
            found[section, message.text] = message._replace(hints=tuple(dict.fromkeys(hints)))
    return tuple(
        sorted(found.values(), key=lambda each: (each.section, re.sub(r"\W", "", each.text).lower(), each.text))
    )


def page() -> str:
    """Return the error index."""
    parts = [_HEAD]
    section = ""
    for message in messages():
        if message.section != section:
            section = message.section
            parts.append(f"\n{section}\n{'-' * len(section)}\n\n")
        kind = " (warning)" if message.is_warning else ""
        hints = "".join(f"\n  What to do: {_sentence(hint)}\n" for hint in message.hints)
        parts.append(f"* ``{message.text}``{kind}\n{hints}\n")
    return "".join(parts).rstrip("\n") + "\n"


def _sentence(hint: str) -> str:
    return _escaped(hint) if hint.endswith("...") else f"{_escaped(hint)}."


def _without_stop(text: str) -> str:
    return re.sub(r"(?<!\.)\.$|(?<=\.\.\.)\.$", "", text)


def _escaped(text: str) -> str:
    """Text in which no character is markup; an underscore is, at the end of a word."""
    return re.sub(r"[\\*`|]|_(?!\w)", r"\\\g<0>", text)


def _section(path: Path) -> str:
    name = path.relative_to(_PLUGINS).as_posix()
    return next(title for start, title in _SECTIONS if name.startswith(start))


def _error_classes(trees: Iterable[ast.Module]) -> set[str]:
    """The subclasses of ImageError: all classes that have one of them as a base."""
    found = {"ImageError"}
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    while True:
        more = {node.name for node in classes if found & {_name(base) for base in node.bases}} - found
        if not more:
            return found
        found |= more


class _Code:
    """What the texts of a message may come from, in all plugins: functions by name, and what is passed to their parameters."""

    def __init__(self, trees: list[ast.Module]) -> None:
        self._constants = [each for tree in trees for each in _assigned(tree, level=_MODULE)]
        self._functions: dict[str, list[ast.FunctionDef]] = {}
        self._passed: dict[tuple[str, str], list[ast.expr]] = {}
        for tree in trees:
            constants = {each.name: each.value for each in _assigned(tree, level=_MODULE)}
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    self._functions.setdefault(node.name, []).append(node)
                elif isinstance(node, ast.Call):
                    for keyword in node.keywords:
                        value = constants.get(_name(keyword.value), keyword.value)
                        self._passed.setdefault((_name(node.func), keyword.arg or ""), []).append(value)

    def imported(self, tree: ast.Module) -> list[_Assigned]:
        """The constants of other modules that a module imports."""
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        return [each for each in self._constants if each.name in names]

    def passed(self, scope: ast.AST) -> list[_Assigned]:
        """The hints of a function that come from its callers, and its default."""
        if not isinstance(scope, ast.FunctionDef) or all(each.arg != "hint" for each in scope.args.args):
            return []
        values = [value for value in self._passed.get((scope.name, "hint"), []) if isinstance(value, ast.Constant)]
        values += self.default_hint(scope.name)
        return [_Assigned("hint", _either(values), _MODULE, ())] if values else []

    def default_hint(self, name: str) -> list[ast.expr]:
        """The hint of a helper that is called without one."""
        for function in self._functions.get(name, []):
            if function.args.args[-1].arg == "hint" and function.args.defaults:
                return [function.args.defaults[-1]]
        return []

    def returned(self, name: str) -> list[tuple[ast.expr, dict[str, list[ast.expr]]]]:
        """What the functions of this name return, each with what the names in it may be. Only those that return hints."""
        return [
            (node.value, _values_at(node.lineno, blocks, _assigned(function)))
            for function in (self._functions.get(name, []) if "hint" in name else [])
            for node, blocks in _within(function)
            if isinstance(node, ast.Return) and node.value
        ]


def _either(values: list[ast.expr]) -> ast.expr:
    """An expression that may be any of these."""
    value = values[-1]
    for other in values[-2::-1]:
        value = ast.IfExp(ast.Constant(True), other, value)
    return value


def _of_tree(tree: ast.Module, errors: set[str], section: str, code: _Code) -> Iterator[Message]:
    everywhere = [*code.imported(tree), *_assigned(tree, level=_MODULE)]
    for scope in (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.Module))):
        assigned = [*code.passed(scope), *_assigned(scope), *([] if scope is tree else everywhere)]
        for node, blocks in _within(scope):
            if not isinstance(node, ast.Call):
                continue
            name = _name(node.func)
            if name not in errors and name not in _HELPERS and name not in _WARNINGS:
                continue
            names = _values_at(node.lineno, blocks, assigned)
            position, start = _HELPERS.get(name, (0, ""))
            texts = _texts(node.args[position], names, code) if len(node.args) > position else []
            hint_nodes = _hint_nodes(node, name) or code.default_hint(name)
            hints = [value for each in hint_nodes for value in _texts(each, names, code)]
            shown = tuple(_without_stop(hint) for hint in dict.fromkeys(hints) if hint.strip("."))
            is_frame = any(start and f"{start}..." in texts for _position, start in _HELPERS.values())
            for text in () if is_frame else texts:
                # Something for a reader to recognize, rather than a text that another layer completes.
                if len(re.findall(r"[A-Za-z_'-]{2,}", text)) >= _LEAST_WORDS:
                    yield Message(section, start + _without_stop(text), shown, name in _WARNINGS)


def _hint_nodes(node: ast.Call, name: str) -> list[ast.expr]:
    """The hint of a call: by name, or after the reference; that of ``wrong`` after the text."""
    named = [keyword.value for keyword in node.keywords if keyword.arg == "hint"]
    position = {"wrong": 1, "_error_for": 3}.get(name, 2)
    return named or ([node.args[position]] if name not in _WARNINGS and len(node.args) > position else [])


def _within(scope: ast.AST, blocks: tuple[_Block, ...] = ()) -> Iterator[tuple[ast.AST, tuple[_Block, ...]]]:
    """The nodes of a function or module with the blocks that they are in, without those of the functions in it."""
    for field, value in ast.iter_fields(scope):
        inside = blocks
        if isinstance(value, list) and value and isinstance(value[0], (ast.stmt, ast.ExceptHandler)):
            inside = (*blocks, _Block(id(scope), field, isinstance(value[-1], (ast.Return, ast.Raise, ast.Continue))))
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.FunctionDef):
                yield child, inside
                yield from _within(child, inside)


def _assigned(scope: ast.AST, level: int = 0) -> list[_Assigned]:
    """The assignments in a scope; with a level they come before all lines."""
    return [
        _Assigned(node.targets[0].id, node.value, level or node.lineno, () if level else blocks)
        for node, blocks in _within(scope)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    ]


def _values_at(line: int, blocks: tuple[_Block, ...], assigned: list[_Assigned]) -> dict[str, list[ast.expr]]:
    """What each name may be in a line: the last value in a block around it, or one of a later branch that goes on there."""
    found: dict[str, list[ast.expr]] = {}
    for each in sorted(assigned, key=lambda item: item.line):
        if each.line >= line:
            continue
        if set(each.blocks) <= set(blocks):
            found[each.name] = [each.value]
        elif not any(block.ends for block in set(each.blocks) - set(blocks)):
            found.setdefault(each.name, []).append(each.value)
    return found


def _texts(node: ast.expr, names: dict[str, list[ast.expr]], code: _Code, calls: int = _CALLS) -> list[str]:
    """What an expression may be, as far as it is constant text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [" ".join(_PLACEHOLDER.sub("...", node.value).split())] if node.value else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _texts(node.left, names, code, calls)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [
            " ".join(f"{one} {other}".split())
            for one in _texts(node.left, names, code, calls)
            for other in _texts(node.right, names, code, calls) or ["..."]
        ]
    parts: list[ast.expr] = []
    if isinstance(node, ast.IfExp):
        parts = [node.body, node.orelse]
    elif isinstance(node, ast.Name):
        parts = names.get(node.id, [])
        names = {name: values for name, values in names.items() if name != node.id}
    elif isinstance(node, ast.Dict):
        parts = node.values
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        parts = [node.func.value, *node.args[1:]]
    elif isinstance(node, ast.Call) and calls:
        found = code.returned(_name(node.func))
        return [text for value, within in found for text in _texts(value, {**names, **within}, code, calls - 1)]
    return [text for part in parts for text in _texts(part, names, code, calls)]


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def strings() -> Iterator[tuple[Path, int, str]]:
    """Return path, line and text of each string in the code of plugins that may be a part of a message."""
    for path in sorted(_PLUGINS.rglob("*.py")):
        if path.parent.name == "doc_fragments":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        apart = {
            id(node.value) for node in ast.walk(tree) if isinstance(node, (ast.Expr, ast.Assign)) and _is_apart(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart:
                if " " in node.value.strip():
                    yield path, node.lineno, node.value


def _is_apart(node: ast.Expr | ast.Assign) -> bool:
    """Whether it is a docstring or the documentation of a plugin."""
    return isinstance(node, ast.Expr) or getattr(node.targets[0], "id", "") in ("DOCUMENTATION", "EXAMPLES", "RETURN")


if __name__ == "__main__":
    INDEX.write_text(page(), encoding="utf-8")
