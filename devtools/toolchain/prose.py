# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find phrases in user-facing text that make readers stop; prose.txt has the patterns. Run as a module, exits with 1 if there are any."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from devtools.provision import REPOSITORY
from devtools.toolchain import messages

_WHOLE = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/docsite/rst/*.rst",
    "roles/*/README.md",
    "roles/*/meta/*.yml",
    "roles/*/defaults/*.yml",
    "roles/*/handlers/*.yml",
    "roles/*/tasks/*.yml",
    "playbooks/*.yml",
    "changelogs/fragments/*.yml",
)
_PLUGINS = (
    "plugins/modules/*.py",
    "plugins/doc_fragments/*.py",
    "plugins/filter/*.py",
    "plugins/lookup/*.py",
    "plugins/test/*.py",
)
_DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN", "POLICY"}
_QUOTED = re.compile(r"``.*?``|`[^`]*`", re.DOTALL)


class Rule(NamedTuple):
    """A pattern, and what to write instead."""

    pattern: re.Pattern[str]
    advice: str


def rules() -> list[Rule]:
    """Return the rules of prose.txt."""
    found = []
    for line in Path(__file__).with_name("prose.txt").read_text(encoding="utf-8").splitlines():
        pattern, separator, advice = line.partition(" :: ")
        if separator and not line.startswith("#"):
            found.append(Rule(re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE), advice))
    return found


def matches(text: str) -> Iterator[tuple[int, str, str]]:
    """Return line number, phrase and advice for each phrase in a text that a rule rejects."""
    text = _blanked(_QUOTED, text)
    for rule in rules():
        for match in rule.pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, " ".join(match[0].split()), rule.advice


def texts() -> Iterator[tuple[Path, str]]:
    """Return the user-facing text of each file. Everything else in the file is blank, so that line numbers fit."""
    for path in _files(_WHOLE):
        yield path, path.read_text(encoding="utf-8")
    for path in _files(_PLUGINS):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in _DOCUMENTATION:
                assert isinstance(node.value, ast.Constant)
                yield path, "\n" * (node.lineno - 1) + str(node.value.value)
    for path, line, text in messages.strings():
        yield path, "\n" * (line - 1) + text


def _files(patterns: tuple[str, ...]) -> list[Path]:
    return sorted(path for pattern in patterns for path in REPOSITORY.glob(pattern))


def _blanked(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda match: re.sub(r"[^\n]", "_", match[0]), text)


def main() -> int:
    """Print each phrase with its place, and return the exit status."""
    count = 0
    for path, text in texts():
        for line, phrase, advice in matches(text):
            count += 1
            print(f'{path.relative_to(REPOSITORY)}:{line}: "{phrase}": {advice}')
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
