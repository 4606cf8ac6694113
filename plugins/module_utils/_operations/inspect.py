# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Inspect an image without copying it: its manifest, its config, and whether it is complete."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import typing as t

from .._errors import InvalidReference, NotFound, naming
from .._image import config as configs
from .._image import deletion_marker, media_types, schema1
from .._image import document as documents
from .._image import reference as references
from .._image.graph import Content, Graph, Map
from .._image.manifest import Manifest
from .._image.platform import Platform
from .._image.version import in_order
from .._stores.referrers_interface import required
from .._stores.repository import Store, is_listed
from .._transfer.attached import Attachment, depth_first, find_attached
from .._transfer.selection import Selection, find_image
from .stores import Stores

_NO_CONFIG = "application/vnd.oci.empty.v1+json"


@dataclasses.dataclass(frozen=True)
class InspectOptions:
    """The options of image_inspect, as the user wrote them."""

    image: str
    platform: str | None = None
    tags: bool = False
    verify: bool = False
    referrers: bool = False


@dataclasses.dataclass(frozen=True)
class Inspected:
    """The result of an inspection. ``top`` is None if the image does not exist.

    ``image`` is the single image to describe: ``top``, or its child for the requested platform; None for an index
    without a requested platform, or if the child is missing. ``tags``, ``missing`` and ``referrers`` are None if they were not requested.
    ``digest`` is the digest by which the store identifies the image.
    """

    top: Manifest | None = None
    image: Manifest | None = None
    config: dict[str, t.Any] | None = None
    tags: list[str] | None = None
    missing: list[str] | None = None
    digest: str | None = None
    referrers: list[Attachment] | None = None

    @property
    def platforms(self) -> list[str]:
        """The platforms in an index, or the one in the config of a single image."""
        if self.top and self.top.is_index:
            return Selection(self.top).platforms
        found = Platform.from_document(self.config or {})
        return [str(found)] if found.is_known else []

    @property
    def layers(self) -> list[dict[str, t.Any]]:
        """Digest, media type and size of each layer of the single image, starting with the base layer."""
        if self.image is None:
            return []
        if self.image.media_type in media_types.SCHEMA1:
            return [{"digest": digest, "media_type": None, "size": None} for digest in schema1.layers(self.image)]
        return [
            {"digest": layer.digest, "media_type": layer.media_type, "size": layer.size} for layer in self.image.layers
        ]

    @property
    def labels(self) -> dict[str, t.Any]:
        """The labels in the config."""
        run = (self.config or {}).get("config")
        labels = run.get("Labels") if isinstance(run, dict) else None
        return labels if isinstance(labels, dict) else {}

    @property
    def size(self) -> int | None:
        """The size of config and layers in bytes, counting each blob once; None if the manifest does not contain sizes."""
        if self.image is None or self.image.media_type in media_types.SCHEMA1:
            return None
        return sum(blob.size for blob in self.image.blobs)


def inspect(options: InspectOptions, stores: Stores) -> Inspected:
    """Inspect an image. It is not an error if it does not exist. Raises :class:`ImageError`."""
    reference = references.parse(options.image)
    platform = Platform.parse(options.platform) if options.platform else None
    if options.tags and not reference.has_names:
        raise InvalidReference("images in directories have no tags", reference, "Remove the tags option")
    store = stores.open(reference)
    if options.referrers:
        required(store)
    with naming(reference), concurrent.futures.ThreadPoolExecutor(stores.run.jobs) as pool:
        tags = list_names(store) if options.tags else None
        name = references.name_or_default(reference)
        try:
            top = store.manifest(name, legacy=True)
        except NotFound:
            if is_listed(store, name):
                raise
            return Inspected(tags=tags)
        content = Content(store.manifest, store.open_blob, pool.map)
        reader = _Reader(content, stores.run.warn)
        missing = None
        if options.verify:
            deletion_marker.refuse(top, content.read_config)
            has_blobs = functools.partial(pool.map, store.has_blob)
            missing = [part.digest for part in Graph([top], content.load_present).missing(has_blobs)]
        image = reader.image_of(top, platform, may_be_missing=bool(missing))
        config = reader.config_of(image) if image else None
        attached = _attached(store, top, image, platform, pool.map) if options.referrers else None
        return Inspected(top, image, config, tags, missing, store.identity(top).digest, attached)


def _attached(
    store: Store, top: Manifest, image: Manifest | None, platform: Platform | None, in_parallel: Map
) -> list[Attachment]:
    """Return the artifacts attached to an image and its children, or to the requested child, in depth-first order."""
    subjects = [top.digest]
    if image and image is not top:
        subjects.append(image.digest)
    elif not platform:
        subjects += [child.digest for child in top.children if child.is_manifest]
    return depth_first(find_attached(store, subjects, (), in_parallel), subjects)


def list_names(store: Store) -> list[str]:
    """Return the tags, ordered by version; none if the repository does not exist."""
    try:
        return in_order(store.tags())
    except NotFound:
        return []


class _Reader:
    """Selects the single image to describe, and reads its config."""

    def __init__(self, content: Content, warn: t.Callable[[str], None]) -> None:
        self._content = content
        self._warn = warn

    def image_of(self, top: Manifest, platform: Platform | None, may_be_missing: bool) -> Manifest | None:
        """Return the single image to describe. Raises NotFound if it is missing, unless it may be."""
        if top.media_type in media_types.SCHEMA1:
            self._warn(
                "%s is a Docker schema 1 image, which can be inspected but not copied. Push the image again with an up-to-date tool."
                % top.digest
            )
            return top
        if not platform:
            return None if top.is_index else top
        try:
            digest = find_image(top, platform, self._content)
            return top if digest == top.digest else self._content.manifest(digest)
        except NotFound:
            if not may_be_missing:
                raise
            return None

    def config_of(self, image: Manifest) -> dict[str, t.Any] | None:
        """Return the decoded config; None if there is none or it is not JSON."""
        if image.media_type in media_types.SCHEMA1:
            return schema1.config(image)
        config = image.config
        if not config or config.media_type == _NO_CONFIG or not config.media_type.endswith("json"):
            return None
        try:
            content = self._content.read_config(config)
        except NotFound:
            self._warn(
                "The image config %s is missing, so the result has no config. Push the image again." % config.digest
            )
            return None
        return _decode(content, required=config.media_type in media_types.IMAGE_CONFIGS)


def _decode(content: bytes, required: bool) -> dict[str, t.Any] | None:
    """Decode the config of an image, which is ``required``, or the optional config of an artifact."""
    if required:
        return configs.read(content)
    try:
        document = documents.decode(content)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
