# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import threading

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._files import reserved
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.inventory import Inventory

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
BLOB = "sha256:" + "c" * 64


def record(ref, digest=DIGEST, **more):
    return {"ref": ref, "digest": digest, "manifests": [digest], "blobs": [BLOB], **more}


def test_what_was_written_is_read_and_written_once(tmp_path):
    path = str(tmp_path / "inventory.json")
    inventory = Inventory([record("r.example/b:1"), record("r.example/a:1", OTHER)])
    assert inventory.differs(path)
    assert inventory.save(path)
    assert not inventory.save(path)
    again = Inventory.load("inventory", path, must_exist=True)
    assert again.records == inventory.records
    assert list(json.loads((tmp_path / "inventory.json").read_bytes())["images"][0].values())[0] == "r.example/a:1"
    assert os.listdir(tmp_path) == ["inventory.json"]


@pytest.mark.parametrize("refs", [(), ("r.example/a:1",), ("r.example/b:1", "r.example/a:1")])
def test_the_file_is_indented_json(refs):
    inventory = Inventory([record(ref, platforms=[], title="\n \u00e4") for ref in refs])
    images = [record(ref, platforms=[], title="\n \u00e4") for ref in sorted(refs)]
    written = b"".join(inventory.encode())
    assert written == (json.dumps({"version": 1, "images": images}, indent=1) + "\n").encode()


@pytest.mark.parametrize("more", [b"\n", b" "])
def test_a_file_that_goes_on_differs(tmp_path, more):
    path = tmp_path / "inventory.json"
    inventory = Inventory([record("r.example/a:1")])
    inventory.save(str(path))
    path.write_bytes(path.read_bytes() + more)
    assert inventory.differs(str(path))
    path.write_bytes(path.read_bytes()[:-2])
    assert inventory.differs(str(path))


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ("registry.site.example/library/alpine:3", "oci:/srv/b:docker.io/library/alpine:3"),
        ("oci:/srv/a:docker.io/library/alpine:3", "registry.site.example:5000/library/alpine:3"),
        ("localhost/team/app:1", "oci:/srv/b:team/app:1"),
        ("a.b:c.d/team/app:1", "oci:/srv/b:team/app:1"),
        ("." * 500_000, "oci:/srv/b:" + "." * 500_000),
    ],
    ids=lambda reference: reference[:50],
)
def test_names_are_compared_without_the_place(known, asked):
    inventory = Inventory([record(known)])
    assert inventory.has(asked, DIGEST)
    assert not inventory.has(asked, OTHER)
    assert not inventory.has(asked + "4", DIGEST)


def test_a_directory_with_a_dot_is_part_of_the_name():
    inventory = Inventory([record("oci:/srv/a:release/4.16/tool:1")])
    assert inventory.has("oci:/srv/b:release/4.16/tool:1", DIGEST)
    assert not inventory.has("oci:/srv/b:release/4.17/tool:1", DIGEST)


def test_what_blobs_are_there_and_where():
    inventory = Inventory([record("r.example/a:1"), record("r.example/b:1", OTHER, blobs=[])])
    assert inventory.blobs() == {BLOB}
    assert inventory.references(BLOB) == ["r.example/a:1"]


def test_the_record_of_an_image_and_what_another_with_its_digest_determines():
    signed = record("r.example/b:1", referrers=[OTHER], artifact_types=["x"], attached=["signature"])
    bare = record("r.example/c:1", referrers=[], artifact_types=[], attached=[])
    inventory = Inventory([signed, bare, record("r.example/d:1", OTHER, referrers=[DIGEST])])
    assert inventory.of_image("r.example/b:1", DIGEST) == signed
    assert inventory.of_image("r.example/a:1", DIGEST) == record("r.example/c:1", attached=[])
    assert inventory.of_image("r.example/b:1", OTHER) is None
    assert inventory.of_image("r.example/a:1", "sha256:" + "d" * 64) is None


def test_the_referrers_that_an_image_has_in_all_places():
    inventory = Inventory(
        [record("r.example/a:1", referrers=[OTHER, BLOB]), record("oci:/l:q.example/a:1", referrers=[OTHER])]
    )
    assert inventory.referrers("oci:/m:s.example/a:1", DIGEST) == {OTHER}
    assert inventory.referrers("oci:/m:s.example/b:1", DIGEST) == set()
    assert inventory.referrers("oci:/m:s.example/a:1", OTHER) == set()
    assert Inventory([record("r.example/a:1")]).referrers("r.example/a:1", DIGEST) == set()


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"version": 2, "images": []}', b'{"version": 1, "images": [{"ref": "x"}]}', b"\xff"],
)
def test_what_is_no_inventory(content, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ImageError, match="base: .*file is not an image inventory"):
        Inventory.load("base", str(path), must_exist=True)


def test_a_file_that_is_not_there(tmp_path):
    path = str(tmp_path / "none")
    assert Inventory.load("inventory", path, must_exist=False).records == {}
    with pytest.raises(ImageError, match="cannot read the inventory .*none: no such file"):
        Inventory.load("base", path, must_exist=True)
    with pytest.raises(ImageError, match="cannot write the inventory"):
        Inventory([record("a")]).save(str(tmp_path / "no" / "such" / "directory"))


def test_what_a_killed_run_left_beside_the_inventory_is_removed_by_the_next_one(tmp_path):
    path = tmp_path / "inventory.json"
    (tmp_path / ".inventory.json.staging-dead").write_bytes(b"half")
    assert Inventory.update("inventory", str(path), [record("r.example/a:1")], [])
    assert os.listdir(tmp_path) == ["inventory.json"]


def test_an_inventory_behind_a_link_is_locked_and_replaced_there(tmp_path):
    target, link = tmp_path / "target.json", tmp_path / "inventory.json"
    link.symlink_to(target)
    update = threading.Thread(target=Inventory.update, args=("inventory", str(link), [record("r.example/a:1")], ()))
    with reserved(str(target)):
        update.start()
        update.join(0.2)
        assert not target.exists()
    update.join(60)
    assert link.is_symlink()
    assert Inventory.load("inventory", str(target), must_exist=True).records.keys() == {"r.example/a:1"}
    assert sorted(os.listdir(tmp_path)) == ["inventory.json", "target.json"]


def test_an_inventory_that_is_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "inventory.json"
    os.mkfifo(path)
    for use in (lambda: Inventory.load("base", str(path), must_exist=True), lambda: Inventory().differs(str(path))):
        with pytest.raises(ImageError, match="cannot read the inventory %s: not a regular file" % path):
            use()
