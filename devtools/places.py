# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The places that an image can be copied to and from, and what is at them as seen without the collection's own code."""

from __future__ import annotations

import hashlib
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from devtools.observe import digest_at, layout_names, tags_at

if TYPE_CHECKING:
    from devtools.engines import Engine
    from devtools.images import Image
    from devtools.servers import DockerRegistry


class Place:
    """Somewhere images are kept: flags say what of an image stays itself there.

    Where ``keeps_indexes`` is not set, only images for one platform go there. Where ``keeps_manifests`` is not set, an
    image is known there by the digest of its config. Where ``has_names`` is not set, there is one image only.
    """

    keeps_indexes: ClassVar[bool] = True
    keeps_manifests: ClassVar[bool] = True
    has_names: ClassVar[bool] = True
    is_local: ClassVar[bool] = True

    @property
    def environment(self) -> dict[str, str]:
        """Return what modules must be told to find it."""
        return {}

    def reference(self, name: str = "1") -> str:
        """Return what modules are given."""
        raise NotImplementedError

    def names(self) -> dict[str, str]:
        """Return the digest for each name that is there; the only image of a place without names has an empty one."""
        raise NotImplementedError

    def snapshot(self) -> dict[str, object]:
        """Return something that differs when anything was written here."""
        raise NotImplementedError

    def strays(self) -> list[str]:
        """Return what is there but is part of no image."""
        return []

    def identity(self, image: Image) -> str:
        """Return the digest that an image has here."""
        return image.digest if self.keeps_manifests else image.document()["config"]["digest"]


@dataclass
class RegistryPlace(Place):
    """A repository of a registry."""

    registry: DockerRegistry
    repository: str

    is_local = False

    def reference(self, name: str = "1") -> str:
        return f"{self.registry.host}/{self.repository}:{name}"

    def names(self) -> dict[str, str]:
        host = self.registry.host
        return {tag: digest_at(host, self.repository, tag) for tag in tags_at(host, self.repository)}

    def snapshot(self) -> dict[str, object]:
        return dict(self.names())


@dataclass
class FilePlace(Place):
    """Something in a directory of its own, which nobody else writes to."""

    directory: Path

    transport: ClassVar[str]

    @property
    def path(self) -> Path:
        """Return the file or directory that references name."""
        return self.directory / "images"

    def reference(self, name: str = "1") -> str:
        return f"{self.transport}:{self.path}:{name}"

    def snapshot(self) -> dict[str, object]:
        return {
            str(file.relative_to(self.directory)): (_digest(file), file.stat().st_ino, file.stat().st_mtime_ns)
            for file in self.directory.rglob("*")
            if file.is_file()
        }

    def strays(self) -> list[str]:
        beside = [file.name for file in self.directory.iterdir() if file != self.path]
        return beside + [str(file) for file in self.directory.rglob("*.staging-*")]


class LayoutPlace(FilePlace):
    """An OCI layout."""

    transport = "oci"

    def names(self) -> dict[str, str]:
        return layout_names(self.path) if (self.path / "index.json").exists() else {}


class ArchivePlace(FilePlace):
    """An OCI layout in a tar archive."""

    transport = "oci-archive"

    def names(self) -> dict[str, str]:
        if not self.path.exists():
            return {}
        with tarfile.open(self.path) as archive:
            for info in archive:
                if info.name.startswith("blobs/sha256/"):
                    assert info.name[13:] == hashlib.sha256(archive.extractfile(info).read()).hexdigest()
            entries = json.load(archive.extractfile("index.json"))["manifests"]
        names = [entry.get("annotations", {}).get("org.opencontainers.image.ref.name", "") for entry in entries]
        assert len(set(names)) == len(names), names
        return {name: entry["digest"] for name, entry in zip(names, entries)}


class DirectoryPlace(FilePlace):
    """The directory of one image."""

    transport = "dir"
    has_names = False

    def reference(self, name: str = "1") -> str:
        return f"dir:{self.path}"

    def names(self) -> dict[str, str]:
        top = self.path / "manifest.json"
        if not top.exists():
            return {}
        for blob in self.path.glob("?" * 64):
            assert blob.name == hashlib.sha256(blob.read_bytes()).hexdigest()
        return {"": _digest(top)}


class DockerArchivePlace(FilePlace):
    """A file of docker save; each image has a name in full."""

    transport = "docker-archive"
    keeps_indexes = keeps_manifests = False

    def reference(self, name: str = "1") -> str:
        return f"docker-archive:{self.path}:example.com/app:{name}"

    def names(self) -> dict[str, str]:
        if not self.path.exists():
            return {}
        found = {}
        with tarfile.open(self.path) as archive:
            for image in json.load(archive.extractfile("manifest.json")):
                config = archive.extractfile(image["Config"]).read()
                layers = [archive.extractfile(layer).read() for layer in image["Layers"]]
                diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
                assert json.loads(config)["rootfs"]["diff_ids"] == diff_ids
                tags = [name.rpartition(":")[2] for name in image["RepoTags"]]
                found.update(dict.fromkeys(tags, f"sha256:{hashlib.sha256(config).hexdigest()}"))
        return found


@dataclass
class EnginePlace(Place):
    """A repository of a container engine."""

    engine: Engine
    repository: str

    keeps_indexes = keeps_manifests = False
    is_local = False

    @property
    def environment(self) -> dict[str, str]:
        return self.engine.environment()

    def reference(self, name: str = "1") -> str:
        return f"{self.engine.transport}:example.com/{self.repository}:{name}"

    def names(self) -> dict[str, str]:
        start = f"example.com/{self.repository}:"
        names = sorted(name for name in self.engine.names() if name.startswith(start))
        return {name[len(start) :]: self.engine.image_id(name) for name in names}

    def snapshot(self) -> dict[str, object]:
        return dict(self.names())


ENGINE_PLACES = {"docker-daemon": "dockerd", "containers-storage": "podman"}

FILE_PLACES: dict[str, type[FilePlace]] = {
    "oci": LayoutPlace,
    "oci-archive": ArchivePlace,
    "dir": DirectoryPlace,
    "docker-archive": DockerArchivePlace,
}


def _digest(file: Path) -> str:
    return "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
