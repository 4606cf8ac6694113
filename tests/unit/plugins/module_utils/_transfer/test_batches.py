# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.plugins.module_utils._transfer.batches import Batches, UnpublishedJob
from ansible_collections.drayage.registry.plugins.module_utils._transfer.execute import execute
from ansible_collections.drayage.registry.plugins.module_utils._transfer.job import Event
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.jobs import job_of
from ansible_collections.drayage.registry.tests.unit.support.layouts import blob_file, names

IMAGES = {str(number): image("linux/amd64", b"base", b"layer %d" % number) for number in range(20)}
ALL = [("app:%s" % tag, made.digest) for tag, made in IMAGES.items()]


class Counted(OciLayout):
    """A layout that counts how often its index is written."""

    writes = ()

    def _rewrite(self, document, entries):
        self.writes.append(len(entries))
        super()._rewrite(document, entries)


@pytest.fixture
def layout(tmp_path):
    made = Counted(str(tmp_path / "layout"), lambda _text: None)
    made.writes = []
    return made


@pytest.fixture
def jobs(source, plan, layout):
    for tag, made in IMAGES.items():
        source.add(made, tag=tag)
    return [job_of(plan(layout.repository("app"), tag, name=tag)) for tag in IMAGES]


def test_the_index_is_written_once_for_all_images(jobs, layout, tmp_path):
    execute(jobs, runs.run(4))
    assert all(job.is_done for job in jobs)
    assert layout.writes == [len(IMAGES)]
    assert sorted(names(tmp_path / "layout")) == sorted(ALL)


def test_an_image_is_not_done_before_it_has_its_name(jobs, layout):
    seen = []
    execute(
        jobs, runs.run(4), observe=lambda event, job, *_more: seen.append(event is Event.FINISHED and layout.writes[:])
    )
    assert [writes for writes in seen if writes is not False] == [[len(IMAGES)]] * len(IMAGES)


def test_what_was_removed_while_its_names_were_waited_for_is_brought_again(jobs, layout, tmp_path):
    lost = IMAGES["3"].manifest.layers[1].digest

    def remove(event, job, blob, _size):
        if event is Event.BLOB_FINISHED and blob.digest == lost and not removed:
            removed.append(blob_file(tmp_path / "layout", lost).unlink())

    removed = []
    execute(jobs, runs.run(4), observe=remove)
    assert removed and [str(job.error) for job in jobs if not job.is_done] == []
    assert sorted(names(tmp_path / "layout")) == sorted(ALL)
    assert blob_file(tmp_path / "layout", lost).exists()


def test_an_image_that_fails_leaves_the_others_their_names(jobs, source, layout, tmp_path):
    del source.content[IMAGES["3"].manifest.layers[1].digest]
    execute(jobs, runs.run(1), keep_going=True)
    assert [job.is_done for job in jobs] == [tag != "3" for tag in IMAGES]
    assert sorted(names(tmp_path / "layout")) == sorted(entry for entry in ALL if entry[0] != "app:3")


def test_a_batch_is_due_five_seconds_after_its_first_image(jobs, layout):
    now = [100.0]
    batches = Batches(lambda: now[0])
    unpublished = [UnpublishedJob(job, layout, []) for job in jobs[:5]]
    for number, seconds in enumerate((0, 4.9, 5)):
        now[0] = 100.0 + seconds
        assert batches.add(unpublished[number]) == (unpublished[:3] if seconds == 5 else [])
    assert batches.add(unpublished[3]) == []
    now[0] += 4.9
    assert batches.add(unpublished[4]) == []
    assert batches.rest() == [unpublished[3:5]]
    assert batches.rest() == []
