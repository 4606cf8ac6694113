# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A ``docker save`` file as an image backend: it contains several images, each with any number of names.

To change the file, a new one is written next to it and then renamed under a lock. Its other images are kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from .._errors import ContentMissing, ImageError, InvalidContent, LocalFailure, NotFound, file_errors
from .._files import (
    ReentrantLock,
    keep_access,
    replaced,
    reserved,
    status_of_regular,
    sync_directory,
    target_of,
)
from .._image import digest as digests
from .._image import reference as references
from .._image.saved import SavedImage
from .._run import Count, uncounted
from .content_location import Location
from .docker_save import DockerSave, archive, size_of
from .image_backend import ImageBackend, ReadLayers
from .layers import is_intact
from .tar_reader import TarImage


class DockerArchive(ImageBackend):
    """One file. It is read again only after it was replaced."""

    def __init__(self, path: str, count: Count = uncounted) -> None:
        self._path = path
        self._count = count
        self._opened: list[TarImage] = []
        self._images: list[SavedImage] = []
        self._ids: list[str] = []  # as manifest.json lists them: an image may be listed several times
        self._identity: tuple[int, ...] = ()
        self._locks = ReentrantLock()

    @property
    def location(self) -> Location:
        """The file."""
        return Location("docker-archive", "docker-archive:%s" % os.path.realpath(self._path))

    def find(self, name: str) -> str | None:
        """Return the ID for a name, an existing ID or a position. Raises ImageError if an empty name is ambiguous."""
        images = self._current()
        if digests.is_digest(name):
            return name if any(image.id == name for image in images) else None
        position = references.position(name)
        if position is not None:
            return self._ids[position] if images and position < len(self._ids) else None
        if name:
            found = [image for image in images if name in image.names]
        else:
            found = images
            if len({image.id for image in images}) > 1:
                names = ", ".join(sorted(self.names())[:20]) or "@0, @1 and so on, by position"
                cause = "the file contains several images"
                raise ImageError(cause, hint="Choose one of the available images: %s" % names)
        return found[-1].id if found else None

    def names(self) -> list[str]:
        """Return all names, in the order of the file."""
        return list(dict.fromkeys(name for image in self._read() for name in image.names))

    def image(self, image_id: str) -> SavedImage:
        """Return the image with this ID."""
        found = [image for image in self._read() if image.id == image_id]
        if not found:
            raise NotFound("image %s was removed from the file during this run" % image_id, hint="Run the task again")
        return found[0]

    def is_whole(self, image_id: str, layers: ReadLayers | None = None) -> bool:
        """Return whether the image exists. A file that can be read contains everything that its images need."""
        return bool(self.find(image_id))

    def is_intact(self, image_id: str, layers: ReadLayers | None = None) -> bool:
        """Return whether the layers have the right content. They are read, because nothing else verifies the file."""
        return self.is_whole(image_id) and all(map(is_intact, dict.fromkeys(self.image(image_id).layers)))

    def add(self, image: SavedImage) -> None:
        """Rewrite the file with this image, and move its names to it."""
        with self._locked():
            images = [other for other in self._without(image.names) if other.id != image.id]
            known = {name: None for other in self._current() if other.id == image.id for name in other.names}
            names = tuple(dict.fromkeys((*known, *image.names)))
            self._write([*images, dataclasses.replace(image, names=names)])

    def name(self, ids: t.Mapping[str, str]) -> None:
        """Rewrite the file with these names for its images."""
        with self._locked():
            missing = set(ids.values()) - {image.id for image in self._current()}
            if missing:
                cause = "image %s was removed from the file during this run" % missing.pop()
                raise ContentMissing(cause, hint="Run the task again")
            named = []
            for image in self._without(ids, keep=ids.values()):
                more = [name for name, image_id in ids.items() if image_id == image.id]
                named.append(dataclasses.replace(image, names=(*image.names, *more)))
            self._write(named)

    def remove(self, names: t.Collection[str]) -> bool:
        """Rewrite the file without these names and IDs. A file without images is deleted."""
        with self._locked():
            before = self._current()
            kept = [image for image in self._without(names) if image.id not in names]
            if kept == before:
                return False
            if kept:
                self._write(kept)
            else:
                with file_errors("remove", self._path):
                    target = target_of(self._path)
                    os.unlink(target)
                    sync_directory(os.path.dirname(target))
        return True

    @contextlib.contextmanager
    def exclusive(self) -> t.Iterator[None]:
        """Hold the lock, so that nobody else can replace the file until this thread does. Each later change takes the lock again."""
        with self._locked():
            yield

    def close(self) -> None:
        """Close the file."""
        for tar in self._opened:
            tar.close()

    def _current(self) -> list[SavedImage]:
        try:
            return self._read()
        except NotFound:
            return []

    def _without(self, names: t.Collection[str], keep: t.Collection[str] = ()) -> list[SavedImage]:
        """Return the images without these names. Images that lose their last name are removed, except for the IDs in ``keep``."""
        remaining = []
        for image in self._current():
            left = tuple(name for name in image.names if name not in names)
            if left or not image.names or image.id in keep:
                remaining.append(dataclasses.replace(image, names=left))
        return remaining

    def _read(self) -> list[SavedImage]:
        """Read the images of the current file. A replaced file stays open, because its layers may still be read."""
        with file_errors("read", self._path):
            try:
                found = status_of_regular(self._path)
            except FileNotFoundError:
                raise NotFound("the file %s does not exist" % self._path, hint="Check the path") from None
            except InvalidContent as error:  # which is not to be replaced
                raise LocalFailure(error.cause) from None
        if not found.st_size:  # a place for an archive, as ansible.builtin.tempfile makes it
            raise NotFound("the file %s is empty" % self._path, hint="Check the path")
        identity = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        if identity != self._identity:
            tar = TarImage(self._path)
            self._opened.append(tar)
            listed = DockerSave(tar).images
            self._images, self._ids = _merged(listed), [image.id for image in listed]
            self._identity = identity
        return self._images

    def _write(self, images: t.Sequence[SavedImage]) -> None:
        target = target_of(self._path)
        with file_errors("write", self._path), replaced(target) as stream:
            keep_access(stream, target)
            for chunk in self._count("writing", self._path, size_of(images), archive(images)):
                stream.write(chunk)
        self._locks.note_loss()

    @contextlib.contextmanager
    def _locked(self) -> t.Iterator[None]:
        with file_errors("write", self._path), self._locks.hold(self._reserved):
            yield

    def _reserved(self) -> t.ContextManager[None]:
        target = target_of(self._path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        return reserved(target)


def _merged(images: t.Sequence[SavedImage]) -> list[SavedImage]:
    """Return each image once, with all of its names. A name belongs to the last entry with it, as for engines."""
    names: dict[str, list[str]] = {}
    for name, owner in {name: image.id for image in images for name in image.names}.items():
        names.setdefault(owner, []).append(name)
    found = {image.id: image for image in images}
    return [dataclasses.replace(image, names=tuple(names.get(image.id, ()))) for image in found.values()]
