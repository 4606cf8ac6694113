# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Numbered signature files: ``signature-1``, ``signature-2`` and so on. Readers stop at the first missing number."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._errors import Refused
from .._files import is_missing, write_file

NAME = "signature-"
# Nobody signs an image more often. More are not written, because they would not be read.
MOST = 1000


def numbered(directory: str, name: str) -> list[str]:
    """Return the signature files in order. They are numbered from 1 without gaps. The list is empty if there is no directory."""
    found: list[str] = []
    while directory and len(found) < MOST:
        path = os.path.join(directory, "%s%d" % (name, len(found) + 1))
        if is_missing(path):
            break
        found.append(path)
    return found


def check_room(directory: str, name: str, added: int = 1) -> int:
    """Return how many files there are. Raises Refused if so many more would not all be read."""
    number = len(numbered(directory, name))
    if number + added > MOST:
        cause = "%s would contain more than %d signatures of one image" % (directory, MOST)
        raise Refused(cause, hint="Remove signatures that are no longer needed")
    return number


def append(directory: str, name: str, content: bytes) -> None:
    """Write one more file. Raises OSError, or Refused if there are too many."""
    target = os.path.join(directory, "%s%d" % (name, check_room(directory, name) + 1))
    write_file(directory, target, content)


def remove(directory: str, name: str, removed: t.Collection[str]) -> None:
    """Remove files, and renumber the following ones, so that readers find all of them. Raises OSError."""
    files = numbered(directory, name)
    kept = [path for path in files if path not in removed]
    for path, target in zip(kept, files):
        if path != target:
            os.replace(path, target)
    for path in files[len(kept) :]:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
