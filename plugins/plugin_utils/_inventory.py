# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Sum up the blobs of an inventory, for reports."""

from __future__ import annotations

import collections
import re
import typing as t

_TAG = re.compile(r":[^:/]*$")


def summarize(images: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Return the size of all blobs, the size for each repository, and the size that only one digest uses.

    ``images`` are the records of an inventory. Raises LookupError or TypeError if they are invalid.
    """
    sizes: dict[str, int] = {}
    users: dict[str, set[str]] = collections.defaultdict(set)
    repositories: dict[str, set[str]] = collections.defaultdict(set)
    counts: collections.Counter[str] = collections.Counter()
    for image in images:
        sizes.update(zip(image["blobs"], image.get("blob_sizes", ())))
        repository = _TAG.sub("", image["ref"].partition("@")[0])
        repositories[repository].update(image["blobs"])
        counts[repository] += 1
        for blob in image["blobs"]:
            users[blob].add(image["digest"])
    totals = [
        {"repository": repository, "images": counts[repository], "bytes": sum(sizes.get(blob, 0) for blob in blobs)}
        for repository, blobs in repositories.items()
    ]
    return {
        "bytes": sum(sizes.values()),
        "repositories": sorted(totals, key=lambda total: (-total["bytes"], total["repository"])),
        "unique": {image["ref"]: _unique(image, sizes, users) for image in images},
    }


def _unique(image: t.Mapping[str, t.Any], sizes: dict[str, int], users: dict[str, set[str]]) -> int | None:
    """Return the size of the blobs that no other image uses; None if a size is unknown."""
    if not all(blob in sizes for blob in image["blobs"]):
        return None
    return sum(sizes[blob] for blob in image["blobs"] if len(users[blob]) == 1)
