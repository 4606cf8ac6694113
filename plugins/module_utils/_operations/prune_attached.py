# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Find the untagged artifacts to delete with an image that loses its last tag: referrers, and artifacts attached to them.

Registries with the referrers API list them, and layouts store them in lists. Tags that contain the digest of the
image are pruned as tags, see :mod:`.attached_tags`.
"""

from __future__ import annotations

import concurrent.futures
import typing as t

from .._errors import InvalidContent, naming
from .._image import referrers
from .._run import Run
from .._stores.referrers_interface import HasReferrers
from .._stores.repository import Repository, Store
from .._transfer.attached import Attachment, depth_first, find_attached
from .attached_tags import Descendants, in_use
from .other_tags import current_tags


def find(
    store: Repository,
    images: t.Sequence[str],
    tags: t.Collection[str],
    going: t.Collection[str],
    run: Run,
    read: Descendants,
) -> dict[str, list[Attachment]]:
    """Return the artifacts to delete with these images, by the digests of the images, if only prunable ``tags`` point to them.

    ``going`` are the references of all tags that are pruned, here and in other repositories. For ``read``, see
    :func:`images_in_use`. Raises ImageError.
    """
    if not isinstance(store, Store) or not isinstance(store, HasReferrers):
        return {}
    with naming(store.reference("")), concurrent.futures.ThreadPoolExecutor(run.jobs) as pool:
        found = depth_first(find_attached(store, images, (), pool.map), images)
        used = images_in_use(store, tags, found, going, run, read) if found else None
    if used is None:  # a tag that could not be looked at may keep any of them
        return {}
    attached: dict[str, list[Attachment]] = {}
    image = ""
    for one in without_used(found, used):
        if one.depth == 1:
            image = one.subject
        if one.depth > 1 or not one.tag:
            attached.setdefault(image, []).append(one)
    return attached


def images_in_use(
    store: Store,
    without: t.Collection[str],
    attached: t.Iterable[Attachment],
    going: t.Collection[str],
    run: Run,
    read: Descendants,
    deleted: t.Collection[str] = (),
    needed: t.Collection[str] = (),
) -> set[str] | None:
    """Return the digests of everything that other tags need; None if this is not certain. Raises ImageError.

    Tags of ``attached`` artifacts do not count. ``read`` has the indexes of a layout that were read for other
    repositories. For ``deleted`` and ``needed``, see :func:`current_tags`.
    """
    own = {tag for one in attached for tag in referrers.digest_tags(one.digest)}
    others = current_tags(store, deleted, needed, run, without=own.union(without))
    if others is None:
        return None
    try:
        neighbours = [(name, known) for name, known in store.neighbours().items() if name not in going]
    except InvalidContent:
        return None
    return in_use(store, others, run) | in_use(store, neighbours, run, read)


def without_used(found: t.Iterable[Attachment], used: t.Collection[str]) -> list[Attachment]:
    """Return the artifacts that nothing else uses, and whose subjects nothing else uses."""
    kept: set[str] = set()
    going = []
    for one in found:
        if one.subject in used or one.subject in kept or one.digest in used:
            kept.add(one.digest)
        else:
            going.append(one)
    return going
