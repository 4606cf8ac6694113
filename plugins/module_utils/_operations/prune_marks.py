# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Mark the tags that are attached to an image before the image loses its last tag, so that the next run finds them.

Registries keep images without a tag. If a task is killed after it has deleted the tags of an image, nothing but the
mark shows that the attached tags must be deleted as well. They cannot be deleted first: the image may have to stay.
The mark is an annotation of the manifest, so a marked signature is still valid.
"""

from __future__ import annotations

import contextlib
import secrets
import typing as t

from .._errors import ImageError, parsing
from .._image import deletion_marker, media_types
from .._image import digest as digests
from .._image import document as documents
from .._image.descriptor import Descriptor
from .._image.manifest import Manifest
from .._run import Run
from .._stores.repository import Repository
from .._transfer.parallel import for_each

# Its value is the digest of the image whose tags are deleted.
KEY = "drayage.registry.pruning"


def mark(store: Repository, attached: t.Mapping[str, str], known: t.Mapping[str, Descriptor]) -> dict[str, Descriptor]:
    """Mark tags, given with the digests of their images. Return what marked tags point to now.

    ``known`` has what they pointed to. A tag that cannot be marked, for example because it is immutable, is left out.
    Nothing is marked if the registry refuses deletions.
    """
    marked: dict[str, Descriptor] = {}
    if not attached or not store.location.is_registry:
        return marked
    with contextlib.suppress(ImageError):
        store.open("").delete(digests.of(secrets.token_bytes(32)))  # an image that cannot exist
        for tag, subject in attached.items():
            with contextlib.suppress(ImageError):
                manifest = store.open(tag).manifest(tag)
                if manifest.digest == known[tag].digest and _can_be_marked(manifest, subject):
                    manifest = _with_mark(manifest, subject)
                    store.open(tag).publish(manifest, [tag], None)
                    marked[tag] = manifest.descriptor
    return marked


def find_marked(store: Repository, attached: t.Mapping[str, str], run: Run) -> set[str]:
    """Return the digests of images whose tags an interrupted run deleted. Sends one GET per tag.

    ``attached`` has the tags to look at, with the digests of their images. A tag that cannot be read has no mark.
    """

    def is_marked(pair: tuple[str, str]) -> bool:
        tag, subject = pair
        with contextlib.suppress(ImageError):
            return _is_marked(store.open(tag).manifest(tag), subject)
        return False

    found = zip(attached.values(), for_each(is_marked, attached.items(), run.jobs))
    return {subject for subject, marked in found if marked}


def _is_marked(manifest: Manifest, subject: str) -> bool:
    """Return whether the run was interrupted before it deleted the tag, or while it did."""
    return manifest.annotations.get(KEY) == subject or deletion_marker.KEY in manifest.annotations


def _can_be_marked(manifest: Manifest, subject: str) -> bool:
    """Return whether a manifest has no mark yet, and can have one. A copy of a referrer would be another referrer."""
    is_oci = manifest.media_type in (media_types.OCI_MANIFEST, media_types.OCI_INDEX)
    return is_oci and "subject" not in manifest.document and not _is_marked(manifest, subject)


def _with_mark(manifest: Manifest, subject: str) -> Manifest:
    document = dict(manifest.document, annotations={**manifest.annotations, KEY: subject})
    with parsing("the manifest"):
        return Manifest.parse(documents.encode(document), manifest.media_type)
