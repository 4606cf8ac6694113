# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An ImagesLock file as the mapping of rewrite_images."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.filter.rewrite_images import FilterModule

rewrite_images = FilterModule().filters()["rewrite_images"]
DIGEST, OTHER = "sha256:" + "0" * 64, "sha256:" + "1" * 64


def test_a_lock_file_rewritten_for_a_mirror_maps_to_the_mirror():
    locked = [f"r.example/app@{DIGEST}", f"r.example/tool:2@{DIGEST}"]
    entries = [{"image": locked[0], "annotations": {"kbld.carvel.dev/id": "r.example/app:1"}}, {"image": locked[1]}]
    images = [
        {"src": f"r.example/app@{DIGEST}", "dest": f"m.example/app@{DIGEST}", "digest": DIGEST, "action": "created"},
        {"src": f"r.example/tool@{DIGEST}", "dest": "m.example/tool:2", "digest": DIGEST, "action": "created"},
    ]
    lock = rewrite_images({"kind": "ImagesLock", "images": entries}, images)
    assert lock["missing"] == []
    text = "services: {a: {image: '%s'}}"
    for old, new in (
        ("r.example/app:1", f"m.example/app@{DIGEST}"),
        (locked[0], f"m.example/app@{DIGEST}"),
        (locked[1], f"m.example/tool:2@{DIGEST}"),
        ("r.example/tool:2", f"m.example/tool:2@{DIGEST}"),
    ):
        result = rewrite_images(text % old, [images, lock["content"]])
        assert result["content"] == text % new


def test_a_lock_file_takes_precedence_over_the_images_listed_before_it():
    """Renovate may have replaced the tag of an image by the original tag of another one."""
    entries = [
        {"image": f"r.example/app:{tag}@{digest}", "annotations": {"kbld.carvel.dev/id": f"r.example/app:{before}"}}
        for before, tag, digest in (("1", "2", DIGEST), ("2", "3", OTHER))
    ]
    images = [
        {"src": f"r.example/app@{digest}", "dest": f"m.example/app:{tag}", "digest": digest, "action": "created"}
        for tag, digest in (("2", DIGEST), ("3", OTHER))
    ]
    lock = rewrite_images({"kind": "ImagesLock", "images": entries}, images)["content"]
    result = rewrite_images("services: {a: {image: 'r.example/app:1'}, b: {image: 'r.example/app:2'}}", [images, lock])
    assert list(result["replaced"].values()) == [f"m.example/app:2@{DIGEST}", f"m.example/app:3@{OTHER}"]


def test_lock_without_tags_maps_only_the_original_references():
    entries = [
        {"image": f"r.example:5000/library/nginx@{digest}", "annotations": {"kbld.carvel.dev/id": origin}}
        for origin, digest in (("nginx:1.25", DIGEST), ("nginx:1.26", OTHER))
    ]
    text = "services: {a: {image: nginx:1.25}, b: {image: nginx:1.26}, c: {image: 'r.example:5000/library/nginx'}}\n"
    result = rewrite_images(text, {"kind": "ImagesLock", "images": entries})
    assert result["content"] == text.replace("nginx:1.25", entries[0]["image"]).replace(
        "nginx:1.26", entries[1]["image"]
    )
    assert result["missing"] == ["r.example:5000/library/nginx"]


def test_lock_of_docker_hub_leaves_a_reference_without_a_tag():
    image = f"index.docker.io/library/nginx@{DIGEST}"
    lock = {"kind": "ImagesLock", "images": [{"image": image, "annotations": {"kbld.carvel.dev/id": "nginx:1.25"}}]}
    text = "services: {a: {image: nginx}}\n"
    assert rewrite_images(text, lock) == {"content": text, "replaced": {}, "missing": ["nginx"]}
    del lock["images"][0]["annotations"]
    assert rewrite_images(text, lock)["replaced"] == {"nginx": image}


@pytest.mark.parametrize("order", [1, -1])
def test_each_reference_of_a_lock_file_gets_the_digest_that_was_locked_for_it(order):
    locked = {
        "r.example/app:1": f"r.example/app:1@{DIGEST}",
        f"r.example/app:1@{OTHER}": f"r.example/app:1@{OTHER}",
    }
    entries = [{"image": image, "annotations": {"kbld.carvel.dev/id": origin}} for origin, image in locked.items()]
    text = "services: {a: {image: 'r.example/app:1'}, b: {image: 'r.example/app:1@%s'}}" % OTHER
    result = rewrite_images(text, {"kind": "ImagesLock", "images": entries[::order]})
    assert result["replaced"] == locked


def test_a_locked_digest_is_not_that_of_its_tag():
    image = f"r.example/app:1@{DIGEST}"
    lock = {"kind": "ImagesLock", "images": [{"image": image, "annotations": {"kbld.carvel.dev/id": image}}]}
    assert rewrite_images("services: {a: {image: 'r.example/app:1'}}", lock)["missing"] == ["r.example/app:1"]


@pytest.mark.parametrize("images", [[f"r.example/app@{DIGEST}"], f"r.example/app@{DIGEST}"], ids=["list", "text"])
def test_a_lock_file_of_another_form_is_refused(images):
    with pytest.raises(AnsibleFilterError) as error:
        rewrite_images("image: a/b:1\n", {"kind": "ImagesLock", "images": images})
    assert str(error.value) == (
        "rewrite_images: the ImagesLock contains an image of type str. Pass the parsed content of a lock file."
    )
