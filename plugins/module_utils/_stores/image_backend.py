# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The interface of backends that store whole images by the digests of their configs: engines and docker save archives."""

from __future__ import annotations

import abc
import contextlib
import typing as t

from .._image.platform import Platform
from .._image.saved import SavedImage
from .content_location import Location

# Reads the digests of the layers of an image from its config, wherever that is.
ReadLayers = t.Callable[[], "list[str]"]


class ImageBackend(abc.ABC):
    """An engine or an archive. Names are full names such as ``host/path:tag``. An image ID is the digest of the config."""

    @property
    @abc.abstractmethod
    def location(self) -> Location:
        """The engine or file, whose images share their layers."""

    @abc.abstractmethod
    def find(self, name: str) -> str | None:
        """Return the ID for a name, an ID or a position. An empty name refers to the only image."""

    @abc.abstractmethod
    def names(self) -> list[str]:
        """Return all names, without duplicates. Raises NotFound if the engine or file does not exist."""

    @abc.abstractmethod
    def image(self, image_id: str) -> SavedImage:
        """Return the image with this ID for reading. Raises NotFound."""

    @abc.abstractmethod
    def is_whole(self, image_id: str, layers: ReadLayers | None = None) -> bool:
        """Return whether an image with this ID exists with its layers. ``layers`` is called only if that helps to find it."""

    def is_intact(self, image_id: str, layers: ReadLayers | None = None) -> bool:
        """Return whether the image exists and its layers match the config. Engines guarantee this."""
        return self.is_whole(image_id, layers)

    def platform(self) -> Platform | None:
        """Return the platform of the images that run here; None if no images run here."""
        return None

    @abc.abstractmethod
    def add(self, image: SavedImage) -> None:
        """Add this image, and move its names to it."""

    @abc.abstractmethod
    def name(self, ids: t.Mapping[str, str]) -> None:
        """Give names to existing images, by their IDs. Raises ContentMissing if one of them does not exist."""

    @abc.abstractmethod
    def remove(self, names: t.Collection[str]) -> bool:
        """Remove names, or an image by its ID, and images that lose their last name. Return False if none of them exists."""

    def exclusive(self) -> t.ContextManager[None]:
        """Prevent others from changing anything; in a file, only until it is written. Engines have no such lock."""
        return contextlib.nullcontext()

    @abc.abstractmethod
    def close(self) -> None:
        """Close connections and files."""
