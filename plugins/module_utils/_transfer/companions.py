# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Plan the copy of artifacts attached to an image and its copied children, as far as the destination does not have them.

If the digest of a manifest is not copied, for example because an index loses children, its referrers are left out.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import typing as t

from .._errors import NotConvertible, naming
from .._image import cosign_tag
from .._image.descriptor import Descriptor
from .._image.graph import Content, Graph
from .._image.manifest import Manifest
from .._stores.referrers_interface import required
from .._stores.repository import Store
from .attached import LEFT_OUT, UNCHANGED, Attached, Attachment, depth_first, find_attached
from .request import CopyRequest, Plan
from .selection import Selection, signed_part


def check_referrers(*stores: Store) -> None:
    """Raise ImageError for a store that does not support referrers."""
    for store in stores:
        required(store)


class AttachedPlanner:
    """Plans the attached artifacts of one image. Raises ImageError, for example for a store that does not support referrers."""

    def __init__(self, request: CopyRequest, pool: concurrent.futures.Executor, content: Content) -> None:
        self._request = request
        self._pool = pool
        self._content = content
        self._kept = required(request.destination)
        self._kept_at_source = required(request.source)
        self._types = request.artifact_types
        self._configs: dict[str, bytes] = {}
        self._theirs: set[str] = set()

    def of_unchanged(self, image: Descriptor) -> Attached | None:
        """Return the artifacts attached to an image that both sides have; None if the lists alone are not enough.

        This costs one request to the source. If the list is not empty, it costs one request to the destination, and
        one request to each side for each cosign tag.
        """
        if self._request.thorough:
            return None
        with naming(self._request.source.reference(self._request.name)):
            entries = self._kept_at_source.entries(image.digest)
            tags = self._kept_at_source.cosign_tags(image.digest)
        if self._types and (entries or tags):
            return None  # a list does not always have the types of the manifests
        has_room = self._kept.keeps("")
        present = {entry.digest for entry in self._kept.entries(image.digest)} if entries and has_room else set()
        if has_room and not present.issuperset(entry.digest for entry in entries):
            return None
        entries = [entry for entry in entries if entry.digest != image.digest]
        rows = [_listed(image, entry.digest, entry.artifact_type, is_kept=has_room) for entry in entries]
        for tag in tags:
            ours, is_kept = self._request.source.resolve(tag), self._kept.keeps(tag)
            if not ours or (is_kept and not self._has_all(tag, ours.digest)):
                return None
            rows.append(_listed(image, ours.digest, None, tag, is_kept))
        return Attached(listed=rows)

    def _has_all(self, tag: str, digest: str) -> bool:
        """Return whether the destination has all signatures that the source has under a tag."""
        theirs = self._request.known.resolve(tag)
        if not theirs or theirs.digest == digest:
            return theirs is not None
        ours = self._request.source.manifest(digest)
        return cosign_tag.merged(ours, self._request.destination.manifest(theirs.digest)) is None

    def add(self, plan: Plan, original: Manifest, selected: Selection, selection: Selection) -> None:
        """Add the attached artifacts of an image that are missing at the destination to its plan.

        ``selected`` is the selected part of the ``original`` image, and ``selection`` is the same after a conversion.
        Raises NotConvertible if a converted image has attached artifacts.
        """
        request = self._request
        kept = self._kept_digests(original, selected, selection)
        top = signed_part(original, selected)
        changed = [digest for digest in self._listed(selected, top) if digest not in kept]
        dropped = [original.digest] if top.digest != original.digest else []
        with naming(request.source.reference(request.name)):
            found = find_attached(request.source, [*kept, *changed, *dropped], self._types, self._pool.map)
        travelling, invalid = depth_first(found, kept), depth_first(found, changed)
        if invalid and selection is not selected and not request.unsigned:
            raise NotConvertible(
                "converting the image would invalidate its signatures and other referrers (%d)" % len(invalid),
                request.source.reference(request.name),
                "Use format: preserve, or remove_signatures: true to copy the image without them",
            )
        travelling, unsupported = self._by_support(travelling)
        travelling = list(self._pool.map(self._with_theirs, travelling))
        is_missing = self._missing(travelling)
        plan.attached = Attached(
            missing=[one for one, missing in zip(travelling, is_missing) if missing],
            present=[one for one, missing in zip(travelling, is_missing) if not missing],
            left_out=depth_first(found, dropped) + invalid + unsupported,
            configs=self._configs,
        )
        if not request.destination.location.has_content_of(request.source.location):
            self._add_content(plan, plan.attached.missing)

    def _by_support(self, travelling: t.Iterable[Attachment]) -> tuple[list[Attachment], list[Attachment]]:
        """Return the artifacts that the destination can store, and all others: those attached to one of these cannot be stored either."""
        supported: list[Attachment] = []
        unsupported: list[Attachment] = []
        digests: set[str] = set()
        for one in travelling:
            if one.subject in digests or not self._kept.keeps(one.tag):
                digests.add(one.digest)
                unsupported.append(one)
            else:
                supported.append(one)
        return supported, unsupported

    def _kept_digests(self, original: Manifest, selected: Selection, selection: Selection) -> list[str]:
        """Return the digests of the manifests that are copied without changes."""
        top = selection.manifest
        # An image that was taken out of its index is as the source has it, an index without some children is not.
        is_kept = top.digest == original.digest or (top.digest == selected.manifest.digest and not top.is_index)
        made = set(selection.replaced) if is_kept else {top.digest, *selection.replaced}
        return [digest for digest in self._listed(selection, top) if digest not in made]

    def _listed(self, selection: Selection, top: Manifest) -> list[str]:
        """Return the digests of ``top`` and of its selected children on all levels."""

        def load(level: t.Sequence[Descriptor]) -> list[Manifest | None]:
            return [self._index(child, selection) for child in level]

        graph = Graph([selection.manifest], load, selection.children)
        children = [child.digest for child in graph.listed() if child.is_manifest]
        return list(dict.fromkeys([top.digest, *children]))

    def _index(self, child: Descriptor, selection: Selection) -> Manifest | None:
        """Return a nested index; None for an image, which has no children."""
        if not child.is_index:
            return None
        return selection.replaced.get(child.digest) or self._content.manifest(child.digest)

    def _with_theirs(self, one: Attachment) -> Attachment:
        """Add the signatures that only the destination has under the cosign tag, so that they are kept."""
        found = self._request.known.resolve(one.tag) if one.tag and self._request.known.has_content() else None
        if not found or found.digest == one.digest:
            return one
        theirs = self._request.destination.manifest(found.digest)
        self._theirs.update(blob.digest for blob in theirs.blobs)
        both = cosign_tag.merged(one.manifest, theirs)
        if both is None:
            return dataclasses.replace(one, manifest=theirs)
        manifest, config = both
        if config and manifest.config:
            self._configs[manifest.config.digest] = config
        return dataclasses.replace(one, manifest=manifest)

    def _missing(self, travelling: t.Sequence[Attachment]) -> list[bool]:
        """Return for each artifact whether the destination lacks it. No request is sent to an empty repository."""
        request, known = self._request, self._request.known
        if not travelling or not known.has_content():
            return [True] * len(travelling)
        subjects = list(dict.fromkeys(one.subject for one in travelling if not one.tag))
        lists = self._pool.map(self._kept.entries, subjects)
        present = {subject: {entry.digest for entry in entries} for subject, entries in zip(subjects, lists)}

        def is_missing(one: Attachment) -> bool:
            if one.tag:
                found = known.resolve(one.tag)
                return found is None or found.digest != one.digest
            if one.digest not in present[one.subject]:
                return True
            return request.thorough and not known.has_manifest(one.digest)

        return list(self._pool.map(is_missing, travelling))

    def _add_content(self, plan: Plan, missing: t.Sequence[Attachment]) -> None:
        """Add the manifests and blobs of missing artifacts to a plan."""
        request = self._request
        if not missing:
            return
        graph = Graph([one.manifest for one in missing], self._content.load)
        tagged = {one.digest for one in missing if one.tag}  # these are pushed under their tags
        plan.companions += [manifest for manifest in graph.children_first() if manifest.digest not in tagged]
        known = {blob.digest for blob in plan.blobs}.union(self._configs, self._theirs)
        blobs = [blob for blob in graph.blobs() if blob.digest not in known]
        if not plan.mount_from:
            plan.mount_from = request.destination.location.mount_source(request.source.location)
        if request.thorough or (not plan.mount_from and request.known.has_content()):
            present = list(self._pool.map(request.known.has_blob, blobs))
            blobs = [blob for blob, is_present in zip(blobs, present) if not is_present]
        plan.blobs += blobs


def _listed(
    image: Descriptor, digest: str, artifact_type: str | None, tag: str = "", is_kept: bool = True
) -> dict[str, t.Any]:
    return {
        "digest": digest,
        "subject": image.digest,
        "artifact_type": artifact_type,
        "tag": tag or None,
        "depth": 1,
        "action": UNCHANGED if is_kept else LEFT_OUT,
    }
