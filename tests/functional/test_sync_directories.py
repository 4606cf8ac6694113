# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_sync and the trees of directories that skopeo sync makes and reads."""

from __future__ import annotations

import hashlib
import os
import subprocess

import pytest

from devtools import images, provision
from devtools.observe import digest_at, tags_at, tally

SHARED = b"what all releases share"
INDEX = images.index(attestations=True)


def release(number):
    """Return an image with a shared layer and one of its own."""
    return images.single(layers=[SHARED, b"release %d" % number])


@pytest.fixture
def filled(registry, repository):
    """Push two releases and an index below ``repository``."""
    for name, tag, image in (
        ("team/app", "1.0", release(0)),
        ("team/app", "1.1", release(1)),
        ("tools/cli", "stable", INDEX),
    ):
        images.push(image, registry.host, f"{repository}/{name}", tag)
    registry.forget()
    return f"{registry.host}/{repository}"


def skopeo_sync(*arguments):
    command = [provision.program("skopeo"), "sync", "--all", "--src-tls-verify=false", "--dest-tls-verify=false"]
    subprocess.run([*command, *map(str, arguments)], check=True, capture_output=True)


def digests_in(tree):
    """Return the digest for each image of a tree, after checking all that have the digest as their name."""
    for blob in tree.rglob("?" * 64):
        assert blob.name == hashlib.sha256(blob.read_bytes()).hexdigest()
    tops = {str(top.parent.relative_to(tree)): top for top in tree.rglob("manifest.json")}
    return {name: "sha256:" + hashlib.sha256(top.read_bytes()).hexdigest() for name, top in tops.items()}


def actions(result):
    return sorted(image["action"] for image in result.images)


@pytest.mark.parametrize("scoped", [True, False])
def test_tree_by_skopeo(run_module, registry, second_registry, repository, filled, tmp_path, scoped):
    """A second run onto what skopeo made converges, and what is in it can be brought to another registry."""
    tree = tmp_path / "mirror"
    tree.mkdir()
    for name in ("team/app", "tools/cli"):
        skopeo_sync("--src", "docker", "--dest", "dir", *["--scoped"] * scoped, f"{filled}/{name}", tree)
    before = digests_in(tree)
    prefix = f"{filled}/" if scoped else ""
    names = {f"{prefix}team/app:1.0", f"{prefix}team/app:1.1", f"{prefix}tools/cli:stable"}
    assert set(before) == (names if scoped else {name.rpartition("/")[2] for name in names})

    registry.forget()
    options = {"src": registry.host, "dest": f"dir:{tree}", "scoped": scoped}
    declared = [{"name": f"{repository}/team/app"}, {"name": f"{repository}/tools/cli"}]
    again = run_module("image_sync", **options, images=declared)
    assert (again.changed, actions(again)) == (False, ["unchanged"] * 3)
    assert not {"GET blob", "GET manifest"} & set(tally(registry.requests()))

    images.push(release(2), registry.host, f"{repository}/team/app", "1.2")
    run_module("image_delete", image=f"{filled}/team/app:1.0")
    foreseen = run_module("image_sync", **options, images=declared, prune=True, check_mode=True)
    assert digests_in(tree) == before
    result = run_module("image_sync", **options, images=declared, prune=True)
    assert actions(result) == actions(foreseen) == ["created", "deleted", "unchanged", "unchanged"]
    assert sorted(digests_in(tree).values()) == sorted([release(1).digest, release(2).digest, INDEX.digest])

    everything = run_module("image_sync", src=f"dir:{tree}", dest=f"{second_registry.host}/{repository}/back")
    assert actions(everything) == ["created"] * 3
    below = f"{repository}/back/" + (f"{repository}/team/app" if scoped else "app")
    assert tags_at(second_registry.host, below) == ["1.1", "1.2"]
    assert digest_at(second_registry.host, below, "1.2") == release(2).digest


def test_signatures_go_with_their_image_and_not_before(run_module, registry, repository, filled, tmp_path):
    gone, kept = (f"sha256-{release(number).digest[7:]}.sig" for number in (0, 1))
    for number, tag in enumerate((gone, kept), 10):
        images.push(release(number), registry.host, f"{repository}/team/app", tag)
    options = {"src": registry.host, "dest": f"dir:{tmp_path}/mirror"}
    name = f"{repository}/team/app"
    run_module("image_sync", **options, images=[{"name": name}])
    pruned = run_module("image_sync", **options, images=[{"name": name, "tags": ["1.1"]}], prune=True)
    assert pruned.summary["deleted"] == 2
    left = {name.rpartition(":")[2] for name in digests_in(tmp_path / "mirror")}
    assert left == {"1.1", kept}


def test_skopeo_brings_what_we_wrote(run_module, registry, second_registry, repository, filled, tmp_path):
    """Layers that images share are one file, and an image by digest has a directory too."""
    tree = tmp_path / "mirror"
    declared = [
        {"name": f"{filled}/team/app"},
        {"name": f"{filled}/tools/cli", "tags": ["stable", INDEX.child("linux/arm64")]},
    ]
    options = {"dest": f"dir:{tree}", "scoped": False, "images": declared}
    foreseen = run_module("image_sync", **options, check_mode=True)
    assert not tree.exists()
    result = run_module("image_sync", **options)
    assert actions(result) == ["created"] * 4
    assert [image["bytes_copied"] for image in result.images] == [image["bytes_copied"] for image in foreseen.images]
    child = INDEX.child("linux/arm64")
    assert set(digests_in(tree)) == {"app:1.0", "app:1.1", "cli:stable", f"cli@{child}"}
    shared = set(release(0).blobs) & set(release(1).blobs)
    assert {os.stat(tree / f"app:1.0/{digest[7:]}").st_nlink for digest in shared} == {2}
    assert run_module("image_sync", **options).changed is False

    skopeo_sync("--src", "dir", "--dest", "docker", tree, f"{second_registry.host}/{repository}")
    assert digest_at(second_registry.host, f"{repository}/app", "1.1") == release(1).digest
    assert digest_at(second_registry.host, f"{repository}/cli", "stable") == INDEX.digest


@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/outside"])
def test_nothing_is_written_outside_the_tree(run_module, filled, tmp_path, name):
    declared = [{"name": f"{filled}/team/app", "dest": name}]
    result = run_module("image_sync", dest=f"dir:{tmp_path}/mirror/inner", images=declared)
    assert not (tmp_path / "outside:1.0").exists()
    assert not list(tmp_path.rglob("mirror/outside*"))
    assert result.failed == (".." in name)


def test_a_directory_without_a_tag_is_latest_as_for_skopeo(run_module, second_registry, repository, tmp_path):
    image = images.single(seed="without a tag")
    images.push(image, second_registry.host, f"{repository}/made", "any")
    tree = tmp_path / "tree"
    made = run_module("image_copy", src=f"{second_registry.host}/{repository}/made:any", dest=f"dir:{tree}/team/app")
    assert not made.failed, made
    dest = f"{second_registry.host}/{repository}"
    skopeo_sync("--src", "dir", "--dest", "docker", tree, f"{dest}/theirs")
    assert digest_at(second_registry.host, f"{repository}/theirs/app", "latest") == image.digest
    result = run_module("image_sync", src=f"dir:{tree}", dest=f"{dest}/ours", scoped=False)
    assert not result.failed, result
    assert digest_at(second_registry.host, f"{repository}/ours/app", "latest") == image.digest
