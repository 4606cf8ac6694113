# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The classes that open paths with many repositories, by transport, for sets of images."""

from __future__ import annotations

import typing as t

from .._imports import importing
from .._stores.repository import StoreRoot

if t.TYPE_CHECKING:
    from .._stores.oci_layout import OciLayout

Warn = t.Callable[[str], None]


def layout(path: str, warn: Warn, external_blobs: t.Collection[str] = frozenset()) -> OciLayout:
    """Open an OCI layout. It need not contain the blobs with the given digests."""
    with importing:
        from .._stores.oci_layout import OciLayout

    return OciLayout(path, warn, external_blobs)


def _directory_tree(path: str, warn: Warn, _external_blobs: t.Collection[str]) -> StoreRoot:
    with importing:
        from .._stores.directory_tree import DirectoryTree

    return DirectoryTree(path, warn)


ROOTS: dict[str, t.Callable[[str, Warn, t.Collection[str]], StoreRoot]] = {"oci": layout, "dir": _directory_tree}
