# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A private directory for files that a program must receive by name.

The files are whole images. A killed run cannot remove them, so the next run does: each active run holds a lock on its
directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
import threading

from .._errors import file_errors
from .._files import temporary_directory

_PREFIX = "drayage-podman-"
# Neither waits for the other end of a pipe nor follows a link that somebody has put there.
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class Workplace:
    """One directory for the run. It is created when it is first needed."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._path = ""
        self._descriptor = -1

    def new_path(self) -> str:
        """Return the path for a new file, which nobody else uses."""
        with self._guard:
            if not self._path:
                parent = temporary_directory()
                with file_errors("write", parent):
                    _remove_abandoned(parent)
                    self._path, self._descriptor = _create(parent)
            return os.path.join(self._path, secrets.token_hex(8) + ".tar")

    def close(self) -> None:
        """Remove the directory and its content."""
        if self._path:
            shutil.rmtree(self._path, ignore_errors=True)
            os.close(self._descriptor)
            self._path, self._descriptor = "", -1


def _create(parent: str) -> tuple[str, int]:
    while True:
        path = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
        # Between these two lines another run may have taken it for abandoned.
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, _DIRECTORY)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if os.path.exists(path):
                return path, descriptor
            os.close(descriptor)


def _remove_abandoned(parent: str) -> None:
    for name in os.listdir(parent):
        if name.startswith(_PREFIX):
            with contextlib.suppress(OSError):
                _remove_if_abandoned(os.path.join(parent, name))


def _remove_if_abandoned(path: str) -> None:
    descriptor = os.open(path, _DIRECTORY)
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)
