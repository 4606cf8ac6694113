# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters read large texts, such as the data of Secrets, in seconds.

An expression that reads such a text again from each of its characters takes half an hour.
"""

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.filter.find_images import FilterModule as FindModule
from ansible_collections.drayage.registry.plugins.filter.rewrite_images import FilterModule

find_images = FindModule().filters()["find_images"]
rewrite_images = FilterModule().filters()["rewrite_images"]

SIZE = 300_000
MIRROR = {"from": "docker.io", "to": "m.example"}


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "unit", ["a", "-", "a--", "--image", "image:", "image: ", "_image_", "A_IMAGE", " ", "--image="]
)
@pytest.mark.parametrize("end", ["", "\n", "="])
def test_references_beside_a_large_text_are_found(unit: str, end: str) -> None:
    large = unit * (SIZE // len(unit)) + end
    text = json.dumps({"args": [large, "a/b:1"], "image": large, "app": {"image": "a/b:2"}})
    found = {item["reference"] for item in find_images(text)}
    assert "a/b:2" in found


@pytest.mark.timeout(30)
@pytest.mark.parametrize("unit", ["a", " ", "- ", "\t", "\\", '"'])
def test_references_in_a_large_text_are_replaced(unit: str) -> None:
    large = unit * (SIZE // len(unit))
    result = rewrite_images(json.dumps({"x": large + " docker.io/a/b:1"}), MIRROR)
    assert json.loads(result["content"]) == {"x": large + " m.example/a/b:1"}


@pytest.mark.parametrize("text", ["run --sidecar-image=a/b:1", "-x --image a/b:1 -y", "x=1,app-image: a/b:1\n"])
def test_arguments_and_keys_within_a_text_begin_a_word(text: str) -> None:
    assert [item["reference"] for item in find_images({"x": text})] == ["a/b:1"]


@pytest.mark.timeout(60)
def test_a_text_can_have_many_references_without_replacement() -> None:
    references = [f"a/b:{number}" for number in range(150_000)]
    assert rewrite_images(json.dumps({"images": references}), {})["missing"] == references
