# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._operations.copy import CopyOptions, copy
from ansible_collections.drayage.registry.plugins.module_utils._operations.cost import (
    check_bytes,
    cost_of,
    warn_of_shortage,
)
from ansible_collections.drayage.registry.plugins.module_utils._run import RunStats
from ansible_collections.drayage.registry.tests.unit.support import layouts, runs
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index

AMD64, ARM64 = image("linux/amd64", b"own", b"shared"), image("linux/arm64", b"another", b"shared")
INDEX = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))
SIZE = sum(map(len, AMD64.blobs))
HUB, APP = "docker.io/team/app:1", "r.example/app:1"


@pytest.fixture(autouse=True)
def sources(stores):
    """Have the same images on Docker Hub and in another registry."""
    for host, name in (("docker.io", "team/app"), ("r.example", "app")):
        stores.repository(host, name).add(AMD64, ARM64, INDEX, tag="all").add(AMD64, tag="1")


@pytest.fixture
def run(stores):
    """Predict a copy, with so many pulls left on Docker Hub."""

    def predicted(src, dest, left=None, **more):
        stores.run = runs.run(dry_run=True)
        if left is not None:
            stores.run.statistics.quotas["docker.io"] = left
        return copy(CopyOptions(src, dest, **more), stores)

    return predicted


def test_a_copy_between_registries_costs_traffic_on_both_sides(run):
    assert run(APP, "s.example/app").cost == {
        "download": {"r.example": SIZE},
        "upload": {"s.example": SIZE},
        "pulls": 0,
        "pulls_left": None,
        "free": None,
    }


def test_content_that_several_platforms_share_is_moved_once(run):
    blobs = {*AMD64.blobs, *ARM64.blobs}
    assert run("r.example/app:all", "s.example/app").cost["upload"] == {"s.example": sum(map(len, blobs))}


def test_a_copy_to_a_file_costs_disk_space_of_its_nearest_directory(run, tmp_path, monkeypatch):
    asked = []

    def disk_usage(path):
        asked.append(path)
        return shutil._ntuple_diskusage(3, 2, 1)

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    cost = run(APP, "oci:%s" % (tmp_path / "a" / "b")).cost
    assert (cost["download"], cost["upload"], cost["free"]) == ({"r.example": SIZE}, {}, 1)
    assert asked == [str(tmp_path)]


def test_unknown_disk_space_is_no_error(run, tmp_path, monkeypatch):
    def disk_usage(path):
        raise PermissionError(13, "no")

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    assert run(APP, "oci:%s" % (tmp_path / "l")).cost["free"] is None


def test_a_copy_from_a_file_costs_uploads_only(run, tmp_path):
    layouts.foreign_layout(tmp_path / "l", ("1", AMD64))
    cost = run("oci:%s" % (tmp_path / "l"), "s.example/app").cost
    assert (cost["download"], cost["upload"]) == ({}, {"s.example": SIZE})


def test_what_is_mounted_costs_nothing(run):
    cost = run(APP, "r.example/copy").cost
    assert (cost["download"], cost["upload"]) == ({}, {})


def test_what_is_up_to_date_costs_nothing(run, stores):
    stores.repository("s.example", "app").add(AMD64, tag="1")
    assert run(HUB, "s.example/app", left=5).cost == {
        "download": {},
        "upload": {},
        "pulls": 0,
        "pulls_left": None,
        "free": None,
    }


@pytest.mark.parametrize(("tag", "pulls"), [("1", 1), ("all", 3)])
def test_each_manifest_is_a_pull_from_docker_hub(run, tag, pulls):
    cost = run("docker.io/team/app:" + tag, "s.example/app", left=100).cost
    assert (cost["pulls"], cost["pulls_left"]) == (pulls, 100)
    assert set(cost["download"]) == {"docker.io"}


def test_only_the_selected_platforms_are_pulled(run, stores):
    options = {"src": "docker.io/team/app:all", "dest": "s.example/app", "platforms": ["linux/amd64"]}
    assert run(**options).cost["pulls"] == 2
    assert run(**options, platform_mode="image").cost["pulls"] == 2
    stores.run = runs.run()
    copy(CopyOptions(**options), stores)
    again = run(**options)
    assert (again.job.planned.changed, again.cost["pulls"]) == (False, 1)


@pytest.mark.parametrize("left", [3, 2])
def test_too_few_pulls_are_a_warning(run, stores, left):
    run("docker.io/team/app:all", "s.example/app", left=left)
    warning = (
        "Docker Hub currently allows 2 more pulls, but this task needs 3. If the task fails, log in or run it later."
    )
    assert stores.run.statistics.warnings == ([] if left == 3 else [warning])


@pytest.mark.parametrize("free", [10_000_000, 9_999_999, None])
def test_too_little_disk_space_is_a_warning(free):
    warnings = []
    warn_of_shortage({"pulls_left": None, "pulls": 0, "free": free}, 10_000_000, warnings.append)
    text = (
        "The destination has 10.0 MB of free space, but this task needs 10.0 MB. If the task fails, free up some space."
    )
    assert warnings == ([text] if free == 9_999_999 else [])


def test_blobs_of_several_jobs_are_counted_once_at_each_destination(run):
    jobs = [run("r.example/app:" + tag, dest).job for tag in ("1", "all") for dest in ("s.example/app", "t.example/a")]
    total = sum(map(len, {*AMD64.blobs, *ARM64.blobs}))
    assert cost_of(jobs, RunStats())["upload"] == {"s.example": total, "t.example": total}
    assert cost_of(jobs, RunStats())["download"] == {"r.example": 2 * total}


@pytest.mark.parametrize("limit", [SIZE, SIZE - 1, None, 0])
def test_a_task_copies_no_more_than_it_may(run, stores, limit):
    job = run(APP, "s.example/app").job
    if limit in (None, SIZE):
        check_bytes([job], limit)
        return
    for check in (lambda: check_bytes([job], limit), lambda: run(APP, "s.example/app", max_bytes=limit)):
        with pytest.raises(ImageError) as caught:
            check()
        assert caught.value.cause == (
            "the task would copy %d B (%d bytes), but max_bytes allows %d" % (SIZE, SIZE, limit)
        )
        assert caught.value.hint == "Nothing was written. Increase max_bytes if this is intended"
