# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.drayage.registry.plugins.module_utils._transfer import attached, job
from ansible_collections.drayage.registry.tests.unit.support.values import changeable


def test_only_what_stages_of_a_run_fill_in_can_be_changed():
    assert changeable("_transfer") == {"Attached", "Moved", "Plan"}


def test_names_of_actions():
    assert (job.CREATED, job.UPDATED, job.UNCHANGED) == ("created", "updated", "unchanged")
    assert (job.DELETED, job.FAILED) == ("deleted", "failed")
    assert (attached.COPIED, attached.UNCHANGED, attached.LEFT_OUT) == ("copied", "unchanged", "left_out")
