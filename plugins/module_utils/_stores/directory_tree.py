# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Trees of images in directories, in the format of ``skopeo sync --dest dir``: one ``<repository>:<tag>`` for each image.

An image that was selected by its digest is in ``<repository>@<digest>``. As in skopeo, a directory without tag or
digest has the tag ``latest``. If the file system supports hard links, images of a tree share their common files.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import secrets
import stat
import typing as t

from .._errors import InvalidContent, InvalidReference, LocalFailure, NotFound, file_errors, local_failure, tag_moved
from .._files import STAGING, open_regular, status_of
from .._image import cosign_tag, referrers, signature_file
from .._image import digest as digests
from .._image import reference as references
from .._image.descriptor import Descriptor, OpenBlob
from .._image.manifest import Manifest
from .content_location import Location
from .directory import Directory
from .directory_signatures import DirectorySignatures
from .oci_index import MAX_ENTRIES
from .repository import Repository, Store, StoreRoot

# The characters of a path with the components of a reference, see reference.py. No image that skopeo or this collection
# copies under its own name is in a directory with another name, but lost+found, .Trash-0 and the like are.
_PATH = re.compile(r"(?:(?:^|/)[A-Za-z0-9\[][A-Za-z0-9._:\[\]-]*(?:@[^/]+)?)+")


class DirectoryTree(StoreRoot):
    """A tree of images."""

    def __init__(self, root: str, warn: t.Callable[[str], None]) -> None:
        self._root = root
        self._warn = warn

    def repository(self, name: str) -> TreeRepository:
        """Return the directories whose names begin with the name of the repository."""
        return TreeRepository(self._root, name, self._warn)

    def repositories(self) -> list[str]:
        """Return the repositories of all images in the tree."""
        return repositories(self._root)


class TreeImage(Directory):
    """One image of a tree. Any tag refers to this image."""

    def __init__(self, root: str, name: str, warn: t.Callable[[str], None], repository: str = "") -> None:
        super().__init__(os.path.join(root, name), warn)
        self._root = root
        self._name = name
        self._repository = repository
        self.referrers = TreeReferrers(self._path, self._top_digest, self._tagged)

    @property
    def location(self) -> Location:
        """The directory in the tree. It can link to the files of other directories."""
        return Location("dir", "dir:%s" % os.path.realpath(self._root), self._name, shares_content=False)

    def find(self, name: str) -> Descriptor | None:
        """Return the image; for a digest, only if it has that digest. For one of its digest tags, return the attached artifact."""
        return super().find(name if digests.is_digest(name) or self._is_attached(name) else "")

    def manifest(self, name: str, legacy: bool = False) -> Manifest:
        """Return the image, a manifest that it lists, or an artifact that is attached to it."""
        return super().manifest(name if digests.is_digest(name) or self._is_attached(name) else "", legacy)

    def _is_attached(self, name: str) -> bool:
        """Return False for the name of this directory, which refers to its own image even if it is a cosign tag."""
        is_own = self._name == "%s:%s" % (self._repository, name)
        return not is_own and super()._is_attached(name)

    def _tagged(self, tag: str) -> Directory | None:
        """Return the directory of another tag of the repository, if it exists."""
        name = "%s:%s" % (self._repository, tag)
        return TreeImage(self._root, name, self._warn) if _is_image(os.path.join(self._root, name)) else None

    def put_blob(self, blob: Descriptor, open_blob: OpenBlob, mount_from: str) -> bool:
        """Link to the file in the directory ``mount_from`` of the tree if it exists, else write the file."""
        if mount_from:
            with file_errors("write", self._path):
                self._prepare()
                with contextlib.suppress(OSError):  # whatever keeps it from being linked, it can still be copied
                    self._link(blob, TreeImage(self._root, mount_from, self._warn).blob_path(blob.digest))
                    return True
        return super().put_blob(blob, open_blob, "")

    def _link(self, blob: Descriptor, file: str) -> None:
        """Link to a file. Raises OSError."""
        if os.stat(file).st_size != blob.size:
            raise FileNotFoundError(file)
        target = self.blob_path(blob.digest)
        if file != target:  # what a killed run left here is here
            staged = os.path.join(self._path, STAGING + secrets.token_hex(8))
            os.link(file, staged)
            try:
                os.rename(staged, target)
            finally:
                with contextlib.suppress(FileNotFoundError):  # if both are the same file, it is not renamed
                    os.unlink(staged)


class TreeReferrers(DirectorySignatures):
    """The artifacts attached to an image of a tree: its signature files, and the directories of digest tags.

    Such directories exist if a program has copied all tags. They are only read; ``tagged`` returns them by tag.
    """

    def __init__(self, path: str, top: t.Callable[[str], str], tagged: t.Callable[[str], Directory | None]) -> None:
        super().__init__(path, top)
        self._tagged = tagged
        self._others: list[Directory] = []

    def entries(self, subject: str, artifact_type: str = "", is_only: bool = False) -> list[Descriptor]:
        """Return the list of referrers from the tag schema, if the tree contains it."""
        current = self._other(referrers.list_tag(subject))
        return referrers.hints(current.children) if current and referrers.is_list(current, subject) else []

    def cosign_tags(self, subject: str) -> list[str]:
        """Return the tags that have files or directories."""
        tags = dict.fromkeys([*signature_file.tags(subject), *referrers.cosign_tags(subject)])
        return [tag for tag in tags if self.image(tag)]

    def image(self, tag: str) -> Manifest | None:
        """Return the image of the directory, with the signatures that only files contain."""
        own = super().image(tag)
        other = self._other(tag)
        if own is None or other is None:
            return own or other
        both, config = cosign_tag.merged(own, other) or (other, b"")
        self.add(both, config)
        return both

    def manifest(self, digest: str) -> Manifest:
        """Return an image that was returned before, or one of its descendants."""
        for other in self._others:
            with contextlib.suppress(NotFound):
                return other.manifest(digest)
        return super().manifest(digest)

    def has_blob(self, digest: str) -> bool:
        """Return whether a blob belongs to such an image."""
        return super().has_blob(digest) or any(status_of(other.blob_path(digest)) for other in self._others)

    def open_blob(self, digest: str) -> t.BinaryIO:
        """Open a blob of such an image."""
        for other in self._others:
            with contextlib.suppress(FileNotFoundError):
                return open_regular(other.blob_path(digest))
        return super().open_blob(digest)

    def _other(self, tag: str) -> Manifest | None:
        other = self._tagged(tag)
        if other is None:
            return None
        self._others.append(other)
        return other.manifest("")


class TreeRepository(Repository):
    """The images of one repository in a tree. Each of them is a separate store."""

    def __init__(self, root: str, repository: str, warn: t.Callable[[str], None]) -> None:
        """Raise InvalidReference for a name that would leave the tree or that is not a valid path."""
        parts = repository.split("/")
        if not repository.isprintable() or any(part in ("", ".", "..") or part.startswith(STAGING) for part in parts):
            cause = "%r cannot be used as a repository name in a directory" % repository
            raise InvalidReference(cause, "dir:%s" % root, "Use another repository name, without . or .. segments")
        self._root = root
        self._repository = repository
        self._warn = warn

    @property
    def location(self) -> Location:
        """The repository in the tree. Each of its images has a separate location."""
        return Location("dir", "dir:%s" % os.path.realpath(self._root), self._repository, shares_content=False)

    def open(self, name: str) -> Store:
        """Return the directory of this tag or digest, which may not exist."""
        return TreeImage(self._root, self._directory(name), self._warn, self._repository)

    def reference(self, name: str) -> str:
        """Return ``dir:ROOT/REPOSITORY:TAG``."""
        return "dir:%s" % os.path.join(self._root, self._path_of(name))

    def resolve(self, name: str) -> Descriptor | None:
        """Return the image in the directory with this name."""
        return self.open(name).resolve(name)

    def find(self, name: str) -> Descriptor | None:
        """Find an image like :meth:`resolve`; for a digest, find any image or child of an image in this repository."""
        if not digests.is_digest(name):
            return self.open(name).find(name)
        with contextlib.suppress(NotFound):
            for image in map(self.open, self.tags()):
                with contextlib.suppress(NotFound):
                    return image.manifest(name).descriptor
        return None

    def tags(self) -> list[str]:
        """Return the tags and digests of the directories. Raises NotFound if there are none."""
        directory, base = os.path.split(os.path.join(self._root, self._repository))
        found: list[str] = []
        with file_errors("read", directory), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found = sorted(os.listdir(directory))
        names = [name[len(base) + 1 :] for name in found if name.startswith((base + ":", base + "@"))]
        names = [name for name in names if references.is_tag(name) or digests.is_digest(name)]
        names = [name for name in names if _is_image(os.path.join(self._root, self._directory(name)))]
        if "latest" not in names and _is_image(os.path.join(self._root, self._directory("latest"))):
            names.append("latest")
        if not names:
            raise NotFound("the repository contains no images", self.reference(""), "Check the repository name")
        return names

    def delete_tag(self, tag: str, digest: str) -> str:
        """Delete the directory of this tag. Raises ImageError if it has moved."""
        store = self.open(tag)
        if store.delete(digest):
            return "tag"
        now = store.find("")
        if now:
            raise tag_moved(now.digest)
        return ""

    def _directory(self, name: str) -> str:
        """Return the directory of a tag or digest. The name of the directory for ``latest`` may contain no tag."""
        path = self._path_of(name)
        is_tagless = name == "latest" and not _is_image(os.path.join(self._root, path))
        return self._repository if is_tagless and _is_image(os.path.join(self._root, self._repository)) else path

    def _path_of(self, name: str) -> str:
        return self._repository + (name and ("@" if digests.is_digest(name) else ":") + name)


def repositories(root: str) -> list[str]:
    """Return the repositories of all images in a tree, in order. Raises NotFound if the directory does not exist.

    Unreadable directories of other programs are skipped. Any other unreadable directory raises LocalFailure.
    """
    status = status_of(root)
    if status is None or not stat.S_ISDIR(status.st_mode):
        raise NotFound("the directory %s does not exist" % root, hint="Check the path")
    if _is_image(root):
        hint = "Use the parent directory, or copy the image with image_copy"
        raise NotFound("the directory contains a single image, not a tree of images", "dir:%s" % root, hint)
    found: set[str] = set()
    seen = 0
    for directory, names, files in os.walk(root, onerror=functools.partial(_raise_unless_skipped, root)):
        # A link to an image that this user cannot read is one of the files.
        images = {name for name in [*names, *files] if _is_image_of(root, os.path.join(directory, name))}
        names[:] = [name for name in names if name not in images]  # nothing of a tree is inside an image
        for name in images:
            repository, separator, _rest = name.partition("@") if "@" in name else name.rpartition(":")
            found.add(os.path.relpath(os.path.join(directory, repository if separator else name), root))
        seen += len(names) + len(images)
        if seen > MAX_ENTRIES:
            cause = "the directory has more than %d subdirectories" % MAX_ENTRIES
            raise InvalidContent(cause, "dir:%s" % root, "Use a directory that contains only images")
    return sorted(found)


def _raise_unless_skipped(root: str, error: OSError) -> None:
    """Raise LocalFailure, unless the directory was removed during the walk or belongs to another program."""
    if not isinstance(error, FileNotFoundError) and not _is_foreign(root, error.filename or root):
        raise local_failure(error, "read", root)


def _is_image_of(root: str, path: str) -> bool:
    """Return whether a directory below ``root`` contains an image, see :func:`_is_image`."""
    try:
        return _is_image(path)
    except LocalFailure:
        if _is_foreign(root, path):
            return False
        raise


def _is_foreign(root: str, path: str) -> bool:
    """Return whether the names of a directory and of those above it, below ``root``, show that it belongs to another program."""
    relative = os.path.relpath(path, root)
    return relative != os.curdir and not _PATH.fullmatch(relative)


def _is_image(path: str) -> bool:
    """Return whether a directory contains an image. Raises LocalFailure if it cannot be read: sync would prune the image elsewhere."""
    status = status_of(os.path.join(path, "manifest.json"))
    return status is not None and stat.S_ISREG(status.st_mode)
