# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._transfer.conversion import Conversion
from ansible_collections.drayage.registry.plugins.module_utils._transfer.known import Known
from ansible_collections.drayage.registry.plugins.module_utils._transfer.request import CopyRequest, RepositoryRequest

DIGEST, OTHER = digests.of(b"x"), digests.of(b"y", "sha512")


@pytest.fixture
def common(source, elsewhere):
    return CopyRequest(source, "", elsewhere, (), is_set=True)


def test_an_image_with_a_tag_keeps_it(common):
    request = RepositoryRequest(common).of("1.0")
    assert (request.name, request.tags, request.digest) == ("1.0", ("1.0",), "")
    assert (request.source, request.destination, request.is_set) == (common.source, common.destination, True)


@pytest.mark.parametrize("digest", [DIGEST, OTHER])
def test_an_image_without_a_tag_has_none_at_the_destination(common, digest):
    request = RepositoryRequest(common).of(digest)
    assert (request.name, request.tags, request.digest) == (digest, (), "")


def test_a_pinned_digest_is_the_one_that_the_copy_must_have(common):
    pinning = RepositoryRequest(common, pins_digests=True)
    assert pinning.of(DIGEST).digest == DIGEST
    assert pinning.of("1.0").digest == ""


def test_the_source_may_be_asked_for_another_digest(common):
    request = RepositoryRequest(common, digest=OTHER).of("1.0")
    assert (request.name, request.tags, request.digest) == (OTHER, ("1.0",), "")
    pinned = RepositoryRequest(common, digest=OTHER, pins_digests=True).of(DIGEST)
    assert (pinned.name, pinned.tags, pinned.digest) == (OTHER, (), DIGEST)


def test_what_is_not_asked_for_is_off(source, elsewhere):
    request = CopyRequest(source, "1", elsewhere, ("1",))
    off = (request.sparse, request.as_image, request.thorough, request.unsigned, request.is_set, request.referrers)
    assert off == (False,) * 6
    assert (request.digest, request.platforms, request.artifact_types) == ("", (), ())
    assert bool(request.conversion) is False


def test_what_was_found_out_about_a_destination_is_kept(source, elsewhere):
    listed = Known(elsewhere, ["1"])
    assert CopyRequest(source, "1", elsewhere, (), listed=listed).known is listed
    request = CopyRequest(source, "1", elsewhere, ())
    assert request.known is request.known
    assert request.known.store is elsewhere


@pytest.mark.parametrize(
    ("family", "attestations", "expected", "changes"),
    [
        ("preserve", "keep", Conversion("", True), False),
        ("oci", "keep", Conversion("oci", True), True),
        ("docker", "drop", Conversion("docker", False), True),
        ("preserve", "drop", Conversion("", False), True),
    ],
)
def test_a_conversion_has_the_format_and_attestations_of_the_options(family, attestations, expected, changes):
    conversion = Conversion.of_options(family, attestations)
    assert conversion == expected
    assert bool(conversion) is changes
