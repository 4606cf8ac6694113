# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import LocalFailure
from ansible_collections.drayage.registry.plugins.module_utils._files import status_of
from ansible_collections.drayage.registry.tests.unit.support.permissions import deny


@pytest.mark.parametrize(
    "name",
    ["absent", "absent/below", "file/below", "dangling", "loop", "loop/below", "with\0nul", "with\udc00surrogate"],
)
def test_absent_files_have_no_status(tmp_path, name):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    assert status_of("%s/%s" % (tmp_path, name)) is None
    assert status_of(str(tmp_path / "file")).st_size == 0


def test_other_errors_do_not_mean_absence(tmp_path, monkeypatch):
    with pytest.raises(LocalFailure, match="file name too long"):
        status_of(str(tmp_path / ("long" * 100)))
    deny(monkeypatch, tmp_path)
    with pytest.raises(LocalFailure, match="permission denied. Check the permissions, or use become.$"):
        status_of(str(tmp_path / "file"))
