# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What has to be done so that a destination has an image: decided in full before the first write."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import typing as t

from .._errors import ImageError, InvalidContent, NotConvertible, NotFound, naming
from .._image import convert, deletion_marker
from .._image import digest as digests
from .._image.descriptor import Descriptor
from .._image.graph import Content, Graph
from .._image.manifest import Manifest
from .._image.platform import Platform
from .._stores.base import Store
from .conversion import Conversion, convert_selection
from .engines import config_store, known_by, nearest
from .selection import Selection, select, select_one


class Seen(t.NamedTuple):
    """What both sides named when they were asked."""

    source: Descriptor | None
    destination: Descriptor | None

    @property
    def is_same(self) -> bool:
        """Whether both have it, and there is no difference."""
        return bool(self.source and self.destination and self.source.digest == self.destination.digest)


@dataclasses.dataclass(frozen=True)
class CopyRequest:
    """One image to be at one place.

    ``tags`` is empty where the destination is named by ``digest`` alone. With ``sparse`` an index keeps children that
    are not copied; with ``as_image`` the image for one platform is copied without its index; ``thorough`` looks for all
    content one by one; without ``may_mount`` all that is missing is moved.
    ``conversion`` converts it; a signed image only with ``unsigned``, as no signature fits the result.
    Where ``seen`` is given, with a single tag, neither side is asked again. In a set (``is_set``) ``platforms`` is a filter, and
    artifacts keep their format.
    """

    source: Store
    name: str
    destination: Store
    tags: tuple[str, ...]
    digest: str = ""
    platforms: tuple[Platform, ...] = ()
    sparse: bool = False
    as_image: bool = False
    thorough: bool = False
    may_mount: bool = True
    conversion: Conversion = Conversion()
    unsigned: bool = False
    is_set: bool = False
    seen: Seen | None = None


@dataclasses.dataclass
class Plan:
    """Blobs may move in any order; manifests go in theirs, children first; the tags come last of all.

    ``before`` tells what each tag of the destination named; ``mount_from`` where blobs can be had without moving, and
    ``mounts`` where single ones can; ``lost`` which annotations a conversion leaves out.
    """

    request: CopyRequest
    top: Descriptor
    source_digest: str
    before: dict[str, str | None]
    selection: Selection | None = None
    manifests: list[Manifest] = dataclasses.field(default_factory=list)
    blobs: list[Descriptor] = dataclasses.field(default_factory=list)
    skipped: int = 0
    mount_from: str = ""
    mounts: dict[str, str] = dataclasses.field(default_factory=dict)
    lost: tuple[str, ...] = ()

    @property
    def stale_tags(self) -> list[str]:
        """The names at the destination that do not name this image yet."""
        return [name for name, digest in self.before.items() if digest != self.top.digest]

    @property
    def changed(self) -> bool:
        """Whether executing this plan would change the destination."""
        return bool(self.stale_tags or self.manifests or self.blobs)

    @property
    def bytes(self) -> int:
        """How much would be moved."""
        return 0 if self.mount_from else sum(blob.size for blob in self.blobs)


def plan_copy(request: CopyRequest, pool: concurrent.futures.Executor) -> Plan:
    """Find out what is missing, with as few requests as the answer takes.

    An image that is there already costs one look at each side. Raises :class:`ImageError`.
    """
    image_id, request = nearest(request)
    plan = _Planner(request, pool).plan()
    plan.source_digest = image_id or plan.source_digest
    return plan


class _Planner:
    def __init__(self, request: CopyRequest, pool: concurrent.futures.Executor) -> None:
        self._request = request
        self._source = request.source
        self._destination = request.destination
        self._engine = config_store(request.destination)
        self._pool = pool
        self._content = Content(self._read_manifest, request.source.open_blob, pool.map)

    def plan(self) -> Plan:
        request = self._request
        before = self._look(request.tags or ([request.digest] if request.digest else []))
        known = self._compare(before)
        if known:
            self._check_digest(known.digest)
            self._name_alike(before, known.digest)
        is_same = known is not None and all(digest == known.digest for digest in before.values())
        if known and is_same and self._destination.is_complete(known, None):
            return Plan(request, known, known.digest, before)
        if known and self._engine:
            self._engine.expect(known.digest, lambda: self._config_bytes(self._read_top(known)))
            if self._engine.is_complete(known, None):
                return Plan(request, known, known.digest, before)
        original = self._read_top(known)
        with naming(self._source.reference(request.name)):
            deletion_marker.refuse(original, self._content.read_config)
            selected = self._select(original)
            conversion = Conversion() if self._engine or self._is_kept(original) else request.conversion
            converted = convert_selection(selected, conversion, self._content)
        selection = converted.selection
        top = known_by(self._destination, selection.manifest)
        self._check_digest(top.digest)
        before = before or self._look([top.digest])
        self._name_alike(before, top.digest)
        source_digest = known_by(self._source, original).digest
        plan = Plan(request, top, source_digest, before, selection, lost=converted.lost)
        if selection is not selected and conversion.family and plan.stale_tags:
            self._check_unsigned(original)
        is_damaged = not self._is_complete(plan.top, selection)
        if is_damaged and self._destination.is_same(self._source) and self._is_lost(selection, original):
            raise NotFound("some of its content is missing", self._source.reference(request.name))
        is_new = plan.top.digest not in before.values()
        if is_new or request.thorough or selection.is_sparse or is_damaged:
            self._find_missing(plan, selection, is_damaged)
        if is_damaged and not plan.stale_tags:
            plan.manifests.append(selection.manifest)
        return plan

    def _select(self, original: Manifest) -> Selection:
        """What is wanted of the image, in a form that the destination can keep."""
        request, engine = self._request, self._engine
        if engine:
            selection = select_one(original, request.platforms, engine.platform, self._content)
            image = selection.manifest
            engine.check(image)
            engine.expect(known_by(engine, image).digest, lambda: self._config_bytes(image))
            return selection
        if request.as_image:
            return select_one(original, request.platforms, lambda: None, self._content)
        source = config_store(self._source)
        selection = select(original, request.platforms, request.sparse, self._content, is_filter=request.is_set)
        return Selection(source.compressed(selection.manifest, self._pool)) if source else selection

    def _is_kept(self, original: Manifest) -> bool:
        """Whether an artifact in a set is to stay in its format: it is not what a format was asked for."""
        return self._request.is_set and convert.is_artifact(original)

    def _look(self, names: t.Iterable[str]) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        seen = self._request.seen
        for name in names:
            try:
                with naming(self._destination.reference(name)):
                    descriptor = seen.destination if seen else self._destination.resolve(name)
            except InvalidContent:  # whatever it is, it is not what is to be there
                descriptor = None
            found[name] = descriptor.digest if descriptor else None
        return found

    def _name_alike(self, before: dict[str, str | None], digest: str) -> None:
        """What has no name of its own has a digest by every algorithm: by that of ``digest`` it may be this one."""
        if before.get("") and before[""] != digest and self._destination.resolve(digest):
            before[""] = digest

    def _compare(self, before: dict[str, str | None]) -> Descriptor | None:
        """What the source names, where that could show that nothing is to be done; else None.

        The source is not asked where the destination has nothing: its manifest will be read anyway. Neither is it
        where only a part of an index is wanted or another format, as its digest would not tell.
        """
        request = self._request
        if request.thorough or request.platforms or request.as_image or not before:
            return None
        if self._engine:
            if not config_store(self._source):
                return None
        elif request.conversion or None in before.values():
            return None
        if request.seen:
            return request.seen.source
        with naming(self._source.reference(request.name)):
            return self._source.resolve(request.name)

    def _read_top(self, known: Descriptor | None) -> Manifest:
        """By the digest that was compared; by name where the registry does not know its own word for it."""
        if known:
            with contextlib.suppress(NotFound):
                return self._content.manifest(known.digest)
        return self._content.manifest(self._request.name)

    def _read_manifest(self, name: str) -> Manifest:
        with naming(self._source.reference(self._request.name)):
            return self._source.manifest(name)

    def _config_bytes(self, image: Manifest) -> bytes:
        with naming(self._source.reference(self._request.name)):
            return self._content.read_config(image.config) if image.config else b""

    def _check_digest(self, digest: str) -> None:
        wanted = self._request.digest
        if wanted and wanted != digest:
            raise ImageError(
                "would be %s, not the digest that dest asks for" % digest,
                self._source.reference(self._request.name),
                "Correct the digest in dest, or leave it out",
            )

    def _check_unsigned(self, original: Manifest) -> None:
        """Look for cosign's signature, which stands under a tag that is made of the digest."""
        if self._request.unsigned:
            return
        name = "%s-%s.sig" % digests.split(original.digest)
        with naming(self._source.reference(self._request.name)):
            signature = self._source.resolve(name)
        if signature and signature.digest != original.digest:
            raise NotConvertible(
                "is signed (%s), and converting it would invalidate the signature" % name,
                self._source.reference(self._request.name),
                "Use format: preserve, or remove_signatures: true for a copy without it",
            )

    def _is_lost(self, selection: Selection, original: Manifest) -> bool:
        """Whether the repository lacks some of its own content, apart from the manifests that the plan makes."""

        def load(level: t.Iterable[Descriptor]) -> list[Manifest | None]:
            return [selection.replaced.get(child.digest) for child in level]

        if selection.manifest.digest == original.digest:
            return True
        graph = Graph([selection.manifest], load, selection.children)
        return not all(map(self._destination.has_blob, graph.blobs())) or not all(map(self._is_there, graph.skipped))

    def _is_complete(self, top: Descriptor, selection: Selection) -> bool:
        """Whether the destination has all that the image needs, whatever its names stand for."""
        if self._engine and self._request.thorough:
            return self._engine.is_intact(top.digest)
        return self._destination.is_complete(top, selection.wanted)

    def _find_missing(self, plan: Plan, selection: Selection, is_damaged: bool) -> None:
        """Fill in manifests and blobs.

        Looking for single blobs is worth its requests only where the destination may have some, and not where
        mounting costs no more than looking.
        """
        if self._engine:
            plan.blobs = selection.manifest.blobs if is_damaged else []
            return
        if self._destination.is_same(self._source):
            made = list(selection.replaced.values())
            present = list(self._pool.map(self._is_there, selection.replaced))
            plan.manifests = [manifest for manifest, there in zip(made, present) if not there]
            return
        request = self._request
        look = request.thorough or any(plan.before.values())
        if request.may_mount:
            plan.mount_from = self._destination.mount_source(self._source)
        if not look and not plan.mount_from:
            look = self._destination.has_content()
        blobs = plan.blobs = self._walk(plan, selection, look)
        if request.thorough or (look and not plan.mount_from):
            present = list(self._pool.map(self._destination.has_blob, plan.blobs))
            plan.blobs = [blob for blob, there in zip(plan.blobs, present) if not there]
            plan.skipped = len(blobs) - len(plan.blobs)

    def _walk(self, plan: Plan, selection: Selection, look: bool) -> list[Descriptor]:
        """Add the manifests that are missing, children first; return the blobs that these and the top need.

        A child that is at the destination has all that it needs there too, unless that is to be looked at closely.
        """
        thorough = self._request.thorough
        there: set[str] = set()

        def load(level: t.Sequence[Descriptor]) -> list[Manifest | None]:
            if look:
                with naming(self._destination.reference(next(iter(plan.before)))):
                    found = list(self._pool.map(self._is_there, [child.digest for child in level]))
                there.update(child.digest for child, is_there in zip(level, found) if is_there)
            needed = [child for child in level if thorough or child.digest not in there]
            manifests = {manifest.digest: manifest for manifest in self._content.load(needed)}
            return [manifests.get(child.digest) for child in level]

        with naming(self._source.reference(self._request.name)):
            graph = Graph([selection.manifest], load, selection.children)
        there.add(selection.manifest.digest)  # it comes last, with its tags
        plan.manifests = [manifest for manifest in graph.children_first() if manifest.digest not in there]
        return graph.blobs()

    def _is_there(self, digest: str) -> bool:
        return self._destination.has_manifest(digest)
