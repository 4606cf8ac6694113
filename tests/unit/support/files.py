# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files in a directory."""

from __future__ import annotations

import os
import pathlib


def listed(directory: pathlib.Path) -> list[str]:
    """The names of everything in a directory, hidden files included, in order."""
    return sorted(os.listdir(directory))


def files(directory: pathlib.Path) -> list[str]:
    """The paths of all files below a directory."""
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())
