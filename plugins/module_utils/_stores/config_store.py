# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A store that identifies an image by its ID, which is the digest of its config, and does not store a manifest.

To read an image, a manifest is generated for it. It is the same each time, with the layers as they are stored. For a
registry, the manifest has compressed layers. Its digest may depend on the version of zlib, so the config decides
whether a registry already has the image.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import typing as t

from .._errors import ContentMissing, DigestMismatch, ImageError, InvalidContent, NotFound, tag_moved
from .._image import digest as digests
from .._image import media_types
from .._image.config import MAX_CONFIG
from .._image.descriptor import Descriptor, OpenBlob
from .._image.manifest import Manifest
from .._image.platform import Platform
from .._image.reference import EngineReference, pinned
from .._image.saved import Layer, SavedImage, diff_ids
from .._image.saved import manifest as manifest_of
from .._image.verified import Verified, skipped
from .content_location import Location
from .image_backend import ImageBackend, ReadLayers
from .layers import ExaminedLayer, examine, gzipped, plain, require_zstd
from .repository import Lockable, Store
from .staging import Staging

_OTHER_HINT = "Use a registry or an OCI layout"
_DAMAGED_HINT = "Rebuild the image, or copy it from another source"


class ConfigStore(Store, Lockable):
    """The images of one repository in an engine or archive; without a repository, all images of an archive.

    A name is a tag of the repository or an image ID. In a file without a repository, it is a full name or a position.
    """

    keeps_manifests = False

    def __init__(self, backend: ImageBackend, staging: Staging, reference: EngineReference) -> None:
        self._backend = backend
        self._staging = staging
        self._reference = reference

    @property
    def location(self) -> Location:
        """The repository. Layers belong to the whole engine or file."""
        return dataclasses.replace(self._backend.location, repository=self._reference.repository)

    def reference(self, name: str) -> str:
        """Return ``transport:[FILE:]NAME:TAG``, or ``transport:[FILE:]ID``."""
        if digests.is_digest(name):
            return pinned(self._reference, name)
        context = self._reference.context
        return "%s:%s" % (context, name) if name else context

    # Reading

    def resolve(self, name: str) -> Descriptor | None:
        """Return the config by its digest. Engines do not report its size."""
        found = self._backend.find(self._full(name))
        return Descriptor(media_types.DOCKER_CONFIG, found, 0) if found else None

    def tags(self) -> list[str]:
        """Return the tags of the repository, or all names in a file. Raises NotFound if the repository has none."""
        names = self._backend.names()
        if not self._reference.repository:
            return names
        found = [tag for context, _colon, tag in (name.rpartition(":") for name in names) if self._is_ours(context)]
        if not found:
            cause = "the repository %s contains no images" % self._reference.repository
            raise NotFound(cause, hint="Check the repository name")
        return found

    def manifest(self, name: str, legacy: bool = False) -> Manifest:
        """Return a generated manifest of the image, with the layers as they are stored."""
        found = self._backend.find(self._full(name))
        if not found:
            names = sorted(self._backend.names())
            hint = "Choose one of the available images: %s" % ", ".join(names[:20]) if names else ""
            if not self._full(name):
                raise NotFound("the file contains no images", hint="Check the path")
            raise NotFound("image %s does not exist" % self._full(name), hint=hint)
        image = self._backend.image(found)
        self._staging.contents[image.id] = lambda: [image.config]
        return manifest_of(image.config, [self._described(layer) for layer in image.layers])

    def registry_form(self, manifest: Manifest, pool: concurrent.futures.Executor) -> Manifest:
        """Return the manifest with compressed layers."""
        config = digests.collect(self._contents(manifest.config.digest)) if manifest.config else b""
        contents = [self._plain_content(layer) for layer in manifest.layers]
        return manifest_of(config, list(pool.map(self._compressed, manifest.layers, contents)))

    def open_blob(self, blob: Descriptor) -> Verified:
        """Open the config or a layer."""
        return Verified(lambda offset: skipped(self._contents(blob.digest), offset), blob.digest, blob.size)

    def has_content(self) -> bool:
        """Return False. Nothing uses the result, because the image ID decides whether the engine has an image."""
        return False

    def has_manifest(self, digest: str, wanted: t.Collection[str] | None = None) -> bool:
        """Return whether the image with this ID exists."""
        return self._backend.is_whole(digest, self._layers_of(digest))

    def is_complete(self, image: Descriptor, wanted: t.Collection[str] | None) -> bool:
        """Return whether the image exists. Engines guarantee its content; in a file, the layers are looked for."""
        return self.has_manifest(image.digest)

    def is_intact(self, image: Descriptor, wanted: t.Collection[str] | None) -> bool:
        """Return whether the image is intact. In a file, all layers are read."""
        return self._backend.is_intact(image.digest, self._layers_of(image.digest))

    def has_blob(self, blob: Descriptor) -> bool:
        """Return whether a generated manifest lists the blob, and its content is right."""
        try:
            return all(chunk is not None for chunk in self.open_blob(blob))
        except (DigestMismatch, NotFound):
            return False

    # What an image is known by

    def identity(self, manifest: Manifest) -> Descriptor:
        """Return the descriptor of the config."""
        return manifest.config or manifest.descriptor

    def holds(self, image: Descriptor, read_config: t.Callable[[], bytes]) -> bool:
        """Return whether the image exists, like :meth:`is_complete`. Few backends need the config to find an image."""
        self._staging.config_readers[image.digest] = read_config
        return self.is_complete(image, None)

    def platform(self) -> Platform | None:
        """Return the platform of the engine; None for a file."""
        return self._backend.platform()

    def check(self, manifest: Manifest, read_config: t.Callable[[], bytes]) -> None:
        """Raise :class:`ImageError` if this store does not support the image."""
        config = manifest.config
        if config is None or config.media_type not in media_types.IMAGE_CONFIGS:
            cause = "%s is an artifact, but engines and Docker archives can store only images" % manifest.digest
            raise ImageError(cause, hint=_OTHER_HINT)
        if digests.split(config.digest)[0] != "sha256":
            cause = (
                "the image config has the digest %s, but engines and Docker archives support only sha256"
                % config.digest
            )
            raise ImageError(cause, hint=_OTHER_HINT)
        if manifest.has_foreign_layers:
            cause = "engines and Docker archives require all layers, but the image has foreign layers, which only the vendor distributes"
            raise ImageError(cause, hint=_OTHER_HINT)
        for layer in manifest.layers:
            if layer.media_type not in media_types.LAYERS:
                cause = "engines and Docker archives do not support layers with the media type %s" % layer.media_type
                raise ImageError(cause, hint=_OTHER_HINT)
            if layer.media_type in media_types.ZSTD_LAYERS:
                require_zstd()
        self._staging.config_readers[config.digest] = read_config

    # Writing

    def put_blob(self, blob: Descriptor, open_blob: OpenBlob, mount_from: str) -> bool:
        """Stage the config, or the uncompressed content of a layer, until the image is published."""
        if blob.media_type in media_types.IMAGE_CONFIGS:
            if blob.size > MAX_CONFIG:
                raise ImageError("the image config is larger than %d bytes" % MAX_CONFIG, hint=_OTHER_HINT)
            self._staging.configs[blob.digest] = digests.collect(open_blob())
        else:
            content = plain(open_blob(), blob.size, self._staging.expansion)
            self._staging.keep(self._staging.layers, blob.digest, content)
        return False

    def put_manifest(self, manifest: Manifest) -> None:
        """Add the image if its content was transferred again, to replace a damaged one. The manifest itself is not stored."""
        config = self._staging.configs.get(manifest.config.digest) if manifest.config else None
        if config is not None:
            self._backend.add(SavedImage(config, self._staged_layers(config, manifest)))

    def publish(self, manifest: Manifest, tags: t.Sequence[str], wanted: t.Collection[str] | None) -> None:
        """Add the image with its names, or only the names if it already exists."""
        names = [self._full(tag) for tag in tags]
        config = self._staging.configs.get(manifest.config.digest) if manifest.config else None
        if config is None:
            self._backend.name(dict.fromkeys(names, manifest.config.digest if manifest.config else ""))
        else:
            self._backend.add(SavedImage(config, self._staged_layers(config, manifest), tuple(names)))

    def retag(self, manifests: t.Mapping[str, Manifest]) -> None:
        """Set all names at once, because an image that loses its last name would be deleted."""
        self.set_tags({tag: self.identity(manifest).digest for tag, manifest in manifests.items()})

    def set_tags(self, identities: t.Mapping[str, str]) -> None:
        """Set all names at once, by image IDs."""
        self._backend.name({self._full(tag): image_id for tag, image_id in identities.items()})

    def exclusive(self) -> t.ContextManager[None]:
        """Lock the backend if it supports this."""
        return self._backend.exclusive()

    def delete_tag(self, tag: str, digest: str) -> str:
        """Delete the name, and the image if it has no other name. Raises ImageError if it has moved."""
        with self._backend.exclusive():  # engines have no lock: there the check only makes a loss less likely
            now = self._backend.find(self._full(tag))
            if now and now != digest:
                raise tag_moved(now)
            return "tag" if now and self._backend.remove([self._full(tag)]) else ""

    def delete(self, digest: str) -> bool:
        """Delete the names that the image has in this repository. Without a repository, delete the image with all its names."""
        if not self._reference.repository:
            return self._backend.remove([digest])
        with self._backend.exclusive():
            try:
                names = self._backend.names()
            except NotFound:
                return False
            ours = [name for name in names if self._is_ours(name.rpartition(":")[0])]
            return self._backend.remove([name for name in ours if self._backend.find(name) == digest])

    def _layers_of(self, image_id: str) -> ReadLayers | None:
        """Return a function that reads the layers from the config, if the config can be read elsewhere."""
        config = self._staging.config_readers.get(image_id)
        return (lambda: diff_ids(config())) if config else None

    def _is_ours(self, context: str) -> bool:
        return context == self._reference.repository

    def _full(self, name: str) -> str:
        is_tag = self._reference.repository and not digests.is_digest(name)
        return "%s:%s" % (self._reference.repository, name) if is_tag else name

    def _contents(self, digest: str) -> t.Iterable[digests.Chunk]:
        try:
            return self._staging.contents[digest]()
        except KeyError:
            raise NotFound("blob %s of the image is missing" % digest, hint="Run the task again") from None

    def _described(self, layer: Layer) -> dict[str, t.Any]:
        """Return the descriptor of a layer as it is stored, or as it is without zstd, which schema 2 does not support.

        For an uncompressed layer, the config has its digest. Reading a damaged layer raises DigestMismatch.
        """
        found = self._examined(layer)
        if not found.kind:
            return self._offer(layer.diff_id, layer.size, media_types.DOCKER_PLAIN_LAYER, layer.open)
        damage = _damage(layer, found)
        refuse = functools.partial(_refuse, damage) if damage else None
        if found.kind == "zstd":
            plain_content = refuse or (lambda: plain(layer.open(), layer.size))
            return self._offer(layer.diff_id, found.size, media_types.DOCKER_PLAIN_LAYER, plain_content)
        return self._offer(found.digest, layer.size, media_types.DOCKER_LAYER, refuse or layer.open)

    def _examined(self, layer: Layer) -> ExaminedLayer:
        """Examine a layer once, however often images list its file, and with whatever digest."""
        known = self._staging.examined
        if layer.open not in known:
            known[layer.open] = examine(layer)
        return known[layer.open]

    def _plain_content(self, layer: Descriptor) -> t.Iterator[digests.Chunk]:
        """Return the content to compress. It is counted immediately, so that the total is known before any content is read."""
        if layer.media_type not in media_types.PLAIN_LAYERS:
            return iter(())
        return self._staging.count("compressing", self.reference(""), layer.size, self.open_blob(layer))

    def _compressed(self, layer: Descriptor, content: t.Iterable[digests.Chunk]) -> dict[str, t.Any]:
        if layer.media_type not in media_types.PLAIN_LAYERS:
            self._contents(layer.digest)  # a damaged layer is refused here, because the destination may already have it
            return self._offer(layer.digest, layer.size, layer.media_type, self._staging.contents[layer.digest])
        staged = self._staging.keep(self._staging.compressed, layer.digest, gzipped(content))
        return self._offer(staged.digest, staged.size, media_types.DOCKER_LAYER, staged.chunks)

    def _offer(
        self, digest: str, size: int, media_type: str, contents: t.Callable[[], t.Iterable[digests.Chunk]]
    ) -> dict[str, t.Any]:
        self._staging.contents[digest] = contents
        return {"mediaType": media_type, "size": size, "digest": digest}

    def _staged_layers(self, config: bytes, manifest: Manifest) -> tuple[Layer, ...]:
        """Return the layers of an image if they match its config."""
        expected = diff_ids(config)
        if len(expected) != len(manifest.layers):
            cause = "the manifest has %d layers, but the image config has %d" % (len(manifest.layers), len(expected))
            raise InvalidContent(cause, hint=_DAMAGED_HINT)
        found = []
        for diff_id, layer in zip(expected, manifest.layers):
            staged = self._staging.layers.get(layer.digest)
            if staged is None:
                raise ContentMissing("layer %s is missing" % layer.digest, hint="Run the task again")
            if staged.digest != diff_id:
                cause = "digest mismatch: layer %s has content with the digest %s, but the image config specifies %s"
                raise DigestMismatch(cause % (layer.digest, staged.digest, diff_id), hint=_DAMAGED_HINT)
            found.append(Layer(diff_id, staged.size, staged.chunks))
        return tuple(found)


def _damage(layer: Layer, found: ExaminedLayer) -> ImageError | None:
    """Return an error if the content of a compressed layer is not that of the config."""
    if found.error or found.plain_digest == layer.diff_id:
        return found.error
    cause = "digest mismatch: the image config specifies %s for a layer, but the layer has different content"
    return DigestMismatch(cause % layer.diff_id, hint=_DAMAGED_HINT)


def _refuse(damage: ImageError) -> t.NoReturn:
    raise DigestMismatch(damage.cause, hint=damage.hint)
