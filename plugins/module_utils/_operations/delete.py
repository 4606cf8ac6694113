# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Removing a tag and only that tag, or a manifest with all its tags."""

from __future__ import annotations

import concurrent.futures
import dataclasses

from .._errors import ImageError, InvalidReference, NotFound, naming
from .._image import digest as digests
from .._image import reference as references
from .._image.descriptor import Descriptor
from .._image.reference import EngineReference, Reference, RegistryReference
from .._image.version import in_order
from .._stores.base import Store
from .stores import Stores

_MANIFEST_HINT = "Give a tag, or set scope: manifest to remove the manifest with all its tags"


@dataclasses.dataclass(frozen=True)
class DeleteOptions:
    """The options of image_delete, as the user wrote them."""

    image: str
    scope: str = "tag"


@dataclasses.dataclass(frozen=True)
class Deleted:
    """What went, or would go, and which tags of the same manifest stay. ``digest`` is empty where nothing was there.

    ``before`` and ``after`` tell what each reference concerned names; ``method`` is empty where nothing was deleted.
    """

    digest: str = ""
    removed: list[str] = dataclasses.field(default_factory=list)
    kept: list[str] = dataclasses.field(default_factory=list)
    before: dict[str, str | None] = dataclasses.field(default_factory=dict)
    after: dict[str, str | None] = dataclasses.field(default_factory=dict)
    method: str = ""


def delete(options: DeleteOptions, stores: Stores, jobs: int, dry_run: bool) -> Deleted:
    """Remove what is named, if it is there; with ``dry_run`` only find out what would go. Raises ImageError."""
    reference = references.parse(options.image)
    tag = _tag_to_delete(reference, options.scope)
    store = stores.open(reference, deletes=True)
    with naming(reference), concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        digest = _digest_now(store, reference, tag, options.scope)
        if not digest:
            return Deleted()
        others = _other_tags(store, tag, pool)
        deleted = _foreseen(store, digest, tag, options.scope, others)
        if dry_run:
            return deleted
        if options.scope == "tag":
            method = store.delete_tag(tag, digest, others)
        else:
            method = "digest" if store.delete_manifest(digest) else ""
    return dataclasses.replace(deleted, method=method) if method else Deleted()


def _tag_to_delete(reference: Reference, scope: str) -> str:
    """The tag that is named; empty where scope allows to name none."""
    tag = "" if digests.is_digest(reference.tag) else reference.tag
    if tag.startswith("@"):
        raise InvalidReference("a position in a layout is not a name that lasts", reference, "Give a name")
    if scope == "tag" and not reference.has_names:
        hint = "Set scope: manifest to remove it"
        raise InvalidReference("a directory holds one image, without a name", reference, hint)
    if scope == "tag" and not tag:
        raise InvalidReference("names no tag to delete", reference, _MANIFEST_HINT)
    if isinstance(reference, (RegistryReference, EngineReference)) and reference.repository and not reference.name:
        raise InvalidReference("names neither a tag nor a digest", reference, "Say which image to delete")
    return tag


def _digest_now(store: Store, reference: Reference, tag: str, scope: str) -> str:
    """The digest of what is to go; empty where it is gone. A digest beside a tag says what the tag must name."""
    found = store.find(tag or reference.name)
    if found and reference.digest and found.digest != reference.digest:
        raise ImageError("the tag names %s now" % found.digest, hint="Nothing was deleted")
    if not found and scope == "manifest" and tag and reference.digest:
        found = store.find(reference.digest)
    return found.digest if found else ""


def _other_tags(store: Store, tag: str, pool: concurrent.futures.Executor) -> dict[str, Descriptor]:
    """What the other tags of the repository name."""
    try:
        names = [name for name in store.tags() if name != tag]
    except NotFound:  # some registries forget a repository that has no tag left
        names = []
    found = zip(names, pool.map(store.find, names))
    return {name: descriptor for name, descriptor in found if descriptor}


def _foreseen(store: Store, digest: str, tag: str, scope: str, others: dict[str, Descriptor]) -> Deleted:
    same = [name for name, descriptor in others.items() if descriptor.digest == digest]
    named = [tag] if tag else []
    removed, kept = (named, same) if scope == "tag" else (named + same, [])
    before: dict[str, str | None] = {store.reference(name): digest for name in in_order(removed + kept)}
    if scope == "manifest":
        before[store.reference(digest)] = digest
    gone = {store.reference(name) for name in [*removed, digest]} - {store.reference(name) for name in kept}
    after = {name: None if name in gone else digest for name in before}
    return Deleted(digest, in_order(removed), in_order(kept), before, after)
