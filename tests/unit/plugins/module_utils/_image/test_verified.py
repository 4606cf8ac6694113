# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import DigestMismatch
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import verified
from ansible_collections.drayage.registry.plugins.module_utils._image.verified import Verified, skipped

CONTENT = b"0123456789abcdefghij"
DIGEST = digests.of(CONTENT)


class Source:
    """Content in chunks of three bytes; ``opened`` holds the offsets, ``closed`` counts what was let go of."""

    def __init__(self, content=CONTENT):
        self.content = content
        self.opened = []
        self.closed = 0

    def __call__(self, offset):
        self.opened.append(offset)
        try:
            for start in range(offset, len(self.content), 3):
                yield self.content[start : min(start + 3, len(self.content))]
        finally:
            self.closed += 1


@pytest.fixture(autouse=True)
def states(monkeypatch):
    """A state of the hash every six bytes, and two of them."""
    monkeypatch.setattr(verified, "_STEP", 6)
    monkeypatch.setattr(verified, "_STATES", 2)


def read(content, count):
    return b"".join(next(content) for _chunk in range(count))


@pytest.mark.parametrize(
    ("offset", "opened"), [(0, 0), (1, 0), (5, 0), (6, 6), (8, 6), (11, 6), (12, 12), (14, 12), (15, 12)]
)
def test_content_goes_on_at_any_byte_from_the_last_state_before_it(offset, opened):
    source = Source()
    content = Verified(source, DIGEST, len(CONTENT))
    assert read(content, 5) == CONTENT[:15]
    content.rewind(offset)
    assert source.closed == 1
    assert b"".join(content) == CONTENT[offset:]
    assert source.opened == [0, opened]


def test_what_is_older_than_the_states_is_read_from_the_start():
    source = Source()
    content = Verified(source, DIGEST, len(CONTENT))
    assert read(content, 6) == CONTENT[:18]
    content.rewind(7)
    assert b"".join(content) == CONTENT[7:]
    assert source.opened == [0, 0]


def test_content_may_go_back_often_and_also_forward():
    content = Verified(Source(), DIGEST, len(CONTENT))
    assert read(content, 5) == CONTENT[:15]
    for offset in (13, 4, 4, 15, 0):
        content.rewind(offset)
        assert next(content) == CONTENT[offset : offset - offset % 3 + 3]
    content.rewind(9)
    assert b"".join(content) == CONTENT[9:]


def test_content_that_was_read_to_its_end_is_verified_again():
    content = Verified(Source(), DIGEST, len(CONTENT))
    assert b"".join(content) == CONTENT
    content.rewind(len(CONTENT))
    assert list(content) == []
    content.rewind(19)
    assert list(content) == [b"j"]


@pytest.mark.parametrize("back", [6, 13])
def test_content_that_is_not_the_same_when_it_is_read_again_is_refused(back):
    """The digest fits what is read at last, and not what was passed on before."""
    source = Source(CONTENT.replace(b"e", b"X"))
    content = Verified(source, DIGEST, len(CONTENT))
    assert b"X" in read(content, 5)
    source.content = CONTENT
    content.rewind(back)
    with pytest.raises(DigestMismatch, match="changed while this task was reading it"):
        list(content)


def test_content_that_was_passed_on_twice_must_be_the_same_the_third_time():
    source = Source()
    content = Verified(source, DIGEST, len(CONTENT))
    read(content, 6)
    content.rewind(12)
    source.content = CONTENT.replace(b"d", b"X")
    assert read(content, 1) == b"cX" + b"e"
    source.content = CONTENT
    content.rewind(14)
    with pytest.raises(DigestMismatch, match="changed while this task was reading it"):
        list(content)


def test_the_last_chunk_is_held_back_after_going_back_too():
    source = Source(CONTENT[:-1] + b"X")
    content = Verified(source, DIGEST, len(CONTENT))
    read(content, 4)
    content.rewind(10)
    passed = []
    with pytest.raises(DigestMismatch, match="has content with the digest"):
        for chunk in content:
            passed.append(chunk)
    assert b"".join(passed) == CONTENT[10:18]


def test_closed_content_ends():
    source = Source()
    content = Verified(source, DIGEST, len(CONTENT))
    read(content, 2)
    content.close()
    assert source.closed == 1
    assert list(content) == []


@pytest.mark.parametrize("count", range(9))
def test_skipped_leaves_out_the_first_bytes(count):
    assert b"".join(skipped([b"abc", b"", b"defg", b"h"], count)) == b"abcdefgh"[count:]
