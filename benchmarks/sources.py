# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images to copy, and the storage of the registry that they come from: big ones are kept for the next time."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from devtools import images
from devtools.observe import digest_at
from devtools.provision import BUILD
from devtools.servers import DockerRegistry

BENCH = BUILD / "bench"
TAG = "v1"

_MEGABYTE = 1000**2
_SMALL_LAYERS = 16


@dataclass(frozen=True)
class Shape:
    """How many layers of which size (in MB) an image has; none of them can be compressed."""

    layers: int
    megabytes: int

    def __str__(self) -> str:
        return f"{self.layers} x {self.megabytes} MB"

    @property
    def bytes(self) -> int:
        """How large all layers are together."""
        return self.layers * self.megabytes * _MEGABYTE

    @property
    def repository(self) -> str:
        """Where the image is in the registry."""
        return f"bench/{self.layers}x{self.megabytes}"

    @property
    def storage(self) -> Path:
        """Where the registry that has only this image keeps it."""
        return BENCH / "source" / f"{self.layers}x{self.megabytes}"


LAYERED = Shape(16, 64)
SINGLE_BLOB = Shape(1, 2000)
GIGABYTE = Shape(1, 1000)


def stored(shape: Shape) -> str:
    """Make sure that the source storage has an image of this shape, and return its digest."""
    known = shape.storage / "digest.json"
    if known.exists():
        digest = json.loads(known.read_text(encoding="ascii"))
        with DockerRegistry(shape.storage) as registry:
            if digest_at(registry.host, shape.repository, TAG) == digest:
                return digest
    shutil.rmtree(shape.storage, ignore_errors=True)
    digest = _make(shape)
    known.write_text(json.dumps(digest), encoding="ascii")
    return digest


def small() -> images.Image:
    """Make an image of many layers that is quickly made and pushed."""
    return images.single(layers=[_MEGABYTE] * _SMALL_LAYERS, seed="bench")


def _make(shape: Shape) -> str:
    print(f"making an image of {shape}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=BENCH, prefix="make-") as layout, DockerRegistry(shape.storage) as registry:
        image = images.big(layout, shape.layers, shape.megabytes * _MEGABYTE, seed="bench")
        images.push(image, registry.host, shape.repository, TAG)
    return image.digest
