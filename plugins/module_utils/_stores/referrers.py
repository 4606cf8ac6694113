# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The optional interface of stores that keep what is attached to an image: referrers, and cosign's tags."""

from __future__ import annotations

import typing as t

from .._errors import ImageError
from .._image.descriptor import Descriptor
from .._image.manifest import Manifest
from .repository import Store


class Referrers(t.Protocol):
    """What is attached to the manifests of one repository. Every method may raise an ImageError."""

    def keeps(self, tag: str) -> bool:
        """Whether there is a place for what has such a tag of cosign; with an empty tag, for referrers."""

    def seen(self, subject: str, without: t.Collection[str] = ()) -> bool:
        """Whether it is known by now that something is attached to a digest, under other tags than these; no request is sent."""

    def entries(self, subject: str, artifact_type: str = "", is_only: bool = False) -> list[Descriptor]:
        """What the list of a digest's referrers holds; whether each is one, its manifest says.

        ``artifact_type`` may be applied or not. ``is_only`` says that few other subjects will be asked about, so that finding
        out at once which of them have a list does not pay.
        """

    def cosign_tags(self, subject: str) -> list[str]:
        """The tags here under which cosign keeps something for a digest."""

    def attach(self, subject: str, manifests: t.Sequence[Manifest]) -> None:
        """Make the list of a subject have these manifests, which were stored by ``put_manifest``.

        A store that is :class:`Committing` writes the list with the next image, or when it is told to commit. Raises
        :class:`Refused` if something else than such a list is in its place.
        """

    def detach(self, subject: str, digests: t.Collection[str]) -> None:
        """Remove these entries from the list of a subject; the manifests stay."""


@t.runtime_checkable
class HasReferrers(t.Protocol):
    """A store whose images can have something attached to them."""

    @property
    def referrers(self) -> Referrers:
        """What is attached to the images of this store."""


def referrers_of(store: Store) -> Referrers | None:
    """What is attached to the images of a store; None for stores that cannot hold any, such as engines and docker archives."""
    return store.referrers if isinstance(store, HasReferrers) else None


def required(store: Store) -> Referrers:
    """The referrers that a store keeps. Raises :class:`ImageError` for one that cannot."""
    found = referrers_of(store)
    if found is None:
        raise ImageError(
            "engines and Docker archives cannot store referrers",
            store.reference(""),
            "Remove the option referrers, or use a registry, an OCI layout, an OCI archive or a directory",
        )
    return found
