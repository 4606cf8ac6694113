# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import NotFound
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.declaration import Entry, SyncOptions
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.sync import sync as run_sync
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import Repository


class Memory:
    """Registries in memory: ``memory["s.example/app"]`` is a repository."""

    def __init__(self):
        self.run = runs.run(4)
        self._opened = {}
        self.catalog = {}

    def __getitem__(self, context):
        return self.repository(*context.split("/", 1))

    def repository(self, host, name, kind=Repository):
        """Return a repository, which is of this kind if it is new."""
        return self._opened.setdefault("%s/%s" % (host, name), kind(host, name))

    def open(self, reference, writable=False, deletes=False):
        return self[reference.context]

    def open_named(self, reference, external_blobs=frozenset()):
        return OciLayout(reference.path, print, external_blobs).repository(reference.tag)

    def repositories(self, reference):
        if reference.host not in self.catalog:
            raise NotFound("has no catalog")
        return self.catalog[reference.host]


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def sync(memory):
    """Sync entries from ``s.example`` to ``d.example``."""

    def run(*entries, dry_run=False, **options):
        options = {"src": "s.example", "dest": "d.example", **options}
        options = SyncOptions(images=[Entry(**entry) for entry in entries], **options)
        memory.run = runs.run(4, dry_run)
        return run_sync(options, memory)

    return run
