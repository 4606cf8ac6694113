# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a large set shows on the terminal and returns, and what a set would cost."""

from __future__ import annotations

import json
import re

import pytest

from devtools import images

APP, TOOL = images.single(seed="app"), images.single(seed="tool")
MANY = 3000


@pytest.fixture
def many(registry, repository):
    """Return the entry of a repository whose tags are all up to date at the destination."""
    for name in ("from", "to"):
        images.push(APP, registry.host, f"{repository}/{name}", "0")
        tags = registry.storage / "docker/registry/v2/repositories" / repository / name / "_manifests/tags"
        for number in range(1, MANY):
            link = tags / str(number) / "current/link"
            link.parent.mkdir(parents=True)
            link.write_text(APP.digest)
    return {"name": f"{registry.host}/{repository}/from", "dest": f"{registry.host}/{repository}/to"}


def test_three_thousand_tags_do_not_flood_the_terminal(play, many, tmp_path):
    file = tmp_path / "registered.json"
    save = {"ansible.builtin.copy": {"content": "{{ synced | to_json }}", "dest": str(file)}, "diff": False}
    sync = {"drayage.registry.image_sync": {"images": [many]}, "register": "synced"}
    output = play([sync, save], "-v")
    assert len(output) < 2000
    assert f"[localhost] {MANY:,} unchanged." in output
    registered = json.loads(file.read_text())
    assert [image["digest"] for image in registered["images"]] == [APP.digest] * MANY

    entries = [many, {**many, "tags": ["gone"]}]
    failing = {"drayage.registry.image_sync": {"images": entries, "keep_going": True}, "register": "synced"}
    output = play([{**failing, "ignore_errors": True}, save], "-v")
    assert len(output) < 3000
    assert f'"images_left_out": {MANY}' in output
    registered = json.loads(file.read_text())
    assert [image["dest"].rpartition(":")[2] for image in registered["images"]] == ["gone"]
    assert registered["msg"] == registered["images"][0]["error"] == registered["error"]


def test_a_failure_names_ten_images_and_counts_the_rest(run_module, registry, repository):
    images.push(APP, registry.host, f"{repository}/app", "1")
    tags = ["1", *(f"gone-{number:02}" for number in range(13))]
    entry = {"name": f"{registry.host}/{repository}/app", "dest": f"{registry.host}/{repository}/to", "tags": tags}
    failed = run_module("image_sync", images=[entry], keep_going=True, report="all")
    names = ", ".join(f"{registry.host}/{repository}/to:gone-{number:02}" for number in range(10))
    assert failed.msg.startswith(f"13 of 14 images failed: {names} and 3 others. First error: ")
    assert len(failed.images) == 14
    assert failed.images_left_out == 0


def test_check_mode_says_what_it_would_cost_and_max_bytes_refuses(
    run_module, registry, second_registry, repository, tmp_path
):
    images.push(APP, registry.host, f"{repository}/app", "1")
    images.push(TOOL, registry.host, f"{repository}/tool", "1")
    size = sum(len(blob) for image in (APP, TOOL) for blob in image.blobs.values())
    set_of = {"src": registry.host, "images": [f"{repository}/app:1", f"{repository}/tool:1"]}
    planned = run_module("image_sync", check_mode=True, dest=second_registry.host, **set_of)
    costs = {"download": {registry.host: size}, "upload": {second_registry.host: size}}
    assert planned.cost == {**costs, "pulls": 0, "pulls_left": None, "free": None}
    assert re.fullmatch(r"Check mode: 2 to create; [\d.]+ \wB to copy\.", planned.msg)
    local = run_module("image_sync", check_mode=True, dest=f"oci:{tmp_path}/layout", **set_of)
    assert local.cost["upload"] == {}
    assert local.cost["free"] > size

    second_registry.forget()
    for options in ({"dest": second_registry.host, **set_of},):
        refused = run_module("image_sync", max_bytes=size - 1, **options)
        assert f"({size} bytes), but max_bytes allows {size - 1}." in refused.msg
    source, dest = (f"{host}/{repository}/app:1" for host in (registry.host, second_registry.host))
    assert "but max_bytes allows 1" in run_module("image_copy", src=source, dest=dest, max_bytes=1).msg
    assert {request.method for request in second_registry.requests()} <= {"GET", "HEAD"}
    assert not run_module("image_sync", dest=second_registry.host, max_bytes=size, **set_of).failed
    unchanged = run_module("image_sync", dest=second_registry.host, **set_of)
    assert unchanged.msg == "2 unchanged."
    assert unchanged.cost == {"download": {}, "upload": {}, "pulls": 0, "pulls_left": None, "free": None}
