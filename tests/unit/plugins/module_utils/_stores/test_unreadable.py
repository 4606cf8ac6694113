# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Content that this user may not read exists nevertheless."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import LocalFailure
from ansible_collections.drayage.registry.plugins.module_utils._stores.directory import Directory
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.layouts import fill
from ansible_collections.drayage.registry.tests.unit.support.permissions import deny

IMAGE = images.image("linux/amd64", b"one")
LAYER = images.descriptor(b"one")


@pytest.fixture(params=[OciLayout, Directory])
def store(request, tmp_path, warnings):
    made = request.param(str(tmp_path / "place"), warnings.append)
    fill(made, IMAGE)
    made.publish(IMAGE.manifest, ["1"] if request.param is OciLayout else [], None)
    return request.param(str(tmp_path / "place"), warnings.append)


@pytest.mark.parametrize("closed", ["", "place"])
def test_an_unreadable_location(store, tmp_path, monkeypatch, closed):
    deny(monkeypatch, tmp_path / closed)
    name = "1" if isinstance(store, OciLayout) else ""
    for read in (lambda: store.manifest(name), lambda: store.find(name), store.tags, lambda: store.has_blob(LAYER)):
        with pytest.raises(LocalFailure, match="cannot read .*: permission denied"):
            read()


def test_the_blobs_of_a_layout_can_be_elsewhere(path, layout, tmp_path, monkeypatch):
    fill(layout, IMAGE)
    layout.publish(IMAGE.manifest, ["1"], None)
    deny(monkeypatch, path / "blobs")
    with pytest.raises(LocalFailure, match="permission denied"):
        layout.missing_blobs([LAYER])
