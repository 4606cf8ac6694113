# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What keeps whole images by the digests of their configs: the interface of engines and of the archives of docker save."""

from __future__ import annotations

import abc
import contextlib
import typing as t

from .._image.platform import Platform
from .._image.saved import SavedImage
from .location import Location

# Reads the digests of the layers of an image from its config, wherever that is.
ReadLayers = t.Callable[[], "list[str]"]


class ImageBackend(abc.ABC):
    """An engine or an archive. Names are spelled out, as ``host/path:tag``; an image ID is the digest of its config."""

    @property
    @abc.abstractmethod
    def location(self) -> Location:
        """The engine or file, whose images share their layers."""

    @abc.abstractmethod
    def find(self, name: str) -> str | None:
        """The ID for a name, an ID or a position; an empty name means the only image."""

    @abc.abstractmethod
    def names(self) -> list[str]:
        """All names, each once. Raises NotFound if there is no such engine or file."""

    @abc.abstractmethod
    def image(self, image_id: str) -> SavedImage:
        """The image with this ID, to be read. Raises NotFound."""

    @abc.abstractmethod
    def is_whole(self, image_id: str, layers: ReadLayers | None = None) -> bool:
        """Whether an image with this ID is present, with its layers. ``layers`` is called only if that helps to find it."""

    def is_intact(self, image_id: str, layers: ReadLayers | None = None) -> bool:
        """As :meth:`is_whole`, with layers that still have the content that the config lists. An engine vouches for that."""
        return self.is_whole(image_id, layers)

    def platform(self) -> Platform | None:
        """The platform of the images that run here; None if none do."""
        return None

    @abc.abstractmethod
    def add(self, image: SavedImage) -> None:
        """Add this image and give it its names, whatever image had them."""

    @abc.abstractmethod
    def name(self, ids: t.Mapping[str, str]) -> None:
        """Give names to images that are present, by their IDs. Raises ContentMissing if one is not."""

    @abc.abstractmethod
    def remove(self, names: t.Collection[str]) -> bool:
        """Remove these names, or an image by its ID, and images that lose their last name; False if none is present."""

    def exclusive(self) -> t.ContextManager[None]:
        """While this is held, nobody else changes anything. Engines have no such lock."""
        return contextlib.nullcontext()

    @abc.abstractmethod
    def close(self) -> None:
        """Close connections and files."""
