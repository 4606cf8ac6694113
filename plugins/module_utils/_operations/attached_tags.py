# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Tags that belong to an image by its digest: nobody selects them themselves, but they stay as long as the image does.

cosign keeps signatures, attestations and SBOMs under ``sha256-<digest>.sig``, ``.att`` and ``.sbom``. Without a suffix it
is the referrers tag schema of the OCI distribution spec.
"""

from __future__ import annotations

import typing as t

from .._errors import naming
from .._image.descriptor import Descriptor
from .._image.referrers import subject_of_tag
from .._run import Run
from .._stores.repository import Repository
from .._transfer.parallel import for_each
from .other_tags import current_tags


def without_needed(
    store: Repository, prunable: t.Mapping[str, Descriptor], declared: t.Collection[str], run: Run
) -> dict[str, Descriptor]:
    """Those of the prunable tags that can be deleted: no tag that is attached to an image which stays.

    If all tags of an image are deleted, so are those attached to it. An image without a tag, such as a child of an index,
    stays, and so do those whose digest is ``declared``. Raises ImageError.
    """
    found = subjects(prunable)
    if not found:
        return dict(prunable)
    going = {known.digest for tag, known in prunable.items() if tag not in found} - set(declared)
    with naming(store.reference("")):
        if going.intersection(found.values()):
            others = current_tags(store, (), (), run, without=prunable)
            # A tag that could not be looked at may keep any of them.
            going = set() if others is None else going - {known.digest for known in others.values()}
        there = dict(zip(found, for_each(store.find, found.values(), run.jobs)))
    needed = {tag for tag, subject in found.items() if there[tag] and subject not in going}
    return {tag: known for tag, known in prunable.items() if tag not in needed}


def subjects(tags: t.Iterable[str]) -> dict[str, str]:
    """The digest of the image that a tag belongs to, for those that belong to one."""
    return {tag: subject for tag, subject in ((tag, subject_of_tag(tag)) for tag in tags) if subject}
