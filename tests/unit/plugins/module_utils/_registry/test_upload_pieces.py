# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploads in pieces: what makes a blob go so, how large the pieces are, and what happens if they are refused."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import Refused
from ansible_collections.drayage.registry.tests.unit.support.odd_server import HTML, PAGE, Reply
from ansible_collections.drayage.registry.tests.unit.support.uploads import (
    BLOB,
    CANCEL,
    CANCELLED,
    CONTENT,
    OTHER_SESSION,
    PATCH,
    PATCH_AGAIN,
    POST,
    PUT,
    PUT_AGAIN,
    STARTED,
    STARTED_AGAIN,
    STORED,
    blob_of,
    chunks,
    ranges,
)


class TestPieces:
    TAKEN = Reply(202, {"Location": "/v2/" + OTHER_SESSION})

    def test_too_large_a_body_goes_in_pieces(self, uploader):
        pushing, script = uploader(STARTED, Reply(413), CANCELLED, STARTED, STARTED, self.TAKEN, STORED)
        assert pushing.push(BLOB, chunks()) is False
        assert script.log == [POST, PUT, CANCEL, POST, PATCH, PATCH, PUT_AGAIN]
        assert ranges(script) == [("0-7", CONTENT[:8]), ("8-9", CONTENT[8:])]
        assert {sent.headers["Content-Type"] for sent in script.sent if sent.method == "PATCH"} == {
            "application/octet-stream"
        }
        assert (script.sent[-1].body, script.sent[-1].headers) == (b"", {})

    def test_each_piece_goes_where_the_last_one_said(self, uploader):
        pushing, script = uploader(STARTED, Reply(413), CANCELLED, STARTED, self.TAKEN, Reply(202), STORED)
        pushing.push(BLOB, chunks())
        assert script.log[-3:] == [PATCH, PATCH_AGAIN, PUT_AGAIN]

    def test_pieces_get_smaller(self, uploader):
        pushing, script = uploader(
            STARTED, Reply(413), CANCELLED, STARTED, Reply(413), CANCELLED, STARTED, *[STARTED] * 3, STORED
        )
        pushing.push(BLOB, chunks())
        assert ranges(script)[1:] == [("0-3", b"0123"), ("4-7", b"4567"), ("8-9", b"89")]

    def test_what_is_too_large_in_the_smallest_pieces_is_an_error(self, uploader):
        fails = (STARTED, Reply(413), CANCELLED)
        pushing, _script = uploader(*fails, *fails, *fails)
        with pytest.raises(Refused, match="returned 413. Increase the request size limit"):
            pushing.push(BLOB, chunks())

    def test_the_next_blob_knows_the_limit(self, uploader):
        pushing, script = uploader(
            STARTED, Reply(413), CANCELLED, *[STARTED] * 3, STORED, *[STARTED] * 3, STORED, STARTED, STORED
        )
        pushing.push(BLOB, chunks())
        pushing.push(BLOB, chunks())
        assert script.log[7:11] == [POST, PATCH, PATCH, PUT]
        pushing.push(blob_of(b"small"), lambda: [b"small"])
        assert script.sent[-1].body == b"small"

    def test_a_blob_of_the_size_of_a_piece_has_no_pieces(self, uploader):
        eight = CONTENT[:8]
        pushing, script = uploader(STARTED, Reply(413), CANCELLED, *[STARTED] * 3, STORED)
        pushing.push(blob_of(eight), chunks(eight))
        assert ranges(script) == [("0-3", b"0123"), ("4-7", b"4567")]

    @pytest.mark.parametrize("status", [405, 411, 501])
    def test_who_takes_no_streams_may_take_pieces(self, uploader, status):
        pushing, script = uploader(STARTED, Reply(status), CANCELLED, *[STARTED] * 3, STORED, STARTED, STORED)
        pushing.push(BLOB, chunks())
        assert len(ranges(script)) == 2
        pushing.push(BLOB, chunks())  # that was not about sizes
        assert script.log[-2:] == [POST, PUT]

    @pytest.mark.parametrize("status", [405, 411, 501])
    def test_who_refuses_pieces_so_is_sent_the_whole_again(self, uploader, status):
        pushing, script = uploader(
            STARTED, Reply(413), CANCELLED, STARTED, Reply(status), CANCELLED, STARTED_AGAIN, STORED
        )
        pushing.push(BLOB, chunks())
        assert script.log == [POST, PUT, CANCEL, POST, PATCH, CANCEL, POST, PUT_AGAIN]

    def test_the_whole_is_tried_once_after_pieces(self, uploader):
        fails = (STARTED, Reply(409), CANCELLED)
        pushing, script = uploader(STARTED, Reply(413), CANCELLED, *fails, *fails)
        with pytest.raises(Refused, match="returned 409"):
            pushing.push(BLOB, chunks())
        assert script.log == [POST, PUT, CANCEL, POST, PATCH, CANCEL, POST, PUT, CANCEL]

    @pytest.mark.parametrize(
        ("least", "expected"), [("9", ["0-8", "9-9"]), ("8", ["0-7", "8-9"]), ("x", ["0-7", "8-9"])]
    )
    def test_pieces_have_the_least_length_that_the_registry_asks_for(self, uploader, least, expected):
        begun = Reply(202, {**STARTED.headers, "OCI-Chunk-Min-Length": least})
        pushing, script = uploader(begun, Reply(413), CANCELLED, begun, STARTED, STARTED, STORED)
        pushing.push(BLOB, chunks())
        assert [asked for asked, _body in ranges(script)] == expected

    def test_who_wants_no_smaller_pieces_gets_the_whole(self, uploader):
        begun = Reply(202, {**STARTED.headers, "OCI-Chunk-Min-Length": "10"})
        pushing, script = uploader(begun, Reply(413), CANCELLED, begun, STORED)
        pushing.push(BLOB, chunks())
        assert script.log == [POST, PUT, CANCEL, POST, PUT]

    def test_a_page_takes_no_piece(self, uploader):
        pushing, script = uploader(STARTED, Reply(413), CANCELLED, STARTED, Reply(200, PAGE, HTML), CANCELLED)
        with pytest.raises(
            Refused, match="cannot push blob %s: r.example returned .*, which is not a registry response" % BLOB.digest
        ):
            pushing.push(BLOB, chunks())
        assert script.log[-2:] == [PATCH, CANCEL]

    def test_a_page_that_says_where_to_go_on_is_none(self, uploader):
        """Flask calls everything HTML, and Quay is written in it."""
        taken = Reply(202, {**PAGE, **STARTED.headers})
        pushing, _script = uploader(STARTED, Reply(413), CANCELLED, STARTED, taken, taken, STORED)
        assert pushing.push(BLOB, chunks()) is False

    def test_429_to_a_piece_leaves_the_session(self, uploader):
        pushing, script = uploader(
            STARTED, Reply(413), CANCELLED, STARTED, Reply(429), CANCELLED, *[STARTED] * 3, STORED
        )
        pushing.push(BLOB, chunks())
        assert script.log[4:] == [PATCH, CANCEL, POST, PATCH, PATCH, PUT]
