# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What the other tags of a repository point to while some are deleted, and how certain this is.

A tag list can show that a tag exists, but never that it does not: the list may be cached, incomplete, or refused. A
manifest is deleted by its digest only if the list has just shown a change of this run, all listed tags were resolved,
and nothing needs the manifest.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .. import _messages as messages
from .._errors import ImageError, InvalidContent, NotFound, naming
from .._image import digest as digests
from .._image.descriptor import Descriptor
from .._run import Run
from .._stores.repository import Listing, Repository
from .._transfer.parallel import for_each

# A tag, and what it points to: None if it does not exist, and an error if its image cannot be read.
_Found = tuple[str, t.Union[Descriptor, InvalidContent, None]]
# How many tags a sentence has.
_SHOWN = 5
# Looking at more tags takes so long that some may have moved before the last one was looked at.
_MAX_TAGS = 100


@dataclasses.dataclass(frozen=True)
class OtherTags:
    """The tags that were resolved, with what they point to. In a layout, one tag may point to several images.

    ``doubt`` says why tags may be missing; empty if there is no indication of this.
    """

    pointers: t.Sequence[tuple[str, Descriptor]] = ()
    doubt: str = ""

    def pointing_to(self, digest: str) -> list[str]:
        """Return the tags that point to a digest."""
        return list(dict.fromkeys(tag for tag, descriptor in self.pointers if descriptor.digest == digest))


def read_other_tags(store: Repository, tag: str, run: Run) -> OtherTags:
    """Resolve all tags except ``tag``, which exists or is empty. Sends one request per tag, and those for the list. Raises ImageError."""
    if isinstance(store, Listing):
        return OtherTags(_present(store.pointers([tag])))
    try:
        names = store.tags()
    except NotFound as error:  # some registries forget a repository whose last tag was deleted
        return OtherTags(doubt=error.cause)
    found = _resolve(store, [name for name in names if name != tag], run)
    absent = [name for name, descriptor in found if descriptor is None]
    doubt = describe_unreadable(found)
    if tag and tag not in names:
        doubt = "the tag list does not contain the existing tag %s" % tag
    elif absent:
        shown = messages.some(absent, _SHOWN)
        doubt = "the tag list contains tags that do not exist: %s" % shown
    return OtherTags(_present(found), doubt)


def current_tags(
    store: Repository,
    deleted: t.Collection[str],
    needed: t.Collection[str],
    run: Run,
    without: t.Collection[str] = (),
    limit: int | None = None,
) -> list[tuple[str, Descriptor]] | None:
    """Return what the digests in ``needed`` and all tags except ``without`` point to; None if this is not certain.

    It is not certain if the list contains a tag of ``deleted`` (which this run deleted), if it lacks a tag of
    ``needed`` (which the repository must have), if it has more than ``limit`` tags, or if a name cannot be resolved.
    Raises ImageError.
    """
    listed = set(store.tags())
    tags = {name for name in needed if not digests.is_digest(name)}
    names = [*listed.difference(without), *(name for name in needed if digests.is_digest(name))]
    if listed.intersection(deleted) or not listed.issuperset(tags) or (limit is not None and len(names) > limit):
        return None
    found: list[_Found] = []
    if isinstance(store, Listing):
        found += store.pointers(without)
        names = [name for name in needed if digests.is_digest(name)]
    found += _resolve(store, names, run)
    present = _present(found)
    return present if len(present) == len(found) else None


def delete_untagged(
    store: Repository, untagged: t.Collection[str], deleted: t.Collection[str], needed: t.Collection[str], run: Run
) -> list[str]:
    """Delete the ``untagged`` manifests that certainly nothing points to, and return their digests.

    The tags in ``deleted`` were listed before this run deleted them, so a list without them is current. For
    ``needed``, see :func:`current_tags`. In case of doubt, a manifest is kept. If the registry refuses, all of them
    are kept without an error, because the task is only to delete the tags.
    """
    removed: list[str] = []
    with contextlib.suppress(ImageError):
        others = current_tags(store, deleted, needed, run, limit=_MAX_TAGS)
        # An index may list the manifest as its child.
        if others is None or any(descriptor.is_index for _name, descriptor in others):
            return removed
        still_needed = {descriptor.digest for _name, descriptor in others}
        unneeded = [digest for digest in dict.fromkeys(untagged) if digest not in still_needed]
        if unneeded and set(store.tags()) == {name for name, _known in others if not digests.is_digest(name)}:
            for digest in unneeded:
                store.open(digest).delete(digest)
                removed.append(digest)
    return removed


def find_readable(store: Repository, name: str) -> Descriptor | InvalidContent | None:
    """Return what a name points to like :meth:`Repository.find`, or an error if an image exists that cannot be read."""
    try:
        return store.find(name)
    except InvalidContent as error:
        return error


def describe_unreadable(found: t.Iterable[_Found]) -> str:
    """Return a sentence about the tags whose images cannot be read, with the first cause; empty if there are none."""
    unreadable = [(name, error.cause) for name, error in found if isinstance(error, InvalidContent)]
    if not unreadable:
        return ""
    shown = messages.some([name for name, _cause in unreadable], _SHOWN)
    return "the images with these tags cannot be read: %s (%s)" % (shown, unreadable[0][1])


def _resolve(store: Repository, names: t.Sequence[str], run: Run) -> list[_Found]:
    def find(name: str) -> Descriptor | InvalidContent | None:
        with naming(store.reference(name)):
            return find_readable(store, name)

    return list(zip(names, for_each(find, names, run.jobs)))


def _present(found: t.Iterable[_Found]) -> list[tuple[str, Descriptor]]:
    return [(name, descriptor) for name, descriptor in found if isinstance(descriptor, Descriptor)]
