# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small texts that expand to large documents are rejected in seconds. Without limits, each of them takes minutes."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.filter.find_images import FilterModule
from ansible_collections.drayage.registry.plugins.plugin_utils import _documents

find_images = FilterModule().filters()["find_images"]

VALUES = "find_images: the document has more than 300000 values. Split the document."
CHARACTERS = "find_images: the aliases in the document repeat more than 5000000 characters. Split the document."


def aliases(count: int) -> str:
    return "[%s]" % ",".join(["*a"] * count)


def annotated(text: str) -> str:
    return "{annotations: {artifacthub.io/images: %s}}" % json.dumps(text)


def expanding(levels: int) -> str:
    """Return a list of lists where each level has ten times the values of the one before."""
    lists = [f"&a{level} [{','.join([f'*a{level - 1}'] * 10)}]" for level in range(1, levels)]
    return "- " + "\n- ".join(["&a0 [x]", *lists])


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('a: &a "%s"\nb: %s\n' % ("word " * 10_000, aliases(50_000)), CHARACTERS),
        ("a: &a {%s: x}\nb: %s\n" % ("k" * 1000, aliases(50_000)), CHARACTERS),
        ("a: &a %s\nb: %s\n" % (annotated("- image: a/b:1\n" * 5000), aliases(50_000)), CHARACTERS),
        ("- %s\n" % "\n- ".join([annotated(expanding(8))] * 500), VALUES),
        ("a: &a\n%sb:\n  <<: %s\n" % ("".join(f"  k{n}: v\n" for n in range(50_000)), aliases(50_000)), VALUES),
        ("a: &a {%s}\nb: %s\n" % (",".join(["k: v"] * 50_000), aliases(50_000)), VALUES),
        ("a: &a\n  <<: [%s]\nb: %s\n" % (",".join(["x"] * 50_000), aliases(50_000)), VALUES),
    ],
    ids=["text", "key", "annotation", "annotations", "merge list", "repeated key", "merged texts"],
)
def test_repeated_content_counts(text: str, message: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        find_images(text)
    assert str(error.value) == message


def test_a_large_document_without_aliases_has_no_limit_of_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_documents, "_MAX_REPEATED", 0)
    text = "a: %s\n%s: a/b:1\n" % (annotated("- image: a/b:2\n" * 5), "key-of-an-image")
    assert [item["reference"] for item in find_images(text)] == ["a/b:2", "a/b:1"]


@pytest.mark.timeout(60)
def test_each_text_in_a_list_can_have_a_long_key_above_it() -> None:
    assert find_images(json.dumps({"k" * 3_000_000: ["x"] * 100_000})) == []


@pytest.mark.parametrize("loader", [_documents._LOADER, yaml.SafeLoader])
@pytest.mark.parametrize("depth", range(150, 1000, 50))
@pytest.mark.parametrize("kind", ["list", "mapping"])
def test_deep_documents_are_read_or_rejected(monkeypatch: pytest.MonkeyPatch, loader, depth: int, kind: str) -> None:
    monkeypatch.setattr(_documents, "_LOADER", loader)
    lines = [" " * level + "a:\n" for level in range(depth)]
    text = "- " * depth + "x\n" if kind == "list" else "".join(lines) + " " * depth + "b\n"
    try:
        assert find_images(text) == []
    except AnsibleFilterError as error:
        assert str(error) == "find_images: the document is nested too deeply. Check that this is the right document."
