# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Images as container engines save them: a config and uncompressed layers, without a registry manifest.

The ID of such an image is the digest of its config. See Docker image spec v1.2, "Combined Image JSON + Filesystem
Changeset Format", and the output of ``docker save`` since Docker 1.10.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import InvalidContent, InvalidReference, parsing
from . import config as configs
from . import digest as digests
from . import document as documents
from . import media_types
from . import reference as references
from .manifest import Manifest

# Engines stack no more than 127 layers.
_MAX_LAYERS = 1000
# A few bytes of manifest.json make another image of what is there; what stands for one takes more than that.
_MAX_IMAGES = 4000
_MAX_LAYERS_OF_ALL = 100_000
_HINT = "Recreate the archive"
_FEWER_HINT = "Save fewer images per archive"
_FIELDS = frozenset(("Config", "RepoTags", "Layers"))


class Layer(t.NamedTuple):
    """A layer, identified by the digest of its uncompressed tar archive; ``open`` reads ``size`` bytes, which may be compressed."""

    diff_id: str
    size: int
    open: t.Callable[[], t.Iterable[bytes]]


@dataclasses.dataclass(frozen=True)
class SavedImage:
    """The exact bytes of a config, the layers starting with the base layer, and full names such as ``host/path:tag``."""

    config: bytes
    layers: tuple[Layer, ...]
    names: tuple[str, ...] = ()
    id: str = ""

    def __post_init__(self) -> None:
        """Set ``id`` to the digest of the config, unless the caller already knows it."""
        if not self.id:
            object.__setattr__(self, "id", digests.of(self.config))


@dataclasses.dataclass(frozen=True)
class SavedEntry:
    """An image in ``manifest.json``, with the names of its files."""

    config: str
    names: tuple[str, ...]
    layers: tuple[str, ...]

    @classmethod
    def from_document(cls, document: t.Any) -> SavedEntry:
        """Parse an entry. Raises :class:`InvalidContent`."""
        if not isinstance(document, dict):
            raise InvalidContent("an entry in manifest.json is not a JSON object", hint=_HINT)
        documents.check_fields(document, _FIELDS, "an entry in manifest.json")
        config, names, layers = (document.get(key) for key in ("Config", "RepoTags", "Layers"))
        if not isinstance(config, str) or not _is_texts(layers or []) or not _is_texts(names or []):
            raise InvalidContent("an entry in manifest.json has no valid Config, RepoTags or Layers", hint=_HINT)
        if len(layers or []) > _MAX_LAYERS:
            cause = "an image in manifest.json has more than %d layers" % _MAX_LAYERS
            raise InvalidContent(cause, hint="Build the image with fewer layers")
        return cls(config, tuple(full_names(names or [])), tuple(layers or []))

    def to_document(self) -> dict[str, t.Any]:
        """Return the entry as Docker writes it."""
        return {"Config": self.config, "RepoTags": list(self.names) or None, "Layers": list(self.layers)}


def parse_entries(content: bytes) -> list[SavedEntry]:
    """Parse ``manifest.json``. Raises :class:`InvalidContent`."""
    document = documents.read(content, "manifest.json", hint=_HINT)
    if not isinstance(document, list):
        raise InvalidContent("manifest.json is not a list of images", hint=_HINT)
    if len(document) > _MAX_IMAGES:
        raise InvalidContent("manifest.json lists more than %d images" % _MAX_IMAGES, hint=_FEWER_HINT)
    with parsing("manifest.json", hint=_HINT):
        entries = [SavedEntry.from_document(item) for item in document]
    if sum(len(entry.layers) for entry in entries) > _MAX_LAYERS_OF_ALL:
        cause = "the images in manifest.json have more than %d layers in total" % _MAX_LAYERS_OF_ALL
        raise InvalidContent(cause, hint=_FEWER_HINT)
    return entries


def diff_ids(config: bytes) -> list[str]:
    """Return the digests of the uncompressed layers from a config, starting with the base layer. Raises :class:`InvalidContent`."""
    rootfs = configs.read(config).get("rootfs")
    found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not _is_texts(found or []) or not isinstance(rootfs, dict):
        raise InvalidContent(
            "the image config has no rootfs.diff_ids", hint="Rebuild the image with an up-to-date build tool"
        )
    return [digests.check(text) for text in found or []]


def full_name(name: str) -> str:
    """Return the full name for a name that engines may shorten. An invalid name, or one with a digest, is returned unchanged."""
    try:
        parsed = references.parse_registry(name)
    except InvalidReference:
        return name
    return name if parsed.digest else "%s:%s" % (parsed.context, parsed.tag or "latest")


def full_names(listed: t.Iterable[str]) -> list[str]:
    """Return the full names of tags, without duplicates. Podman lists names with a digest among them, which are no tags."""
    return list(dict.fromkeys(full_name(name) for name in listed if "@" not in name))


def manifest(image_config: bytes, layers: t.Sequence[t.Mapping[str, t.Any]]) -> Manifest:
    """Return a manifest (Docker schema 2) for an image without one. Equal layers give equal manifests."""
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.DOCKER_MANIFEST,
        "config": {
            "mediaType": media_types.DOCKER_CONFIG,
            "size": len(image_config),
            "digest": digests.of(image_config),
        },
        "layers": list(layers),
    }
    return Manifest.parse(documents.encode(document))


def _is_texts(value: t.Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
