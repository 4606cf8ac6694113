# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans for an engine that knows images by their manifests, though all that we tell of them is their configs."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image import reference as references
from ansible_collections.drayage.registry.plugins.module_utils._stores.config_store import ConfigStore
from ansible_collections.drayage.registry.plugins.module_utils._stores.docker_archive import DockerArchive
from ansible_collections.drayage.registry.plugins.module_utils._stores.engine_images import EngineImages
from ansible_collections.drayage.registry.plugins.module_utils._stores.staging import Staging
from ansible_collections.drayage.registry.plugins.module_utils._transfer.job import Moved
from ansible_collections.drayage.registry.plugins.module_utils._transfer.plan import plan_copy
from ansible_collections.drayage.registry.plugins.module_utils._transfer.request import CopyRequest
from ansible_collections.drayage.registry.tests.unit.support.containerd_engine import ContainerdEngine, target_of
from ansible_collections.drayage.registry.tests.unit.support.engines import pushed, saved, store
from ansible_collections.drayage.registry.tests.unit.support.jobs import executed

IMAGE = pushed(b"low", b"high")
SAVED = saved(b"low", b"high")
APP = "r.example/app:1"


@pytest.fixture
def engine():
    found = ContainerdEngine()
    found.have(saved(b"else", names=("r.example/other:1",)))
    return found


@pytest.fixture
def run(pool, engine):
    """Plan a copy to the engine and carry it out, each time as a new task would."""

    def make(source, name, *tags, **more):
        keeper, staging = EngineImages("docker-daemon", engine), Staging()
        opened = ConfigStore(keeper, staging, references.parse("docker-daemon:r.example/app"))
        plan = plan_copy(CopyRequest(source or opened, name, opened, tags, **more), pool)
        moved = Moved()
        if plan.changed:
            moved = executed(plan).moved
        keeper.close()
        staging.close()
        return plan, moved

    return make


def test_second_run_changes_and_reads_nothing(run, engine, source):
    source.add(IMAGE, tag="latest")
    plan, moved = run(source, "latest", "1")
    assert (plan.changed, plan.top.digest, moved.copied) == (True, SAVED.id, 3)
    assert engine.named[APP] == target_of(SAVED)
    source.asked.clear()
    plan, moved = run(source, "latest", "1")
    assert (plan.changed, plan.top.digest, moved.copied) == (False, SAVED.id, 0)
    assert source.counted() == {"manifest": 1}
    assert engine.loads == 1


def test_new_image_makes_the_engine_hand_out_nothing_but_that(run, engine, source):
    source.add(IMAGE, tag="latest")
    run(source, "latest", "1")
    assert engine.exports == 1


@pytest.mark.parametrize("there", [SAVED, saved(b"old")])
def test_a_broken_image_of_that_name_is_replaced(run, engine, source, there):
    engine.damaged.add(engine.have(dataclasses.replace(there, names=(APP,))))
    source.add(IMAGE, tag="latest")
    plan, moved = run(source, "latest", "1")
    assert (plan.changed, plan.previous, engine.loads, moved.copied) == (True, {"1": None}, 1, 3)
    assert engine.named[APP] == target_of(SAVED)
    assert target_of(SAVED) not in engine.damaged
    plan, _moved = run(source, "latest", "1")
    assert not plan.changed


def test_a_name_more_moves_nothing(run, engine, source):
    engine.have(saved(b"low", b"high", names=(APP,)))
    source.add(IMAGE, tag="latest")
    plan, moved = run(source, "latest", "2")
    assert (plan.changed, plan.blobs, moved.copied, engine.loads) == (True, [], 0, 0)
    assert engine.named["r.example/app:2"] == engine.named[APP]


def test_forced_run_moves_nothing_either(run, engine, source):
    engine.have(saved(b"low", b"high", names=(APP,)))
    source.add(IMAGE, tag="latest")
    plan, _moved = run(source, "latest", "1", thorough=True)
    assert (plan.changed, engine.loads) == (False, 0)


def test_within_the_engine_the_image_gets_a_name_more(run, engine):
    engine.have(saved(b"low", b"high", names=(APP,)))
    plan, moved = run(None, "1", "3")
    assert (plan.changed, plan.top.digest, moved.copied) == (True, SAVED.id, 0)
    assert engine.named["r.example/app:3"] == engine.named[APP]
    assert run(None, "1", "3")[0].changed is False
    assert run(None, SAVED.id, "4")[0].top.digest == SAVED.id
    assert engine.loads == 0


def test_from_an_archive(run, engine, tmp_path):
    path = tmp_path / "images.tar"
    DockerArchive(str(path)).add(saved(b"low", b"high", names=(APP,)))
    assert run(store(path), "1", "1")[0].changed is True
    assert run(store(path), "1", "1")[0].changed is False
    assert run(store(path), "1", "2")[0].blobs == []
    assert engine.loads == 1


def test_image_that_was_removed_meanwhile_is_brought(pool, engine, source):
    target = engine.have(saved(b"low", b"high", names=(APP,)))
    source.add(IMAGE, tag="latest")
    opened = ConfigStore(
        EngineImages("docker-daemon", engine), Staging(), references.parse("docker-daemon:r.example/app")
    )
    plan = plan_copy(CopyRequest(source, "latest", opened, ("2",)), pool)
    assert plan.blobs == []
    engine.remove(target)
    executed(plan)
    assert engine.named == {"r.example/other:1": target_of(saved(b"else")), "r.example/app:2": target_of(SAVED)}
