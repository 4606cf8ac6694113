# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The names of images in a layout or archive: of all of them, or of one repository of several as in the layout of a mirror.

In such a layout names are full references. An image that was copied by its digest has the name ``repository@digest``, so
that it can be found again.
"""

from __future__ import annotations

import typing as t

from .. import _messages as messages
from .._image import digest as digests
from .._image import reference as references
from .._image import referrers
from .oci_index import Index


class AllNames:
    """The names as they are in the index."""

    repository = ""

    def full(self, tag: str) -> str:
        """The name in the index for a tag or digest."""
        return tag

    def tags(self, names: t.Iterable[str]) -> list[str]:
        """The tags and digests for those names of an index that are among these."""
        return list(names)

    def others_of(self, tag: str, index: Index) -> list[str]:
        """The names in an index that stand for a tag of cosign too, as it belongs to a digest: those of any repository."""
        return [name for name in index.names() if name.endswith(":" + tag)]

    def of_published(self, tags: t.Sequence[str], digest: str) -> list[str]:
        """The names of an image that is published with these tags; none if it can be found by its digest alone."""
        return list(tags)


class RepositoryNames(AllNames):
    """The names that begin with ``repository:`` or ``repository@``; a tag or a digest follows."""

    def __init__(self, repository: str) -> None:
        self.repository = repository

    def full(self, tag: str) -> str:
        """``repository:tag`` or ``repository@digest``."""
        return tag and "%s%s%s" % (self.repository, "@" if digests.is_digest(tag) else ":", tag)

    def tags(self, names: t.Iterable[str]) -> list[str]:
        """The tags, and the digests that images were copied by."""
        start = len(self.repository) + 1
        return [name[start:] for name in names if self._is_ours(name, name[start:])]

    def others_of(self, tag: str, index: Index) -> list[str]:
        """The tag alone, as a copy of a single image names it."""
        return [tag]

    def of_published(self, tags: t.Sequence[str], digest: str) -> list[str]:
        """In full; the digest if there is no tag."""
        return [self.full(tag) for tag in tags or [digest]]

    def _is_ours(self, name: str, tag: str) -> bool:
        return name == self.full(tag) and (references.is_tag(tag) or digests.is_digest(tag))


def repositories(names: t.Iterable[str], layout: str, warn: t.Callable[[str], None]) -> list[str]:
    """The repositories of the names in a layout, in order. Warns about names that have none."""
    found = {name: _repository(name) for name in names}
    unnamed = sorted(name for name, repository in found.items() if not (repository or referrers.is_digest_tag(name)))
    if unnamed:
        warn(
            "%s: skipped images whose names do not have the form REPOSITORY:TAG: %s" % (layout, messages.some(unnamed))
        )
    return sorted(set(filter(None, found.values())))


def _repository(name: str) -> str:
    """Empty where what follows is neither a tag nor a digest, as the port of a host is not."""
    start, _at, digest = name.rpartition("@")
    if digests.is_digest(digest):
        return start
    repository, _colon, tag = name.rpartition(":")
    return repository if references.is_tag(tag) else ""
