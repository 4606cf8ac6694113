# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What every transport can do: the interface between the transfer of images and where they are kept."""

from __future__ import annotations

import typing as t

from .._image.descriptor import Descriptor, OpenBlob
from .._image.manifest import Manifest


class Store(t.Protocol):
    """A repository of images: of a registry, or in a layout on disk. Every method may raise an ImageError."""

    @property
    def place(self) -> tuple[str, str]:
        """Where blobs are kept, and the repository there that they belong to; empty where all share them."""

    def reference(self, name: str) -> str:
        """The full reference of what ``name`` (a tag, a digest, or empty) names here, for the user."""

    def resolve(self, name: str) -> Descriptor | None:
        """What a name stands for now; None where it is absent."""

    def find(self, name: str) -> Descriptor | None:
        """As :meth:`resolve`, for manifests of any kind: schema 1 too."""

    def tags(self) -> list[str]:
        """All names that could be resolved, each once. Raises NotFound where there is no such repository."""

    def manifest(self, name: str, legacy: bool = False) -> Manifest:
        """The manifest under a name, verified; with ``legacy`` also one of schema 1. Raises NotFound."""

    def open_blob(self, blob: Descriptor) -> t.Iterable[bytes]:
        """The content, verified as it is read: the last chunk comes only when digest and size are right."""

    def has_content(self) -> bool:
        """False only where it is certain that nothing is here yet, so that looking for blobs is in vain."""

    def has_manifest(self, digest: str) -> bool:
        """Whether a manifest is here with all that it needs."""

    def is_complete(self, descriptor: Descriptor, wanted: t.Collection[str] | None) -> bool:
        """Whether all that an image needs is here still; of the children of an index only the ``wanted`` count.

        Registries vouch for that themselves.
        """

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether the content is here already."""

    def lacks(self, blobs: t.Iterable[Descriptor]) -> list[str]:
        """The digests of what is certainly not here; nothing is asked of a registry for it."""

    def mount_source(self, source: Store) -> str:
        """The name under which content of ``source`` can be had without moving it; empty where it cannot."""

    def is_same(self, source: Store) -> bool:
        """Whether both are the same repository, so that what one has the other has too."""

    def put_blob(self, blob: Descriptor, open_blob: OpenBlob, mount_from: str) -> bool:
        """Store a blob; True where it was mounted from there rather than moved."""

    def put_manifest(self, manifest: Manifest) -> None:
        """Store a manifest under its digest. Raises ContentMissing where what it refers to is not here."""

    def publish(self, manifest: Manifest, tags: t.Sequence[str], wanted: t.Collection[str] | None) -> None:
        """Store a manifest and make these tags (or its digest alone) name it.

        Raises ContentMissing where what it needs is not here; of the children of an index, only the ``wanted`` count.
        """

    def commit(self) -> None:
        """Make what was put last, where nothing is to be published with it."""

    def exclusive(self) -> t.ContextManager[None]:
        """While this is held, nobody else removes anything, where that can be had."""

    def retag(self, manifests: t.Mapping[str, Manifest]) -> None:
        """Make each name stand for a manifest that is here already, even if it is one that loses its own name."""

    def delete_tag(self, tag: str, digest: str) -> str:
        """Remove a tag that points to ``digest``, and nothing that another tag needs.

        Returns how: ``tag``, or ``unique_manifest`` (the tag was pointed to a manifest made for this, which was deleted;
        ``digest`` remains without this tag); empty if the tag was gone already.
        """

    def delete_manifest(self, digest: str) -> bool:
        """Remove a manifest with all its tags; False where it was gone already."""

    def close(self) -> None:
        """Let go of connections and files."""
