# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What an image needs, all the way down."""

from __future__ import annotations

import collections
import typing as t

from .._errors import ImageError, NotFound
from .._image import digest as digests
from .._image.descriptor import Descriptor
from .._image.manifest import Manifest, check_extent


def is_whole(
    top: Descriptor,
    wanted: t.Collection[str] | None,
    has: t.Callable[[Descriptor], bool],
    read_manifest: t.Callable[[str], Manifest],
) -> bool:
    """Whether all content is there; with ``wanted``, other children may have been left out on purpose (sparse).

    ``has`` tells whether there is content of the right size.
    """
    seen: set[str] = set()
    todo = collections.deque([(top, 0)])
    while todo:
        current, depth = todo.popleft()
        if current.digest in seen:
            continue
        seen.add(current.digest)
        if not has(current):
            return False
        if current.is_manifest:
            try:
                check_extent(depth, 0)
                manifest = read_manifest(current.digest)
            except ImageError:
                return False
            children = [child for child in manifest.children if wanted is None or child.digest in wanted]
            todo.extend((part, depth + 1) for part in [*children, *manifest.blobs])
    return True


def reachable(roots: t.Iterable[str], read_manifest: t.Callable[[str], Manifest]) -> tuple[set[str], bool]:
    """The digests of all content that these images need, and whether that is certain.

    It is not where a manifest cannot be read or understood, or is nested too deeply: it may need anything.
    """
    found: set[str] = set()
    complete = True
    named = {digest for digest in roots if digests.is_digest(digest)}
    todo = collections.deque((digest, 0) for digest in named)
    while todo:
        digest, depth = todo.popleft()
        if digest in found:
            continue
        found.add(digest)
        try:
            check_extent(depth, 0)
            manifest = read_manifest(digest)
        except NotFound:
            complete = complete and digest not in named  # children may be left out on purpose (sparse)
            continue
        except (ImageError, OSError):
            complete = False
            continue
        found.update(blob.digest for blob in manifest.blobs)
        todo.extend((child.digest, depth + 1) for child in manifest.children)
    return found, complete
