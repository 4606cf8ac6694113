# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Plan a copy. All decisions are made before the first write."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import typing as t

from .._errors import AccessDenied, ImageError, InvalidContent, NotConvertible, NotFound, naming
from .._image import convert, deletion_marker
from .._image import digest as digests
from .._image.descriptor import Descriptor
from .._image.graph import Content, Graph
from .._image.manifest import Manifest
from .._imports import importing
from .._stores.repository import Store
from .conversion import Conversion, convert_selection
from .request import CopyRequest, Heads, Plan
from .selection import Selection, select, select_one, signed_part

if t.TYPE_CHECKING:
    from .companions import AttachedPlanner


def plan_copy(request: CopyRequest, pool: concurrent.futures.Executor, heads: Heads | None = None) -> Plan:
    """Find out what is missing, with as few requests as possible.

    An image that is up to date costs one request to each side, or none for a single tag with known ``heads``. Raises
    :class:`ImageError`.
    """
    image_id, request = _nearest(request)
    plan = _Planner(request, pool, heads).plan()
    plan.source_digest = image_id or plan.source_digest
    return plan


def plan_again(before: Plan, pool: concurrent.futures.Executor) -> Plan:
    """Plan a copy of the same image again, and check all content individually. Raises :class:`ImageError`.

    The image was verified, and its cost was checked, by its digest. Its tag may point to another image now, so it is
    read by this digest. It is read by name only if the source does not find the digest.
    """
    request = dataclasses.replace(before.request, listed=None, thorough=True)
    is_named_by_digest = digests.is_digest(request.name)
    plan = _Planner(request, pool, None, "" if is_named_by_digest else before.source_digest).plan()
    if not is_named_by_digest and plan.source_digest != before.source_digest:
        cause = "the source changed from %s to %s during this run, so the image was not copied"
        reference = request.source.reference(request.name)
        raise ImageError(cause % (before.source_digest, plan.source_digest), reference, "Run the task again")
    return dataclasses.replace(
        plan, source_digest=before.source_digest, previous=before.previous, skipped=before.skipped
    )


def _nearest(request: CopyRequest) -> tuple[str, CopyRequest]:
    """Return the best request. If it differs, return the ID of the source image before it, else an empty string.

    A manifest that is generated for an image may differ from an earlier one, because of another program or version of
    zlib. If one of the names at the destination has a manifest with the same config, it is this image, and it
    replaces the source.
    """
    source, destination = request.source, request.destination
    if source.keeps_manifests or not destination.keeps_manifests:
        return "", request
    with naming(source.reference(request.name)):
        found = source.resolve(request.name)
    if not found:
        return "", request
    names = request.tags or ([request.digest] if request.digest else [])
    for name in [] if request.thorough else names:
        with contextlib.suppress(NotFound, InvalidContent), naming(destination.reference(name)):
            manifest = _manifest_at(destination, name)
            is_it = source.identity(manifest).digest == found.digest
            if is_it and destination.is_complete(manifest.descriptor, None):
                return found.digest, dataclasses.replace(request, source=destination, name=manifest.digest)
    return "", request


def _manifest_at(destination: Store, name: str) -> Manifest:
    """Return the manifest at a destination. If access is denied, the destination decides whether the name exists. Raises NotFound."""
    try:
        return destination.manifest(name)
    except AccessDenied as error:
        if destination.resolve(name):
            raise
        raise NotFound(error.cause) from None


class _Planner:
    """Makes one plan. With ``digest``, the source image has this digest, whatever its name points to now."""

    def __init__(
        self, request: CopyRequest, pool: concurrent.futures.Executor, heads: Heads | None, digest: str = ""
    ) -> None:
        self._request = request
        self._heads = heads
        self._digest = digest
        self._source = request.source
        self._destination = request.destination
        self._known = request.known
        self._pool = pool
        self._content = Content(self._read_manifest, request.source.open_blob, pool.map)
        self._reads: list[str] = []  # threads append to it
        self._attached: AttachedPlanner | None = None
        if request.referrers:
            with importing:
                from .companions import AttachedPlanner

            self._attached = AttachedPlanner(request, pool, self._content)

    def plan(self) -> Plan:
        plan = self._plan()
        plan.reads = len(self._reads)
        return plan

    def _plan(self) -> Plan:
        request = self._request
        previous = self._look(request.tags or ([request.digest] if request.digest else []))
        known = self._compare(previous)
        if known:
            self._check_digest(known.digest)
            self._name_alike(previous, known.digest)
            if self._needs_no_content(known, previous):
                return self._with_attached(Plan(request, known, known.digest, previous))
        original = self._read_top(known)
        with naming(self._source.reference(request.name)):
            deletion_marker.refuse(original, self._content.read_config)
            selected = self._select(original)
            conversion = Conversion() if self._keeps_format(original) else request.conversion
            converted = convert_selection(selected, conversion, self._content)
        top = self._destination.identity(converted.selection.manifest)
        self._check_digest(top.digest)
        previous = previous or self._look([top.digest])
        self._name_alike(previous, top.digest)
        source_digest = self._source.identity(original).digest
        plan = Plan(request, top, source_digest, previous, converted.selection, lost=converted.lost)
        if converted.selection is not selected and conversion.family and plan.outdated_tags:
            self._check_unsigned(signed_part(original, selected))
        self._add_content(plan, converted.selection, original)
        if self._attached:
            self._attached.add(plan, original, selected, converted.selection)
        return plan

    def _with_attached(self, plan: Plan) -> Plan:
        """Return the plan of an unchanged image with attached artifacts that exist only at the source."""
        if self._attached:
            plan.attached = self._attached.of_unchanged(plan.top)
            if plan.attached is None:
                selection = Selection(self._read_top(plan.top))
                self._attached.add(plan, selection.manifest, selection, selection)
        return plan

    def _needs_no_content(self, known: Descriptor, previous: t.Mapping[str, str | None]) -> bool:
        """Return whether the destination has the source image, so that at most tags have to be written."""
        is_same = all(digest == known.digest for digest in previous.values())
        if is_same and self._destination.is_complete(known, None):
            return True
        return self._destination.holds(known, functools.partial(self._config_of, known))

    def _config_of(self, known: Descriptor) -> bytes:
        return self._config_bytes(self._read_top(known))

    def _add_content(self, plan: Plan, selection: Selection, original: Manifest) -> None:
        """Add the manifests and blobs that are missing at the destination."""
        request = self._request
        is_damaged = not self._is_complete(plan.top, selection)
        is_same_location = self._destination.location.has_content_of(self._source.location)
        if is_damaged and is_same_location and self._is_lost(selection, original):
            raise self._lost()
        is_new = plan.top.digest not in plan.previous.values()
        if is_new or request.thorough or selection.is_sparse or is_damaged:
            self._find_missing(plan, selection, is_damaged)
        if is_damaged and not plan.outdated_tags:
            plan.manifests.append(selection.manifest)

    def _select(self, original: Manifest) -> Selection:
        """Select by platform, in a form that the destination can store."""
        request, destination = self._request, self._destination
        if request.as_image or not destination.keeps_manifests:
            selection = select_one(original, request.platforms, destination.platform, self._content)
        else:
            selection = select(original, request.platforms, request.sparse, self._content, is_filter=request.is_set)
        image = selection.manifest
        destination.check(image, functools.partial(self._config_bytes, image))
        if destination.keeps_manifests:
            selection = dataclasses.replace(selection, manifest=self._source.registry_form(image, self._pool))
        return selection

    def _keeps_format(self, original: Manifest) -> bool:
        """Return whether the format does not change: the destination uses a fixed format, or an artifact is part of a set."""
        return not self._destination.keeps_manifests or (self._request.is_set and convert.is_artifact(original))

    def _look(self, names: t.Iterable[str]) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for name in names:
            try:
                with naming(self._destination.reference(name)):
                    descriptor = self._heads.destination if self._heads else self._known.resolve(name)
            except InvalidContent:  # whatever it is, it is not the image
                descriptor = None
            found[name] = descriptor.digest if descriptor else None
        return found

    def _name_alike(self, previous: dict[str, str | None], digest: str) -> None:
        """An unnamed image has a digest for each algorithm. If the one for the algorithm of ``digest`` matches, use it as the name."""
        if previous.get("") and previous[""] != digest and self._known.resolve(digest):
            previous[""] = digest

    def _compare(self, previous: dict[str, str | None]) -> Descriptor | None:
        """Return what the source points to, if that can show that nothing has to be done; else None.

        No request is sent if the destination has nothing, because the manifest will be read anyway. None is sent
        either if platforms are selected or the format changes, because the digest would not show whether the
        destination is up to date.
        """
        request = self._request
        if request.thorough or request.platforms or request.as_image or not previous:
            return None
        keeps_manifests = self._destination.keeps_manifests
        if self._source.keeps_manifests != keeps_manifests:
            return None
        if keeps_manifests and (request.conversion or None in previous.values()):
            return None
        if self._heads:
            return self._heads.source
        with naming(self._source.reference(request.name)):
            return self._source.resolve(request.name)

    def _read_top(self, known: Descriptor | None) -> Manifest:
        """Read the manifest by the compared digest; by name if the registry does not find the digest that it returned."""
        digest = known.digest if known else self._digest
        if digest:
            with contextlib.suppress(NotFound):
                return self._content.manifest(digest)
        return self._content.manifest(self._request.name)

    def _read_manifest(self, name: str) -> Manifest:
        self._reads.append(name)
        with naming(self._source.reference(self._request.name)):
            return self._source.manifest(name)

    def _config_bytes(self, image: Manifest) -> bytes:
        with naming(self._source.reference(self._request.name)):
            return self._content.read_config(image.config) if image.config else b""

    def _check_digest(self, digest: str) -> None:
        wanted = self._request.digest
        if wanted and wanted != digest:
            raise ImageError(
                "the copy would have the digest %s, but dest specifies %s" % (digest, wanted),
                self._source.reference(self._request.name),
                "Correct or remove the digest in dest",
            )

    def _check_unsigned(self, manifest: Manifest) -> None:
        """Check that a manifest has no cosign signature, whose tag contains the digest. The children of an index are not checked."""
        if self._request.unsigned or self._request.referrers:  # then all that is attached is looked at
            return
        name = "%s-%s.sig" % digests.split(manifest.digest)
        with naming(self._source.reference(self._request.name)):
            signature = self._source.resolve(name)
        if signature and signature.digest != manifest.digest:
            raise NotConvertible(
                "converting the image would invalidate its signature (tag %s)" % name,
                self._source.reference(self._request.name),
                "Use format: preserve, or remove_signatures: true to copy the image without it",
            )

    def _is_lost(self, selection: Selection, original: Manifest) -> bool:
        """Return whether the repository lacks some of its own content, apart from manifests that the plan creates."""

        def load(level: t.Iterable[Descriptor]) -> list[Manifest | None]:
            return [selection.replaced.get(child.digest) for child in level]

        if selection.manifest.digest == original.digest:
            return True
        graph = Graph([selection.manifest], load, selection.children)
        is_there = functools.partial(self._is_there, selection)
        return not all(map(self._known.has_blob, graph.blobs())) or not all(map(is_there, graph.skipped.values()))

    def _is_complete(self, top: Descriptor, selection: Selection) -> bool:
        """Return whether the destination has everything that the image needs, whatever its names point to."""
        if self._request.thorough:
            return self._destination.is_intact(top, selection.wanted)
        return self._destination.is_complete(top, selection.wanted)

    def _find_missing(self, plan: Plan, selection: Selection, is_damaged: bool) -> None:
        """Set the manifests and blobs of the plan.

        Checking single blobs is worth its requests only if the destination may have some of them, and if mounting
        them does not cost as little.
        """
        if not self._destination.keeps_manifests:
            plan.blobs = selection.manifest.blobs if is_damaged else []
            return
        request = self._request
        if self._destination.location.has_content_of(self._source.location):
            self._find_missing_here(plan, selection)
            return
        look = request.thorough or any(plan.previous.values())
        plan.mount_from = self._destination.location.mount_source(self._source.location)
        if not look and not plan.mount_from:
            look = self._known.has_content()
        blobs = plan.blobs = self._walk(plan, selection, look)
        if request.thorough or (look and not plan.mount_from):
            present = list(self._pool.map(self._known.has_blob, plan.blobs))
            plan.blobs = [blob for blob, there in zip(plan.blobs, present) if not there]
            plan.skipped = len(blobs) - len(plan.blobs)

    def _find_missing_here(self, plan: Plan, selection: Selection) -> None:
        """Set the manifests of a plan for the location of the source.

        What the source has is there, unless all content is checked, or the index may lack its children. Raises NotFound.
        """
        if self._request.thorough or selection.is_sparse:
            blobs = self._walk(plan, selection, look=True)
            if not all(self._pool.map(self._source.has_blob, blobs)):
                raise self._lost()
            return
        made = list(selection.replaced.values())
        present = list(self._pool.map(self._known.has_manifest, selection.replaced))
        plan.manifests = [manifest for manifest, there in zip(made, present) if not there]

    def _lost(self) -> NotFound:
        cause = "some manifests or blobs of the image are missing"
        return NotFound(cause, self._source.reference(self._request.name), "Push the image again")

    def _walk(self, plan: Plan, selection: Selection, look: bool) -> list[Descriptor]:
        """Add the missing manifests, children first. Return the blobs that they and the top manifest need.

        If the destination has an image, it has all its content as well, unless all content is checked individually. An
        index does not show that its children exist, because it may be sparse.
        """
        thorough = self._request.thorough
        there: set[str] = set()

        def load(level: t.Sequence[Descriptor]) -> list[Manifest | None]:
            if look:
                with naming(plan.main_reference):
                    found = list(self._pool.map(functools.partial(self._is_there, selection), level))
                there.update(child.digest for child, is_there in zip(level, found) if is_there)
            needed = [child for child in level if thorough or child.is_index or child.digest not in there]
            manifests = {manifest.digest: manifest for manifest in self._content.load(needed)}
            return [manifests.get(child.digest) for child in level]

        with naming(self._source.reference(self._request.name)):
            graph = Graph([selection.manifest], load, selection.children)
        there.add(selection.manifest.digest)  # it comes last, with its tags
        plan.manifests = [manifest for manifest in graph.children_first() if manifest.digest not in there]
        return graph.blobs()

    def _is_there(self, selection: Selection, child: Descriptor) -> bool:
        return self._known.has_manifest(child.digest, selection.wanted if child.is_index else None)
