# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever foreign content is, parsing it ends with a result or with an error of ours.

DRAYAGE_FUZZ_INPUTS is how many inputs each parser gets, and DRAYAGE_FUZZ_SEED chooses which.
"""

from __future__ import annotations

import os

import pytest

from ansible_collections.drayage.registry.tests.unit.support.fuzz_targets import TARGETS

INPUTS = int(os.environ.get("DRAYAGE_FUZZ_INPUTS", "20"))
SEED = int(os.environ.get("DRAYAGE_FUZZ_SEED", "1"))


@pytest.mark.parametrize("name", TARGETS)
def test_only_errors_of_ours_come_out(name):
    print("seed %d" % SEED)
    assert TARGETS[name].attack(INPUTS, SEED) > 0
