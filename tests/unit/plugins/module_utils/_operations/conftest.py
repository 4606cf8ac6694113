# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.tests.unit.support.gpg_signing import Home
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import MemoryStores


@pytest.fixture
def stores():
    return MemoryStores()


@pytest.fixture
def place(stores):
    """An empty repository, r.example/app."""
    return stores.repository("r.example", "app")


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """Two homes of gpg, whose keys have a passphrase and none."""
    made = [Home(tmp_path_factory.mktemp("g") / "h", passphrase) for passphrase in ("planted passphrase", "")]
    yield made
    for home in made:
        home.stop()
