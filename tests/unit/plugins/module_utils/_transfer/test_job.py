# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._transfer.job import Job, Moved
from ansible_collections.drayage.registry.plugins.module_utils._transfer.request import CopyRequest, Heads, Plan
from ansible_collections.drayage.registry.tests.unit.support.images import image

OLD, NEW = image("linux/amd64", b"old"), image("linux/amd64", b"new")


@pytest.fixture
def job():
    return Job("r.example/app:1", "s.example:5000/team/app:1", "1")


@pytest.fixture
def plan(source, elsewhere):
    """A plan for a tag that points to this image so far."""

    def make(previous=None, **more):
        request = CopyRequest(source, "1", elsewhere, ("1",))
        return Plan(request, NEW.manifest.descriptor, NEW.digest, {"1": previous}, **more)

    return make


def test_nothing_is_known_of_a_new_job(job):
    assert (job.action, job.digest, job.previous, job.error) == ("", "", None, None)
    assert (job.request, job.heads, job.plan) == (None, None, None)
    assert (job.missing_ok, job.is_done, job.is_pending) == (False, False, False)
    assert job.moved == Moved()


def test_the_repository_is_what_comes_before_the_name(job):
    assert job.repository == "s.example:5000/team/app"
    assert Job("", "s.example/app@" + NEW.digest, NEW.digest).repository == "s.example/app"
    assert Job("", "s.example:5000/app").repository == "s.example:5000/app"


@pytest.mark.parametrize(
    ("previous", "action"), [(None, "created"), (OLD.digest, "updated"), (NEW.digest, "unchanged")]
)
def test_a_plan_decides(job, plan, previous, action):
    job.decide(plan(previous))
    assert (job.action, job.digest, job.previous) == (action, NEW.digest, previous)
    assert job.is_pending is (action != "unchanged")
    assert job.planned.previous == {"1": previous}


def test_a_job_that_is_done_is_no_longer_pending(job, plan):
    job.decide(plan())
    job.is_done = True
    assert job.is_pending is False


def test_without_a_plan_there_is_none_to_execute(job):
    with pytest.raises(ValueError, match="there is no plan for s.example:5000/team/app:1"):
        _plan = job.planned


def test_what_is_up_to_date_may_have_a_digest(job):
    job.decide_unchanged(NEW.digest)
    assert (job.action, job.digest) == ("unchanged", NEW.digest)
    job.decide_unchanged()
    assert job.digest == ""


def test_the_first_error_stays_and_its_frames_go(job):
    job.digest = NEW.digest
    try:
        raise ImageError("first") from ValueError("cause")
    except ImageError as error:
        job.fail(error)
    job.fail(ImageError("second"))
    assert (job.action, job.digest, str(job.error)) == ("failed", "", "first.")
    assert job.error.__traceback__ is job.error.__cause__ is job.error.__context__ is None


def test_what_failed_or_was_deleted_is_a_job_too():
    failed = Job.failed("r.example/app", "s.example/app:1", ImageError("refused"), "1")
    assert (failed.src, failed.dest, failed.name, failed.action) == ("r.example/app", "s.example/app:1", "1", "failed")
    deleted = Job.deleted("s.example/app:1", "1", OLD.digest)
    assert (deleted.src, deleted.dest, deleted.name, deleted.action) == ("", "s.example/app:1", "1", "deleted")
    assert deleted.digest == deleted.previous == OLD.digest


def test_only_what_went_through_this_machine_counts_as_bytes():
    moved = Moved()
    moved.add(Descriptor("text/plain", NEW.digest, 5), was_mounted=False)
    moved.add(Descriptor("text/plain", OLD.digest, 7), was_mounted=True)
    moved.add(Descriptor("text/plain", OLD.digest, 11), was_mounted=False)
    assert moved == Moved(copied=2, mounted=1, bytes=16, bytes_mounted=7)


class TestPlan:
    def test_outdated_tags_are_those_that_point_elsewhere(self, source, elsewhere):
        request = CopyRequest(source, "1", elsewhere, ("1", "2", "3"))
        previous = {"1": NEW.digest, "2": OLD.digest, "3": None}
        plan = Plan(request, NEW.manifest.descriptor, NEW.digest, previous)
        assert plan.outdated_tags == ["2", "3"]
        assert plan.main_reference == "s.example/app:1"

    @pytest.mark.parametrize("kind", ["manifests", "companions", "blobs"])
    def test_anything_that_is_missing_is_a_change(self, plan, kind):
        assert plan(NEW.digest).changed is False
        assert plan(NEW.digest, **{kind: [NEW.manifest]}).changed is True
        assert plan(OLD.digest).changed is True


def test_heads_are_the_same_if_both_sides_have_the_image():
    new, old = NEW.manifest.descriptor, OLD.manifest.descriptor
    assert Heads(new, new).are_same is True
    assert Heads(new, old).are_same is False
    assert Heads(new, None).are_same is Heads(None, new).are_same is Heads(None, None).are_same is False
