# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Staged image content between registries and backends that store whole images."""

from __future__ import annotations

import threading
import typing as t

from .._image.digest import Chunk
from .._run import Count, uncounted
from .layers import ExaminedLayer, ExpansionLimit, SpooledBlob


class Staging:
    """The content of all images of a run: content for a backend, and layers that were compressed for registries.

    ``count`` counts the content that is compressed. ``contents`` opens the blobs of generated manifests, and
    ``config_readers`` read the configs of images that a backend may have. Both are by digest. ``examined`` has what is
    known about stored layers, by their readers.
    """

    def __init__(self, count: Count = uncounted) -> None:
        self.count = count
        self._lock = threading.Lock()
        self.configs: dict[str, bytes] = {}
        self.layers: dict[str, SpooledBlob] = {}
        self.compressed: dict[str, SpooledBlob] = {}
        self.contents: dict[str, t.Callable[[], t.Iterable[Chunk]]] = {}
        self.examined: dict[t.Callable[[], t.Iterable[Chunk]], ExaminedLayer] = {}
        self.expansion = ExpansionLimit()
        self.config_readers: dict[str, t.Callable[[], bytes]] = {}

    def keep(self, kept_in: dict[str, SpooledBlob], digest: str, chunks: t.Iterable[Chunk]) -> SpooledBlob:
        """Stage content under this digest, unless this was done before."""
        if digest not in kept_in:
            staged = SpooledBlob(chunks)
            with self._lock:
                kept = kept_in.setdefault(digest, staged)
            if kept is not staged:
                staged.close()
        return kept_in[digest]

    def close(self) -> None:
        """Close all files."""
        for staged in (*self.layers.values(), *self.compressed.values()):
            staged.close()
