# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Archives of ``docker save``: ``manifest.json`` lists images with the names of their configs and layers.

Archives of every Docker version since 1.10, of podman, skopeo and image builders can be read. Layers may be links to
others or compressed, and the files may be in an OCI layout. Archives are written with the minimum that all these
programs load.
"""

from __future__ import annotations

import functools
import posixpath
import re
import typing as t

from .._errors import DigestMismatch, InvalidContent, NotFound
from .._image import digest as digests
from .._image import document as documents
from .._image.config import MAX_CONFIG
from .._image.manifest import MAX_SIZE
from .._image.saved import Layer, SavedEntry, SavedImage, diff_ids, parse_entries
from .tar_reader import TarImage
from .tar_writer import END, file_chunks

_INDEX = "manifest.json"
# All are kept in memory. Those of a thousand real images have a tenth of this.
_MAX_CONFIGS = 64 * 1024 * 1024
_HINT = "Recreate the archive"


class _Config(t.NamedTuple):
    """The exact bytes of a config, its digest, and the layers that it lists."""

    content: bytes
    id: str
    diff_ids: list[str]


class DockerSave:
    """The images of one archive, which must stay open while their layers are read."""

    def __init__(self, tar: TarImage) -> None:
        """Read the archive. Raises :class:`InvalidContent`."""
        self._tar = tar
        self._configs: dict[int | None, _Config] = {}
        self._readers: dict[int | None, t.Callable[[], t.Iterable[bytes]]] = {}
        self.images = [self._image(entry) for entry in parse_entries(self._index())]

    def _index(self) -> bytes:
        try:
            return self._tar.read(_INDEX, MAX_SIZE)
        except NotFound:
            names = self._tar.names()
            if "repositories" in names:
                cause = "the archive was written by a Docker version older than 1.10, so it contains no image IDs"
                raise InvalidContent(
                    cause, hint="Load the archive into a newer version of Docker, and save the image again"
                ) from None
            hint = "Create the archive with docker save"
            if "oci-layout" in names:
                hint = "The archive is an OCI layout. Use the oci-archive transport"
            raise InvalidContent("the archive has no manifest.json, so it is not from docker save", hint=hint) from None

    def _image(self, entry: SavedEntry) -> SavedImage:
        content, image_id, expected = self._config(entry.config)
        if len(expected) != len(entry.layers):
            cause = "an image has %d layers in manifest.json, but %d in its config" % (len(entry.layers), len(expected))
            raise InvalidContent(cause, hint=_HINT)
        return SavedImage(content, tuple(map(self._layer, expected, entry.layers)), entry.names, image_id)

    def _config(self, name: str) -> _Config:
        """Return a config. Each file is read only once, because an image can have any number of names."""
        position = self._tar.position(name)
        if position not in self._configs:
            content = self._read(name)
            self._configs[position] = _Config(content, digests.of(content), diff_ids(content))
        found = self._configs[position]
        stated = re.fullmatch(r"([0-9a-f]{64})(?:\.json)?", posixpath.basename(name))
        if stated and found.id != "sha256:" + stated.group(1):
            cause = "digest mismatch: the image config %s has content with the digest %s" % (name, found.id)
            raise DigestMismatch(cause, hint=_HINT)
        return found

    def _read(self, name: str) -> bytes:
        size = self._tar.size(name)
        if size is None:
            raise InvalidContent("the image config %s is missing from the archive" % name, hint=_HINT)
        if size + sum(len(config.content) for config in self._configs.values()) > _MAX_CONFIGS:
            cause = "the image configs in the archive total more than %d bytes" % _MAX_CONFIGS
            raise InvalidContent(cause, hint="Save fewer images per archive")
        return self._tar.read(name, MAX_CONFIG)

    def _layer(self, diff_id: str, name: str) -> Layer:
        """Return a layer. Those with the same file have the same reader, because images can list a file any number of times."""
        size = self._tar.size(name)
        if size is None:
            raise InvalidContent("the layer %s is missing from the archive" % name, hint=_HINT)
        reader = self._readers.setdefault(self._tar.position(name), functools.partial(self._tar.chunks, name))
        return Layer(diff_id, size, reader)


def archive(images: t.Sequence[SavedImage]) -> t.Iterator[bytes]:
    """Yield the content of an archive with each config and layer once. The same images give the same bytes."""
    entries = [
        SavedEntry(_hex(image.id) + ".json", image.names, tuple(map(_layer_file, image.layers))) for image in images
    ]
    index = documents.encode([entry.to_document() for entry in entries])
    yield from file_chunks(_INDEX, len(index), [index])
    for name, content in {entry.config: image.config for entry, image in zip(entries, images)}.items():
        yield from file_chunks(name, len(content), [content])
    for name, layer in {_layer_file(layer): layer for image in images for layer in image.layers}.items():
        yield from file_chunks(name, layer.size, layer.open())
    yield END


def size_of(images: t.Iterable[SavedImage]) -> int:
    """Return the total size of the layers that :func:`archive` writes."""
    return sum({layer.diff_id: layer.size for image in images for layer in image.layers}.values())


def _layer_file(layer: Layer) -> str:
    return _hex(layer.diff_id) + ".tar"


def _hex(digest: str) -> str:
    return digests.split(digest)[1]
