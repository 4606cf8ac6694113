# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Delete the artifacts attached to a deleted image: referrers, their own referrers, and artifacts under cosign tags."""

from __future__ import annotations

import concurrent.futures
import contextlib
import typing as t

from .._errors import ImageError, NotFound, naming
from .._image import referrers
from .._stores.referrers_interface import required
from .._stores.repository import Batching, Store
from .._transfer.attached import Attachment, depth_first, find_attached
from .other_tags import OtherTags


def attached_to(store: Store, digest: str, others: OtherTags, threads: int) -> list[Attachment]:
    """Return the artifacts to delete with an image. Each is followed by the artifacts attached to it. Raises ImageError.

    Artifacts with a tag that is not a cosign tag of their subject are kept, together with the artifacts attached to them.
    """
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        found = depth_first(find_attached(store, [digest], (), pool.map), [digest])
    kept: set[str] = set()
    going = []
    for one in found:
        own = tuple(filter(None, (one.tag, *referrers.cosign_tags(one.subject))))
        if one.subject in kept or not all(tag.endswith(own) for tag in others.pointing_to(one.digest)):
            kept.add(one.digest)
        else:
            going.append(one)
    return going


def delete_attached(store: Store, found: t.Sequence[Attachment], hint: str) -> None:
    """Delete the artifacts of a deleted image, the deepest first, and remove them from lists of referrers.

    On failure, raises ImageError with this ``hint`` about the remaining ones.
    """
    by_subject: dict[str, list[str]] = {}
    for one in reversed(found):
        if not one.tag:
            by_subject.setdefault(one.subject, []).append(one.digest)
    with hinting(hint):
        if isinstance(store, Batching):
            if found:
                store.delete_all({one.digest for one in found}, by_subject)
            return
        for one in reversed(found):
            _delete(store, one)
        for subject, digests in by_subject.items():
            required(store).detach(subject, digests)


@contextlib.contextmanager
def hinting(hint: str) -> t.Iterator[None]:
    """Add a hint to errors in the block, for example about what was already deleted."""
    try:
        yield
    except ImageError as error:
        error.hint = ". ".join(filter(None, (error.hint.rstrip("."), hint)))
        raise


def _delete(store: Store, one: Attachment) -> None:
    with naming(store.reference(one.tag or one.digest)):
        try:
            store.delete(one.digest)
            # Some registries keep the tags of a manifest that was deleted.
            if one.tag and store.resolve(one.tag):
                store.delete_tag(one.tag, one.digest)
        except NotFound:
            pass
