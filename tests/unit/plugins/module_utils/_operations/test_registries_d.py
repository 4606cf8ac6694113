# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The locations of signatures in registries.d."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image import reference as references
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.registries_d import RegistriesD

DIGEST = "sha256:" + "0" * 64
IMAGE = references.parse("r.example/team/app:1")


@pytest.mark.parametrize(
    ("namespaces", "base"),
    [
        ({"r.example/team": {"sigstore": "file:///old"}, "r.example": {"lookaside": "file:///wide"}}, "/old"),
        ({"r.example/team/app": {"sigstore": "file:///old"}, "": {"lookaside": "file:///wide"}}, "/old"),
        ({"r.example": {"sigstore": "file:///old", "lookaside": "file:///new"}}, "/new"),
        ({"r.example/team": {"lookaside": ""}, "r.example": {"lookaside": "file:///wide"}}, "/wide"),
        ({"r.example/team": {"lookaside": "", "sigstore": "file:///old"}, "": {"lookaside": "file:///wide"}}, "/old"),
        ({"r.example": {"use-sigstore-attachments": True}, "": {"sigstore": "file:///wide"}}, "/wide"),
        ({"other.example": {"lookaside": "file:///other"}}, "/var/lib/containers/sigstore"),
        ({"": {"lookaside": "file:///a%20b/%23c/%FF"}}, "/a b/#c/\udcff"),
    ],
)
def test_the_narrowest_scope_with_a_location_counts(namespaces, base):
    found = RegistriesD(namespaces).lookaside(IMAGE, DIGEST)
    assert found == "%s/team/app@sha256=%s" % (base, "0" * 64)
