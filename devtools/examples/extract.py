# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the examples: EXAMPLES of the plugins, and the YAML blocks of guides and READMEs."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from devtools.provision import REPOSITORY

_RST_BLOCK = re.compile(r"^( *)\.\. code-block:: (?:yaml|yaml\+jinja|YAML\+Jinja)\s*$")
_RST_CAPTION = re.compile(r"^\s+:caption: (.+)$")
_RST_OPTION = re.compile(r"^\s+:\w+:")
_PARTS = {"pre_tasks", "roles", "tasks", "post_tasks", "handlers"}
_MARKDOWN_BLOCK = re.compile(r"^( *)```ya?ml\s*$")


@dataclass(frozen=True)
class Block:
    """A piece of YAML, and where it stands; a ``caption`` is the path of the file that it shows."""

    place: str
    text: str
    caption: str | None = None

    @property
    def value(self) -> object:
        """What the YAML says; tags such as ``!vault`` are taken for empty values."""
        return yaml.load(self.text, _Loader)

    @property
    def kind(self) -> str:
        """``file``, ``plays``, ``tasks``, ``part`` (of the play before), ``variables``, or ``fragment``."""
        if self.caption:
            return "file"
        value = self.value
        if isinstance(value, dict):
            return "part" if set(value) <= _PARTS else "variables"
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            return "fragment"
        plays = [bool({"hosts", "ansible.builtin.import_playbook", "import_playbook"} & set(item)) for item in value]
        if all(plays):
            return "plays"
        return "fragment" if any(plays) else "tasks"


@dataclass(frozen=True)
class Document:
    """A file with examples, by its path in the repository."""

    name: str
    blocks: tuple[Block, ...]

    @property
    def slug(self) -> str:
        """The name in a form that repositories and directories can have."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


def documents(*patterns: str) -> list[Document]:
    """Return the files that the glob patterns name, such as have examples, in the order of their names."""
    found = []
    for pattern in patterns:
        for path in sorted(REPOSITORY.glob(pattern)):
            name = str(path.relative_to(REPOSITORY))
            blocks = tuple(_READERS[path.suffix](name, path.read_text(encoding="utf-8")))
            if blocks:
                found.append(Document(name, blocks))
    return found


def _in_plugin(name: str, text: str) -> Iterator[Block]:
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "EXAMPLES":
            yield Block(f"{name}:{node.lineno}", node.value.value)


def _in_rst(name: str, text: str) -> Iterator[Block]:
    lines = text.splitlines()
    for number, line in enumerate(lines):
        opened = _RST_BLOCK.match(line)
        if not opened:
            continue
        start = number + 1
        caption = None
        while start < len(lines) and _RST_OPTION.match(lines[start]):
            option = _RST_CAPTION.match(lines[start])
            caption = option[1].strip() if option else caption
            start += 1
        if caption and not caption.startswith("/"):
            continue  # a file of a project, such as requirements.yml, which no example reads
        yield Block(f"{name}:{number + 1}", _indented(lines[start:], len(opened[1])), caption)


def _indented(lines: list[str], margin: int) -> str:
    """Return the lines up to one that begins at the margin, without what they are indented by."""
    taken = []
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) <= margin:
            break
        taken.append(line)
    return textwrap.dedent("\n".join(taken)).strip("\n") + "\n"


def _in_markdown(name: str, text: str) -> Iterator[Block]:
    lines = text.splitlines()
    for number, line in enumerate(lines):
        opened = _MARKDOWN_BLOCK.match(line)
        if opened:
            end = lines.index(f"{opened[1]}```", number + 1)
            yield Block(f"{name}:{number + 1}", textwrap.dedent("\n".join(lines[number + 1 : end])) + "\n")


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_multi_constructor("!", lambda *_arguments: None)

_READERS = {".py": _in_plugin, ".rst": _in_rst, ".md": _in_markdown}
