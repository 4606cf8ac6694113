# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manifests that a policy applies to, depending on what is copied."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._operations.copy import CopyOptions, copy
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.gate import Gate
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.rules import Used
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index

AMD64, ARM64, S390X = (image("linux/%s" % name, name.encode()) for name in ("amd64", "arm64", "s390x"))
INNER = index(entry(ARM64, "linux/arm64"), entry(S390X, "linux/s390x"))
OTHER = index(entry(AMD64, "linux/amd64"))
TOP = index(entry(AMD64, "linux/amd64"), entry(INNER), entry(OTHER))
ALL = [TOP, AMD64, INNER, OTHER, ARM64, S390X]


@pytest.mark.parametrize(
    ("options", "used"),
    [
        ({}, ALL),
        ({"platforms": ["linux/arm64"]}, [TOP, INNER, ARM64]),
        ({"platforms": ["linux/arm64", "linux/s390x"]}, [TOP, INNER, ARM64, S390X]),
        ({"platforms": ["linux/arm64"], "platform_mode": "sparse"}, [TOP, INNER, ARM64]),
        ({"platforms": ["linux/arm64"], "platform_mode": "image"}, [ARM64]),
        ({"format": "docker"}, ALL),
    ],
)
def test_a_policy_applies_to_all_images_that_are_copied_and_to_their_indexes(stores, place, options, used):
    place.add(AMD64, ARM64, S390X, INNER, OTHER, TOP, tag="1")
    applied = []

    class Recorder:
        def check(self, image, used):
            applied.extend(used.digests())
            return []

    stores.run = runs.run(dry_run=True)  # not every registry accepts an index without all its images
    copy(CopyOptions("r.example/app:1", "s.example/app:1", **options), stores, Gate((Recorder(),)))
    assert applied[0] == used[0].digest
    assert sorted(applied) == sorted(each.digest for each in used)


def test_an_index_may_be_absent(place):
    place.add(AMD64, OTHER, TOP, tag="1")
    assert Used(place, TOP.digest).digests() == [each.digest for each in (TOP, OTHER, AMD64, INNER)]
