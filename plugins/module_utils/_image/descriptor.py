# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Content descriptors: media type, digest and size of content that a manifest or index refers to."""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import InvalidContent
from . import digest as digests
from . import document as documents
from . import media_types, strict_base64
from .platform import Platform

# Starts the verified content of a blob, again for each try.
OpenBlob = t.Callable[[], t.Iterable[digests.Chunk]]

# Sizes are signed 64-bit integers in every implementation.
_LARGEST = 2**63 - 1
_HINT = "Rebuild the image with an up-to-date build tool"

FIELDS = frozenset(("mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType"))

# buildkit's names for what it attaches to an index; such children are no platforms of the image.
_REFERENCE_TYPE = "vnd.docker.reference.type"
_REFERENCE_DIGEST = "vnd.docker.reference.digest"


@dataclasses.dataclass(frozen=True)
class Descriptor:
    """A descriptor (OCI image spec, descriptor.md). Docker's descriptors have the same fields. ``size`` is in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: t.Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    platform: Platform | None = dataclasses.field(default=None, compare=False)
    artifact_type: str | None = dataclasses.field(default=None, compare=False)
    data: str = dataclasses.field(default="", compare=False, repr=False)

    @classmethod
    def from_document(cls, document: object) -> Descriptor:
        """Parse a descriptor. Raises :class:`InvalidContent` if a required field is missing or has the wrong type."""
        if not isinstance(document, dict):
            raise InvalidContent("a descriptor is not a JSON object", hint=_HINT)
        documents.check_fields(document, FIELDS, "a descriptor")
        media_type, size = document.get("mediaType"), document.get("size")
        if not isinstance(media_type, str):
            raise InvalidContent("a descriptor has no mediaType", hint=_HINT)
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _LARGEST:
            raise InvalidContent("the descriptor of %s has no valid size" % document.get("digest"), hint=_HINT)
        annotations, artifact_type = document.get("annotations"), document.get("artifactType")
        platform, data = document.get("platform"), document.get("data")
        return cls(
            media_type=media_type,
            digest=digests.check(document.get("digest")),
            size=size,
            annotations=annotations if isinstance(annotations, dict) else {},
            platform=Platform.from_document(platform) if isinstance(platform, dict) else None,
            artifact_type=artifact_type if isinstance(artifact_type, str) else None,
            data=data if isinstance(data, str) else "",
        )

    @property
    def embedded(self) -> bytes | None:
        """Return the content in ``data``; None if there is none or it does not match the digest."""
        if not self.data or len(self.data) > 2 * self.size + 4:
            return None
        try:
            content = strict_base64.decode(self.data)
        except ValueError:
            return None
        is_content = len(content) == self.size and digests.of(content, digests.split(self.digest)[0]) == self.digest
        return content if is_content else None

    @property
    def is_foreign(self) -> bool:
        """Whether the content stays at its vendor's URLs and is not pushed with the image."""
        return self.media_type in media_types.FOREIGN_LAYERS

    @property
    def is_index(self) -> bool:
        """Whether it refers to an index."""
        return self.media_type in media_types.INDEXES

    @property
    def is_manifest(self) -> bool:
        """Whether it refers to a manifest or an index rather than to a blob."""
        return self.media_type in media_types.MANIFESTS or self.is_index

    @property
    def attests(self) -> str | None:
        """The digest of the image that this attestation manifest in an index is for; None for other descriptors."""
        if self.annotations.get(_REFERENCE_TYPE) != "attestation-manifest":
            return None
        digest = self.annotations.get(_REFERENCE_DIGEST)
        return digest if isinstance(digest, str) else None
