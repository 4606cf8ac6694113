# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of user-facing text finds the phrases of its list, and no others."""

from __future__ import annotations

import pytest

from devtools.toolchain import prose


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("The tag is to be moved.", "is to be"),
        ("Nothing is\nto be done.", "is to be"),
        ("It tells the digest.", "tells"),
        ("An explicit password wins over the file.", "wins over"),
        ("How to reach it, and as whom.", "as whom"),
        ("Written by way of a temporary file.", "by way of"),
        ("The index gets a digest of its own.", "a digest of its own"),
        ("Besides, it is stopped.", "Besides"),
    ],
)
def test_a_phrase_is_found(text, phrase):
    assert phrase in [found for _line, found, _advice in prose.matches(text)]


@pytest.mark.parametrize(
    "text",
    [
        "The tag points to the new image. It is no longer listed.",
        "The message ``nothing is to be done`` is quoted.",
        "The index has its own digest.",
    ],
)
def test_plain_english_passes(text):
    assert list(prose.matches(text)) == []


def test_a_phrase_is_found_on_its_line():
    assert [line for line, *_rest in prose.matches("one\n\nIt tells.")] == [3]


def test_each_rule_has_advice():
    rules = prose.rules()
    assert len(rules) > 20
    assert all(rule.advice for rule in rules)


def test_documentation_of_plugins_is_searched():
    names = {path.name for path, _text in prose.texts()}
    assert {"README.md", "quickstart.rst", "image_copy.py", "_registries.py", "argument_specs.yml", "sync.yml"} <= names
