# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Select the children of an index by platform."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .._errors import ImageError, NotFound
from .._image import convert, media_types
from .._image.descriptor import Descriptor
from .._image.graph import Content, Graph
from .._image.manifest import Manifest
from .._image.platform import Platform, best

# What builders and podman write beside the platform of an image with zstd layers that has a twin without.
_ZSTD_ANNOTATION = "io.github.containers.compression.zstd"


@dataclasses.dataclass(frozen=True)
class Selection:
    """An image or index, and the digests of its selected descendants; None selects all of them.

    ``replaced`` has nested indexes that lost children, by their new digests. ``chosen`` has the platforms that were
    selected from an index, in its order.
    """

    manifest: Manifest
    wanted: frozenset[str] | None = None
    replaced: t.Mapping[str, Manifest] = dataclasses.field(default_factory=dict)
    is_sparse: bool = False
    chosen: tuple[Platform, ...] = ()

    @property
    def is_taken_out(self) -> bool:
        """Whether the image was taken out of its index."""
        return bool(self.chosen) and not self.manifest.is_index

    def children(self, parent: Manifest) -> list[Descriptor]:
        """Return the selected children of an index."""
        return [child for child in parent.children if self.wanted is None or child.digest in self.wanted]

    @property
    def platforms(self) -> list[str]:
        """The platforms of the selected images, in the order of the index; empty for an image without an index."""
        if self.chosen:
            return list(dict.fromkeys(map(str, self.chosen)))
        children = [child for child in self.children(self.manifest) if not child.attests]
        names = [str(child.platform) for child in children if child.platform]
        return [name for name in dict.fromkeys(names) if name != "unknown/unknown"]


def signed_part(original: Manifest, selected: Selection) -> Manifest:
    """Return the manifest whose signatures are valid for the selected part of an image: the image, unless only a child of it is used."""
    return original if selected.manifest.is_index else selected.manifest


def select(
    top: Manifest,
    platforms: t.Sequence[Platform],
    sparse: bool,
    content: Content,
    is_filter: bool = False,
) -> Selection:
    """Select by platform. Attestations are selected with their images. Entries without a platform are dropped.

    With ``sparse``, the index keeps its bytes and its digest, although not all of its children are copied. With
    ``is_filter``, single images and artifacts are not changed, and an index needs to have only one of the platforms.
    If a platform is missing, raises ImageError with the available platforms.
    """
    if not platforms or (is_filter and not top.is_index):
        return Selection(top)
    chooser = _Chooser(top, content)
    offered = list(chooser.leaves())
    known = [platform for _digest, platform in offered]
    if is_filter:
        platforms = _offered(platforms, known)
        if not platforms:
            return Selection(top)
    found = set().union(*(best(platform, known) for platform in platforms))
    if not top.is_index:
        return Selection(top)
    leaves = {digest for digest, platform in offered if platform in found}
    chosen = tuple(platform for digest, platform in offered if digest in leaves and platform.is_known)
    return dataclasses.replace(chooser.strip(leaves, sparse), chosen=chosen)


def _offered(platforms: t.Sequence[Platform], known: t.Iterable[Platform]) -> list[Platform]:
    """Return the platforms that an index has; empty if it has no images.

    If it has other platforms only, raises ImageError with the available platforms.
    """
    known = [platform for platform in known if platform.is_known]
    found = [wanted for wanted in platforms if any(wanted.rank(platform) is not None for platform in known)]
    if known and not found:
        cause = "the image is not available for any of the platforms %s" % ", ".join(map(str, platforms))
        raise ImageError(
            cause,
            hint="Choose one of the available platforms: %s" % ", ".join(sorted({str(platform) for platform in known})),
        )
    return found


def select_one(
    top: Manifest,
    platforms: t.Sequence[Platform],
    default: t.Callable[[], Platform | None],
    content: Content,
) -> Selection:
    """Select one image by platform for a store without indexes; ``default`` returns the platform that runs there.

    If no platform or several platforms are selected, raises ImageError with the available platforms.
    """
    if not top.is_index:
        return select(top, platforms, False, content)
    known = {platform for _digest, platform in _Chooser(top, content).leaves() if platform.is_known}
    wanted = list(platforms) or (list(known) if len(known) == 1 else [])
    if not wanted and known:
        wanted = [platform for platform in [default()] if platform]
    if len(wanted) != 1:
        raise ImageError(
            "the image has %d platforms, but this destination can store only one" % len(known),
            hint="Set platforms to one of: %s" % ", ".join(sorted(map(str, known))),
        )
    digest, found = _find(top, wanted[0], content)
    return Selection(content.manifest(digest), chosen=(found,))


def find_image(top: Manifest, platform: Platform, content: Content) -> str:
    """Return the digest of the image that best matches a platform: one in or below an index, or ``top`` itself.

    If several images match, return the first without zstd, which more stores support. If none matches, raises
    ImageError with the available platforms.
    """
    return _find(top, platform, content)[0]


def _find(top: Manifest, platform: Platform, content: Content) -> tuple[str, Platform]:
    chooser = _Chooser(top, content)
    offered = list(chooser.leaves())
    found = best(platform, [candidate for _digest, candidate in offered])
    first = next(candidate for _digest, candidate in offered if candidate in found)
    return chooser.without_zstd([digest for digest, candidate in offered if candidate == first]), first


class _Chooser:
    """The images in and below an index, by platform. If possible, only nested indexes are read for this."""

    def __init__(self, top: Manifest, content: Content) -> None:
        self._top = top
        self._content = content
        self._graph = Graph([top], content.load, follow=_is_index)

    def leaves(self) -> t.Iterator[tuple[str, Platform]]:
        """Yield the digests of all images, with their platforms."""
        if not self._top.is_index:
            yield self._top.digest, self._platform_of(self._top)
        for child in self._graph.listed():
            if child.is_index:
                continue
            if child.platform:
                yield child.digest, child.platform
            elif child.is_manifest and not child.attests:
                yield child.digest, self._platform_of(self._content.manifest(child.digest))

    def without_zstd(self, twins: t.Sequence[str]) -> str:
        """Return the first of these images that is not compressed with zstd; if all are, the first one."""
        annotated = {
            child.digest for child in self._graph.listed() if child.annotations.get(_ZSTD_ANNOTATION) == "true"
        }
        likely = [digest for digest in twins if digest not in annotated] or list(twins)
        for digest in likely if len(set(likely)) > 1 else []:
            with contextlib.suppress(NotFound):
                if not convert.has_zstd(self._content.manifest(digest)):
                    return digest
        return likely[0]

    def _platform_of(self, manifest: Manifest) -> Platform:
        """Return the platform from the config, if neither the manifest nor the index has it."""
        if not manifest.config or manifest.config.media_type not in media_types.IMAGE_CONFIGS:
            return Platform("", "")
        return Platform.from_document(self._content.config(manifest))

    def strip(self, leaves: t.AbstractSet[str], sparse: bool) -> Selection:
        """Return the index with only these images, their attestations, and the nested indexes that contain any of them."""
        wanted = set(leaves)
        replaced: dict[str, Manifest] = {}
        stripped: dict[str, Manifest] = {}
        for index in self._graph.children_first():
            changed: dict[str, Manifest] = {}
            kept = set(leaves)
            for child in filter(_is_index, index.children):
                nested = stripped[child.digest]
                if not any(grandchild.digest in wanted for grandchild in nested.children):
                    continue
                kept.add(child.digest)
                wanted.add(nested.digest)
                if nested.digest != child.digest:
                    changed[child.digest] = replaced[nested.digest] = nested
                    self._content.add(nested)
            attesting = [child.digest for child in index.children if child.attests in kept]
            kept.update(attesting)
            wanted.update(attesting)
            stripped[index.digest] = index if sparse else _with_children(index, kept, changed)
        return Selection(stripped[self._top.digest], frozenset(wanted), replaced, sparse)


def _is_index(child: Descriptor) -> bool:
    return child.is_index


def _with_children(index: Manifest, kept: t.AbstractSet[str], changed: t.Mapping[str, Manifest]) -> Manifest:
    return index.with_children(lambda position: index.children[position].digest in kept, changed)
