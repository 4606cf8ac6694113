# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is at a place after a task, seen without the collection's own code, with all content that it needs."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

from devtools.images import Image
from devtools.observe import blob_at, digest_at, tags_at
from devtools.places import ArchivePlace, DirectoryPlace, DockerArchivePlace, FilePlace, LayoutPlace

Images = Mapping[str, Image]


class Broken(AssertionError):
    """A name points to content that is not all there."""


def at_registry(host: str, repository: str, images: Images) -> dict[str, str]:
    """Return the digest of each tag of a repository; ``images`` are those, by digest, whose content is looked for.

    Raises Broken where a tag points to one of them and some of its content is missing.
    """
    found = {}
    for tag in tags_at(host, repository):
        digest = digest_at(host, repository, tag)
        if digest is None:  # distribution 3 lists a tag for a moment after it was deleted
            continue
        found[tag] = digest
        image = images.get(digest)
        if image:
            _check(tag, [child for child in image.manifests if digest_at(host, repository, child) != child])
            _check(tag, [blob for blob, content in image.blobs.items() if blob_at(host, repository, blob) != content])
    return found


def at_place(place: FilePlace, images: Images) -> dict[str, str]:
    """Return the digest of each name in a file or directory, as :func:`at_registry` does."""
    found = place.names()
    for name, digest in found.items():
        image = images.get(digest)
        if image:
            present = _CONTENTS[type(place)](place.path, image)
            wanted = set(image.manifests) | set(image.blobs)
            _check(name, sorted(wanted - present))
    return found


def _check(name: str, missing: list[str]) -> None:
    if missing:
        raise Broken(f"{name!r} lacks {', '.join(missing[:3])}")


def _in_layout(path: Path, _image: Image) -> set[str]:
    return {f"sha256:{file.name}" for file in path.glob("blobs/sha256/*")}


def _in_archive(path: Path, _image: Image) -> set[str]:
    with tarfile.open(path) as archive:
        return {f"sha256:{name.rpartition('/')[2]}" for name in archive.getnames() if "blobs/sha256/" in name}


def _in_directory(path: Path, image: Image) -> set[str]:
    present = {f"sha256:{file.name.partition('.')[0]}" for file in path.iterdir()}
    return present | {image.digest}


def _in_saved(path: Path, image: Image) -> set[str]:
    """The names of a file of docker save are read only together with its layers, which are compared there."""
    with tarfile.open(path) as archive:
        json.load(archive.extractfile("manifest.json"))
    return set(image.manifests) | set(image.blobs)


_CONTENTS = {
    LayoutPlace: _in_layout,
    ArchivePlace: _in_archive,
    DirectoryPlace: _in_directory,
    DockerArchivePlace: _in_saved,
}
