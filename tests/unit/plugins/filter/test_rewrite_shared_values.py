# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""References that share values of a text through aliases and merge keys, in rewrite_images."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.drayage.registry.plugins.filter.find_images import FilterModule as FindModule
from ansible_collections.drayage.registry.plugins.filter.rewrite_images import FilterModule

find_images = FindModule().filters()["find_images"]
rewrite_images = FilterModule().filters()["rewrite_images"]

MERGED = """\
a: &a
  repository: quay.io/a/b
  tag: '1'
b:
  <<: *a
  tag: '2'
c: {repository: quay.io/a/c, tag: '1'}
"""
ONE, TWO, OTHER = "quay.io/a/b:1", "quay.io/a/b:2", "quay.io/a/c:1"


@pytest.mark.parametrize(
    "mapping", [{ONE: "m.example/a/b:1", TWO: "m.example/next/b:2"}, {ONE: "m.example/a/b:1"}, {TWO: "m.example/a/b:2"}]
)
def test_references_that_need_different_values_in_one_place_stay(mapping: dict[str, str]) -> None:
    result = rewrite_images(MERGED, {**mapping, OTHER: "m.example/c:1"})
    assert result["content"] == MERGED.replace("quay.io/a/c", "m.example/c")
    assert result["replaced"] == {OTHER: "m.example/c:1"}
    assert sorted(result["missing"]) == [ONE, TWO]


def test_references_that_need_the_same_value_in_one_place_are_replaced() -> None:
    result = rewrite_images(MERGED, {ONE: "m.example/b:3", TWO: "m.example/b:4", OTHER: "m.example/c:1"})
    assert result["missing"] == []
    assert [item["reference"] for item in find_images(result["content"])] == [
        "m.example/b:3",
        "m.example/b:4",
        "m.example/c:1",
    ]


def test_a_reference_that_stays_keeps_those_that_share_another_value_with_it() -> None:
    text = """\
    a: {repository: &r quay.io/a/b, tag: '1'}
    b: {repository: *r, tag: &t '2'}
    c: {repository: quay.io/a/c, tag: *t}
    """
    result = rewrite_images(text, {TWO: "m.example/b:9", "quay.io/a/c:2": "m.example/c:9"})
    assert (result["content"], result["replaced"]) == (text, {})
    assert sorted(result["missing"]) == [ONE, TWO, "quay.io/a/c:2"]


def test_a_base_without_a_tag_blocks_no_replacement() -> None:
    text = "a_image: &a {repository: quay.io/a/b}\nb_image: {<<: *a, tag: '1'}\n"
    result = rewrite_images(text, {ONE: "m.example/b:1"})
    assert result["content"] == text.replace("quay.io/a/b", "m.example/b")
    assert result == {**result, "replaced": {ONE: "m.example/b:1"}, "missing": ["quay.io/a/b"]}


@pytest.mark.parametrize(
    "text",
    [
        "kind: Kustomization\nimages:\n- &a\n  name: quay.io/a/b\n  newTag: '1'\n- *a\n",
        "kind: Kustomization\nimages: [&a {name: quay.io/a/b, newTag: '1'}, *a]\n",
        "image: &a\n  repository: quay.io/a/b\nb:\n  image: *a\nc:\n  image:\n    <<: *a\n    pullPolicy: Always\n",
    ],
)
def test_a_key_is_added_once(text: str) -> None:
    result = rewrite_images(text, {ONE: "m.example/b:v2"}, "1")
    assert result["replaced"] == {ONE: "m.example/b:v2"}
    assert result["content"].count("newName: m.example/b") + result["content"].count("  tag: v2\n") == 1
    assert {item["reference"] for item in find_images(result["content"])} == {"m.example/b:v2"}
    assert "quay.io" not in yaml.safe_dump(yaml.safe_load(result["content"])).replace("name: quay.io", "")
