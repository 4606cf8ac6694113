# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The names of images in a layout or archive: all of them, or those of one repository if the layout is a mirror.

In a mirror layout, names are full references. An image that was selected by its digest has the name
``repository@digest``, so that it can be found again.
"""

from __future__ import annotations

import typing as t

from .. import _messages as messages
from .._image import digest as digests
from .._image import referrers
from .oci_index import Index, IndexEntry, split_name


class AllNames:
    """The names as written in the index."""

    repository = ""

    def full(self, tag: str) -> str:
        """Return the name in the index for a tag or digest."""
        return tag

    def entries(self, index: Index) -> t.Iterable[tuple[str, IndexEntry]]:
        """Return the entries with a name here, each with its tag or digest."""
        return index.named_entries()

    def others_of(self, tag: str, index: Index) -> list[str]:
        """Return other names in an index that are the same cosign tag in any repository, because the tag belongs to a digest."""
        return [name for name in index.names() if name.endswith(":" + tag)]

    def of_published(self, tags: t.Sequence[str], digest: str) -> list[str]:
        """Return the names for an image that is published with these tags; none if its digest alone is enough to find it."""
        return list(tags)


class RepositoryNames(AllNames):
    """The names that begin with ``repository:`` or ``repository@``, followed by a tag or a digest."""

    def __init__(self, repository: str) -> None:
        self.repository = repository

    def full(self, tag: str) -> str:
        """Return ``repository:tag`` or ``repository@digest``."""
        return tag and "%s%s%s" % (self.repository, "@" if digests.is_digest(tag) else ":", tag)

    def entries(self, index: Index) -> t.Iterable[tuple[str, IndexEntry]]:
        """Return the entries of the repository. Images that were selected by digest have their digest."""
        return index.entries_of(self.repository)

    def others_of(self, tag: str, index: Index) -> list[str]:
        """Return only the tag, which is its name after a copy of a single image."""
        return [tag]

    def of_published(self, tags: t.Sequence[str], digest: str) -> list[str]:
        """Return the full name for each tag, or the name with the digest if there is no tag."""
        return [self.full(tag) for tag in tags or [digest]]


def names_of(repository: str) -> AllNames:
    """Return the names of one repository; all names if it is empty."""
    return RepositoryNames(repository) if repository else AllNames()


def repositories(names: t.Iterable[str], layout: str, warn: t.Callable[[str], None]) -> list[str]:
    """Return the repositories of the names in a layout, in order. Warn about names that have none."""
    found = {name: split_name(name)[0] for name in names}
    unnamed = sorted(name for name, repository in found.items() if not (repository or referrers.is_digest_tag(name)))
    if unnamed:
        warn(
            "%s: skipped images whose names do not have the form REPOSITORY:TAG: %s" % (layout, messages.some(unnamed))
        )
    return sorted(set(filter(None, found.values())))
