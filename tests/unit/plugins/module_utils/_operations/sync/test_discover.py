# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.declaration import Entry, SyncOptions
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.discover import discover
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.early_heads import EarlyHeads
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.far_side import FarSide
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.resolver import RepositoryResolver
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.layouts import fill

IMAGE = image("linux/amd64")


def discovered(memory, jobs, *names):
    options = SyncOptions(src="s.example", dest="d.example")
    return discover(
        [Entry(name) for name in names],
        options,
        RepositoryResolver(options, memory),
        runs.run(jobs),
        EarlyHeads(jobs),
        FarSide(None, memory),
    )


def test_both_sides_are_listed_at_once_and_neither_gets_more_than_jobs(memory, monkeypatch):
    both = threading.Barrier(2, timeout=120)
    at_once = {"s.example": 0, "d.example": 0}
    most = dict(at_once)

    def let_wait(store):
        tags = list(store.tags)

        def listed():
            at_once[store.host] += 1
            most[store.host] = max(most[store.host], at_once[store.host])
            both.wait()
            at_once[store.host] -= 1
            return tags

        store.tags = listed

    for name in ("a", "b", "c"):
        for host in at_once:
            let_wait(memory["%s/%s" % (host, name)].add(IMAGE, tag="1"))
    found = discovered(memory, 1, "a", "b", "c")
    assert [job.dest for job in found.jobs] == ["d.example/a:1", "d.example/b:1", "d.example/c:1"]
    assert most == {"s.example": 1, "d.example": 1}


def test_the_images_of_a_repository_share_a_request(memory):
    for tag in ("1", "2"):
        memory["s.example/a"].add(IMAGE, tag=tag)
    one, two = discovered(memory, 2, "a").jobs
    assert one.shared is two.shared
    assert [(job.request.name, job.request.tags) for job in (one, two)] == [("1", ("1",)), ("2", ("2",))]


@pytest.mark.parametrize("missing_ok", [False, True])
def test_an_image_without_its_manifest_is_not_absent(sync, tmp_path, missing_ok):
    layout = OciLayout(str(tmp_path), print)
    fill(layout, IMAGE)
    layout.publish(IMAGE.manifest, ["a:1"], None)
    (tmp_path / "blobs" / IMAGE.digest.replace(":", "/")).unlink()
    src = "oci:%s" % tmp_path
    failure = sync({"name": "a", "tags": ["1"]}, src=src, missing_ok=missing_ok).failure
    assert "manifest %s is missing from the layout" % IMAGE.digest in failure
    assert bool(sync({"name": "a", "tags": ["2"]}, src=src, missing_ok=missing_ok).failure) is not missing_ok
