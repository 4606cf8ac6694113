# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks that are broken: each way in which the collection reads from, writes to, or deletes at a registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from devtools import images
from devtools.images import Image
from devtools.places import FILE_PLACES
from devtools.prove.state import at_place, at_registry
from devtools.servers import DockerRegistry

OLD = images.single(seed="old")
INDEX = images.index()
SINGLE = images.single(docker=True, seed="single")
OTHER = images.single(seed="other")
# An upload of its layer goes on after a fault.
LARGE = images.single(layers=[3_000_000], seed="large")
KNOWN = {image.digest: image for image in (OLD, INDEX, SINGLE, OTHER, LARGE)}

State = Mapping[str, str]


@dataclass
class Servers:
    """The registries of a sweep: ``source`` and ``destination`` cannot delete tags, ``modern`` can."""

    source: DockerRegistry
    destination: DockerRegistry
    modern: DockerRegistry | None


@dataclass
class Task:
    """One run of a module: ``options`` are made of the addresses of the source and of the destination.

    ``before`` and ``after`` are what is at the destination, by name; ``state`` looks at it.
    """

    module: str
    source: str
    destination: str
    options: Callable[[str, str], dict]
    state: Callable[[], State]
    before: State
    after: State
    extra: dict = field(default_factory=dict)

    @property
    def sides(self) -> list[str]:
        """The sides that are servers."""
        return [side for side in ("source", "destination") if getattr(self, side)]


Operation = Callable[[Servers, str, Path], Task]


def copy_between_registries(servers: Servers, name: str, _directory: Path) -> Task:
    """A tag that exists at the destination moves to an index of two platforms."""
    source, destination = servers.source.host, servers.destination.host
    images.push(INDEX, source, name, "1")
    images.push(OLD, destination, name, "1")
    images.push(OTHER, destination, name, "2")
    return Task(
        "image_copy",
        source,
        destination,
        lambda src, dest: {"src": f"{src}/{name}:1", "dest": f"{dest}/{name}:1"},
        lambda: at_registry(destination, name, KNOWN),
        {"1": OLD.digest, "2": OTHER.digest},
        {"1": INDEX.digest, "2": OTHER.digest},
    )


def copy_within_a_registry(servers: Servers, name: str, _directory: Path) -> Task:
    """Blobs are mounted from one repository into another."""
    host = servers.destination.host
    images.push(INDEX, host, f"{name}/source", "1")
    return Task(
        "image_copy",
        "",
        host,
        lambda _src, dest: {"src": f"{dest}/{name}/source:1", "dest": f"{dest}/{name}:1"},
        lambda: at_registry(host, name, KNOWN),
        {},
        {"1": INDEX.digest},
    )


def retag(servers: Servers, name: str, _directory: Path) -> Task:
    """One tag is moved and one is made, both to an image that the repository has."""
    host = servers.destination.host
    images.push(OLD, host, name, "1")
    images.push(OTHER, host, name, "2")
    return Task(
        "image_tags",
        "",
        host,
        lambda _src, dest: {"repository": f"{dest}/{name}", "tags": {"1": "2", "3": "2"}},
        lambda: at_registry(host, name, KNOWN),
        {"1": OLD.digest, "2": OTHER.digest},
        {"1": OTHER.digest, "2": OTHER.digest, "3": OTHER.digest},
    )


def sync_with_prune(servers: Servers, name: str, _directory: Path) -> Task:
    """One tag is created, one updated, one removed, one stays."""
    source, destination = servers.source.host, servers.destination.host
    images.push(INDEX, source, name, "new")
    images.push(OTHER, source, name, "moved")
    images.push(SINGLE, source, name, "same")
    images.push(OLD, destination, name, "moved")
    images.push(SINGLE, destination, name, "same")
    images.push(images.single(seed="stale"), destination, name, "stale")
    return Task(
        "image_sync",
        source,
        destination,
        lambda src, dest: {"src": src, "dest": dest, "images": [{"name": name}], "prune": True},
        lambda: at_registry(destination, name, KNOWN),
        {"moved": OLD.digest, "same": SINGLE.digest, "stale": images.single(seed="stale").digest},
        {"moved": OTHER.digest, "same": SINGLE.digest, "new": INDEX.digest},
    )


def _deletion(host: str, name: str, tags: Mapping[str, Image], options: dict, gone: str) -> Task:
    for tag, image in tags.items():
        images.push(image, host, name, tag)
    before = {tag: image.digest for tag, image in tags.items()}
    return Task(
        "image_delete",
        "",
        host,
        lambda _src, dest: {"image": f"{dest}/{name}:{gone}", **options},
        lambda: at_registry(host, name, KNOWN),
        before,
        {tag: digest for tag, digest in before.items() if tag != gone},
    )


def delete_by_digest(servers: Servers, name: str, _directory: Path) -> Task:
    """The only tag of an image, where the registry deletes manifests only."""
    return _deletion(servers.destination.host, name, {"1": OLD, "2": OTHER}, {}, "1")


def delete_a_shared_tag(servers: Servers, name: str, _directory: Path) -> Task:
    """One of two tags of an image, where the registry deletes manifests only."""
    return _deletion(servers.destination.host, name, {"1": OLD, "2": OLD, "3": OTHER}, {}, "1")


def delete_by_tag(servers: Servers, name: str, _directory: Path) -> Task:
    """One of two tags of an image, where the registry deletes tags."""
    registry = servers.modern or servers.destination
    return _deletion(registry.host, name, {"1": OLD, "2": OLD, "3": OTHER}, {}, "1")


def delete_a_manifest(servers: Servers, name: str, _directory: Path) -> Task:
    """A manifest with its only tag."""
    return _deletion(servers.destination.host, name, {"1": OLD, "2": OTHER}, {"scope": "manifest"}, "1")


def _to_file(transport: str, image: Image) -> Operation:
    def copy(servers: Servers, name: str, directory: Path) -> Task:
        source = servers.source.host
        images.push(image, source, name, "1")
        place = FILE_PLACES[transport](directory)
        after = {"" if not place.has_names else "1": place.identity(image)}
        return Task(
            "image_copy",
            source,
            "",
            lambda src, _dest: {"src": f"{src}/{name}:1", "dest": place.reference()},
            lambda: at_place(place, KNOWN),
            {},
            after,
        )

    copy.__doc__ = f"A new image in {transport}."
    return copy


def from_layout(servers: Servers, name: str, directory: Path) -> Task:
    """A new image from a layout."""
    images.write_layout(INDEX, directory / "layout", "1")
    host = servers.destination.host
    return Task(
        "image_copy",
        "",
        host,
        lambda _src, dest: {"src": f"oci:{directory / 'layout'}:1", "dest": f"{dest}/{name}:1"},
        lambda: at_registry(host, name, KNOWN),
        {},
        {"1": INDEX.digest},
    )


def copy_a_large_layer(servers: Servers, name: str, _directory: Path) -> Task:
    """A tag moves to an image with a layer that is worth going on with, at a registry that can."""
    source, registry = servers.source.host, servers.modern or servers.destination
    images.push(LARGE, source, name, "1")
    images.push(OLD, registry.host, name, "1")
    return Task(
        "image_copy",
        source,
        registry.host,
        lambda src, dest: {"src": f"{src}/{name}:1", "dest": f"{dest}/{name}:1"},
        lambda: at_registry(registry.host, name, KNOWN),
        {"1": OLD.digest},
        {"1": LARGE.digest},
    )


OPERATIONS: dict[str, Operation] = {
    "copy, registry to registry": copy_between_registries,
    "copy, a large layer": copy_a_large_layer,
    "copy, within a registry": copy_within_a_registry,
    "copy, layout to registry": from_layout,
    "copy, registry to layout": _to_file("oci", INDEX),
    "copy, registry to archive": _to_file("oci-archive", INDEX),
    "copy, registry to directory": _to_file("dir", INDEX),
    "copy, registry to docker archive": _to_file("docker-archive", SINGLE),
    "tags, moved": retag,
    "sync with prune": sync_with_prune,
    "delete, by digest": delete_by_digest,
    "delete, a shared tag": delete_a_shared_tag,
    "delete, by tag": delete_by_tag,
    "delete, a manifest": delete_a_manifest,
}
