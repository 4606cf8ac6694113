# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write images into OCI layouts."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from devtools.images.value import Blob, Image, to_json

_REF_NAME = "org.opencontainers.image.ref.name"


def write_layout(image: Image, path: Path | str, ref: str | None = None) -> None:
    """Add an image to the OCI layout at ``path``, which is made where it is missing; ``ref`` names the image."""
    layout = Path(path)
    directory = layout / "blobs" / "sha256"
    directory.mkdir(parents=True, exist_ok=True)
    contents: dict[str, Blob] = {**image.blobs, **{digest: data for digest, (_type, data) in image.manifests.items()}}
    for digest, content in contents.items():
        _write(directory / digest.split(":")[1], content)
    (layout / "oci-layout").write_bytes(to_json({"imageLayoutVersion": "1.0.0"}))
    _write_index(layout / "index.json", image, ref)


def _write(file: Path, content: Blob) -> None:
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif not file.exists():
        _link_or_copy(content, file)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def _write_index(file: Path, image: Image, ref: str | None) -> None:
    others = json.loads(file.read_bytes())["manifests"] if file.exists() else []
    if ref is None:
        kept = [other for other in others if other != image.descriptor()]
        entry = image.descriptor()
    else:
        kept = [other for other in others if other.get("annotations", {}).get(_REF_NAME) != ref]
        entry = image.descriptor(annotations={_REF_NAME: ref})
    file.write_bytes(to_json({"schemaVersion": 2, "manifests": [*kept, entry]}))
