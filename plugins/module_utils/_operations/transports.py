# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The table of transports on the node: which class opens the images of each.

Registries are not in it, because their stores share connections: see :class:`.stores.Stores`. Each transport imports what it
needs: a task pays for its imports, and has to do with few transports.
"""

from __future__ import annotations

import typing as t

from .._run import Run
from .._stores.repository import Root, Store

if t.TYPE_CHECKING:
    from .._stores.image_backend import ImageBackend
    from .._stores.oci_layout import OciLayout

Warn = t.Callable[[str], None]


def _layout(path: str, warn: Warn, external_blobs: t.Collection[str] = frozenset()) -> OciLayout:
    from .._stores.oci_layout import OciLayout

    return OciLayout(path, warn, external_blobs)


def _archive(path: str, run: Run) -> Store:
    from .._stores.oci_archive import OciArchive

    return OciArchive(path, run.warn, run.counted)


def _directory(path: str, run: Run) -> Store:
    from .._stores.directory import Directory

    return Directory(path, run.warn)


def _directory_tree(path: str, warn: Warn, _external_blobs: t.Collection[str]) -> Root:
    from .._stores.directory_tree import DirectoryTree

    return DirectoryTree(path, warn)


def _docker_archive(_transport: str, path: str, _timeout: float, run: Run) -> ImageBackend:
    from .._stores.docker_archive import DockerArchive

    return DockerArchive(path, run.counted)


def _engine(transport: str, _path: str, timeout: float, run: Run) -> ImageBackend:
    from .._engine.find import find
    from .._stores.engine_images import EngineImages

    return EngineImages(transport, find(transport, timeout, run), run.counted)


# The images of a path.
STORES: dict[str, t.Callable[[str, Run], Store]] = {
    "oci": lambda path, run: _layout(path, run.warn),
    "oci-archive": _archive,
    "dir": _directory,
}

# Paths with many repositories, for sets of images. Those of a layout need not have the blobs whose digests are given.
ROOTS: dict[str, t.Callable[[str, Warn, t.Collection[str]], Root]] = {"oci": _layout, "dir": _directory_tree}

# What keeps whole images.
BACKENDS: dict[str, t.Callable[[str, str, float, Run], ImageBackend]] = {
    "docker-archive": _docker_archive,
    "docker-daemon": _engine,
    "containers-storage": _engine,
}
