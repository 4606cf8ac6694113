# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages that guides quote are those that the collection has."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDES = sorted((REPOSITORY / "docs" / "docsite" / "rst").glob("*.rst"))

# Not ours, but what Ansible, the operating system, its packages or OpenSSL say.
FOREIGN = {
    "Failed to import the required Python library (requests)",
    "No package matching 'docker-distribution'",
    "cannot reach ...: connection refused",
    "certificate verify failed",
}

# Put together from parts that are too short to be looked for.
COMPOSED = {
    "could not store the credentials",
    "has no signature",
    "none of its signatures (... found) was made with ...",
}

_TERM = re.compile(r"^(``.+``)(?: .*)?\n    \S", re.MULTILINE)
_TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_PLACEHOLDER = re.compile(r"%(?:\.\d+)?[srd]")


@pytest.fixture(scope="module")
def messages() -> set[str]:
    """Return all texts in the code, and in the tasks and variables of roles, with dots where something particular is put in."""
    texts = set()
    for path in (REPOSITORY / "plugins").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(_PLACEHOLDER.sub("...", node.value))
    for path in (REPOSITORY / "roles").glob("*/[tv]*/*.yml"):
        text = path.read_text(encoding="utf-8")
        texts |= {" ".join(text.split()), " ".join(_TEMPLATE.sub("...", text).split())}
    return texts


def quoted(guide):
    """Return the messages that a guide explains: the terms of the definitions under "Error messages"."""
    text = guide.read_text(encoding="utf-8")
    if "troubleshooting" not in guide.name:
        text = text.partition("\nError messages\n")[2]
    return [message for terms in _TERM.findall(text) for message in re.findall(r"``(.+?)``", terms)]


def parts(message):
    """Return what must be found; what a registry answers is not ours, and neither is what an error goes on with."""
    message = re.sub(r"^(returned) \d+.*", r"\1 ...", message)
    message = re.sub(r"(?<=has no tag ).+|sha256:\.\.\.", "...", message)
    return [part for part in re.split(r"\s*\.\.\.[:\s]*|: ", message) if part]


def test_there_are_messages():
    assert sum(len(quoted(guide)) for guide in GUIDES) > 50


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_quoted_messages_exist(guide, messages):
    missing = [
        message
        for message in quoted(guide)
        if message not in FOREIGN | COMPOSED
        and not all(any(part in text for text in messages) for part in parts(message))
    ]
    assert missing == []
