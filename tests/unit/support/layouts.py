# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OCI layouts on disk, as this collection or another tool leaves them."""

from __future__ import annotations

import json
import pathlib

from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support.images import Image, descriptor, encode, entry

REF_NAME = "org.opencontainers.image.ref.name"
FULL_NAME = "io.containerd.image.name"


def blob_file(path: pathlib.Path, digest: str) -> pathlib.Path:
    return path.joinpath("blobs", *digests.split(digest))


def stored(path: pathlib.Path) -> set[str]:
    """The digests of all files below blobs."""
    return {"%s:%s" % (file.parent.name, file.name) for file in path.glob("blobs/*/*")}


def needed(*images: Image | Manifest) -> set[str]:
    """The digests of all files that these need, but not their children."""
    found = set()
    for image in images:
        found.add(image.digest)
        found.update(digests.of(content) for content in (image.blobs if isinstance(image, Image) else ()))
    return found


def names(path: pathlib.Path) -> list[tuple[str, str]]:
    """Name and digest of each entry of index.json, in its order."""
    document = json.loads((path / "index.json").read_bytes())
    return [(item.get("annotations", {}).get(REF_NAME, ""), item["digest"]) for item in document["manifests"]]


def fill(layout: OciLayout, *images: Image | Manifest) -> None:
    """Put the blobs and manifests of images, without naming any."""
    for image in images:
        if isinstance(image, Image):
            for content in image.blobs:
                layout.put_blob(descriptor(content), lambda content=content: [content], "")
        layout.put_manifest(image.manifest if isinstance(image, Image) else image)


def publish(layout: OciLayout, image: Image | Manifest, *tags: str) -> None:
    """Put an image with all that it needs but its children, and name it."""
    fill(layout, image)
    layout.publish(image.manifest if isinstance(image, Image) else image, tags, None)


def foreign_layout(path: pathlib.Path, *named: tuple[str, Image | Manifest], **more: object) -> None:
    """Write a layout the way that another tool would: one entry for each pair of name and image."""
    entries = []
    for name, image in named:
        for content in image.blobs if isinstance(image, Image) else ():
            write_blob(path, content)
        manifest = image.manifest if isinstance(image, Image) else image
        write_blob(path, manifest.raw)
        entries.append(entry(manifest, annotations={REF_NAME: name}) if name else entry(manifest))
    path.mkdir(parents=True, exist_ok=True)
    (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (path / "index.json").write_bytes(encode({"schemaVersion": 2, "manifests": entries, **more}))


def docker_layout(path: pathlib.Path, *named: tuple[str, Image]) -> None:
    """Write the layout that is in an archive of ``docker save``: the name of an entry is its tag alone."""
    foreign_layout(path, *named)
    document = json.loads((path / "index.json").read_bytes())
    for item, (name, _image) in zip(document["manifests"], named):
        item["annotations"] = {FULL_NAME: name, REF_NAME: name.rpartition(":")[2]}
    (path / "index.json").write_bytes(encode(document))


def write_blob(path: pathlib.Path, content: bytes) -> None:
    file = blob_file(path, digests.of(content))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
