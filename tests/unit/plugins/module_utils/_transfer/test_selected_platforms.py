# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platforms that a copy reports as selected, whatever form the copy has."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._transfer.conversion import Conversion
from ansible_collections.drayage.registry.tests.unit.support.images import (
    attestation,
    attestation_entry,
    entry,
    image,
    index,
)

AMD64, ARM64, ARMV7 = image("linux/amd64"), image("linux/arm64"), image("linux/arm/v7")
ATTESTATION = attestation(ARM64)
FLAT = index(
    entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"), attestation_entry(ATTESTATION, ARM64), entry(ARMV7)
)
NESTED = index(entry(index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))), entry(ARMV7, "linux/arm/v7"))
WITHOUT_PLATFORMS = index(entry(AMD64), entry(ARM64), entry(ARMV7))
FORMS = [
    {},
    {"sparse": True},
    {"as_image": True},
    {"conversion": Conversion("docker", attestations=False)},
    {"conversion": Conversion(attestations=False)},
    {"conversion": Conversion("docker"), "as_image": True},
]


@pytest.fixture(autouse=True)
def images_at_source(source):
    inner = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))
    source.add(AMD64, ARM64, ARMV7, ATTESTATION, inner)


@pytest.mark.parametrize("form", FORMS, ids=repr)
@pytest.mark.parametrize("top", [FLAT, NESTED, WITHOUT_PLATFORMS], ids=["flat", "nested", "without platforms"])
def test_the_selected_platform_is_reported(plan, source, elsewhere, top, form):
    source.add(top, tag="latest")
    assert plan(elsewhere, "1", platforms=["linux/arm64"], **form).selection.platforms == ["linux/arm64"]


@pytest.mark.parametrize("top", [FLAT, NESTED, WITHOUT_PLATFORMS], ids=["flat", "nested", "without platforms"])
def test_they_are_in_the_order_of_the_index(plan, source, elsewhere, top):
    source.add(top, tag="latest")
    result = plan(elsewhere, "1", platforms=["linux/arm/v7", "linux/amd64"])
    assert result.selection.platforms == ["linux/amd64", "linux/arm/v7"]


def test_all_platforms_that_a_selected_image_has_in_the_index_are_reported_once(plan, source, elsewhere):
    entries = [entry(AMD64, text) for text in ("linux/amd64", "linux/386", "linux/amd64")]
    source.add(index(*entries, entry(ARM64, "linux/arm64")), tag="latest")
    assert plan(elsewhere, "1", platforms=["linux/386"]).selection.platforms == ["linux/amd64", "linux/386"]


def test_a_single_image_has_none(plan, source, elsewhere):
    source.add(AMD64, tag="latest")
    assert plan(elsewhere, "1", platforms=["linux/amd64"]).selection.platforms == []
