# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merge keys in YAML files, which PyYAML 5.4.1 and 6.0 treat differently."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import LocalFailure
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.plain_document import read


@pytest.fixture
def load(tmp_path: Path) -> t.Callable[[str], t.Any]:
    """Return a function that reads a text as a file."""

    def load(text: str) -> t.Any:
        path = tmp_path / "sync.yml"
        path.write_text(text)
        return read(str(path)).value

    return load


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{<<: *a, y: 2}", {"x": "1", "y": "2"}),
        ("{y: 2, <<: *a}", {"x": "1", "y": "2"}),
        ("{<<: [*a, {y: 2, z: 2}]}", {"x": "1", "y": "1", "z": "2"}),
        ("&b {<<: *b, y: 2}", {"y": "2"}),
    ],
)
def test_own_members_and_earlier_mappings_take_precedence(load, text: str, expected: dict[str, str]) -> None:
    assert load("a: &a {x: 1, y: 1}\nb: %s\n" % text)["b"] == expected


def test_a_mapping_with_a_merge_key_can_be_merged_before_it_is_read(load) -> None:
    text = "a: &a {y: 1}\nlist: {b: &b {<<: *a, y: 2}}\nc: {<<: *b}\n"
    assert load(text) == {"a": {"y": "1"}, "list": {"b": {"y": "2"}}, "c": {"y": "2"}}


@pytest.mark.timeout(60)
def test_a_mapping_that_is_merged_twice_counts_once(load) -> None:
    lines = ["a%d: &a%d {<<: [*a%d, *a%d], k%d: v}" % (n, n, n - 1, n - 1, n) for n in range(1, 40)]
    assert len(load("\n".join(["a0: &a0 {k0: v}", *lines]))["a39"]) == 40


def test_members_that_merge_keys_copy_are_limited(load) -> None:
    members = "".join("  k%d: v\n" % number for number in range(2000))
    with pytest.raises(LocalFailure) as caught:
        load("a: &a\n%sb: {<<: [%s]}\n" % (members, ",".join(["*a"] * 2000)))
    assert str(caught.value).endswith(
        "sync.yml: the merge keys in the file copy more than 1000000 members. Use fewer merge keys."
    )


@pytest.mark.parametrize("text", ["a: 1\nb: {<<: x}\n", "a: 1\nb: {<<: [x]}\n"])
def test_a_merge_key_without_a_mapping_is_refused(load, text: str) -> None:
    with pytest.raises(LocalFailure, match=r"sync.yml, line 2: the content is neither valid YAML nor valid JSON"):
        load(text)
