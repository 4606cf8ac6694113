# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Manifests and indexes as values: their exact bytes, their digest, and what they refer to.

The bytes are not serialized again unless a change was requested, because a digest covers bytes.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from .._errors import InvalidContent, parsing
from . import digest as digests
from . import document as documents
from . import media_types
from .descriptor import Descriptor

# OCI distribution spec, "Pushing Manifests": registries should accept at least 4 MiB, and peers read no more.
MAX_SIZE = 4 * 1024 * 1024
_HINT = "Rebuild the image with an up-to-date build tool"

# Those of manifests, artifact manifests and indexes together.
FIELDS = frozenset(
    (
        "schemaVersion",
        "mediaType",
        "artifactType",
        "config",
        "layers",
        "blobs",
        "manifests",
        "subject",
        "annotations",
    )
)


@dataclasses.dataclass(frozen=True)
class Manifest:
    """An image manifest, an artifact manifest or an index (OCI or Docker); ``raw`` are the bytes that its digest covers."""

    raw: bytes
    media_type: str
    digest: str
    document: t.Mapping[str, t.Any] = dataclasses.field(compare=False, repr=False)

    @classmethod
    def parse(cls, raw: bytes, content_type: str = "", digest: str | None = None) -> Manifest:
        """Parse the bytes of a manifest; ``digest`` is the requested digest, which they must match.

        Raises :class:`InvalidContent`, or :class:`DigestMismatch`.
        """
        if digest:
            digests.verify(raw, digest)
        with parsing("the manifest", hint=_HINT):
            return cls._parsed(raw, content_type, digest or digests.of(raw))

    @classmethod
    def _parsed(cls, raw: bytes, content_type: str, digest: str) -> Manifest:
        document = _decode(raw)
        manifest = cls(raw, _media_type(document, content_type), digest, document)
        if manifest.media_type in media_types.SCHEMA1:
            raise InvalidContent(
                "the manifest is in Docker schema 1 format, which registries no longer accept",
                hint="Push the image again with an up-to-date tool",
            )
        return manifest._checked()

    def _checked(self) -> Manifest:
        """Parse every descriptor now, so that a malformed one is reported as an error of the manifest and not of a later step."""
        list(self.children)
        list(self.blobs)
        return self

    @property
    def size(self) -> int:
        """The length in bytes."""
        return len(self.raw)

    @property
    def is_index(self) -> bool:
        """Whether it refers to manifests rather than to blobs."""
        return self.media_type in media_types.INDEXES

    @functools.cached_property
    def children(self) -> list[Descriptor]:
        """The entries of an index, in order; empty for an image."""
        return self._descriptors("manifests") if self.is_index else []

    @functools.cached_property
    def blobs(self) -> list[Descriptor]:
        """The config and layers that are stored with the image, without duplicates and foreign layers."""
        found = [self.config] if self.config else []
        unique = {blob.digest: blob for blob in found + self.layers if not blob.is_foreign}
        return [] if self.is_index else list(unique.values())

    @property
    def has_foreign_layers(self) -> bool:
        """Whether some layers are available only from their vendor."""
        return any(layer.is_foreign for layer in self.layers)

    @functools.cached_property
    def layers(self) -> list[Descriptor]:
        """The layers of an image, starting with the base layer, or the blobs of an artifact, in order."""
        return self._descriptors("blobs" if self.media_type == media_types.OCI_ARTIFACT else "layers")

    @property
    def annotations(self) -> dict[str, t.Any]:
        """The annotations of the manifest or index itself."""
        annotations = self.document.get("annotations")
        return annotations if isinstance(annotations, dict) else {}

    @functools.cached_property
    def config(self) -> Descriptor | None:
        """The config of an image; None if this kind of manifest has none."""
        document = self.document.get("config")
        return Descriptor.from_document(document) if document is not None else None

    @functools.cached_property
    def subject(self) -> Descriptor | None:
        """The manifest that this referrer belongs to. Raises :class:`InvalidContent` if its descriptor is malformed."""
        document = self.document.get("subject")
        return Descriptor.from_document(document) if document is not None else None

    @property
    def artifact_type(self) -> str:
        """The artifactType, or else the media type of the config; empty if it has neither."""
        stated = self.document.get("artifactType")
        if isinstance(stated, str) and stated:
            return stated
        return self.config.media_type if self.config and not self.is_index else ""

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of this manifest."""
        return Descriptor(self.media_type, self.digest, self.size)

    def _descriptors(self, key: str) -> list[Descriptor]:
        items = self.document.get(key)
        if items is None:
            return []
        if not isinstance(items, list):
            raise InvalidContent("the key %s in the manifest is not a list" % key, hint=_HINT)
        return [Descriptor.from_document(item) for item in items]

    def with_children(self, keep: t.Callable[[int], bool], replaced: t.Mapping[str, Manifest]) -> Manifest:
        """Return this index with only the children whose position is kept, some of which may be replaced.

        ``replaced`` maps the digest of a child to its replacement. Everything else stays, including unknown keys and
        the order of keys. If nothing changes, the index itself is returned.
        """
        if all(keep(position) for position in range(len(self.children))) and not replaced:
            return self
        document = dict(self.document)
        document["manifests"] = [
            _exchanged(item, replaced)
            for position, item in enumerate(document.get("manifests") or [])
            if keep(position)
        ]
        try:
            raw = documents.encode(document)
        except ValueError:
            cause = "the index cannot be rewritten, because its JSON is nested too deeply"
            raise InvalidContent(cause, hint=_HINT) from None
        return Manifest(raw, self.media_type, digests.of(raw, digests.split(self.digest)[0]), document)


def _exchanged(item: dict[str, t.Any], replaced: t.Mapping[str, Manifest]) -> dict[str, t.Any]:
    other = replaced.get(item["digest"])
    if other is None:
        return item
    exchanged = dict(item, digest=other.digest, size=other.size)
    exchanged.pop("data", None)  # inlined content would be that of the former child
    return exchanged


def _decode(raw: bytes) -> dict[str, t.Any]:
    if len(raw) > MAX_SIZE:
        raise InvalidContent("the manifest is larger than %d bytes" % MAX_SIZE, hint=_HINT)
    document = documents.read(raw, "the manifest", hint="Check that the host is a registry")
    if not isinstance(document, dict):
        raise InvalidContent("the manifest is not a JSON object", hint=_HINT)
    documents.check_fields(document, FIELDS, "the manifest")
    return document


def _media_type(document: t.Mapping[str, t.Any], content_type: str) -> str:
    """What the manifest is: its own word first, then its shape; a Content-Type often lies, but may decide a tie."""
    # Go programs write "" and null where others leave a member out.
    stated = None if document.get("mediaType") == "" else document.get("mediaType")
    is_image = document.get("layers") is not None or document.get("config") is not None
    is_index = document.get("manifests") is not None
    if is_image and is_index:
        # Two readers could take it for two things (CVE-2021-41190).
        raise InvalidContent("the manifest is both an image manifest and an index", hint=_HINT)
    sent = content_type.partition(";")[0].strip()
    known = media_types.MANIFESTS | media_types.INDEXES | media_types.SCHEMA1
    if isinstance(stated, str) and stated in known:
        if sent in known and sent != stated:
            cause = "the manifest has the media type %s, but the registry sent it as %s" % (stated, sent)
            raise InvalidContent(cause, hint=_HINT)
        if (is_image and stated in media_types.INDEXES) or (is_index and stated in media_types.MANIFESTS):
            cause = "the manifest has the media type %s, but its content has another type" % stated
            raise InvalidContent(cause, hint=_HINT)
        return stated
    if stated is not None:
        cause = "the manifest has the media type %s, which is not supported" % stated
        raise InvalidContent(cause, hint=_HINT)
    return _shape(document, sent, is_image)


def _shape(document: t.Mapping[str, t.Any], sent: str, is_image: bool) -> str:
    if document.get("schemaVersion") == 1:
        return media_types.DOCKER_SCHEMA1
    if is_image:
        return sent if sent in media_types.MANIFESTS else media_types.OCI_MANIFEST
    if "manifests" in document:
        return sent if sent in media_types.INDEXES else media_types.OCI_INDEX
    if "layers" in document or "config" in document:
        return sent if sent in media_types.MANIFESTS else media_types.OCI_MANIFEST
    raise InvalidContent("the manifest is neither an image manifest nor an index", hint=_HINT)
