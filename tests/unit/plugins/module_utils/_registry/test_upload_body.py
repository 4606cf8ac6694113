# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import DigestMismatch, ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.verified import Verified
from ansible_collections.drayage.registry.plugins.module_utils._registry.upload_body import Content

CHUNKS = [b"abc", b"defg", b"h"]


def sent(content, size):
    body = content.body(size)
    assert len(body) == size
    return b"".join(body) if size else body


@pytest.mark.parametrize("sizes", [[8], [1] * 8, [3, 4, 1], [2, 3, 3], [7, 1], [5, 3]])
@pytest.mark.parametrize("chunks", [CHUNKS, [b"".join(CHUNKS)], [bytes([byte]) for byte in b"".join(CHUNKS)]])
def test_content_is_cut_into_requests_without_loss(chunks, sizes):
    content = Content(lambda: chunks)
    pieces = [sent(content, size) for size in sizes]
    assert [len(piece) for piece in pieces] == sizes
    assert b"".join(pieces) == b"abcdefgh"
    assert content.passed == 8


def test_chunks_pass_through_as_they_are():
    assert list(Content(lambda: CHUNKS).body(8)) == CHUNKS


def test_no_more_is_read_than_a_request_needs():
    read = []

    def chunks():
        for chunk in CHUNKS:
            read.append(chunk)
            yield chunk

    content = Content(chunks)
    sent(content, 2)
    assert read == CHUNKS[:1]
    sent(content, 1)
    assert read == CHUNKS[:1]


@pytest.mark.parametrize("size", [8, 4])
def test_a_source_that_turns_out_wrong_is_told_apart_from_a_broken_request(size):
    content = Content(lambda: Verified(lambda _at: CHUNKS, digests.of(b"x" * 8), 8))
    with pytest.raises(DigestMismatch):
        for _part in range(8 // size):
            sent(content, size)
    assert content.failed
    assert content.passed < 8


def test_a_request_that_breaks_is_not_the_fault_of_the_source():
    content = Content(lambda: CHUNKS)
    body = iter(content.body(8))
    assert next(body) == b"abc"
    with pytest.raises(ConnectionResetError):
        body.throw(ConnectionResetError())
    assert not content.failed
    assert content.passed == 3


def test_an_empty_blob_is_verified_though_nobody_reads_it():
    assert Content(lambda: Verified(lambda _at: [], digests.of(b""), 0)).body(0) == b""
    content = Content(lambda: Verified(lambda _at: [], digests.of(b"x"), 0))
    with pytest.raises(ImageError):
        content.body(0)
    assert content.failed


@pytest.mark.parametrize("chunks", [CHUNKS, []])
def test_content_that_has_begun_loses_nothing(chunks):
    content = Content(lambda: chunks)
    content.begin()
    content.begin()
    assert sent(content, sum(map(len, chunks))) == b"".join(chunks)


def test_a_source_that_fails_from_the_start_is_told_apart_too():
    content = Content(lambda: Verified(lambda _at: [b"x"], digests.of(b"y"), 1))
    with pytest.raises(DigestMismatch):
        content.begin()
    assert content.failed
