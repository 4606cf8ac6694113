# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import tarfile

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._stores.tar_writer import TarWriter

LONG = "d/" * 120 + "file"


def written(*files, ends=True):
    buffer = io.BytesIO()
    writer = TarWriter(buffer)
    writer.add_directory("d")
    for name, content in files:
        writer.add_bytes(name, content)
    writer.add_link("l", "d/a")
    if ends:
        writer.write_end()
    return buffer.getvalue()


def test_tarfile_reads_it():
    content = written(("d/a", b"one"), (LONG, b"two"), ("big", bytes(1000)))
    assert len(content) % tarfile.RECORDSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == ["d", "d/a", LONG, "big", "l"]
        assert archive.extractfile("d/a").read() == archive.extractfile("l").read() == b"one"
        assert {(info.mtime, info.uid, info.gid, info.uname, info.gname) for info in archive} == {(0, 0, 0, "", "")}
        assert [info.mode for info in archive] == [0o755, 0o644, 0o644, 0o644, 0o777]


def test_the_same_members_are_the_same_bytes():
    assert written(("a", b"one")) == written(("a", b"one"))


def test_sizes_beyond_the_old_format():
    class Counting(io.RawIOBase):
        def write(self, content):
            headers.append(bytes(content[:1024])) if len(headers) < 2 else None
            return len(content)

    headers: list = []
    writer = TarWriter(Counting())
    with pytest.raises(ValueError, match="big has 0 bytes, not 8589934592"):
        writer.add_file("big", 8 * 1024**3, [])
    assert b"size=8589934592" in headers[0]


@pytest.mark.parametrize("chunks", [[b"12", b"3"], []])
def test_a_wrong_size_is_found_out(chunks):
    with pytest.raises(ValueError, match="x has %d bytes, not 2" % len(b"".join(chunks))):
        TarWriter(io.BytesIO()).add_file("x", 2, chunks)
