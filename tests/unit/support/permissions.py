# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories without permissions, also for tests that run as root."""

from __future__ import annotations

import errno
import os


def deny(monkeypatch, directory):
    """Let every access to the content of a directory fail, as for a user without any permissions on it."""
    closed = str(directory)

    def deny_in(name, *, lists):
        real = getattr(os, name)

        def denying(path=".", *arguments, **options):
            asked = path if isinstance(path, int) else os.fspath(path)
            if isinstance(asked, str) and (asked.startswith(closed + os.sep) or (lists and asked == closed)):
                raise PermissionError(errno.EACCES, "Permission denied", asked)
            return real(path, *arguments, **options)

        monkeypatch.setattr(os, name, denying)

    for name in ("stat", "open"):
        deny_in(name, lists=False)
    for name in ("listdir", "scandir"):
        deny_in(name, lists=True)
