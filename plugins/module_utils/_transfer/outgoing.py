# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The only place where content is read from a source."""

from __future__ import annotations

import typing as t

from .._errors import naming
from .._image.digest import Chunk
from .._image.verified import Rewindable


class Outgoing(Rewindable):
    """The content of a blob; ``source`` is a reference for errors.

    ``on_start`` is called with the offset of the first chunk when it is read, and again after each rewind.
    ``on_chunk`` is called with the size of each chunk before it is passed on. Reading raises the errors of both.
    """

    def __init__(
        self,
        content: Rewindable,
        source: str,
        on_start: t.Callable[[int], None],
        on_chunk: t.Callable[[int], None],
    ) -> None:
        self._content = content
        self._source = source
        self._on_start = on_start
        self._on_chunk = on_chunk
        self._offset = 0
        self._has_begun = False

    def __next__(self) -> Chunk:
        if not self._has_begun:
            self._has_begun = True
            self._on_start(self._offset)
        with naming(self._source):
            chunk = next(self._content)
        self._on_chunk(len(chunk))
        return chunk

    def close(self) -> None:
        """Release the source until it is rewound."""
        self._content.close()

    def rewind(self, offset: int) -> None:
        """Continue at this offset."""
        self._content.rewind(offset)
        self._offset = offset
        self._has_begun = False
