# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A container engine as an image backend: the daemon of Docker, or the storage that Podman and related programs share.

An engine exports and imports whole images, as archives of ``docker save``. They are spooled in unnamed files.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t

from .._engine.find import Engine
from .._errors import ContentMissing, DigestMismatch, ImageError, InvalidContent, NotFound, Refused, parsing
from .._image import digest as digests
from .._image.platform import Platform
from .._image.saved import SavedImage, full_names
from .._run import Count, uncounted
from .content_location import Location
from .docker_save import DockerSave, archive, size_of
from .image_backend import ImageBackend, ReadLayers
from .layers import SpooledBlob
from .tar_reader import TarImage

_UNREADABLE_HINT = "Remove the image with a command of the engine, such as docker rmi, or copy it to the engine again"


class EngineImages(ImageBackend):
    """The images of one engine. What was read from an image is cached for the run.

    If Docker stores images in containerd, it knows them only by the digest of a manifest or an index. Only the
    exported image shows which image that is.
    """

    def __init__(self, transport: str, engine: Engine, count: Count = uncounted) -> None:
        self._location = Location(transport, "%s:%s" % (transport, engine.location))
        self._engine = engine
        self._count = count
        self._lock = threading.Lock()
        self._saved: dict[str, SavedImage] = {}
        self._files: list[TarImage] = []
        self._has_other_ids: bool | None = None
        self._image_ids: dict[str, str] = {}
        self._layers: dict[str, list[str]] = {}

    @property
    def location(self) -> Location:
        """The engine."""
        return self._location

    def find(self, name: str) -> str | None:
        """Return the ID for a name or an existing ID, including one that only the engine uses.

        Raises InvalidContent if the engine has an image with that name but cannot read it.
        """
        with _broken(name):
            found = self._engine.inspect(name)
        if found:
            return self._id_of(found)
        return name if digests.is_digest(name) and self._search(name) else None

    def names(self) -> list[str]:
        """Return all names."""
        with parsing("the response of the engine"):
            shown = [name for image in self._engine.images() for name in image.get("RepoTags") or []]
            return full_names(name for name in shown if not name.startswith("<none>"))

    def image(self, image_id: str) -> SavedImage:
        """Return the image with this ID. It is exported once."""
        known = [image for image in list(self._saved.values()) if image.id == image_id]
        return known[0] if known else self._export(self._engine_id(image_id))

    def is_whole(self, image_id: str, layers: ReadLayers | None = None) -> bool:
        """Return whether the image exists. The engine guarantees its content."""
        return self._has(image_id, layers)

    def platform(self) -> Platform | None:
        """Return the platform of the engine."""
        version = self._engine.version()
        architecture = str(version.get("Arch", ""))
        variant = Platform.variant_of(str(version.get("Machine"))) if architecture == "arm" else ""
        return Platform(str(version.get("Os", "")), architecture, variant).normalized()

    def add(self, image: SavedImage) -> None:
        """Load the image with its names, and check that the engine gives it the same ID."""
        self._engine.load(
            self._count("loading", ", ".join(image.names) or image.id, size_of([image]), archive([image]))
        )
        if not image.names and not self.is_whole(image.id, lambda: [layer.diff_id for layer in image.layers]):
            cause = "image %s was loaded, but is missing from the engine" % image.id
            raise ImageError(cause, hint="Check the engine's log")
        for name in image.names:
            found = self.find(name)
            if found != image.id:
                cause = "the engine loaded image %s, but the name %s points to %s" % (
                    image.id,
                    name,
                    found or "no image",
                )
                raise ImageError(cause, hint="Run the task again")

    def name(self, ids: t.Mapping[str, str]) -> None:
        """Tag the images."""
        for name, image_id in ids.items():
            try:
                self._engine.tag(self._engine_id(image_id), name)
            except NotFound:
                cause = "image %s was removed from the engine during this run" % image_id
                raise ContentMissing(cause, hint="Run the task again") from None

    def remove(self, names: t.Collection[str]) -> bool:
        """Remove names one by one. The engine removes an image together with its last name.

        If the engine refuses one, for example because a container uses the image, the others are restored.
        """
        removed: list[tuple[str, str]] = []
        try:
            found = [
                self._remove_image(name, removed) if digests.is_digest(name) else self._remove_name(name, removed)
                for name in names
            ]
            self._remove_digest_names(removed)
        except Refused:
            self._restore(removed)
            raise
        return any(found)

    def close(self) -> None:
        """Close connections and files."""
        for tar in self._files:
            tar.close()
        self._engine.close()

    def _remove_name(self, name: str, removed: list[tuple[str, str]]) -> bool:
        """Remove a name, and append the engine's ID of its image and the name to ``removed``."""
        described = self._inspect(name)
        if not self._engine.remove(name):
            return False
        if described:
            removed.append((str(described.get("Id")), name))
        return True

    def _remove_image(self, image_id: str, removed: list[tuple[str, str]]) -> bool:
        """Remove all names of an image, and then the image, because engines do not remove an image with several names."""
        found = False
        for engine_id in [image_id, *self._matches(image_id)]:
            # Docker does not list names with a digest as tags, and removes some of them together with the tags.
            for kind in ("RepoTags", "RepoDigests"):
                for name in self._listed(engine_id, kind):
                    found = self._remove_name(name, removed) or found
            found = self._engine.remove(engine_id) or found
        return found

    def _remove_digest_names(self, removed: t.Collection[tuple[str, str]]) -> None:
        """Remove images that only names with a digest keep, if these are of the same repositories. Docker does this itself."""
        repositories = {name.rpartition(":")[0] for _engine_id, name in removed}
        for engine_id in {engine_id: None for engine_id, _name in removed}:
            left = self._listed(engine_id, "RepoTags")
            if all("@" in name and name.partition("@")[0] in repositories for name in left):
                for name in left:
                    self._engine.remove(name)

    def _restore(self, removed: t.Iterable[tuple[str, str]]) -> None:
        for engine_id, name in removed:
            with contextlib.suppress(NotFound, Refused):
                if "@" not in name:
                    self._engine.tag(engine_id, name)

    def _listed(self, engine_id: str, kind: str) -> list[str]:
        """Return the names that the engine lists for an image: ``RepoTags`` or ``RepoDigests``."""
        with parsing("the response of the engine"):
            images = [image for image in self._engine.images() if image.get("Id") == engine_id]
            listed = [name for image in images for name in image.get(kind) or []]
            return [name for name in dict.fromkeys(listed) if not name.startswith("<none>")]

    def _engine_id(self, image_id: str) -> str:
        """Return the ID that the engine uses for an image, if it is known already."""
        return next((known for known, other in list(self._image_ids.items()) if other == image_id), image_id)

    def _has(self, image_id: str, layers: ReadLayers | None) -> bool:
        engine_id = self._engine_id(image_id)
        while not self._inspect(engine_id):
            if self._image_ids.pop(engine_id, None) is None:
                return self._search(image_id, layers) is not None
            engine_id = self._engine_id(image_id)
        return True

    def _inspect(self, engine_id: str) -> dict[str, t.Any] | None:
        """Return the engine's description of an image; None if the engine cannot read the image."""
        try:
            return self._engine.inspect(engine_id)
        except Refused:
            return None

    def _search(self, image_id: str, layers: ReadLayers | None = None) -> str | None:
        """Find the engine's own ID for an image. With ``layers``, fewer images have to be exported."""
        return next(self._matches(image_id, layers), None)

    def _matches(self, image_id: str, layers: ReadLayers | None = None) -> t.Iterator[str]:
        """Yield the engine's own IDs for an image: those of several manifests may have the same config."""
        if not self._knows_others():
            return
        wanted = layers() if layers else None
        for engine_id in dict.fromkeys(str(image.get("Id")) for image in self._engine.images()):
            if wanted is None or self._layers_of(engine_id) == wanted:
                # Of what others keep there not all can be saved: it may lack content for this platform.
                with contextlib.suppress(InvalidContent), _broken(engine_id):
                    if self._identify(engine_id, image_id) == image_id:
                        yield engine_id

    def _layers_of(self, engine_id: str) -> list[str]:
        """Return the layers of an image from the engine's description, which contains no more than the config."""
        if engine_id not in self._layers:
            found = (self._inspect(engine_id) or {}).get("RootFS")
            layers = found.get("Layers") if isinstance(found, dict) else None
            self._layers[engine_id] = layers if isinstance(layers, list) else []
        return self._layers[engine_id]

    def _identify(self, engine_id: str, wanted: str) -> str:
        """Return the ID of an image. The export is kept only if it is the ``wanted`` image."""
        if engine_id not in self._image_ids:
            image, tar = self._exported(engine_id)
            self._image_ids[engine_id] = image.id
            if image.id == wanted:
                self._saved[engine_id] = image
                self._files.append(tar)
            else:
                tar.close()
        return self._image_ids[engine_id]

    def _export(self, engine_id: str) -> SavedImage:
        with self._lock:
            if engine_id not in self._saved:
                image, tar = self._exported(engine_id)
                self._files.append(tar)
                self._saved[engine_id] = image
                self._image_ids[engine_id] = image.id
            return self._saved[engine_id]

    def _exported(self, engine_id: str) -> tuple[SavedImage, TarImage]:
        staged = SpooledBlob(self._engine.export(engine_id))
        tar = TarImage("the archive of %s from the engine" % engine_id, staged.release())
        try:
            images = DockerSave(tar).images
            if len(images) != 1:
                cause = "the engine exported %d images instead of image %s" % (len(images), engine_id)
                raise InvalidContent(cause, hint="Check the engine's log")
        except BaseException:
            tar.close()
            raise
        return images[0], tar

    def _id_of(self, found: t.Mapping[str, t.Any]) -> str:
        engine_id = digests.check(found.get("Id"))
        if not self._knows_others():
            return engine_id
        with _broken(engine_id):
            return self._export(engine_id).id

    def _knows_others(self) -> bool:
        """Return whether the engine uses different IDs."""
        if self._has_other_ids is None:
            self._has_other_ids = self._engine.has_other_ids()
        return self._has_other_ids


@contextlib.contextmanager
def _broken(name: str) -> t.Iterator[None]:
    """Raise InvalidContent if the engine cannot export the image, so that another image may replace it."""
    try:
        yield
    except (NotFound, Refused, DigestMismatch) as error:
        cause = "the engine cannot export image %s: %s" % (name, error.cause)
        raise InvalidContent(cause, hint=_UNREADABLE_HINT) from None
