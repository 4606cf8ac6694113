# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.filter.rewrite_images import FilterModule

rewrite_images = FilterModule().filters()["rewrite_images"]

NULL = "NoneType"


@pytest.mark.parametrize(
    ("mapping", "kind", "key"),
    [
        ({"nginx:1": None}, NULL, "nginx:1"),
        ({"nginx:1": {"dest": "m.example/nginx:1"}}, "dict", "nginx:1"),
        ({"from": "docker.io", "to": None}, NULL, "to"),
        ({"from": None, "to": "m.example"}, NULL, "from"),
        ({"src": "nginx:1", "dest": None, "digest": None}, NULL, "dest"),
        (
            {"kind": "ImagesLock", "images": [{"image": None, "annotations": {"kbld.carvel.dev/id": "nginx:1"}}]},
            NULL,
            "image",
        ),
    ],
)
def test_a_value_that_is_no_text_is_refused(mapping: dict[str, t.Any], kind: str, key: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        rewrite_images("image: nginx:1\n", mapping)
    assert str(error.value) == (
        f"rewrite_images: the mapping contains a value of type {kind} for {key}. Pass references as text."
    )
