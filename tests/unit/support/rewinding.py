# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Content of a store that goes back: what every store must be able to do for uploads that break."""

from __future__ import annotations

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._image import verified
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._image.digest import CHUNK
from ansible_collections.drayage.registry.plugins.module_utils._stores.repository import Store

# Read in four chunks.
CONTENT = bytes(range(256)) * (3 * CHUNK // 256) + b"end"


def check_rewinding(store: Store, blob: Descriptor, monkeypatch: t.Any) -> None:
    """Read ``CONTENT``, and again from two offsets; only the second is read from the start of the source."""
    monkeypatch.setattr(verified, "_STEP", CHUNK)
    content = store.open_blob(blob)
    assert b"".join(map(bytes, content)) == CONTENT
    for offset in (2 * CHUNK + 5, 7):
        content.rewind(offset)
        assert b"".join(map(bytes, content)) == CONTENT[offset:]
