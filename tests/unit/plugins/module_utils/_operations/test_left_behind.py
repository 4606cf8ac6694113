# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is attached to copied images and not copied with them is in a warning, if it is known already."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image.referrers import cosign_tags
from ansible_collections.drayage.registry.plugins.module_utils._operations.copy import CopyOptions, copy
from ansible_collections.drayage.registry.plugins.module_utils._operations.left_behind import warn_of_left_behind
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import Api, attach

A, B = image("linux/amd64", b"a"), image("linux/amd64", b"b")
SIGNATURE = next(tag for tag in cosign_tags(A.digest) if tag.endswith(".sig"))
WARNING = (
    "The signatures, SBOMs or other referrers of 1 copied image were not copied (r.example/app:1). Set referrers: true to "
    "copy them."
)


class Known(Api):
    """Has listed its tags before, and thus knows which images have a signature."""

    def seen(self, subject, without=()):
        return any(tag not in without for tag in self.cosign_tags(subject))


@pytest.fixture
def place(stores, place):
    for host in ("r.example", "s.example"):
        one = stores.repository(host, "app")
        one.referrers = Known(one)
    place.add(image("unknown/unknown", b"signature"), tag=SIGNATURE)
    return place.add(A, tag="1").add(B, tag="2")


@pytest.fixture
def run(stores, place):
    def copied(src="r.example/app:1", dest="s.example/app", dry_run=True, **more):
        stores.run = runs.run(dry_run=dry_run)
        return copy(CopyOptions(src, dest, **more), stores)

    return copied


def warnings(stores):
    return stores.run.statistics.warnings


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_image_that_is_copied_without_its_signature_is_a_warning(run, stores, dry_run):
    run(dry_run=dry_run)
    assert warnings(stores) == [WARNING]


@pytest.mark.parametrize(
    "options",
    [
        {"src": "r.example/app:2"},
        {"referrers": True},
        {"remove_signatures": True},
        {"dest": "r.example/app:copy"},
    ],
    ids=["no signature", "copied", "dropped on purpose", "same repository"],
)
def test_nothing_is_left_behind(run, stores, options):
    run(**options)
    assert warnings(stores) == []


def test_an_image_that_is_up_to_date_is_no_warning(run, stores):
    stores.repository("s.example", "app").add(A, tag="1")
    run()
    assert warnings(stores) == []


@pytest.mark.parametrize("host", ["r.example", "s.example"])
def test_a_side_without_referrers_is_no_warning(run, stores, host):
    del stores.repository(host, "app").referrers
    run()
    assert warnings(stores) == []


def test_a_signature_that_is_copied_as_an_image_does_not_count(run, stores, place):
    job = run().job
    stores.run = runs.run()
    warn_of_left_behind([job], stores.run)
    assert warnings(stores) == [WARNING]
    stores.run = runs.run()
    signature = run("r.example/app:" + SIGNATURE, "s.example/app").job
    signature.name = SIGNATURE
    stores.run = runs.run()
    warn_of_left_behind([job, signature], stores.run)
    assert warnings(stores) == []


class TestNoPlace:
    @pytest.fixture
    def copied(self, run, stores, place):
        """Copy to a destination that keeps only signatures."""
        stores.repository("s.example", "app").referrers.keeps = lambda tag: tag.endswith(".sig")
        return lambda: run(referrers=True)

    def test_signatures_are_kept_without_a_warning(self, copied, stores):
        copied()
        assert warnings(stores) == []

    def test_what_cannot_be_kept_is_a_warning_with_its_kinds(self, copied, stores, place):
        place.add(image("unknown/unknown", b"sbom"), tag=SIGNATURE.replace(".sig", ".sbom"))
        attached = attach(place, A, b"referrer")
        copied()
        kinds = sorted([SIGNATURE.replace(".sig", ".sbom"), attached.manifest.artifact_type or attached.digest])
        assert warnings(stores) == [
            "Directories can store only signatures, so these referrers were not copied to s.example/app: %s. To keep them, "
            "copy to a registry." % ", ".join(kinds)
        ]
