# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Read the text of documents in files, directories and Helm charts, within limits, because a chart may be untrusted."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import io
import os
import tarfile
import typing as t
import zlib

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ImageError,
    InvalidContent,
    LocalFailure,
    file_errors,
    local_failure,
)
from ansible_collections.drayage.registry.plugins.module_utils._files import open_regular, read_named

# Bytes. The largest rendered charts have some 10 MiB.
MAX_FILE = 64 * 1024 * 1024
MAX_TOTAL = 256 * 1024 * 1024
_MAX_FILES = 10_000
# Long names and extended attributes are in headers of their own, which tarfile reads into memory as a whole.
_MAX_HEADERS = 16 * 1024 * 1024
_ORIGIN_HINT = "Check that the archive comes from a source that you trust"
_MAX_NESTED = 3  # archives of charts within archives of charts
_SUFFIXES = (".yaml", ".yml", ".json", ".container", ".image", ".volume", ".kube")
_CHART_FILES = ("Chart.yaml", "values.yaml")
_ARCHIVES = (".tgz", ".tar.gz")


@dataclasses.dataclass(frozen=True)
class Text:
    """A text, and the file that it comes from."""

    file: str
    content: str


@dataclasses.dataclass(frozen=True)
class Chart:
    """A directory or archive with a Helm chart."""

    path: str


@dataclasses.dataclass(frozen=True)
class Unreadable:
    """A file or directory in a directory that cannot be read, and the reason in a sentence."""

    reason: str


def sources(path: str) -> t.Iterator[Text | Chart | Unreadable]:
    """Yield the contents of a path, ordered by name. Raises ImageError."""
    if is_chart(path):
        yield Chart(path)
    elif os.path.isdir(path):
        yield from _walk(path)
    else:
        yield Text(path, _decoded(read_named(path, MAX_FILE, "the file"), path))


def is_chart(path: str) -> bool:
    """Return whether this is an archive, or the directory of a chart."""
    if os.path.isdir(path):
        return os.path.isfile(os.path.join(path, "Chart.yaml"))
    return path.endswith(_ARCHIVES)


def _walk(top: str) -> t.Iterator[Text | Chart | Unreadable]:
    count = total = 0
    unreadable: list[Unreadable] = []

    def add(error: OSError) -> None:
        failure = local_failure(error, "read the directory")
        if error.filename == top:
            raise failure
        unreadable.append(Unreadable(str(failure)))

    for directory, below, files in os.walk(top, onerror=add):
        if is_chart(directory):
            below.clear()
            yield Chart(directory)
            continue
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(files):
            path = os.path.join(directory, name)
            if name.endswith(_ARCHIVES):
                yield from _packed_chart(path)
            elif name.endswith(_SUFFIXES):
                try:
                    text = Text(path, _decoded(read_named(path, MAX_FILE, "the file"), path))
                except LocalFailure as error:
                    yield Unreadable(str(error))
                    continue
                count, total = count + 1, total + len(text.content)
                if count > _MAX_FILES or total > MAX_TOTAL:
                    cause = "the files in the directory total more than %d bytes" % MAX_TOTAL
                    if count > _MAX_FILES:
                        cause = "the directory contains more than %d files" % _MAX_FILES
                    raise LocalFailure(cause, top, "Pass only the directories that you need")
                yield text
    yield from unreadable


def _packed_chart(path: str) -> t.Iterator[Chart | Unreadable]:
    """Yield the chart in an archive of a directory, where other archives may exist, or why it was skipped."""
    try:
        has_chart = _has_chart(path)
    except ImageError as error:
        yield Unreadable(str(error))
        return
    if has_chart:
        yield Chart(path)
    elif path.endswith(".tgz"):  # .tar.gz is common for other content
        cause = "the archive was skipped, because it has no Chart.yaml in its top directory"
        yield Unreadable(str(InvalidContent(cause, path, "If it is a Helm chart, recreate it with helm package")))


def _has_chart(path: str) -> bool:
    with file_errors("read the chart", path), open_regular(path) as stream, _opened(stream, path, _Budget()) as archive:
        for member in archive.members():
            directory, _slash, name = member.name.rpartition("/")
            if member.isreg() and name == "Chart.yaml" and directory and "/" not in directory:
                return True
    return False


def chart_files(path: str) -> list[Text]:
    """Return Chart.yaml and values.yaml of a chart and its subcharts, each Chart.yaml before its values.

    Raises ImageError.
    """
    if not os.path.isdir(path):
        with file_errors("read the chart", path), open_regular(path) as stream:
            files = _in_archive(stream, path, _Budget(), _MAX_NESTED)
    else:
        files = [
            Text(
                os.path.join(directory, name),
                _decoded(read_named(os.path.join(directory, name), MAX_FILE, "the file"), path),
            )
            for directory, below, names in os.walk(path, onerror=_raise_unreadable)
            if _sort(below)
            for name in _CHART_FILES
            if name in names and _is_chart_directory(os.path.relpath(directory, path))
        ]
    if not files:
        raise InvalidContent("the chart has no Chart.yaml", path, "Pass the directory or archive of a Helm chart")
    return files


def _raise_unreadable(error: OSError) -> None:
    raise local_failure(error, "read the chart")


def _sort(names: list[str]) -> bool:
    names.sort()
    return True


def _is_chart_directory(relative: str) -> bool:
    """Return whether it is the chart's own directory, or one of ``charts/NAME`` at any level."""
    parts = [] if relative == "." else relative.split("/")
    return len(parts) % 2 == 0 and all(part == "charts" for part in parts[::2])


class _Budget:
    """What may still be read from an archive and from the archives in it: bytes and members."""

    def __init__(self) -> None:
        self.size = MAX_TOTAL
        self.headers = _MAX_HEADERS
        self.members = _MAX_FILES


class _Bounded(io.RawIOBase):
    """A stream whose bytes count. Both the compressed and the unpacked ones do, because either may be many more."""

    def __init__(self, stream: t.BinaryIO | gzip.GzipFile, path: str, budget: _Budget) -> None:
        super().__init__()
        self._stream = stream
        self._path = path
        self._budget = budget
        self._position = 0
        self._end: int | None = None

    def end_at(self, offset: int | None) -> None:
        """Reject all bytes after an offset, except for those that tarfile reads ahead; None removes this limit."""
        self._end = None if offset is None else offset + tarfile.RECORDSIZE

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes. Raises InvalidContent if there are too many."""
        chunk = self._stream.read(size)
        self._budget.size -= len(chunk)
        self._position += len(chunk)
        if self._budget.size < 0:
            raise _too_large(self._path)
        if self._end is not None and self._position > self._end:
            cause = "the headers in the archive are larger than %d bytes" % _MAX_HEADERS
            raise InvalidContent(cause, self._path, _ORIGIN_HINT)
        return chunk


class _Archive:
    """A .tgz archive that is read in order. Nothing is written, and no more than the budget is unpacked."""

    def __init__(self, archive: tarfile.TarFile, stream: _Bounded, path: str, budget: _Budget) -> None:
        self._archive = archive
        self._stream = stream
        self._path = path
        self._budget = budget

    def members(self) -> t.Iterator[tarfile.TarInfo]:
        """Yield the members. Raises InvalidContent if they exceed the budget."""
        start = 0
        while True:
            self._stream.end_at(start + self._budget.headers)
            member = self._archive.next()
            if member is None:
                return
            self._stream.end_at(None)
            self._archive.pax_headers = {}  # tarfile copies global headers to each member
            self._budget.headers -= member.offset_data - start
            self._budget.members -= 1
            start = self._archive.offset
            if self._budget.members < 0:
                cause = "the archive contains more than %d files" % _MAX_FILES
                raise InvalidContent(cause, self._path, _ORIGIN_HINT)
            if start - member.offset_data > self._budget.size:
                raise _too_large(self._path)
            yield member

    def read(self, member: tarfile.TarInfo) -> bytes | None:
        """Return the content of the last member; None if it is not a file or too large. A sparse file has no content to read."""
        is_file = member.isreg() and not member.issparse() and member.size <= MAX_FILE
        content = self._archive.extractfile(member) if is_file else None
        return content.read() if content else None


def _too_large(path: str) -> InvalidContent:
    return InvalidContent("the archive unpacks to more than %d bytes" % MAX_TOTAL, path, _ORIGIN_HINT)


@contextlib.contextmanager
def _opened(stream: t.BinaryIO, path: str, budget: _Budget) -> t.Iterator[_Archive]:
    """Open an archive. Raises InvalidContent, also for errors while the block reads the archive."""
    try:
        with gzip.GzipFile(fileobj=_Bounded(stream, path, budget)) as unpacked:
            bounded = _Bounded(unpacked, path, budget)
            bounded.end_at(budget.headers)
            with tarfile.open(fileobj=bounded, mode="r|") as archive:
                yield _Archive(archive, bounded, path, budget)
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, RecursionError) as error:
        cause = "the file cannot be read as a .tgz archive (%s)" % error
        raise InvalidContent(cause, path, "Recreate the archive with helm package") from None


def _in_archive(stream: t.BinaryIO, path: str, budget: _Budget, levels: int) -> list[Text]:
    """Return the files of the chart in a .tgz archive and of its subcharts."""
    found: dict[str, Text] = {}
    with _opened(stream, path, budget) as archive:
        for member in archive.members():
            directory, _slash, name = member.name.rpartition("/")
            relative = directory.partition("/")[2] or "."
            is_text = name in _CHART_FILES and _is_chart_directory(relative)
            is_subchart = name.endswith(_ARCHIVES) and relative.rpartition("/")[2] == "charts" and levels > 0
            content = archive.read(member) if is_text or is_subchart else None
            where = "%s/%s" % (path, member.name)
            if content is None:
                continue
            if is_text:
                found[member.name] = Text(where, _decoded(content, where))
            else:
                inner = _in_archive(io.BytesIO(content), where, budget, levels - 1)
                found.update((text.file, text) for text in inner)
    return [found[name] for name in sorted(found)]


def _decoded(content: bytes, path: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except ValueError:
        raise LocalFailure("%s is not valid UTF-8 text" % path, hint="Save the file as UTF-8") from None
