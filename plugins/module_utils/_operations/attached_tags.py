# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Tags that contain the digest of an image. No entry selects them, but they are kept as long as the image exists.

cosign stores signatures, attestations and SBOMs under ``sha256-<digest>.sig``, ``.att`` and ``.sbom``. The tag
without a suffix is that of the referrers tag schema of the OCI distribution spec.
"""

from __future__ import annotations

import typing as t

from .._errors import naming
from .._image.descriptor import Descriptor
from .._image.graph import Content, Graph
from .._image.referrers import subject_of_tag
from .._run import Run
from .._stores.repository import Repository
from .._transfer.parallel import for_each
from .other_tags import current_tags
from .prune_marks import find_marked

# The digests of the descendants of indexes, by the digests of the indexes.
Descendants = dict[str, set[str]]


def without_needed(
    store: Repository, prunable: t.Mapping[str, Descriptor], declared: t.Collection[str], run: Run
) -> tuple[dict[str, Descriptor], frozenset[str]]:
    """Return the prunable tags that can be deleted: those that are not attached to an image that is kept.

    If all tags of an image are deleted, the tags attached to it are deleted as well. Images without a tag, such as
    children of an index, are kept. So are images with a ``declared`` digest, and the children of all images that are
    kept. The exceptions are images whose tags an interrupted run deleted: their digests are returned, too. Raises
    ImageError.
    """
    found = subjects(prunable)
    if not found:
        return dict(prunable), frozenset()
    going = {known.digest for tag, known in prunable.items() if tag not in found} - set(declared)
    is_registry = store.location.is_registry
    interrupted: set[str] = set()
    with naming(store.reference("")):
        if is_registry:
            there = dict(zip(found, for_each(store.find, found.values(), run.jobs)))
            unknown = {tag: one for tag, one in found.items() if there[tag] and one not in going.union(declared)}
            interrupted = find_marked(store, unknown, run)
            going |= interrupted
        used: set[str] = set()
        if going.intersection(found.values()) or not is_registry:
            others = current_tags(store, (), (), run, without=prunable)
            # A tag that could not be looked at may keep any of them.
            used = {*going, *found.values()} if others is None else in_use(store, others, run)
        if is_registry:
            needed = {tag for tag, subject in found.items() if there[tag] and subject not in going - used}
        else:  # the children of an image go with it, unless another image needs them
            needed = {tag for tag, subject in found.items() if subject in used.union(declared)}
    return {tag: known for tag, known in prunable.items() if tag not in needed}, frozenset(interrupted - used)


def in_use(
    store: Repository, tags: t.Collection[tuple[str, Descriptor]], run: Run, read: Descendants | None = None
) -> set[str]:
    """Return the digests that tags point to, and those of all descendants of their indexes. One request per index. Raises ImageError.

    Indexes in ``read`` are not read again. Others are added.
    """
    read = {} if read is None else read
    indexes = {known.digest: tag for tag, known in tags if known.is_index}
    unread = {digest: tag for digest, tag in indexes.items() if digest not in read}

    def below(index: tuple[str, str]) -> list[Descriptor]:
        digest, tag = index
        image = store.open(tag)
        content = Content(image.manifest, image.open_blob)
        return list(Graph([content.manifest(digest)], content.load_present, follow=_is_index).listed())

    for digest, listed in zip(unread, for_each(below, unread.items(), run.jobs)):
        read[digest] = {child.digest for child in listed}
    found = {known.digest for _tag, known in tags}
    return found.union(*(read[digest] for digest in indexes))


def _is_index(child: Descriptor) -> bool:
    return child.is_index


def subjects(tags: t.Iterable[str]) -> dict[str, str]:
    """Return the digest of the subject for each tag that has one."""
    return {tag: subject for tag, subject in ((tag, subject_of_tag(tag)) for tag in tags) if subject}
