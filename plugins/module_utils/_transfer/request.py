# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Requests and plans of copies, as values."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from .._image import digest as digests
from .._image.descriptor import Descriptor
from .._image.manifest import Manifest
from .._image.platform import Platform
from .._stores.repository import Store
from .conversion import Conversion
from .known import Known
from .selection import Selection

if t.TYPE_CHECKING:
    from .attached import Attached


class Heads(t.NamedTuple):
    """What the name points to on each side; None if it does not exist there."""

    source: Descriptor | None
    destination: Descriptor | None

    @property
    def are_same(self) -> bool:
        """Whether both sides have the same image."""
        return bool(self.source and self.destination and self.source.digest == self.destination.digest)


@dataclasses.dataclass(frozen=True)
class CopyRequest:
    """One image to copy to one destination.

    ``tags`` is empty if the destination is declared only by its ``digest``. With ``sparse``, an index keeps children
    that are not copied. With ``as_image``, the image for one platform is copied without its index. ``thorough``
    checks all content individually. ``conversion`` converts the image. A signed image is converted only with
    ``unsigned``, because no signature is valid for the result. With ``referrers``, attached artifacts with one of the
    ``artifact_types`` (all if empty) are copied as well. ``listed`` contains known facts about the destination. In a
    set (``is_set``), ``platforms`` is a filter, and artifacts keep their format.
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
    conversion: Conversion = Conversion()
    unsigned: bool = False
    is_set: bool = False
    referrers: bool = False
    artifact_types: tuple[str, ...] = ()
    listed: Known | None = None

    @property
    def known(self) -> Known:
        """Known facts about the destination."""
        return self.listed or self._own_known

    @functools.cached_property
    def _own_known(self) -> Known:
        return Known(self.destination)


@dataclasses.dataclass(frozen=True)
class RepositoryRequest:
    """The common part of the requests for the images of one repository, which may be too many to store each.

    ``common`` has no name. The source is asked for ``digest``, or if that is empty, for the name of the image at the
    destination. With ``pins_digests``, an image that is named by a digest must have this digest.
    """

    common: CopyRequest
    digest: str = ""
    pins_digests: bool = False

    def of(self, name: str) -> CopyRequest:
        """Return the request for the image with this name."""
        is_digest = digests.is_digest(name)
        return dataclasses.replace(
            self.common,
            name=self.digest or name,
            tags=() if is_digest else (name,),
            digest=name if is_digest and self.pins_digests else "",
        )


@dataclasses.dataclass
class Plan:
    """The plan of a copy. Blobs come first, in any order, then manifests with children first, ``companions``, and tags.

    ``previous`` has the digest that each destination tag pointed to. ``mount_from`` is the repository from which
    blobs can be mounted, and ``mounts`` has other repositories for single blobs. ``lost`` has the annotations that a
    conversion drops. ``companions`` are further manifests that must exist before the tags, such as referrers, in
    order. Their blobs are in ``blobs`` as well. ``attached`` has the attached artifacts, if requested. Their lists
    and tags are written between the companions and the tags. ``reads`` is the number of manifests of the image that were
    read from the source.
    """

    request: CopyRequest
    top: Descriptor
    source_digest: str
    previous: dict[str, str | None]
    selection: Selection | None = None
    manifests: list[Manifest] = dataclasses.field(default_factory=list)
    companions: list[Manifest] = dataclasses.field(default_factory=list)
    attached: Attached | None = None
    blobs: list[Descriptor] = dataclasses.field(default_factory=list)
    skipped: int = 0
    mount_from: str = ""
    mounts: dict[str, str] = dataclasses.field(default_factory=dict)
    lost: tuple[str, ...] = ()
    reads: int = 0

    @property
    def outdated_tags(self) -> list[str]:
        """The destination tags that do not point to this image yet."""
        return [name for name, digest in self.previous.items() if digest != self.top.digest]

    @property
    def changed(self) -> bool:
        """Whether executing this plan changes the destination."""
        is_attached = not (self.attached and self.attached.missing)
        return bool(self.outdated_tags or self.manifests or self.companions or self.blobs or not is_attached)

    @property
    def main_reference(self) -> str:
        """The full reference of the image at the destination, with its first name there."""
        return self.request.destination.reference(next(iter(self.previous)))
