# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quadlet units in find_images and rewrite_images."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.filter.find_images import FilterModule as FindModule
from ansible_collections.drayage.registry.plugins.filter.rewrite_images import FilterModule

find_images = FindModule().filters()["find_images"]
rewrite_images = FilterModule().filters()["rewrite_images"]

MIRROR = [{"from": "quay.io", "to": "m.example"}, {"from": "docker.io", "to": "m.example/hub"}]
UNIT = """\
# Image=quay.io/a/comment:1
[Unit]
Description=quay.io/a/unit:1

[Container]
Image = quay.io/a/app:1
Mount=type=image,source=quay.io/a/data:2,destination=/data
Mount=type=tmpfs,destination=/tmp
Mount=type=image,dst=/x,src=docker.io/a/x:1
Mount=type=image,source=other.image,destination=/y
Environment=A=1
Environment=SIDECAR_IMAGE=a/env:1
; a comment
Exec=run --log \\
  # Exec=quay.io/a/comment:2
  --image quay.io/a/exec:1 \\
  --next-image=quay.io/a/exec:2 "quay.io/a/app:1"
PodmanArgs=--pull=always

[Container]
Label=quay.io/a/label:1
"""


def test_references_in_all_values_of_a_unit() -> None:
    found = {item["path"]: (item["reference"], item["certain"]) for item in find_images(UNIT)}
    assert found == {
        "sections.Container.Image": ("quay.io/a/app:1", True),
        "sections.Container.Mount[0]": ("quay.io/a/data:2", True),
        "sections.Container.Mount[2]": ("docker.io/a/x:1", True),
        "sections.Container.Environment[1]": ("a/env:1", False),
        "sections.Container.Exec": ("quay.io/a/exec:2", False),
        "sections.Container.Label": ("quay.io/a/label:1", False),
    }
    assert "quay.io/a/exec:1" in {item["reference"] for item in find_images(UNIT)}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n", " \\"])
def test_references_in_all_values_of_a_unit_are_replaced(newline: str, end: str) -> None:
    text = (UNIT.rstrip("\n") + end).replace("\n", newline)
    expected = text
    for name in ("app:1", "data:2", "exec:1", "exec:2", "label:1"):
        expected = expected.replace("quay.io/a/" + name, "m.example/a/" + name)
    expected = expected.replace("docker.io/a/x", "m.example/hub/a/x").replace("=a/env", "=m.example/hub/a/env")
    result = rewrite_images(text, MIRROR)
    assert (result["content"], result["missing"]) == (expected, [])


def test_the_last_image_counts() -> None:
    text = "[Container]\nImage=quay.io/a/b:1\nImage=quay.io/a/b:2\n"
    assert [item["reference"] for item in find_images(text)] == ["quay.io/a/b:2"]
    assert rewrite_images(text, MIRROR)["content"] == text.replace("quay.io/a/b:2", "m.example/a/b:2")


@pytest.mark.parametrize("name", ["app.image", "app.build"])
@pytest.mark.parametrize("section", ["Container", "Volume"])
def test_names_of_other_units_are_no_references(name: str, section: str) -> None:
    assert find_images(f"[{section}]\nImage={name}\nMount=type=image,source={name},destination=/x\n") == []


@pytest.mark.parametrize(
    ("text", "line"), [("[Container]\nImage\n = x\n", 2), ("[Container]\n\n = x\n", 3), ("[Unit]\nA=b \\\n\nx\n", 4)]
)
def test_invalid_units(text: str, line: int) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        find_images(text)
    assert str(error.value) == (
        "find_images: the document is not a valid unit file "
        f"(line {line} is neither a section nor a key with a value). Correct the document."
    )
