# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.filter.inventory_summary import FilterModule

inventory_summary = FilterModule().filters()["inventory_summary"]


def record(ref, digest, **sizes):
    return {"ref": ref, "digest": digest, "blobs": list(sizes), "blob_sizes": list(sizes.values())}


def test_a_blob_is_counted_once_and_is_unique_to_one_digest() -> None:
    app = "registry.example.com:5000/app"
    images = [
        record(f"{app}:1", "one", base=100, one=10),
        record(f"{app}:latest", "one", base=100, one=10),
        record(f"{app}:2", "two", base=100, two=20),
        record("registry.example.com:5000/tool@sha256:abc", "tool", base=100, tool=500),
    ]
    assert inventory_summary(images) == {
        "bytes": 630,
        "repositories": [
            {"repository": "registry.example.com:5000/tool", "images": 1, "bytes": 600},
            {"repository": app, "images": 3, "bytes": 130},
        ],
        "unique": {
            f"{app}:1": 10,
            f"{app}:latest": 10,
            f"{app}:2": 20,
            "registry.example.com:5000/tool@sha256:abc": 500,
        },
    }


def test_what_has_no_sizes_is_not_unique_in_a_known_number_of_bytes() -> None:
    images = [{"ref": "a/b:1", "digest": "x", "blobs": ["one"]}, record("a/b:2", "y", two=2)]
    assert inventory_summary(images)["unique"] == {"a/b:1": None, "a/b:2": 2}


@pytest.mark.parametrize("images", [None, 1, ["text"], [{}], [{"ref": "a", "blobs": 1}]])
def test_what_is_no_inventory_is_refused(images: object) -> None:
    with pytest.raises(AnsibleFilterError, match="the input is not a list of image records"):
        inventory_summary(images)


@pytest.mark.parametrize("digest", ["sha256:" + "a" * 64, "sha512:" + "a" * 128])
@pytest.mark.parametrize("tag", ["", ":1"])
def test_a_digest_and_a_tag_are_not_part_of_the_repository(digest: str, tag: str) -> None:
    images = [record("r.example:5000/app" + tag + end, "x", one=1) for end in ("", "@" + digest)]
    assert inventory_summary(images)["repositories"] == [{"repository": "r.example:5000/app", "images": 2, "bytes": 1}]
