# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Read the text of documents in files, directories and Helm charts, within limits, because a chart may be untrusted."""

from __future__ import annotations

import contextlib
import dataclasses
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
    budget = _Budget()
    with file_errors("read the chart", path), open_regular(path) as stream, _opened(stream, path, budget) as archive:
        for member in _members(archive, path, budget):
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
    """How much an archive may still unpack to."""

    def __init__(self) -> None:
        self.size = MAX_TOTAL
        self.members = _MAX_FILES

    def spend(self, member: tarfile.TarInfo) -> bool:
        """Return whether a member is within the limits."""
        self.size -= max(member.size, 0)
        self.members -= 1
        return self.size >= 0 and self.members >= 0


@contextlib.contextmanager
def _opened(stream: t.BinaryIO, path: str, budget: _Budget) -> t.Iterator[tarfile.TarFile]:
    """Open a .tgz archive as a stream: nothing is written, and no more than the budget is unpacked.

    Raises InvalidContent, also for errors while the block reads the archive.
    """
    try:
        with tarfile.open(fileobj=_Bounded(stream, path, budget), mode="r|gz") as archive:
            yield archive
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError) as error:
        cause = "the file cannot be read as a .tgz archive (%s)" % error
        raise InvalidContent(cause, path, "Recreate the archive with helm package") from None


def _members(archive: tarfile.TarFile, path: str, budget: _Budget) -> t.Iterator[tarfile.TarInfo]:
    """Yield the members of an archive. Raises InvalidContent if they exceed the budget."""
    for member in archive:
        if not budget.spend(member):
            cause = "the archive unpacks to more than %d bytes" % MAX_TOTAL
            if budget.members < 0:
                cause = "the archive contains more than %d files" % _MAX_FILES
            raise InvalidContent(cause, path, _ORIGIN_HINT)
        yield member


def _in_archive(stream: t.BinaryIO, path: str, budget: _Budget, levels: int) -> list[Text]:
    """Return the files of the chart in a .tgz archive and of its subcharts."""
    found: dict[str, Text] = {}
    with _opened(stream, path, budget) as archive:
        for member in _members(archive, path, budget):
            directory, _slash, name = member.name.rpartition("/")
            relative = directory.partition("/")[2] or "."
            content = archive.extractfile(member) if member.isreg() else None
            if content is None or member.size > MAX_FILE:
                continue
            where = "%s/%s" % (path, member.name)
            if name in _CHART_FILES and _is_chart_directory(relative):
                found[member.name] = Text(where, _decoded(content.read(), where))
            elif name.endswith(_ARCHIVES) and relative.rpartition("/")[2] == "charts" and levels:
                inner = _in_archive(io.BytesIO(content.read()), where, budget, levels - 1)
                found.update((text.file, text) for text in inner)
    return [found[name] for name in sorted(found)]


class _Bounded(io.RawIOBase):
    """A stream of an archive. Compressed bytes count as well, because each of them may expand to a thousand."""

    def __init__(self, stream: t.BinaryIO, path: str, budget: _Budget) -> None:
        super().__init__()
        self._stream = stream
        self._path = path
        self._budget = budget

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes. Raises InvalidContent if there are too many."""
        chunk = self._stream.read(size)
        self._budget.size -= len(chunk)
        if self._budget.size < 0:
            raise InvalidContent("the archive is larger than %d bytes" % MAX_TOTAL, self._path, _ORIGIN_HINT)
        return chunk


def _decoded(content: bytes, path: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except ValueError:
        raise LocalFailure("%s is not valid UTF-8 text" % path, hint="Save the file as UTF-8") from None
