# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tar archives, made with the standard library rather than the collection's own writer."""

from __future__ import annotations

import io
import pathlib
import tarfile


def member(name: str, content: bytes | None = b"", kind: bytes = tarfile.REGTYPE, **more: object) -> tuple:
    """A member for :func:`write`; ``more`` are further fields of its header."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = len(content or b"")
    for field, value in more.items():
        setattr(info, field, value)
    return info, content


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple:
    return member(name, None, kind, linkname=target)


def tar(*members: tuple, layout: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=layout) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content) if content else None)
    return buffer.getvalue()


def write(path: pathlib.Path, *members: tuple, layout: int = tarfile.GNU_FORMAT) -> pathlib.Path:
    path.write_bytes(tar(*members, layout=layout))
    return path
