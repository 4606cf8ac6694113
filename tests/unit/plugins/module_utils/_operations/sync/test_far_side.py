# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs that a bundle leaves out because the registry of the site has them in other repositories."""

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.tests.unit.support.images import image

A, B = (image("linux/amd64", b"base", text) for text in (b"a", b"b"))
BASE = A.manifest.layers[0].digest


@pytest.fixture
def options(memory, sync, tmp_path):
    """Options for an import at the site, where two repositories have many tags of images with the base layer."""
    records = [
        {"ref": "d.example/%s:%d" % (name, tag), "digest": A.digest, "manifests": [A.digest], "blobs": [BASE]}
        for tag in range(20)
        for name in ("old", "app")
    ]
    base = tmp_path / "site.json"
    base.write_text(json.dumps({"version": 1, "images": records}))
    bundle = "oci:%s" % (tmp_path / "bundle")
    for name, made in (("a", A), ("b", B)):
        memory["s.example/" + name].add(made, tag="x")
    assert sync({"name": "a"}, {"name": "b"}, dest=bundle, base=str(base)).changed
    return {"src": bundle, "base": str(base), "keep_going": True}


def asked(memory):
    """How often each repository of the site was asked for the base layer."""
    return {name: memory["d.example/" + name].names("has_blob").count(BASE) for name in ("old", "app")}


def test_a_repository_is_asked_once_for_a_lost_blob_whatever_its_tags(memory, sync, options):
    synced = sync({"name": "s.example/a"}, {"name": "s.example/b"}, **options)
    assert ["blobs %s exist neither" % BASE in str(job.error) for job in synced.images] == [True, True]
    assert asked(memory) == {"old": 1, "app": 1}


def test_all_images_mount_from_the_repository_that_was_found_first(memory, sync, options):
    memory["d.example/app"].content[BASE] = b"base"
    synced = sync({"name": "s.example/a"}, {"name": "s.example/b"}, **options)
    assert [job.error for job in synced.images] == [None, None]
    assert asked(memory) == {"old": 1, "app": 1}
