# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The positions of values in documents and in their texts."""

from __future__ import annotations

import dataclasses
import typing as t

# Keys of mappings and positions in lists, from the top of a document.
Path = tuple[t.Union[str, int], ...]


@dataclasses.dataclass(frozen=True)
class Span:
    """The position of a scalar, including its quotes, as offsets in the text; ``style`` is its style in YAML, such as ``'``.

    ``in_flow`` shows that it is between brackets or braces, as everything is in JSON.
    """

    start: int
    end: int
    style: str
    in_flow: bool = dataclasses.field(default=False, compare=False)
