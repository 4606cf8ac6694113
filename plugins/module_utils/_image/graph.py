# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Walk through everything that an image refers to, level by level. Each manifest is loaded once, and configs within a limit."""

from __future__ import annotations

import typing as t

from .._errors import ImageError, InvalidContent, NotFound
from . import config as configs
from . import digest as digests
from . import media_types
from .descriptor import Descriptor
from .manifest import Manifest

# Nobody nests indexes deeper, or refers to more; without limits a small image could make endless work.
MAX_DEPTH = 4
MAX_MANIFESTS = 10_000

_Item = t.TypeVar("_Item")
_Result = t.TypeVar("_Result")

ReadManifest = t.Callable[[str], Manifest]
# The manifests of one level, in its order; None for one below which the walk does not go.
LoadLevel = t.Callable[[t.Sequence[Descriptor]], t.Iterable[t.Optional[Manifest]]]


class Map(t.Protocol):
    """A function that calls a function for each item and returns the results in order, such as ``map`` of a thread pool."""

    def __call__(self, function: t.Callable[[_Item], _Result], items: t.Iterable[_Item], /) -> t.Iterable[_Result]:
        """Call the function for each item."""


def _all_children(parent: Manifest) -> t.Iterable[Descriptor]:
    return parent.children


def _is_manifest(child: Descriptor) -> bool:
    return child.is_manifest


def _may_be_manifest(child: Descriptor) -> bool:
    return media_types.may_be_manifest(child.media_type)


class Graph:
    """The manifests below some roots, and the content that they refer to.

    ``manifests`` has them by digest, level by level, including the roots. ``skipped`` has the descriptors for which
    ``load`` returned None. ``children`` returns the relevant children of an index, and ``follow`` decides which of
    them to load. Raises InvalidContent before loading if manifests are nested more than MAX_DEPTH deep, or if a root
    refers to more than MAX_MANIFESTS. Also raises the errors of ``load``.
    """

    def __init__(
        self,
        roots: t.Iterable[Manifest],
        load: LoadLevel,
        children: t.Callable[[Manifest], t.Iterable[Descriptor]] = _all_children,
        follow: t.Callable[[Descriptor], bool] = _is_manifest,
    ) -> None:
        self.manifests = {root.digest: root for root in roots}
        self.skipped: dict[str, Descriptor] = {}
        self._children = children
        self._follow = follow
        self._roots = list(self.manifests.values())
        self._walk(load)
        self._order = self._sorted()

    def _walk(self, load: LoadLevel) -> None:
        listed: set[str] = set()
        level, depth = self._roots, 0
        while level:
            depth += 1
            fresh: dict[str, Descriptor] = {}
            for child in (child for parent in level for child in self._children(parent)):
                listed.add(child.digest)
                if self._follow(child) and child.digest not in self.manifests and child.digest not in self.skipped:
                    fresh[child.digest] = child
            if len(listed) > MAX_MANIFESTS * len(self._roots):
                cause = "the image contains more than %d manifests" % MAX_MANIFESTS
                raise InvalidContent(cause, hint="Build an index with fewer manifests")
            if not fresh:
                return
            _check_depth(depth)
            level = []
            for child, manifest in zip(fresh.values(), load(list(fresh.values()))):
                if manifest is None:
                    self.skipped[child.digest] = child
                else:
                    self.manifests[child.digest] = manifest
                    level.append(manifest)

    def _sorted(self) -> list[Manifest]:
        """Sort depth first, without recursion. A manifest may be reached on a path that is longer than its level."""
        order: list[Manifest] = []
        heights: dict[str, int] = {}
        todo = self._roots[::-1]
        while todo:
            manifest = todo[-1]
            below = [child.digest for child in self._children(manifest) if child.digest in self.manifests]
            pending = [self.manifests[digest] for digest in below if digest not in heights]
            todo.extend(reversed(pending))
            if not pending:
                todo.pop()
                if manifest.digest not in heights:
                    heights[manifest.digest] = 1 + max((heights[digest] for digest in below), default=-1)
                    _check_depth(heights[manifest.digest])
                    order.append(manifest)
        return order

    def children_first(self) -> list[Manifest]:
        """Return all manifests including the roots, each after everything that it lists."""
        return list(self._order)

    def listed(self) -> t.Iterator[Descriptor]:
        """Yield the children of all manifests, depth first: the children of a manifest follow where it is first listed."""
        expanded: set[str] = set()
        todo = [iter(self._children(root)) for root in self._roots]
        todo.reverse()
        while todo:
            child = next(todo[-1], None)
            if child is None:
                todo.pop()
                continue
            yield child
            if child.digest in self.manifests and child.digest not in expanded:
                expanded.add(child.digest)
                todo.append(iter(self._children(self.manifests[child.digest])))

    def blobs(self) -> list[Descriptor]:
        """Return configs, layers, and children that are not manifests, without duplicates."""
        found: dict[str, Descriptor] = {}
        for manifest in self.manifests.values():
            others = (child for child in self._children(manifest) if not child.is_manifest)
            found.update((blob.digest, blob) for blob in (*manifest.blobs, *others))
        return list(found.values())

    def subjects(self) -> dict[str, Descriptor]:
        """Return the subjects of referrers, by the digests of the referrers. The walk does not follow them."""
        found = ((digest, manifest.subject) for digest, manifest in self.manifests.items())
        return {digest: subject for digest, subject in found if subject}

    def missing(self, has: t.Callable[[t.Iterable[Descriptor]], t.Iterable[bool]]) -> t.Iterator[Descriptor]:
        """Yield the skipped manifests, and the blobs for which ``has`` returns False."""
        yield from self.skipped.values()
        blobs = self.blobs()
        yield from (blob for blob, is_present in zip(blobs, has(blobs)) if not is_present)


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        cause = "the indexes of the image are nested more than %d levels deep" % MAX_DEPTH
        raise InvalidContent(cause, hint="Build an index that lists the images directly")


def is_whole(
    top: Descriptor,
    wanted: t.Collection[str] | None,
    has: t.Callable[[Descriptor], bool],
    read: ReadManifest,
) -> bool:
    """Return whether all content of an image exists. With ``wanted``, other children may be absent (sparse index).

    ``has`` returns whether content with the right size exists.
    """

    def children(parent: Manifest) -> list[Descriptor]:
        return [child for child in parent.children if wanted is None or child.digest in wanted]

    def load(level: t.Iterable[Descriptor]) -> t.Iterator[Manifest]:
        for child in level:
            if not has(child):
                raise NotFound("manifest %s is missing" % child.digest, hint="Push the image again")
            yield read(child.digest)

    def has_all(blobs: t.Iterable[Descriptor]) -> t.Iterable[bool]:
        return map(has, blobs)

    if not has(top):
        return False
    if not top.is_manifest:
        return True
    try:
        graph = Graph([read(top.digest)], load, children)
    except ImageError:
        return False
    return not any(True for _blob in graph.missing(has_all))


def reachable(roots: t.Iterable[str], read: ReadManifest) -> tuple[set[str], bool]:
    """Return the digests of all content that these images need, and whether the list is certainly complete.

    It is not if a manifest cannot be read or parsed, is nested too deeply, or if the digest of a root is not supported,
    because it may need any content. Children may be absent (sparse index), but roots may not.
    """
    found: set[str] = set()
    walked: set[str] = set()
    is_certain = True

    def read_or_doubt(digest: str, may_be_absent: bool) -> Manifest | None:
        nonlocal is_certain
        found.add(digest)
        if digest in walked:
            return None
        try:
            manifest = read(digest)
        except NotFound:
            is_certain = is_certain and may_be_absent
            return None
        except (ImageError, OSError):
            is_certain = False
            return None
        walked.add(digest)
        return manifest

    def load(level: t.Sequence[Descriptor]) -> list[Manifest | None]:
        return [read_or_doubt(child.digest, may_be_absent=True) for child in level]

    # One image after the other, so that no more than one of them is in memory.
    for digest in roots:
        if not digests.is_digest(digest):
            is_certain = False
            continue
        top = read_or_doubt(digest, may_be_absent=False)
        try:
            graph = Graph([top] if top else [], load, follow=_may_be_manifest)
        except InvalidContent:
            is_certain = False
        else:
            found.update(blob.digest for blob in graph.blobs())
    return found, is_certain


class Content:
    """Reads manifests and configs from one location, each once. The manifests of a level are read through ``in_parallel``."""

    def __init__(
        self,
        read: ReadManifest,
        open_blob: t.Callable[[Descriptor], t.Iterable[bytes]],
        in_parallel: Map = map,
    ) -> None:
        self._read = read
        self._open_blob = open_blob
        self._in_parallel = in_parallel
        self._manifests: dict[str, Manifest] = {}
        self._configs: dict[str, bytes] = {}

    def manifest(self, name: str) -> Manifest:
        """Return the manifest with this tag or digest."""
        if name not in self._manifests:
            self._manifests[name] = self._read(name)
        return self._manifests[name]

    def add(self, manifest: Manifest) -> None:
        """Add a manifest that was created here, so that it is not read by its digest."""
        self._manifests[manifest.digest] = manifest

    def load(self, level: t.Iterable[Descriptor]) -> t.Iterable[Manifest]:
        """Load a level of a :class:`Graph`. Raises NotFound if a manifest does not exist."""
        return self._in_parallel(self.manifest, [child.digest for child in level])

    def load_present(self, level: t.Iterable[Descriptor]) -> t.Iterable[Manifest | None]:
        """Load the manifests of a level that exist."""
        return self._in_parallel(self._manifest_or_none, [child.digest for child in level])

    def _manifest_or_none(self, digest: str) -> Manifest | None:
        try:
            return self.manifest(digest)
        except NotFound:
            return None

    def read_config(self, config: Descriptor) -> bytes:
        """Return the bytes of a config. Raises ImageError if it has more than configs.MAX_CONFIG."""
        if config.size > configs.MAX_CONFIG:
            cause = "the image config is larger than %d bytes" % configs.MAX_CONFIG
            raise ImageError(cause, hint="Build the image with a smaller config")
        if config.digest not in self._configs:
            self._configs[config.digest] = b"".join(map(bytes, self._open_blob(config)))
        return self._configs[config.digest]

    def config(self, image: Manifest) -> dict[str, t.Any]:
        """Return the decoded config of an image; empty if it has none. Raises InvalidContent."""
        if image.config is None:
            return {}
        return configs.read(self.read_config(image.config), "the config of %s" % image.digest)
