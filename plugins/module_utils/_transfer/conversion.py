# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What was selected of an image, in another format or without its attestations: all that has to be known for that is
read, the manifests of all children if need be.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import NotConvertible
from .._image import convert
from .._image.descriptor import Descriptor
from .._image.manifest import Manifest, check_extent
from .._image.platform import Platform
from .selection import ReadConfig, Selection, config_fields

ReadManifests = t.Callable[[t.Sequence[str]], t.Iterable[Manifest]]


@dataclasses.dataclass(frozen=True)
class Target:
    """What an image is to become: ``family`` is the format (empty: each manifest stays in its own)."""

    family: str = ""
    attestations: bool = True

    @classmethod
    def of_options(cls, family: str, attestations: str) -> Target:
        """The options ``format`` and ``attestations`` of a task."""
        return cls("" if family == "preserve" else family, attestations == "keep")

    def __bool__(self) -> bool:
        """Whether anything could change."""
        return bool(self.family) or not self.attestations


@dataclasses.dataclass(frozen=True)
class Converted:
    """A selection after the conversion, and the names of the annotations that were lost."""

    selection: Selection
    lost: tuple[str, ...] = ()


def convert_selection(selection: Selection, target: Target, read: ReadManifests, read_config: ReadConfig) -> Converted:
    """Convert all that is wanted. Raises ImageError that names what cannot be converted."""
    if not target:
        return Converted(selection)
    converter = _Converter(selection, target, read, read_config)
    top = converter.converted(selection.manifest)
    if top is selection.manifest:
        return Converted(selection)
    if selection.is_sparse:
        raise NotConvertible(
            "an index that is to stay as it is (platform_mode: sparse) cannot be converted",
            hint="Use platform_mode: strip",
        )
    return Converted(Selection(top, None, converter.replaced), tuple(converter.lost))


class _Converter:
    """``replaced`` holds, by their digests, the descendants that the source does not have; ``lost`` annotations."""

    def __init__(self, selection: Selection, target: Target, read: ReadManifests, read_config: ReadConfig) -> None:
        self._selection = selection
        self._target = target
        self._read = read
        self._read_config = read_config
        self._done: dict[str, Manifest] = {}
        self.replaced: dict[str, Manifest] = {}
        self.lost: dict[str, None] = {}
        self._count = 0

    def converted(self, manifest: Manifest, depth: int = 0) -> Manifest:
        """The manifest or index as it is to be; itself where nothing changes."""
        self._count += len(manifest.children)
        check_extent(depth, self._count)
        if manifest.digest not in self._done:
            family = self._target.family
            if manifest.is_index:
                self._done[manifest.digest] = self._index(manifest, depth)
            elif family:
                self._done[manifest.digest] = convert.convert_image(manifest, family)
            else:
                self._done[manifest.digest] = manifest
            self.lost.update(dict.fromkeys(convert.lost_annotations(manifest, family)))
        return self._done[manifest.digest]

    def _index(self, index: Manifest, depth: int) -> Manifest:
        children = [c for c in self._selection.children(index) if self._target.attestations or not c.attests]
        originals = self._originals(children)
        platforms = self._platforms(index, children, originals)
        left_out = self._zstd_twins(children, originals, platforms)
        made: dict[str, Manifest] = {}
        # What attests comes after what it speaks of.
        for child in sorted(children, key=lambda child: child.attests is not None):
            original = originals.get(child.digest)
            if original is None or child.digest in left_out:
                continue
            self._check_attested(child, made)
            other = self.converted(original, depth + 1)
            if original.children and not other.children:
                left_out.add(child.digest)
                continue
            made[child.digest] = other
            if other is not original or child.digest in self._selection.replaced:
                self.replaced[other.digest] = other
        if not self._target.attestations:
            left_out.update(child.digest for child in index.children if child.attests)
        stripped = index.with_children(lambda position: index.children[position].digest not in left_out, {})
        return convert.convert_index(stripped, self._target.family, made, platforms)

    def _originals(self, children: t.Iterable[Descriptor]) -> dict[str, Manifest]:
        """The children that have to be read: all manifests for a format, else nested indexes alone."""
        wanted = [c.digest for c in children if c.is_index or (c.is_manifest and self._target.family)]
        known = self._selection.replaced
        missing = list(dict.fromkeys(digest for digest in wanted if digest not in known))
        found = dict(zip(missing, self._read(missing)))
        return {digest: known.get(digest) or found[digest] for digest in wanted}

    def _platforms(
        self, index: Manifest, children: t.Iterable[Descriptor], originals: t.Mapping[str, Manifest]
    ) -> dict[str, dict[str, t.Any]]:
        """The platforms of images that tell none in an index that becomes one of Docker's."""
        family = self._target.family
        if family != convert.DOCKER or convert.is_of(index, family):
            return {}
        found = {}
        for child in children:
            original = originals.get(child.digest)
            is_told = child.platform and child.platform.os and child.platform.architecture
            if is_told or child.attests or original is None or not convert.is_image(original):
                continue
            fields = convert.platform_fields(config_fields(original, self._read_config))
            if "os" not in fields or "architecture" not in fields:
                raise convert.platform_refusal(original, family)
            found[child.digest] = fields
        return found

    def _zstd_twins(
        self,
        children: t.Sequence[Descriptor],
        originals: t.Mapping[str, Manifest],
        platforms: t.Mapping[str, t.Mapping[str, t.Any]],
    ) -> set[str]:
        """Images with zstd layers that stand beside one of the same platform that Docker's format can hold."""
        if self._target.family != convert.DOCKER:
            return set()
        usable, zstd = set(), {}
        for child in children:
            original = originals.get(child.digest)
            if original is None or not convert.is_image(original) or child.attests:
                continue
            told = platforms.get(child.digest)
            platform = Platform.from_document(told) if told else child.platform
            if convert.has_zstd(original):
                zstd[child.digest] = platform
            else:
                usable.add(platform)
        return {digest for digest, platform in zstd.items() if platform in usable}

    def _check_attested(self, child: Descriptor, made: t.Mapping[str, Manifest]) -> None:
        attested = made.get(child.attests or "")
        if attested is not None and attested.digest != child.attests:
            raise convert.attestation_refusal(child, self._target.family)
