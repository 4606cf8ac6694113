# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What to copy, and what that takes, as values."""

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
    """What the name points to on each side; None where it is absent."""

    source: Descriptor | None
    destination: Descriptor | None

    @property
    def are_same(self) -> bool:
        """Whether both sides have the image, and it is the same one."""
        return bool(self.source and self.destination and self.source.digest == self.destination.digest)


@dataclasses.dataclass(frozen=True)
class CopyRequest:
    """One image to copy to one place.

    ``tags`` is empty if the destination is declared by ``digest`` alone. With ``sparse`` an index keeps children that
    are not copied; with ``as_image`` the image for one platform is copied without its index; ``thorough`` looks for all
    content one by one; without ``may_mount`` all that is missing is moved.
    ``conversion`` converts it; a signed image only with ``unsigned``, as no signature fits the result.
    With ``referrers`` what is attached to the image travels with it, of these ``artifact_types`` (empty: of all).
    ``listed`` is what is known of the destination already. In a set (``is_set``) ``platforms`` is a filter, and artifacts
    keep their format.
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
    referrers: bool = False
    artifact_types: tuple[str, ...] = ()
    listed: Known | None = None

    @property
    def known(self) -> Known:
        """What was found out about the destination."""
        return self.listed or self._own_known

    @functools.cached_property
    def _own_known(self) -> Known:
        return Known(self.destination)


@dataclasses.dataclass(frozen=True)
class RepositoryRequest:
    """What the requests for the images of one repository have in common: there may be too many to keep each.

    ``common`` has no name. The source is asked for ``digest`` where that is not empty, and else for the name that the image
    gets. With ``pins_digests`` an image that gets a digest must have it.
    """

    common: CopyRequest
    digest: str = ""
    pins_digests: bool = False

    def of(self, name: str) -> CopyRequest:
        """The request for the image that gets this name."""
        is_digest = digests.is_digest(name)
        return dataclasses.replace(
            self.common,
            name=self.digest or name,
            tags=() if is_digest else (name,),
            digest=name if is_digest and self.pins_digests else "",
        )


@dataclasses.dataclass
class Plan:
    """Blobs may move in any order; manifests go in theirs, children first; then ``companions``; the tags come last of all.

    ``previous`` holds what each tag of the destination pointed to; ``mount_from`` is the repository from which blobs can
    be mounted, and ``mounts`` those for single ones; ``lost`` are the annotations that a conversion leaves out.
    ``companions`` are the manifests that have to arrive before the tags, in addition to those of the image, such as its
    referrers, in their order; their blobs are in ``blobs`` too. ``attached`` is what is attached to the image, if that was
    asked for: lists and tags that are written between the companions and the tags.
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

    @property
    def outdated_tags(self) -> list[str]:
        """The tags of the destination that do not point to this image yet."""
        return [name for name, digest in self.previous.items() if digest != self.top.digest]

    @property
    def changed(self) -> bool:
        """Whether executing this plan would change the destination."""
        is_attached = not (self.attached and self.attached.missing)
        return bool(self.outdated_tags or self.manifests or self.companions or self.blobs or not is_attached)

    @property
    def main_reference(self) -> str:
        """The full reference of the image at the destination, by its first name there."""
        return self.request.destination.reference(next(iter(self.previous)))
