# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The classes that open images on the node, by transport.

Registries are not included, because their stores share connections, see :class:`.stores.Stores`. Each transport is
imported only when it is needed, because a task pays for its imports and uses few transports. Modules for sets do not
import this file: Ansible would pack it together with all its imports.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t

from .._image.reference import EngineReference, LocalReference
from .._imports import importing
from .._run import Run
from .._stores.repository import Closing, Store
from .roots import layout

if t.TYPE_CHECKING:
    from .._stores.image_backend import ImageBackend
    from .._stores.staging import Staging


def _layout(path: str, run: Run) -> Store:
    return layout(path, run.warn)


def _archive(path: str, run: Run) -> Store:
    with importing:
        from .._stores.oci_archive import OciArchive

    return OciArchive(path, run.warn, run.counted)


def _directory(path: str, run: Run) -> Store:
    with importing:
        from .._stores.directory import Directory

    return Directory(path, run.warn)


def _docker_archive(_transport: str, path: str, _timeout: float, run: Run) -> ImageBackend:
    with importing:
        from .._stores.docker_archive import DockerArchive

    return DockerArchive(path, run.counted)


def _engine(transport: str, _path: str, timeout: float, run: Run) -> ImageBackend:
    with importing:
        from .._engine.find import find
        from .._stores.engine_images import EngineImages

    return EngineImages(transport, find(transport, timeout, run), run.counted)


# The images of a path.
STORES: dict[str, t.Callable[[str, Run], Store]] = {"oci": _layout, "oci-archive": _archive, "dir": _directory}

# What keeps whole images.
BACKENDS: dict[str, t.Callable[[str, str, float, Run], ImageBackend]] = {
    "docker-archive": _docker_archive,
    "docker-daemon": _engine,
    "containers-storage": _engine,
}


class LocalImages:
    """Opens images in files, directories and engines. Images of the same file or engine share it.

    Thread-safe. Whatever has to be closed is added to ``closing``.
    """

    def __init__(self, timeout: float, run: Run, closing: contextlib.ExitStack) -> None:
        self._timeout = timeout
        self._run = run
        self._closing = closing
        self._lock = threading.Lock()
        self._staging: Staging | None = None
        self._backends: dict[tuple[str, str], ImageBackend] = {}

    def open(self, reference: LocalReference | EngineReference) -> Store:
        """Return the store for a reference. Nothing is read yet."""
        if isinstance(reference, EngineReference):
            return self._open_engine(reference)
        store = STORES[reference.transport](reference.path, self._run)
        if isinstance(store, Closing):
            self._closing.callback(store.close)
        return store

    def _open_engine(self, reference: EngineReference) -> Store:
        with importing:
            from .._stores.config_store import ConfigStore
            from .._stores.staging import Staging

        key = (reference.transport, reference.path)
        with self._lock:
            if self._staging is None:
                self._staging = Staging(self._run.counted)
                self._closing.callback(self._staging.close)
            if key not in self._backends:
                self._backends[key] = BACKENDS[reference.transport](*key, self._timeout, self._run)
                self._closing.callback(self._backends[key].close)
            return ConfigStore(self._backends[key], self._staging, reference)
