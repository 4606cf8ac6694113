# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Uploads against a scripted registry: which requests they send, with which bodies, and what they make of refusals."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    AccessDenied,
    ConnectionFailed,
    DigestMismatch,
    ImageError,
    LocalFailure,
    Refused,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._registry import upload
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access
from ansible_collections.drayage.registry.plugins.module_utils._registry.connection_errors import (
    ConnectionReset,
    PermanentConnectionError,
)
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import Credential
from ansible_collections.drayage.registry.plugins.module_utils._registry.upload import BlobUploader
from ansible_collections.drayage.registry.tests.unit.support.odd_server import HTML, PAGE, REGISTRY, Reply, refused

ACCESS = Access("app", frozenset(("pull", "push")))
CONTENT = b"0123456789"
QUOTED = digests.of(CONTENT).replace(":", "%3A")
SESSION = "app/blobs/uploads/1"
OTHER_SESSION = "app/blobs/uploads/2"
STARTED = Reply(202, {"Location": "/v2/" + SESSION})
STARTED_AGAIN = Reply(202, {"Location": "/v2/" + OTHER_SESSION})
STORED = Reply(201)
CANCELLED = Reply(204)
POST = "POST app/blobs/uploads/"
PUT = "PUT %s?digest=%s" % (SESSION, QUOTED)
PUT_AGAIN = "PUT %s?digest=%s" % (OTHER_SESSION, QUOTED)
PATCH, PATCH_AGAIN = "PATCH " + SESSION, "PATCH " + OTHER_SESSION
CANCEL = "DELETE " + SESSION
MOUNT = "POST app/blobs/uploads/?mount=%s&from=" % QUOTED
BASIC = {"WWW-Authenticate": 'Basic realm="r"'}


def blob_of(content, size=None):
    return Descriptor("application/octet-stream", digests.of(content), len(content) if size is None else size)


BLOB = blob_of(CONTENT)


def chunks(content=CONTENT):
    """The content of a blob in chunks of three bytes."""
    return lambda: [content[start : start + 3] for start in range(0, len(content), 3)]


@pytest.fixture
def uploader(scripted, monkeypatch):
    """An uploader for a registry that gives these replies; a blob of ten bytes has pieces of eight, and then of four."""
    monkeypatch.setattr(upload, "_PIECES", (8, 4))

    def make(*replies, **options):
        client, script = scripted(*replies, **options)
        return BlobUploader(client, ACCESS), script

    return make


def ranges(script):
    return [(sent.headers["Content-Range"], sent.body) for sent in script.sent if sent.method == "PATCH"]


def test_a_blob_is_one_post_and_one_put(uploader):
    pushing, script = uploader(STARTED, STORED)
    assert pushing.push(BLOB, chunks()) is False
    assert script.log == [POST, PUT]
    assert script.sent[1].body == CONTENT
    assert script.sent[1].headers == {"Content-Type": "application/octet-stream"}


def test_an_empty_blob_is_pushed_like_any_other(uploader):
    pushing, script = uploader(STARTED, STORED)
    pushing.push(blob_of(b""), lambda: [])
    assert script.sent[1].body == b""


def test_what_the_location_asks_for_is_kept(uploader):
    pushing, script = uploader(Reply(202, {"Location": "/v2/%s?_state=a%%3D" % SESSION}), STORED)
    pushing.push(BLOB, chunks())
    assert script.log[1] == "PUT %s?_state=a%%3D&digest=%s" % (SESSION, QUOTED)


def test_an_upload_elsewhere_sees_no_credentials_and_is_not_cancelled_there(uploader):
    there = Reply(202, {"Location": "https://storage.example/1"})
    challenge = Reply(401, BASIC)
    pushing, script = uploader(challenge, there, refused(403, "DENIED"), credential=Credential("jane", "secret"))
    with pytest.raises(Refused, match="storage.example, the redirect target of r.example, returned 403 DENIED"):
        pushing.push(BLOB, chunks())
    assert script.log[2] == "PUT https://storage.example/1?digest=" + QUOTED
    assert ["Authorization" in sent.headers for sent in script.sent] == [False, True, False]


class TestMount:
    def test_costs_one_request(self, uploader):
        pushing, script = uploader(STORED)
        assert pushing.push(BLOB, chunks(), "other") is True
        assert script.log == [MOUNT + "other"]

    def test_a_session_in_its_place_is_used(self, uploader):
        pushing, script = uploader(STARTED, STORED)
        assert pushing.push(BLOB, chunks(), "other") is False
        assert script.log == [MOUNT + "other", PUT]

    @pytest.mark.parametrize(
        "reply", [refused(status, "X") for status in (401, 403, 404, 405, 500)] + [Reply(202), Reply(200, PAGE, HTML)]
    )
    def test_a_refusal_is_neither_repeated_nor_asked_for_again(self, uploader, reply):
        pushing, script = uploader(reply, STARTED, STORED, STARTED, STORED)
        assert [pushing.push(BLOB, chunks(), "other") for _turn in range(2)] == [False, False]
        assert script.log == [MOUNT + "other", POST, PUT, POST, PUT]

    @pytest.mark.parametrize("first", ["app", "other"])
    def test_the_repository_itself_and_others_are_refused_apart(self, uploader, first):
        second = "other" if first == "app" else "app"
        pushing, script = uploader(refused(404, "X"), STARTED, STORED, STORED)
        assert [pushing.push(BLOB, chunks(), name) for name in (first, second)] == [False, True]
        assert script.log == [MOUNT + first, POST, PUT, MOUNT + second]

    @pytest.mark.parametrize("status", [429, 503])
    def test_a_busy_registry_is_asked_again(self, uploader, status):
        pushing, script = uploader(Reply(status), STORED)
        assert pushing.push(BLOB, chunks(), "other") is True
        assert script.log == [MOUNT + "other"] * 2

    def test_another_digest_is_an_error(self, uploader):
        stated = digests.of(b"other")
        pushing, _script = uploader(Reply(201, {"Docker-Content-Digest": stated}))
        with pytest.raises(
            DigestMismatch, match="r.example stored content %s under the digest %s" % (BLOB.digest, stated)
        ):
            pushing.push(BLOB, chunks(), "other")


@pytest.mark.parametrize("reply", [Reply(202), Reply(201, STARTED.headers), Reply(200, STARTED.headers)])
def test_an_upload_begins_with_202_and_a_location(uploader, reply):
    pushing, script = uploader(reply)
    with pytest.raises(
        Refused, match="cannot push to the repository: r.example returned .*, which is not a registry response"
    ):
        pushing.push(BLOB, chunks())
    assert script.log == [POST]


def test_no_right_to_push_says_so(uploader):
    pushing, _script = uploader(refused(403, "DENIED"))
    with pytest.raises(AccessDenied) as caught:
        pushing.push(BLOB, chunks())
    assert str(caught.value).startswith(
        "cannot push to the repository: r.example returned 403 DENIED for anonymous users. Check that the repository"
    )


def test_a_blob_that_is_stored_as_another_is_cancelled(uploader):
    stated = digests.of(b"other")
    pushing, script = uploader(STARTED, Reply(201, {"Docker-Content-Digest": stated}), CANCELLED)
    with pytest.raises(DigestMismatch, match="stored"):
        pushing.push(BLOB, chunks())
    assert script.log == [POST, PUT, CANCEL]


def test_a_blob_that_is_taken_before_its_end_is_an_error(uploader):
    pushing, script = uploader(STARTED, STORED, CANCELLED)
    with pytest.raises(
        ImageError,
        match="^cannot push blob %s: r.example reported success before it received the whole blob" % BLOB.digest,
    ):
        pushing.push(blob_of(CONTENT, size=11), chunks())
    assert script.log[-1] == CANCEL


class TestSource:
    """What the source raises ends the upload, and nothing is left behind."""

    def test_that_fails_at_once_costs_no_body(self, uploader):
        def fail(_content):
            raise LocalFailure("cannot read")

        def broken():
            yield from map(fail, [b""])

        pushing, script = uploader(STARTED, CANCELLED)
        with pytest.raises(LocalFailure):
            pushing.push(BLOB, broken)
        assert script.log == [POST, CANCEL]

    @pytest.mark.parametrize("error", [ConnectionFailed("source"), ConnectionReset("source")])
    def test_that_breaks_is_not_tried_again_here(self, uploader, error):
        def broken():
            yield b"0123"
            raise error

        pushing, script = uploader(STARTED, CANCELLED)
        with pytest.raises(ConnectionFailed, match="source"):
            pushing.push(BLOB, broken)
        assert script.log == [POST, "PUT %s?digest=%s" % (SESSION, QUOTED), CANCEL]

    def test_a_cancellation_that_fails_hides_nothing(self, uploader):
        pushing, script = uploader(STARTED, refused(403, "DENIED", "quota"), ConnectionFailed("cancel"))
        with pytest.raises(AccessDenied, match="cannot push blob %s: .*quota" % BLOB.digest):
            pushing.push(BLOB, chunks())
        assert script.log == [POST, PUT, CANCEL]

    def test_a_cancellation_answers_no_challenge(self, uploader):
        pushing, script = uploader(
            Reply(401, BASIC), STARTED, refused(403, "DENIED"), Reply(401, BASIC), credential=Credential("jane", "x")
        )
        with pytest.raises(AccessDenied):
            pushing.push(BLOB, chunks())
        assert script.log == [POST, POST, PUT, CANCEL]
        assert "Authorization" in script.sent[-1].headers


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


def test_a_marked_page_is_a_refusal_of_the_registry(uploader):
    pushing, _script = uploader(STARTED, Reply(404, {**REGISTRY, **PAGE}, HTML), CANCELLED, STARTED, STORED)
    assert pushing.push(BLOB, chunks()) is False
