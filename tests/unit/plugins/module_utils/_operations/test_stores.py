# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.drayage.registry.plugins.module_utils._files import read_regular
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import LocalReference
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._registry.session import Policy
from ansible_collections.drayage.registry.plugins.module_utils._stores import oci_layout
from ansible_collections.drayage.registry.tests.unit.support import images, layouts

ONE, TWO = images.image("linux/amd64", b"one"), images.image("linux/amd64", b"two")


def test_all_repositories_of_a_layout_read_its_index_once(tmp_path, monkeypatch):
    path = tmp_path / "layout"
    layouts.foreign_layout(path, ("r.example/a:1", ONE), ("r.example/b:1", TWO))
    read = []

    def counted(*arguments):
        read.append(arguments)
        return read_regular(*arguments)

    monkeypatch.setattr(oci_layout, "read_regular", counted)
    with Stores([], None, Policy(), run_command=None) as stores:
        opened = [stores.open_named(LocalReference("oci", str(path), name)) for name in ("r.example/a", "r.example/b")]
        assert [store.resolve("1").digest for store in opened] == [ONE.digest, TWO.digest]
        assert len(read) == 1
        carried = stores.open_named(LocalReference("oci", str(path), "r.example/a"), frozenset([ONE.digest]))
        layouts.blob_file(path, ONE.digest).unlink()
        assert (carried.has_blob(ONE.manifest.descriptor), opened[0].has_blob(ONE.manifest.descriptor)) == (True, False)
