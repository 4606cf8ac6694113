# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collect the errors and warnings of the plugins. Run as a module, writes the error index of the documentation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from devtools.provision import REPOSITORY

INDEX = REPOSITORY / "docs" / "docsite" / "rst" / "error_index.rst"

_PLUGINS = REPOSITORY / "plugins"
_ANSIBLE = {"AnsibleFilterError", "AnsibleLookupError"}
# Functions that make or raise an error, with the position of its text.
_HELPERS = {"wrong": 0, "_malformed": 0, "_mismatch": 0, "_refusal": 2}
_WARNINGS = {"warn", "_warn"}
_PLACEHOLDER = re.compile(r"%(?:\.\d+)?0?\d*[srdgx]")
_LEAST_WORDS = 2

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

This page lists the errors and warnings of this collection. Search it for a part of the message that you see. ``...`` stands for the parts that depend on your case, such as the name of an image. The text before the first colon of a message is
usually the image, file or option that it is about, and is not part of this list. Text in brackets usually comes from the registry or program that failed.

:ref:`ansible_collections.drayage.registry.docsite.guide_troubleshooting` explains the most frequent messages.

.. contents::
   :local:
   :depth: 1
"""


class Message(NamedTuple):
    """An error or a warning, with ``...`` in place of values, and its hint."""

    section: str
    text: str
    hint: str
    is_warning: bool


def messages() -> list[Message]:
    """Return the messages of all plugins, each once, in the order of sections and texts."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(_PLUGINS.rglob("*.py"))}
    errors = _error_classes(trees.values()) | _ANSIBLE
    found: dict[tuple[str, str], Message] = {}
    for path, tree in trees.items():
        section = _section(path)
        for message in _of_tree(tree, errors, section):
            known = found.get((section, message.text))
            if known is None or (message.hint and not known.hint):
                found[section, message.text] = message
    return sorted(found.values(), key=lambda each: (each.section, re.sub(r"\W", "", each.text).lower(), each.text))


def page() -> str:
    """Return the error index."""
    parts = [_HEAD]
    section = ""
    for message in messages():
        if message.section != section:
            section = message.section
            parts.append(f"\n{section}\n{'-' * len(section)}\n\n")
        kind = " (warning)" if message.is_warning else ""
        hint = f"\n\n  What to do: {_sentence(message.hint)}\n" if message.hint else "\n"
        parts.append(f"* ``{message.text}``{kind}{hint}\n")
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


def _of_tree(tree: ast.Module, errors: set[str], section: str) -> Iterator[Message]:
    for scope in (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.Module))):
        names = {**_assigned(tree), **_assigned(scope)}
        for node in _within(scope):
            if not isinstance(node, ast.Call):
                continue
            name = _name(node.func)
            if name not in errors and name not in _HELPERS and name not in _WARNINGS:
                continue
            position = _HELPERS.get(name, 0)
            texts = _texts(node.args[position], names) if len(node.args) > position else []
            hints = [value for each in _hint_nodes(node, name) for value in _texts(each, names)]
            for text in texts:
                # Something for a reader to recognize, rather than a text that another layer completes.
                if len(re.findall(r"[A-Za-z]{2,}", text.replace("...", ""))) >= _LEAST_WORDS:
                    hint = hints[0] if len(hints) == 1 and hints[0].strip(".") else ""
                    yield Message(section, _without_stop(text), _without_stop(hint), name in _WARNINGS)


def _hint_nodes(node: ast.Call, name: str) -> list[ast.expr]:
    """The hint of a call: by name, or after the reference; that of ``wrong`` after the text."""
    named = [keyword.value for keyword in node.keywords if keyword.arg == "hint"]
    position = {"wrong": 1, "_refusal": 3}.get(name, 2)
    return named or ([node.args[position]] if name not in _WARNINGS and len(node.args) > position else [])


def _within(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function or module, without those of the functions in it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef):
            yield child
            yield from _within(child)


def _assigned(scope: ast.AST) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in _within(scope):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
    return found


def _texts(node: ast.expr, names: dict[str, list[ast.expr]]) -> list[str]:
    """What an expression may be, as far as it is constant text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [" ".join(_PLACEHOLDER.sub("...", node.value).split())] if node.value else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _texts(node.left, names)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [
            " ".join(f"{one} {other}".split())
            for one in _texts(node.left, names)
            for other in _texts(node.right, names) or ["..."]
        ]
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body, names), *_texts(node.orelse, names)]
    if isinstance(node, ast.Name):
        without = {name: values for name, values in names.items() if name != node.id}
        return [text for value in names.get(node.id, []) for text in _texts(value, without)]
    return []


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
