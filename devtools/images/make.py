# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make images of every shape that the collection has to copy."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Union

from devtools.images import elf, layer
from devtools.images.value import DOCKER, OCI, Blob, Image, MediaTypes, digest_of, image_of, platform_of, to_json

MULTI = ("linux/amd64", "linux/arm64")
SIZES = (1000, 2000)

# What a layer holds: these bytes, or so many bytes of its own.
Content = Union[bytes, int]


def single(
    platform: str = "linux/amd64",
    *,
    layers: Sequence[Content] = SIZES,
    docker: bool = False,
    seed: str = "image",
    labels: dict[str, str] | None = None,
    run: dict | None = None,
) -> Image:
    """Make an image for one platform; ``run`` is added to what its config says of how to run it.

    A layer given as bytes is a file of this content, and the same blob in every image that has it;
    a layer given as a size has content of its own, which depends on seed, platform and position.
    """
    made = [layer.in_memory(_file(content, position, f"{seed}/{platform}")) for position, content in enumerate(layers)]
    blobs = {part.digest: content for part, content in made}
    config = {"Cmd": ["/file-0"], "Labels": labels or {}, **(run or {})}
    return _image([part for part, _content in made], blobs, platform, config, seed, docker)


def index(
    platforms: Sequence[str] = MULTI,
    *,
    layers: Sequence[Content] = SIZES,
    docker: bool = False,
    attestations: bool = False,
    seed: str = "image",
) -> Image:
    """Make a multi-platform image, with a provenance attestation for each platform as buildkit makes them."""
    types = _types(docker)
    images = [single(platform, layers=layers, docker=docker, seed=seed) for platform in platforms]
    children = [image.descriptor(platform=platform_of(platform)) for image, platform in zip(images, platforms)]
    extras = [_attestation(image, types) for image in images] if attestations else []
    children += [
        extra.descriptor(
            annotations={
                "vnd.docker.reference.digest": image.digest,
                "vnd.docker.reference.type": "attestation-manifest",
            },
            platform=platform_of("unknown/unknown"),
        )
        for extra, image in zip(extras, images)
    ]
    return _index(children, (*images, *extras), types)


def nested(platforms: Sequence[str] = MULTI, *, seed: str = "image") -> Image:
    """Make an index of an index of the given platforms, and of an image for linux/s390x."""
    inner = index(platforms, seed=seed)
    other = single("linux/s390x", seed=seed)
    children = [inner.descriptor(), other.descriptor(platform=platform_of("linux/s390x"))]
    return _index(children, (inner, other), OCI)


def artifact(
    artifact_type: str = "application/vnd.example.report",
    *,
    content: bytes = b"a report\n",
    subject: Image | None = None,
) -> Image:
    """Make an OCI 1.1 artifact; with a subject it is a referrer of that image."""
    config = b"{}"
    document = {
        "schemaVersion": 2,
        "mediaType": OCI.manifest,
        "artifactType": artifact_type,
        "config": _descriptor("application/vnd.oci.empty.v1+json", config),
        "layers": [_descriptor("text/plain", content)],
    }
    if subject:
        document["subject"] = subject.descriptor()
    return image_of(document, blobs={digest_of(config): config, digest_of(content): content})


def hello(platforms: Sequence[str] = MULTI, *, message: str = "Hello from drayage.registry!\n") -> Image:
    """Make a multi-platform image that runs: /hello prints the message."""
    images = []
    for platform in platforms:
        program = elf.executable(platform, message.encode())
        part, content = layer.in_memory(layer.content_file("hello", program, mode=0o755))
        images.append(_image([part], {part.digest: content}, platform, {"Entrypoint": ["/hello"]}, "hello", False))
    children = [image.descriptor(platform=platform_of(platform)) for image, platform in zip(images, platforms)]
    return _index(children, tuple(images), OCI)


def big(layout: Path | str, layer_count: int, layer_size: int, *, seed: str = "big") -> Image:
    """Make an image whose layers do not fit in memory: they are written straight into an OCI layout.

    The layout's index is left to ``write_layout``. The layers cannot be compressed any further.
    """
    directory = Path(layout) / "blobs" / "sha256"
    directory.mkdir(parents=True, exist_ok=True)
    layers, blobs = [], {}
    for position in range(layer_count):
        part = _on_disk(_file(layer_size, position, seed), directory)
        layers.append(part)
        blobs[part.digest] = directory / part.digest.split(":")[1]
    return _image(layers, blobs, "linux/amd64", {"Cmd": ["/file-0"]}, seed, False)


def _file(content: Content, position: int, seed: str) -> layer.File:
    name = f"file-{position}"
    if isinstance(content, bytes):
        return layer.content_file(name, content)
    return layer.random_file(name, content, f"{seed}/{position}")


def _on_disk(file: layer.File, directory: Path) -> layer.Layer:
    unfinished = directory / f".{file.name}"
    with unfinished.open("wb") as output:
        part = layer.write(file, output)
    os.replace(unfinished, directory / part.digest.split(":")[1])
    return part


def _image(
    layers: list[layer.Layer], blobs: dict[str, Blob], platform: str, run: dict, seed: str, docker: bool
) -> Image:
    types = _types(docker)
    config = to_json(
        {
            "created": "2026-01-01T00:00:00Z",
            **platform_of(platform),
            "config": {"Env": ["PATH=/"], **run},
            "rootfs": {"type": "layers", "diff_ids": [part.diff_id for part in layers]},
            "history": [{"created": "2026-01-01T00:00:00Z", "created_by": f"devtools {seed}"} for _part in layers],
        }
    )
    document = {
        "schemaVersion": 2,
        "mediaType": types.manifest,
        "config": _descriptor(types.config, config),
        "layers": [{"mediaType": types.layer, "digest": part.digest, "size": part.size} for part in layers],
    }
    return image_of(document, blobs={**blobs, digest_of(config): config})


def _attestation(image: Image, types: MediaTypes) -> Image:
    predicate_type = "https://slsa.dev/provenance/v0.2"
    statement = to_json(
        {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": predicate_type,
            "subject": [{"name": "image", "digest": {"sha256": image.digest.split(":")[1]}}],
            "predicate": {"builder": {"id": ""}, "buildType": "https://mobyproject.org/buildkit@v1"},
        }
    )
    config = to_json(
        {
            **platform_of("unknown/unknown"),
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(statement)]},
        }
    )
    layer_descriptor = _descriptor("application/vnd.in-toto+json", statement)
    layer_descriptor["annotations"] = {"in-toto.io/predicate-type": predicate_type}
    document = {
        "schemaVersion": 2,
        "mediaType": types.manifest,
        "config": _descriptor(types.config, config),
        "layers": [layer_descriptor],
    }
    return image_of(document, blobs={digest_of(config): config, digest_of(statement): statement})


def _index(children: list[dict], parts: tuple[Image, ...], types: MediaTypes) -> Image:
    return image_of({"schemaVersion": 2, "mediaType": types.index, "manifests": children}, parts)


def _descriptor(media_type: str, content: bytes) -> dict:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _types(docker: bool) -> MediaTypes:
    return DOCKER if docker else OCI
