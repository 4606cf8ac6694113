# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of charts with headers that expand, repeat or claim too much."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidContent
from ansible_collections.drayage.registry.plugins.plugin_utils import _sources
from ansible_collections.drayage.registry.plugins.plugin_utils._documents import InvalidDocument
from ansible_collections.drayage.registry.plugins.plugin_utils._helm import HelmOptions, render
from ansible_collections.drayage.registry.plugins.plugin_utils._sources import Chart, Unreadable, chart_files, sources

BLOCK = tarfile.BLOCKSIZE
CHART = b"name: app\n"
HEADERS = "the headers in the archive are larger than 16777216 bytes"


def header(kind: bytes, size: int, name: str = "x") -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


def entry(kind: bytes, content: bytes, name: str = "x") -> bytes:
    return header(kind, len(content), name) + content + bytes(-len(content) % BLOCK)


def record(key: str) -> bytes:
    length = len(key) + 6
    return b"%d %s=v\n" % (length, key.encode())


def write(path: Path, *parts: bytes) -> str:
    chart = entry(tarfile.REGTYPE, CHART, "app/Chart.yaml")
    path.write_bytes(gzip.compress(b"".join(parts) + chart + bytes(2 * BLOCK), 1))
    return str(path)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_large_header_is_not_read_into_memory(tmp_path: Path, kind: bytes) -> None:
    path = write(tmp_path / "app.tgz", entry(kind, bytes(20 * 1024 * 1024)))
    with pytest.raises(InvalidContent, match=f"{path}: {HEADERS}"):
        chart_files(path)


def test_many_headers_in_small_files_count_together(tmp_path: Path) -> None:
    attributes = entry(tarfile.XHDTYPE, b"".join([record("comment")] * 100_000))
    path = write(tmp_path / "app.tgz", (attributes + entry(tarfile.REGTYPE, b"", "app/a.txt")) * 15)
    with pytest.raises(InvalidContent, match=HEADERS):
        chart_files(path)


def test_an_archive_with_a_chain_of_headers_does_not_end_a_directory(tmp_path: Path) -> None:
    write(tmp_path / "app.tgz", entry(tarfile.XHDTYPE, record("comment")) * 2000)
    chart = write(tmp_path / "other.tgz")
    unreadable, found = sources(str(tmp_path))
    assert isinstance(unreadable, Unreadable)
    assert f"{tmp_path}/app.tgz: the file cannot be read as a .tgz archive (" in unreadable.reason
    assert found == Chart(chart)


def test_global_headers_are_not_copied_to_each_member(tmp_path: Path) -> None:
    path = write(tmp_path / "app.tgz", entry(tarfile.XGLTYPE, record("comment")), entry(tarfile.REGTYPE, b"") * 2)
    with open(path, "rb") as stream, _sources._opened(stream, path, _sources._Budget()) as archive:
        assert [len(member.pax_headers) for member in archive.members()] == [1, 0, 0]


def test_a_member_of_an_absurd_size_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path / "app.tgz", header(tarfile.REGTYPE, 1 << 62))
    with pytest.raises(InvalidContent, match="the archive unpacks to more than 268435456 bytes"):
        chart_files(path)


def test_sparse_files_are_not_expanded(tmp_path: Path) -> None:
    path = tmp_path / "app.tgz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, sparse in (("Chart.yaml", {}), ("values.yaml", {"GNU.sparse.map": "0,9", "GNU.sparse.size": "5000"})):
            member = tarfile.TarInfo("app/" + name)
            member.size, member.pax_headers = len(CHART), sparse
            archive.addfile(member, io.BytesIO(CHART))
    assert [text.file for text in chart_files(str(path))] == [f"{path}/app/Chart.yaml"]


def test_an_archive_can_be_compressed_in_several_parts(tmp_path: Path) -> None:
    path = write(tmp_path / "app.tgz")
    content = gzip.decompress(Path(path).read_bytes())
    Path(path).write_bytes(gzip.compress(content[:BLOCK]) + gzip.compress(content[BLOCK:]))
    assert [text.content for text in chart_files(path)] == [CHART.decode()]


def test_the_version_of_a_chart_has_the_limits_of_documents(tmp_path: Path) -> None:
    def missing(*_arguments: object) -> tuple[int, str, str]:
        raise FileNotFoundError

    lists = ["&a0 [x]", *(f"&a{level} [{','.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 8))]
    chart = tmp_path / "Chart.yaml"
    chart.write_text("keywords:\n- " + "\n- ".join(lists) + "\nappVersion: 1.10\n")
    with pytest.raises(InvalidDocument, match=f"{chart}: the document has more than 300000 values"):
        render(str(tmp_path), HelmOptions(), missing)
    chart.write_text("appVersion: 1.10\n")
    assert [tag for _text, tag in render(str(tmp_path), HelmOptions(), missing).texts] == ["1.10"]
