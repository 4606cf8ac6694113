# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.test.image_reference import TestModule as Module

is_reference = Module().tests()["image_reference"]


@pytest.mark.parametrize(
    "text", ["alpine", "r.example:5000/a/b:1@sha256:" + "0" * 64, "docker://a", "oci:/srv/images:a"]
)
def test_references(text):
    assert is_reference(text) is True


@pytest.mark.parametrize("value", ["", "r.example/A", "a b", "https://r.example/a", "a:", "oci:", None, 1, ["a"], {}])
def test_other_things(value):
    assert is_reference(value) is False
