# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import tracemalloc

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidContent, MissingLibrary
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._stores import layers

CONTENT = bytes(range(256)) * 500


def pieces(content, size=1000):
    return [content[start : start + size] for start in range(0, len(content), size)]


@pytest.mark.parametrize("size", [7, 100_000_000])
@pytest.mark.parametrize(
    ("compressed", "expected"),
    [
        (CONTENT, CONTENT),
        (gzip.compress(CONTENT), CONTENT),
        (gzip.compress(CONTENT[:100]) + gzip.compress(CONTENT[100:]), CONTENT),
        (gzip.compress(CONTENT) + bytes(512), CONTENT),
        (b"", b""),
    ],
    ids=["plain", "gzip", "two members", "padded", "empty"],
)
def test_plain(compressed, expected, size):
    assert b"".join(layers.plain(pieces(compressed, size), len(compressed))) == expected


@pytest.mark.parametrize("cut", [5, 50, -1])
def test_compressed_content_that_is_cut_off(cut):
    with pytest.raises(InvalidContent, match="a layer is corrupt"):
        list(layers.plain(pieces(gzip.compress(CONTENT)[:cut]), 100))


def test_compressed_content_with_something_after_it():
    with pytest.raises(InvalidContent, match="a layer is corrupt"):
        list(layers.plain([gzip.compress(CONTENT) + b"more"], 100))


def test_content_that_bursts_takes_little_memory():
    bomb = gzip.compress(bytes(50_000_000))
    tracemalloc.start()
    assert sum(map(len, layers.plain([bomb], len(bomb)))) == 50_000_000
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def decompressed(bomb, **more):
    """How much came before it was too much."""
    passed = 0
    with pytest.raises(InvalidContent, match="decompresses to more than 100 times its size. If this is intended"):
        for chunk in layers.plain([bomb], len(bomb), **more):
            passed += len(chunk)
    return passed


def test_content_that_bursts_is_not_read_to_its_end():
    bomb = gzip.compress(bytes(100_000_000))
    assert decompressed(bomb) <= 64 * 1024 * 1024 + 100 * len(bomb)
    zeros = gzip.compress(bytes(20_000_000))
    assert sum(map(len, layers.plain([zeros], len(zeros)))) == 20_000_000


def test_content_that_bursts_in_zstd():
    zstandard = pytest.importorskip("zstandard", reason="zstandard is optional")
    decompressed(zstandard.ZstdCompressor().compress(bytes(100_000_000)))


def test_many_layers_share_what_they_may_burst_by():
    bomb, expansion = gzip.compress(bytes(20_000_000)), layers.ExpansionLimit()
    for _count in range(3):
        assert sum(map(len, layers.plain([bomb], len(bomb), expansion))) == 20_000_000
    decompressed(bomb, expansion=expansion)
    usual = gzip.compress(CONTENT[:256])
    assert b"".join(layers.plain([usual], len(usual), expansion)) == CONTENT[:256]


def test_zstd_wants_its_library(monkeypatch):
    monkeypatch.setattr(layers, "zstandard", None)
    with pytest.raises(MissingLibrary) as caught:
        list(layers.plain([b"\x28\xb5\x2f\xfd rest"], 9))
    assert caught.value.library == "zstandard"


def test_zstd():
    zstandard = pytest.importorskip("zstandard", reason="zstandard is optional")
    compressed = zstandard.ZstdCompressor().compress(CONTENT)
    assert b"".join(layers.plain(pieces(compressed + compressed, 10), 100)) == CONTENT * 2
    with pytest.raises(InvalidContent, match="a layer is corrupt"):
        list(layers.plain([compressed[:4] + b"\xff" * 100], 104))


def test_gzipped_tells_neither_time_nor_name():
    compressed = b"".join(layers.gzipped(pieces(CONTENT)))
    assert compressed[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
    assert compressed == b"".join(layers.gzipped(pieces(CONTENT, 77)))
    assert gzip.decompress(compressed) == CONTENT


def test_staged_content():
    staged = layers.SpooledBlob(pieces(CONTENT))
    assert (staged.size, staged.digest) == (len(CONTENT), digests.of(CONTENT))
    assert b"".join(staged.chunks()) == b"".join(staged.chunks()) == CONTENT
    staged.close()


def test_digest_of():
    assert layers.digest_of(pieces(CONTENT)) == digests.of(CONTENT)
