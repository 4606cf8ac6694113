# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Delete only one tag, or a manifest with all its tags."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .._errors import AccessDenied, ImageError, InvalidReference, naming
from .._image import deletion_marker
from .._image import digest as digests
from .._image import reference as references
from .._image.descriptor import Descriptor
from .._image.graph import Content
from .._image.reference import EngineReference, Reference, RegistryReference
from .._image.version import in_order
from .._run import Run
from .._stores.referrers_interface import required
from .._stores.repository import Store
from .._transfer.attached import Attachment
from .delete_attached import attached_to, delete_attached, hinting
from .other_tags import OtherTags, delete_untagged, read_other_tags
from .stores import Stores

_LEFT_HINT = "The image itself was deleted. Run the task again with its digest to delete its referrers"
_TAGS_HINT = "If tags of the deleted image remain, delete each of them with scope: tag"
_MANIFEST_HINT = "Add a tag, or set scope: manifest to delete the manifest with all its tags"


@dataclasses.dataclass(frozen=True)
class DeleteOptions:
    """The options of image_delete, as the user wrote them."""

    image: str
    scope: str = "tag"
    referrers: bool = False


@dataclasses.dataclass(frozen=True)
class Deleted:
    """What was or would be deleted, and which tags of the same manifest are kept. ``digest`` is empty if there was nothing to delete.

    ``before`` and ``after`` map references to the digests that they point to. ``method`` is empty if nothing was
    deleted. ``attached`` has the referrers that were deleted with the image.
    """

    digest: str = ""
    removed: list[str] = dataclasses.field(default_factory=list)
    kept: list[str] = dataclasses.field(default_factory=list)
    before: dict[str, str | None] = dataclasses.field(default_factory=dict)
    after: dict[str, str | None] = dataclasses.field(default_factory=dict)
    method: str = ""
    attached: list[Attachment] = dataclasses.field(default_factory=list)


def delete(options: DeleteOptions, stores: Stores) -> Deleted:
    """Delete a tag or an image, if it exists. A dry run only predicts the result. Raises ImageError."""
    reference = references.parse(options.image)
    tag = _tag_to_delete(reference, options.scope)
    # Lists of referrers that clients keep are written again.
    store = stores.open(reference, writable=options.referrers, deletes=True)
    if options.referrers:
        _check_referrers(options, store)
    with naming(reference):
        digest, tag, marker = _look(store, reference, tag, options.scope)
        if not digest:
            return _delete_leftovers(store, reference, stores) if options.referrers else Deleted()
        others = read_other_tags(store, tag, stores.run)
        if others.doubt:
            _report_doubt(others.doubt, digest, tag, options.scope, stores)
        if marker:
            deleted = _foreseen_with_marker(store, digest, tag, marker, others)
        else:
            deleted = _foreseen(store, digest, tag, options.scope, others)
        if options.referrers:
            attached = attached_to(store, digest, others, stores.run.jobs)
            deleted = dataclasses.replace(deleted, attached=attached)
        if stores.run.dry_run:
            return deleted
        if options.scope == "manifest":
            method = "digest" if _delete_image(store, deleted, marker) else ""
        else:
            method = _delete_tag(store, tag, digest, others, stores.run)
    return dataclasses.replace(deleted, method=method) if method else Deleted()


def _check_referrers(options: DeleteOptions, store: Store) -> None:
    required(store)
    if options.scope != "manifest":
        raise ImageError(
            "referrers cannot be deleted with scope: tag, because other tags may point to the same image",
            options.image,
            "Set scope: manifest, or remove the referrers option",
        )


def _delete_leftovers(store: Store, reference: Reference, stores: Stores) -> Deleted:
    """Delete the remaining referrers of an image that was deleted by a task that then failed."""
    digest = reference.name
    if not digests.is_digest(digest) or store.find(digest):
        return Deleted()
    others = read_other_tags(store, "", stores.run)
    attached = attached_to(store, digest, others, stores.run.jobs)
    if not attached:
        return Deleted()
    if not stores.run.dry_run:
        delete_attached(store, attached, _LEFT_HINT)
    method = "" if stores.run.dry_run else "digest"
    return Deleted(digest, method=method, attached=attached)


def _tag_to_delete(reference: Reference, scope: str) -> str:
    """Return the tag to delete; empty if there is none and the scope allows that."""
    tag = "" if digests.is_digest(reference.tag) else reference.tag
    if tag.startswith("@"):
        raise InvalidReference(
            "an image cannot be deleted by position, because positions change",
            reference,
            "Use the image name instead",
        )
    if scope == "tag" and not reference.has_names:
        hint = "Set scope: manifest to delete the image"
        raise InvalidReference("images in directories have no tags", reference, hint)
    if scope == "tag" and not tag:
        raise InvalidReference("the reference has no tag to delete", reference, _MANIFEST_HINT)
    if isinstance(reference, (RegistryReference, EngineReference)) and reference.repository and not reference.name:
        raise InvalidReference(
            "the reference has neither a tag nor a digest", reference, "Add the tag or digest of the image to delete"
        )
    return tag


def _look(store: Store, reference: Reference, tag: str, scope: str) -> tuple[str, str, str]:
    """Return the digest of the image to delete, empty if there is nothing to delete, and the tag if that exists.

    If the reference has a tag and a digest, the tag must point to that digest, or to the deletion marker of an
    interrupted deletion. With scope manifest, the third value is then the digest of the marker. The image itself may
    not exist. With scope tag, the marker is the image to delete, so that only the tag is deleted.
    """
    found = store.find(tag or reference.name)
    # Without a tag, the digest may be the engine's own ID of an image with another one.
    if found and tag and reference.digest and found.digest != reference.digest:
        if _is_interrupted(store, tag, reference.digest):
            return (reference.digest, tag, found.digest) if scope == "manifest" else (found.digest, tag, "")
        cause = "the tag points to %s, not to the digest in the reference" % found.digest
        raise ImageError(cause, hint="Nothing was deleted. Correct or remove the digest")
    if not found and scope == "manifest" and tag and reference.digest:
        found, tag = store.find(reference.digest), ""
    return (found.digest if found else ""), tag, ""


def _is_interrupted(store: Store, tag: str, digest: str) -> bool:
    """Return whether a task was killed while it deleted this tag of this image."""
    manifest = store.manifest(tag, legacy=True)
    return deletion_marker.original_of(manifest, Content(store.manifest, store.open_blob).read_config) == digest


def _report_doubt(doubt: str, digest: str, tag: str, scope: str, stores: Stores) -> None:
    """Raise ImageError if tags could be deleted that removed_tags does not list. Otherwise, warn that a list may be incomplete."""
    if scope == "manifest" and tag:
        raise ImageError(
            "cannot determine which tags would be deleted along with manifest %s: %s" % (digest, doubt),
            hint="Nothing was deleted. Run the task again, or delete the tags one by one with scope: tag",
        )
    what = "removed_tags" if scope == "manifest" else "kept_tags"
    stores.run.warn("The return value %s may be incomplete for %s: %s" % (what, digest, doubt))


def _delete_tag(store: Store, tag: str, digest: str, others: OtherTags, run: Run) -> str:
    """Delete a tag. Delete its image as well, if the registry cannot delete tags and nothing else points to the image."""
    method = store.delete_tag(tag, digest)
    if method == "unique_manifest" and not others.doubt and not others.pointing_to(digest):
        if delete_untagged(store, [digest], [tag], [name for name, _known in others.pointers], run):
            return "digest"
    return method


def _delete_image(store: Store, deleted: Deleted, marker: str) -> bool:
    """Delete an image, then the deletion marker if there is one, its referrers, and tags that the registry kept.

    Return whether the manifests or tags existed. If the task is killed after the first manifest, the marker still shows
    the next run what was deleted. Referrers come before the tags: without the image, a run with a tag no longer finds them.
    """
    manifests = [one for one in (deleted.digest, marker) if one]
    existed = [store.delete(one) for one in manifests]
    kept = deleted.removed if store.location.is_registry else ()  # elsewhere, no image has the tags of a deleted one
    with hinting(_TAGS_HINT) if kept else contextlib.nullcontext():
        delete_attached(store, deleted.attached, _LEFT_HINT)
        existed += [_delete_kept_tag(store, tag, manifests) for tag in kept]
    return any(existed)


def _delete_kept_tag(store: Store, tag: str, manifests: t.Collection[str]) -> bool:
    """Delete a tag if it still points to one of the deleted manifests, as in registries that store each tag separately."""
    with naming(store.reference(tag)):
        found = _resolve_deleted(store, tag)
        return bool(found and found.digest in manifests and store.delete_tag(tag, found.digest))


def _resolve_deleted(store: Store, tag: str) -> Descriptor | None:
    """Resolve a tag of a deleted image. 403 means that it is absent: the tag could be read before, and some registries return 403 for absent tags."""
    try:
        return store.resolve(tag)
    except AccessDenied as error:
        if error.status != 403:
            raise
        return None


def _foreseen(store: Store, digest: str, tag: str, scope: str, others: OtherTags) -> Deleted:
    same = others.pointing_to(digest)
    named = [tag] if tag else []
    removed, kept = (named, same) if scope == "tag" else (named + same, [])
    before: dict[str, str | None] = {store.reference(name): digest for name in in_order(removed + kept)}
    if scope == "manifest":
        before[store.reference(digest)] = digest
    gone = {store.reference(name) for name in [*removed, digest]} - {store.reference(name) for name in kept}
    after = {name: None if name in gone else digest for name in before}
    return Deleted(digest, in_order(removed), in_order(kept), before, after)


def _foreseen_with_marker(store: Store, digest: str, tag: str, marker: str, others: OtherTags) -> Deleted:
    """Return what is deleted if the tag points to the deletion marker of an image, which may no longer exist."""
    image = _foreseen(store, digest, "", "manifest", others) if store.find(digest) else Deleted(digest)
    empty = _foreseen(store, marker, tag, "manifest", others)
    before, after = {**empty.before, **image.before}, {**empty.after, **image.after}
    return Deleted(digest, in_order(empty.removed + image.removed), [], before, after)
