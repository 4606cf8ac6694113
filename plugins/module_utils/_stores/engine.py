# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A container engine as what has images: docker's daemon, or the storage that podman and others of its family share.

An engine hands out and takes in whole images, as archives of ``docker save``; they go by way of files without a name.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t

from .._engine.find import Engine
from .._errors import ContentMissing, ImageError, NotFound
from .._image import digest as digests
from .._image.platform import Platform
from .._image.saved import SavedImage, full_name
from .docker_save import DockerSave, archive
from .layers import Staged
from .tar_reader import TarImage


class EngineImages:
    """The images of one engine. What was read of an image is kept for the run."""

    def __init__(self, transport: str, engine: Engine) -> None:
        self.place = "%s:%s" % (transport, engine.place)
        self._engine = engine
        self._lock = threading.Lock()
        self._saved: dict[str, SavedImage] = {}
        self._files: list[TarImage] = []
        self._has_other_ids: bool | None = None

    def find(self, name: str) -> str | None:
        """The ID of a name, or of an ID that is there."""
        found = self._engine.inspect(name)
        return self._id_of(found) if found else None

    def names(self) -> list[str]:
        """All names."""
        shown = [name for image in self._engine.images() for name in image.get("RepoTags") or []]
        return list(dict.fromkeys(full_name(name) for name in shown if not name.startswith("<none>")))

    def image(self, image_id: str) -> SavedImage:
        """The image of this ID, exported once."""
        known = [image for image in list(self._saved.values()) if image.id == image_id]
        return known[0] if known else self._export(image_id)

    def is_whole(self, image_id: str) -> bool:
        """An engine vouches for what it has."""
        return self._engine.inspect(image_id) is not None

    def platform(self) -> Platform | None:
        """What the engine runs on."""
        version = self._engine.version()
        return Platform(str(version.get("Os", "")), str(version.get("Arch", ""))).normalized()

    def add(self, image: SavedImage) -> None:
        """Load the image with its names, and see that the engine made of it what it is."""
        self._engine.load(archive([image]))
        for name in image.names or [image.id]:
            found = self.find(name)
            if found != image.id:
                raise ImageError("the engine has %s under %s after loading %s" % (found or "nothing", name, image.id))

    def name(self, ids: t.Mapping[str, str]) -> None:
        """Tag the images."""
        for name, image_id in ids.items():
            try:
                self._engine.tag(image_id, name)
            except NotFound:
                raise ContentMissing("the image %s was removed from the engine meanwhile" % image_id) from None

    def remove(self, names: t.Collection[str]) -> bool:
        """Remove names one by one: an engine removes the image with its last one."""
        removed = [self._engine.remove(name) for name in names]
        return any(removed)

    def exclusive(self) -> t.ContextManager[None]:
        """Engines have no such thing."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """Close connections and files."""
        for tar in self._files:
            tar.close()
        self._engine.close()

    def _export(self, engine_id: str) -> SavedImage:
        with self._lock:
            if engine_id not in self._saved:
                self._saved[engine_id] = self._exported(engine_id)
            return self._saved[engine_id]

    def _exported(self, image_id: str) -> SavedImage:
        staged = Staged(self._engine.export(image_id))
        tar = TarImage("what the engine saved of %s" % image_id, staged.release())
        self._files.append(tar)
        images = DockerSave(tar).images
        if len(images) != 1:
            raise ImageError("the engine saved %d images where %s was asked for" % (len(images), image_id))
        return images[0]

    def _id_of(self, found: t.Mapping[str, t.Any]) -> str:
        """Where Docker keeps images in containerd, its ID is no digest of a config: only the image tells."""
        engine_id = digests.check(found.get("Id"))
        if self._has_other_ids is None:
            self._has_other_ids = self._engine.has_other_ids()
        return self._export(engine_id).id if self._has_other_ids else engine_id
