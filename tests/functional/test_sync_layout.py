# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_sync to a disk and back, with the inventory that tells what is there and the bundle of what is not."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from devtools import images
from devtools.observe import digest_at, layout_files, layout_names
from devtools.provision import program

BASE = b"the base that all share"


def release(number):
    return images.single(layers=[BASE, b"release %d" % number])


@pytest.fixture
def pushed(registry, repository):
    """Push two repositories and return their entries."""
    index = images.index(attestations=True)
    images.push(release(1), registry.host, f"{repository}/app", "1")
    images.push(index, registry.host, f"{repository}/tools", "stable")
    return [{"name": f"{registry.host}/{repository}/{name}"} for name in ("app", "tools")]


@pytest.fixture
def sync(run_module, registry, second_registry):
    def run(**options):
        second_registry.forget()
        return run_module("image_sync", **options)

    return run


def test_registry_to_layout_to_another_registry(sync, pushed, tmp_path, registry, second_registry, repository):
    layout = tmp_path / "bundle"
    dest = f"oci:{layout}"
    images.push(release(3), registry.host, f"{repository}/pinned", "any")
    pinned = {"name": f"{registry.host}/{repository}/pinned", "tags": [release(3).digest]}
    pushed = [*pushed, pinned]
    predicted = sync(images=pushed, dest=dest, check_mode=True)
    assert not layout.exists()
    first = sync(images=pushed, dest=dest)
    assert predicted.images == first.images
    names = {
        f"{registry.host}/{repository}/app:1": release(1).digest,
        f"{registry.host}/{repository}/tools:stable": images.index(attestations=True).digest,
        f"{registry.host}/{repository}/pinned@{release(3).digest}": release(3).digest,
    }
    assert layout_names(layout) == names
    layout_files(layout)
    assert not sync(images=pushed, dest=dest).changed
    command = [program("skopeo"), "inspect", "--raw", f"oci:{layout}:{registry.host}/{repository}/app:1"]
    assert json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["schemaVersion"] == 2

    arrived = sync(src=dest, dest=second_registry.host, images=[{"name": "*"}])
    assert arrived.summary["created"] == 3
    for name, digest in names.items():
        path, name = re.split("[:@]", name.partition("/")[2], maxsplit=1)
        assert digest_at(second_registry.host, path, name) == digest
    assert not sync(src=dest, dest=second_registry.host, images=[{"name": "*"}]).changed

    one = sync(
        src=dest,
        dest=second_registry.host,
        images=[{"name": f"{registry.host}/{repository}/app", "dest": f"{repository}/a"}],
    )
    assert one.summary["created"] == 1
    pruned = sync(images=pushed[:1], dest=dest, prune=True)
    assert not pruned.changed, "a repository that is not declared is not touched"


def test_the_inventory_tells_what_is_there(sync, pushed, tmp_path, registry, second_registry, repository):
    inventory = tmp_path / "inventory.json"
    options = {"images": pushed, "dest": f"{second_registry.host}/inv", "inventory": str(inventory)}
    assert sync(check_mode=True, **options).changed
    assert not inventory.exists()
    assert sync(**options).changed
    content = inventory.read_bytes()
    app, tools = json.loads(content)["images"]
    assert app["ref"] == f"{second_registry.host}/inv/{repository}/app:1"
    assert app["src"] == f"{registry.host}/{repository}/app:1"
    assert app["digest"] == release(1).digest
    assert app["size"] == sum(map(len, release(1).blobs.values()))
    assert set(app["blobs"]) == set(release(1).blobs)
    assert app["platforms"] == ["linux/amd64"]
    assert tools["platforms"][:2] == ["linux/amd64", "linux/arm64"]
    assert set(tools["manifests"]) == set(images.index(attestations=True).manifests)

    registry.forget()
    again = sync(**options)
    assert not again.changed
    assert inventory.read_bytes() == content
    assert {request.method for request in second_registry.requests()} == {"GET", "HEAD"}
    assert not [request for request in second_registry.requests() if "/blobs/" in request.path]

    inventory.unlink()
    assert sync(check_mode=True, **options).changed
    assert sync(**options).changed
    assert inventory.read_bytes() == content
    inventory.write_text("[]")
    assert "is not an image inventory" in sync(**options).msg


def test_a_bundle_holds_only_what_the_far_side_lacks(sync, pushed, tmp_path, registry, second_registry, repository):
    site, inventory = f"{second_registry.host}/{repository}/site", tmp_path / "far.json"
    full, delta = tmp_path / "full", tmp_path / "delta"
    sync(images=pushed, dest=f"oci:{full}")
    # The far side has it all, and says so.
    sync(src=f"oci:{full}", dest=site, images=[{"name": "*"}], inventory=str(inventory))
    images.push(release(2), registry.host, f"{repository}/app", "2")
    images.push(release(1), registry.host, f"{repository}/new", "1")

    entries = [*pushed, {"name": f"{registry.host}/{repository}/new"}]
    # Below a path of its own, the far side has the blobs under other names than the bundle.
    first = sync(images=entries, dest=f"oci:{delta}", base=str(inventory))
    assert first.changed
    assert not sync(images=entries, dest=f"oci:{delta}", base=str(inventory)).changed
    files = {file.rpartition("/")[2] for file in layout_files(delta) if file.startswith("blobs/")}
    known = {digest.partition(":")[2] for digest in release(1).blobs}
    new = {digest.partition(":")[2] for digest in {*release(2).blobs, *release(2).manifests}}
    assert new - known <= files
    assert not known & files

    refused = sync(src=f"oci:{delta}", dest=f"{second_registry.host}/empty", images=[{"name": "*"}])
    assert refused.failed
    (shared,) = set(release(1).blobs) & set(release(2).blobs)
    assert shared in refused.msg
    assert {request.method for request in second_registry.requests()} <= {"GET", "HEAD"}

    brought = sync(src=f"oci:{delta}", dest=site, images=[{"name": "*"}], base=str(inventory), inventory=str(inventory))
    assert not brought.failed, brought
    assert digest_at(second_registry.host, f"{repository}/site/{repository}/app", "2") == release(2).digest
    assert digest_at(second_registry.host, f"{repository}/site/{repository}/new", "1") == release(1).digest
    # What was there before is still in the inventory.
    assert len(json.loads(inventory.read_text())["images"]) == 4
