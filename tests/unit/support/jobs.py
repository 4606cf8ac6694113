# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans as jobs that are executed, and what became of jobs."""

from __future__ import annotations

from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.outcome import Synced
from ansible_collections.drayage.registry.plugins.module_utils._transfer.execute import execute
from ansible_collections.drayage.registry.plugins.module_utils._transfer.job import Job, Moved
from ansible_collections.drayage.registry.plugins.module_utils._transfer.prediction import predict
from ansible_collections.drayage.registry.plugins.module_utils._transfer.request import Plan
from ansible_collections.drayage.registry.tests.unit.support import runs


def job_of(plan: Plan) -> Job:
    """The job that has this plan."""
    job = Job("source", plan.main_reference, request=plan.request)
    job.decide(plan)
    return job


def executed(plan: Plan, threads: int = 2, **more) -> Job:
    """Execute a plan by itself. Raises the error with which it fails."""
    job = job_of(plan)
    execute([job], runs.run(threads), **more)
    if job.error:
        raise job.error
    assert job.is_done
    return job


def predicted(plan: Plan) -> Moved:
    """What executing a plan by itself would move."""
    job = job_of(plan)
    predict([job])
    return job.moved


def told(synced: Synced) -> list[tuple[str, str]]:
    """Name and action of each image, in order."""
    return [(image.dest.partition("/")[2], image.action) for image in synced.images]
