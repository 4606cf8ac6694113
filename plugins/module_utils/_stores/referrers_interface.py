# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The optional interface of stores that support referrers and cosign tags."""

from __future__ import annotations

import typing as t

from .._errors import ImageError
from .._image.descriptor import Descriptor
from .._image.manifest import Manifest
from .repository import Store


class Referrers(t.Protocol):
    """The referrers of the manifests in one repository. Every method may raise an ImageError."""

    def keeps(self, tag: str) -> bool:
        """Return whether the store supports artifacts under this cosign tag; with an empty tag, whether it supports referrers."""

    def seen(self, subject: str, without: t.Collection[str] = ()) -> bool:
        """Return whether earlier responses have shown referrers of a digest, other than these tags. No request is sent."""

    def entries(self, subject: str, artifact_type: str = "", is_only: bool = False) -> list[Descriptor]:
        """Return the list of referrers of a digest. Only their manifests show whether they are referrers.

        ``artifact_type`` may be ignored. With ``is_only``, few other subjects will follow, so it does not pay to find
        out at once which subjects have a list.
        """

    def cosign_tags(self, subject: str) -> list[str]:
        """Return the cosign tags for a digest that exist here."""

    def attach(self, subject: str, manifests: t.Sequence[Manifest]) -> None:
        """Add manifests that ``put_manifest`` has stored to the list of a subject.

        A store that is :class:`Committing` writes the list with the next image, or on commit. Raises :class:`Refused`
        if something else is stored in place of the list.
        """

    def detach(self, subject: str, digests: t.Collection[str]) -> None:
        """Remove entries from the list of a subject. Their manifests stay."""


@t.runtime_checkable
class HasReferrers(t.Protocol):
    """A store that supports referrers."""

    @property
    def referrers(self) -> Referrers:
        """The referrers of the images in this store."""


def referrers_of(store: Store) -> Referrers | None:
    """Return the referrers of a store; None if it does not support referrers, such as an engine or a docker archive."""
    return store.referrers if isinstance(store, HasReferrers) else None


def required(store: Store) -> Referrers:
    """Return the referrers of a store. Raises :class:`ImageError` if it does not support referrers."""
    found = referrers_of(store)
    if found is None:
        raise ImageError(
            "engines and Docker archives cannot store referrers",
            store.reference(""),
            "Remove the referrers option, or use a registry, an OCI layout, an OCI archive or a directory",
        )
    return found
