# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support.closing import everything_closed


@pytest.fixture(autouse=True)
def close_what_was_made(monkeypatch):
    with everything_closed(monkeypatch):
        yield


@pytest.fixture
def warnings():
    """What layouts warn of."""
    return []


@pytest.fixture
def path(tmp_path):
    return tmp_path / "layout"


@pytest.fixture
def layout(path, warnings):
    return OciLayout(str(path), warnings.append)
