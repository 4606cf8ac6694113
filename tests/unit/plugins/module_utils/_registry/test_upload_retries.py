# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploads that fail for now: which of them are tried again, when, and with which upload session."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ConnectionFailed, ImageError, Refused
from ansible_collections.drayage.registry.plugins.module_utils._registry.connection_errors import (
    ConnectionReset,
    PermanentConnectionError,
)
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import Credential
from ansible_collections.drayage.registry.tests.unit.support.odd_server import BASIC, Reply, refused
from ansible_collections.drayage.registry.tests.unit.support.uploads import (
    BLOB,
    CANCEL,
    CANCELLED,
    CONTENT,
    OTHER_SESSION,
    POST,
    PUT,
    PUT_AGAIN,
    SESSION,
    STARTED,
    STARTED_AGAIN,
    STORED,
    blob_of,
    chunks,
    ranges,
)


class TestRetries:
    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 522])
    def test_a_transient_refusal_is_waited_for(self, uploader, clock, status):
        again = [CANCELLED] if status != 429 else [Reply(404), CANCELLED]
        pushing, script = uploader(STARTED, Reply(status, {"Retry-After": "7"}), *again, STARTED_AGAIN, STORED)
        assert pushing.push(BLOB, chunks()) is False
        assert script.log[-2:] == [POST, PUT_AGAIN]
        assert script.sent[-1].body == CONTENT
        assert clock.naps == [7.0]

    def test_pauses_double(self, uploader, clock):
        fails = (STARTED, Reply(503), CANCELLED)
        pushing, _script = uploader(*fails, *fails, *fails, STARTED, STORED)
        pushing.push(BLOB, chunks())
        assert clock.naps == [0.5, 1.0, 2.0]

    def test_they_end(self, uploader):
        fails = (STARTED, Reply(503), CANCELLED)
        pushing, script = uploader(*fails, *fails, retries=1)
        with pytest.raises(Refused, match="cannot push blob %s: r.example returned 503" % BLOB.digest):
            pushing.push(BLOB, chunks())
        assert script.log == [POST, PUT, CANCEL] * 2

    @pytest.mark.parametrize("status", [402, 409, 418, 507])
    def test_a_refusal_for_good_is_not_repeated(self, uploader, status):
        pushing, script = uploader(STARTED, Reply(status), CANCELLED)
        with pytest.raises(Refused):
            pushing.push(BLOB, chunks())
        assert script.log == [POST, PUT, CANCEL]

    @pytest.mark.parametrize("status", [400, 401, 404, 416])
    def test_a_session_that_is_lost_is_begun_anew_once(self, uploader, clock, status):
        pushing, script = uploader(STARTED, Reply(status), CANCELLED, STARTED_AGAIN, STORED)
        pushing.push(BLOB, chunks())
        assert script.log == [POST, PUT, CANCEL, POST, PUT_AGAIN]
        assert clock.naps == []
        lost = refused(status, "BLOB_UPLOAD_UNKNOWN")
        pushing, script = uploader(STARTED, lost, CANCELLED, STARTED, lost, CANCELLED)
        with pytest.raises(ImageError, match="returned %d BLOB_UPLOAD_UNKNOWN" % status):
            pushing.push(BLOB, chunks())

    def test_a_challenge_to_a_stream_is_answered_by_the_next_upload(self, uploader):
        pushing, script = uploader(
            STARTED, Reply(401, BASIC), CANCELLED, STARTED_AGAIN, STORED, credential=Credential("jane", "secret")
        )
        pushing.push(BLOB, chunks())
        assert ["Authorization" in sent.headers for sent in script.sent] == [False, False, True, True, True]

    def test_the_first_reset_is_no_failure(self, uploader, clock):
        pushing, script = uploader(STARTED, ConnectionReset("x"), CANCELLED, STARTED_AGAIN, STORED, retries=0)
        pushing.push(BLOB, chunks())
        assert script.log == [POST, PUT, CANCEL, POST, PUT_AGAIN]
        assert clock.naps == []

    def test_resets_are_counted_after_the_first(self, uploader, clock):
        cut = (STARTED, ConnectionReset("x"), CANCELLED)
        small = b"0123"  # not in pieces
        pushing, script = uploader(*cut, *cut, *cut, retries=1)
        with pytest.raises(ConnectionReset):
            pushing.push(blob_of(small), chunks(small))
        assert clock.naps == [0.5]
        assert len(script.log) == 9

    def test_after_a_second_reset_the_body_goes_in_pieces(self, uploader):
        cut = (STARTED, ConnectionReset("x"), CANCELLED)
        pushing, script = uploader(*cut, *cut, STARTED, STARTED, STARTED, STORED)
        pushing.push(BLOB, chunks())
        assert ranges(script) == [("0-7", CONTENT[:8]), ("8-9", CONTENT[8:])]

    def test_a_host_that_is_gone_is_not_asked_to_cancel(self, uploader, clock):
        pushing, script = uploader(STARTED, ConnectionFailed("x"), STARTED_AGAIN, STORED)
        pushing.push(BLOB, chunks())
        assert script.log == [POST, PUT, POST, PUT_AGAIN]
        assert clock.naps == [0.5]

    def test_a_host_that_stays_away_is_an_error(self, uploader):
        gone = (STARTED, ConnectionFailed("gone"))
        pushing, script = uploader(*gone, *gone, retries=1)
        with pytest.raises(ConnectionFailed, match="gone"):
            pushing.push(BLOB, chunks())
        assert script.log == [POST, PUT] * 2

    def test_what_no_try_mends_is_not_tried_again(self, uploader):
        pushing, script = uploader(STARTED, PermanentConnectionError("x"))
        with pytest.raises(PermanentConnectionError):
            pushing.push(BLOB, chunks())
        assert script.log == [POST, PUT]


class TestReuse:
    """After 429 the session is looked at, and used again if it has no bytes yet: registries limit these too."""

    LOOK = "GET " + SESSION

    @pytest.mark.parametrize("headers", [{}, {"Range": "0-0"}, {"Range": "bytes=0-0"}])
    def test_an_empty_session_is_used_again(self, uploader, headers):
        pushing, script = uploader(STARTED, Reply(429), Reply(204, headers), STORED)
        pushing.push(BLOB, chunks())
        assert script.log == [POST, PUT, self.LOOK, PUT]

    def test_it_may_have_moved(self, uploader):
        moved = Reply(204, {"Location": "/v2/" + OTHER_SESSION})
        pushing, script = uploader(STARTED, Reply(429), moved, STORED)
        pushing.push(BLOB, chunks())
        assert script.log == [POST, PUT, self.LOOK, PUT_AGAIN]

    @pytest.mark.parametrize("look", [Reply(204, {"Range": "0-5"}), Reply(200), Reply(404)])
    def test_any_other_is_left(self, uploader, look):
        pushing, script = uploader(STARTED, Reply(429), look, CANCELLED, STARTED_AGAIN, STORED)
        pushing.push(BLOB, chunks())
        assert script.log == [POST, PUT, self.LOOK, CANCEL, POST, PUT_AGAIN]

    def test_a_host_that_is_gone_meanwhile_is_not_asked_to_cancel(self, uploader):
        gone = ConnectionFailed("x")
        pushing, script = uploader(STARTED, Reply(429), gone, gone, STARTED_AGAIN, STORED, retries=1)
        pushing.push(BLOB, chunks())
        assert script.log == [POST, PUT, self.LOOK, self.LOOK, POST, PUT_AGAIN]

    def test_a_session_that_is_lost_afterwards_costs_no_restart(self, uploader):
        """What was refused when it had arrived may have left bytes: that is not the fault of this try."""
        pushing, script = uploader(
            STARTED,
            Reply(429),
            Reply(204),
            Reply(416),
            CANCELLED,
            STARTED,
            Reply(404),
            CANCELLED,
            STARTED_AGAIN,
            STORED,
        )
        pushing.push(BLOB, chunks())
        assert script.log[-2:] == [POST, PUT_AGAIN]
