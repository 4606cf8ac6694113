# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Where the content of images is stored, to decide what need not be transferred."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Location:
    """A repository, or a whole layout, file, directory or engine.

    ``kind`` is the transport, ``docker`` for registries. ``root`` identifies the registry, the real path of the
    layout or file, or the engine, with its transport. ``repository`` is the path below the root; it is empty if the
    root has no repositories. With ``shares_content``, all repositories of the root have the same blobs.
    """

    kind: str
    root: str
    repository: str = ""
    shares_content: bool = True

    @property
    def owner(self) -> str:
        """The repository that the content belongs to; empty if the repositories of the root share all content."""
        return "" if self.shares_content else self.repository

    @property
    def is_registry(self) -> bool:
        """Whether images are pulled and pushed over the network."""
        return self.kind == "docker"

    def has_content_of(self, other: Location) -> bool:
        """Return whether both locations have the same content, so that nothing needs to be transferred."""
        return (self.root, self.owner) == (other.root, other.owner)

    def mount_source(self, other: Location) -> str:
        """Return the repository of ``other`` to mount its blobs from; empty if that is not possible."""
        return other.owner if self.root == other.root and self.owner != other.owner else ""
