# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Closing what tests have made, as a run does with its stores."""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._stores.engine_images import EngineImages
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_archive import OciArchive
from ansible_collections.drayage.registry.plugins.module_utils._stores.staging import Staging


@contextlib.contextmanager
def everything_closed(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    """Close each of these that is made in the block; whatever they have opened must be closed by that."""
    made: list[t.Any] = []

    def recorded(init: t.Callable[..., None]) -> t.Callable[..., None]:
        def record(self: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
            init(self, *args, **kwargs)
            made.append(self)

        return record

    for kind in (EngineImages, OciArchive, Staging):
        monkeypatch.setattr(kind, "__init__", recorded(kind.__init__))
    try:
        yield
    finally:
        for one in made:
            one.close()
