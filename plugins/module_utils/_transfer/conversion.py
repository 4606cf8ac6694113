# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Convert the selected part of an image to another format, or remove its attestations.

All necessary manifests are read first: nested indexes, and for a format the manifests of all images.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import NotConvertible
from .._image import convert
from .._image.descriptor import Descriptor
from .._image.graph import Content, Graph
from .._image.manifest import Manifest
from .._image.platform import Platform
from .selection import Selection


@dataclasses.dataclass(frozen=True)
class Conversion:
    """The target of a conversion: ``family`` is the format. If it is empty, each manifest keeps its format."""

    family: str = ""
    attestations: bool = True

    @classmethod
    def of_options(cls, family: str, attestations: str) -> Conversion:
        """Return the conversion for the options ``format`` and ``attestations``."""
        return cls("" if family == "preserve" else family, attestations == "keep")

    def __bool__(self) -> bool:
        """Whether the conversion can change anything."""
        return bool(self.family) or not self.attestations


@dataclasses.dataclass(frozen=True)
class Converted:
    """A selection after the conversion, and the names of the annotations that were dropped."""

    selection: Selection
    lost: tuple[str, ...] = ()


def convert_selection(selection: Selection, conversion: Conversion, content: Content) -> Converted:
    """Convert everything that was selected. Raises ImageError that names the content that cannot be converted."""
    if not conversion:
        return Converted(selection)
    converter = _Converter(selection, conversion, content)
    top = converter.converted(selection.manifest)
    if top is selection.manifest:
        return Converted(selection)
    if selection.is_sparse:
        raise NotConvertible(
            "the index cannot be converted, because platform_mode: sparse keeps it unchanged",
            hint="Use platform_mode: strip",
        )
    converted = Selection(top, None, converter.replaced, chosen=selection.chosen)
    return Converted(converted, tuple(converter.lost))


class _Converter:
    """``replaced`` has the converted manifests by digest, which the source does not have; ``lost`` has dropped annotations."""

    def __init__(self, selection: Selection, conversion: Conversion, content: Content) -> None:
        self._selection = selection
        self._conversion = conversion
        self._content = content
        self._originals = Graph([selection.manifest], content.load, self._wanted, self._is_needed).manifests
        self._done: dict[str, Manifest] = {}
        self.replaced: dict[str, Manifest] = {}
        self.lost: dict[str, None] = {}

    def _wanted(self, index: Manifest) -> list[Descriptor]:
        children = self._selection.children(index)
        return [child for child in children if self._conversion.attestations or not child.attests]

    def _is_needed(self, child: Descriptor) -> bool:
        """Return whether to read a child: any manifest if the format changes, else only nested indexes."""
        return child.is_index or (child.is_manifest and bool(self._conversion.family))

    def converted(self, manifest: Manifest) -> Manifest:
        """Return the converted manifest or index. If nothing changes, it is the same object."""
        if manifest.digest not in self._done:
            family = self._conversion.family
            if manifest.is_index:
                self._done[manifest.digest] = self._index(manifest)
            elif family:
                self._done[manifest.digest] = convert.convert_image(manifest, family)
                self._note_lost(manifest)
            else:
                self._done[manifest.digest] = manifest
        return self._done[manifest.digest]

    def _note_lost(self, manifest: Manifest) -> None:
        self.lost.update(dict.fromkeys(convert.lost_annotations(manifest, self._conversion.family)))

    def _index(self, index: Manifest) -> Manifest:
        children = self._wanted(index)
        platforms = self._platforms(index, children)
        left_out = self._zstd_twins(children, platforms)
        made: dict[str, Manifest] = {}
        # What attests comes after what it speaks of.
        for child in sorted(children, key=lambda child: child.attests is not None):
            original = self._originals.get(child.digest)
            if original is None or child.digest in left_out:
                continue
            self._check_attested(child, made)
            other = self.converted(original)
            if original.children and not other.children:
                left_out.add(child.digest)
                continue
            made[child.digest] = other
            if other is not original or child.digest in self._selection.replaced:
                self.replaced[other.digest] = other
                self._content.add(other)
        if not self._conversion.attestations:
            left_out.update(child.digest for child in index.children if child.attests)
        stripped = index.with_children(lambda position: index.children[position].digest not in left_out, {})
        self._note_lost(stripped)
        return convert.convert_index(stripped, self._conversion.family, made, platforms)

    def _platforms(self, index: Manifest, children: t.Iterable[Descriptor]) -> dict[str, dict[str, t.Any]]:
        """Return the platforms of images without one in their descriptors, if an index is converted to a Docker manifest list."""
        family = self._conversion.family
        if family != convert.DOCKER or convert.is_of(index, family):
            return {}
        found = {}
        for child in children:
            original = self._originals.get(child.digest)
            has_platform = child.platform and child.platform.os and child.platform.architecture
            if has_platform or child.attests or original is None or not convert.is_image(original):
                continue
            fields = convert.platform_fields(self._content.config(original))
            if "os" not in fields or "architecture" not in fields:
                raise convert.platform_error(original, family)
            found[child.digest] = fields
        return found

    def _zstd_twins(
        self,
        children: t.Sequence[Descriptor],
        platforms: t.Mapping[str, t.Mapping[str, t.Any]],
    ) -> set[str]:
        """Return images with zstd layers for whose platform there is another image that Docker's format can represent."""
        if self._conversion.family != convert.DOCKER:
            return set()
        usable, zstd = set(), {}
        for child in children:
            original = self._originals.get(child.digest)
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
            raise convert.attestation_error(child, self._conversion.family)
