# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Uploads that break: they go on where the registry is, with the content from there, or begin anew."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ConnectionFailed,
    DigestMismatch,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._image.verified import Verified
from ansible_collections.drayage.registry.plugins.module_utils._registry import upload
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access
from ansible_collections.drayage.registry.plugins.module_utils._registry.connection_errors import ConnectionReset
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import Credential
from ansible_collections.drayage.registry.plugins.module_utils._registry.upload import BlobUploader
from ansible_collections.drayage.registry.tests.unit.support.odd_server import Reply, refused

ACCESS = Access("app", frozenset(("pull", "push")))
CONTENT = b"0123456789abcdefghij"
BLOB = Descriptor("application/octet-stream", digests.of(CONTENT), len(CONTENT))
QUOTED = BLOB.digest.replace(":", "%3A")
FIRST, SECOND = "app/blobs/uploads/1", "app/blobs/uploads/2"
STARTED = Reply(202, {"Location": "/v2/" + FIRST})
STARTED_AGAIN = Reply(202, {"Location": "/v2/" + SECOND})
STORED, CANCELLED = Reply(201), Reply(204)
POST, LOOK, CANCEL = "POST app/blobs/uploads/", "GET " + FIRST, "DELETE " + FIRST
PUT, PUT_AGAIN = ("PUT %s?digest=%s" % (session, QUOTED) for session in (FIRST, SECOND))
PATCH, PATCH_AGAIN = "PATCH " + FIRST, "PATCH " + SECOND
HEAD = "HEAD app/blobs/" + BLOB.digest
BROKEN = ConnectionReset("broken")


def at(size, location=FIRST):
    """What a registry says of a session that has so many bytes."""
    return Reply(204, {"Range": "0-%d" % (size - 1), "Location": "/v2/" + location})


@pytest.fixture
def uploader(scripted, monkeypatch):
    """An uploader for a registry that gives these replies; four bytes are worth resuming, pieces have eight bytes."""
    monkeypatch.setattr(upload, "_PIECES", (8,))
    monkeypatch.setattr(upload, "_WORTH_RESUMING", 4)

    def make(*replies, **options):
        client, script = scripted(*replies, **options)
        return BlobUploader(client, ACCESS), script

    return make


def content():
    """The verified content in chunks of three bytes."""
    return lambda: Verified(open_at, BLOB.digest, BLOB.size)


def open_at(offset):
    return [CONTENT[start : start + 3] for start in range(offset, len(CONTENT), 3)]


def patches(script):
    return [(sent.headers["Content-Range"], sent.body) for sent in script.sent if sent.method == "PATCH"]


def test_it_goes_on_where_the_registry_is(uploader, clock):
    pushing, script = uploader(STARTED, BROKEN, at(7), STARTED, STORED)
    assert pushing.push(BLOB, content()) is False
    assert script.log == [POST, PUT, LOOK, PATCH, PUT]
    assert patches(script) == [("7-19", CONTENT[7:])]
    assert script.sent[3].headers["Content-Type"] == "application/octet-stream"
    assert (script.sent[4].body, script.sent[4].headers) == (b"", {})
    # The registry may still be storing what arrived.
    assert clock.naps == [0.5]


def test_pieces_in_the_session_of_a_mount_have_the_least_length_that_its_response_states(uploader):
    begun = Reply(202, {**STARTED.headers, "OCI-Chunk-Min-Length": "12"})
    learned = [STARTED, Reply(413), CANCELLED, *[STARTED] * 4, STORED]
    pushing, script = uploader(*learned, begun, STARTED, STARTED, STORED)
    pushing.push(BLOB, content())
    del script.sent[:]
    pushing.push(BLOB, content(), "other")
    assert script.log == ["%s?mount=%s&from=other" % (POST, QUOTED), PATCH, PATCH, PUT]
    assert [asked for asked, _body in patches(script)] == ["0-11", "12-19"]


def test_a_registry_that_saw_the_connection_break_goes_on(uploader):
    pushing, script = uploader(STARTED, refused(499, "UNKNOWN"), at(7), STARTED, STORED, retries=0)
    pushing.push(BLOB, content())
    assert script.log == [POST, PUT, LOOK, PATCH, PUT]


def test_a_connection_that_stays_broken_is_an_error(uploader):
    gone = refused(499, "UNKNOWN")
    pushing, _script = uploader(STARTED, gone, at(7), gone, at(7), gone, CANCELLED, retries=0)
    with pytest.raises(ConnectionReset, match="cannot push blob %s: the connection was lost" % BLOB.digest):
        pushing.push(BLOB, content())


def test_it_goes_on_at_the_address_that_the_session_has_now(uploader):
    pushing, script = uploader(STARTED, BROKEN, at(7, SECOND), STARTED, STORED)
    pushing.push(BLOB, content())
    assert script.log == [POST, PUT, LOOK, PATCH_AGAIN, PUT]


def test_docker_says_bytes(uploader):
    pushing, script = uploader(STARTED, BROKEN, Reply(204, {"Range": "bytes=0-6"}), STARTED, STORED)
    pushing.push(BLOB, content())
    assert patches(script) == [("7-19", CONTENT[7:])]


def test_a_registry_that_has_everything_is_only_told_the_digest(uploader):
    pushing, script = uploader(STARTED, BROKEN, at(20), STORED)
    pushing.push(BLOB, content())
    assert script.log == [POST, PUT, LOOK, PUT]
    assert script.sent[3].body == b""


def test_a_host_that_does_not_respond_is_asked_as_well(uploader):
    pushing, script = uploader(STARTED, ConnectionFailed("timeout"), ConnectionFailed("x"), at(7), STARTED, STORED)
    pushing.push(BLOB, content())
    assert script.log == [POST, PUT, LOOK, LOOK, PATCH, PUT]


def test_progress_makes_the_next_failure_a_first_one(uploader, clock):
    broken = [step for size in (4, 8, 12, 16, 20) for step in (BROKEN, at(size))]
    pushing, script = uploader(STARTED, *broken, STORED, retries=0)
    pushing.push(BLOB, content())
    assert [asked for asked, _body in patches(script)] == ["4-19", "8-19", "12-19", "16-19"]
    assert set(clock.naps) == {0.5}


def test_without_progress_the_retries_end(uploader):
    stuck = [BROKEN, at(7)] * 3
    pushing, script = uploader(STARTED, *stuck, BROKEN, CANCELLED, retries=1)
    with pytest.raises(ConnectionReset):
        pushing.push(BLOB, content())
    assert script.log == [POST, PUT, LOOK, PATCH, LOOK, PATCH, LOOK, PATCH, CANCEL]
    assert [asked for asked, _body in patches(script)] == ["7-19", "7-19", "7-14"]


def test_a_few_bytes_are_sent_again(uploader, clock):
    small = Descriptor("application/octet-stream", digests.of(b"012"), 3)
    pushing, script = uploader(STARTED, BROKEN, CANCELLED, STARTED, STORED)
    pushing.push(small, lambda: Verified(lambda _at: [b"012"], small.digest, 3))
    assert [line.split(" ")[0] for line in script.log] == ["POST", "PUT", "DELETE", "POST", "PUT"]
    assert clock.naps == []


@pytest.mark.parametrize(
    "look",
    [
        refused(404, "BLOB_UPLOAD_UNKNOWN"),
        refused(416, "RANGE_INVALID"),
        Reply(200, {"Range": "0-6"}),
        Reply(204, {"Range": "5-9"}),
        Reply(204, {"Range": "0-6/20"}),
        Reply(204, {"Range": "nonsense"}),
        Reply(204, {"Range": "0-6", "Location": "ftp://elsewhere/"}),
    ],
)
def test_a_session_that_is_lost_begins_anew_unless_the_blob_is_there(uploader, look):
    pushing, script = uploader(STARTED, BROKEN, look, Reply(404), CANCELLED, STARTED_AGAIN, STORED)
    pushing.push(BLOB, content())
    assert script.log == [POST, PUT, LOOK, HEAD, CANCEL, POST, PUT_AGAIN]
    assert script.sent[-1].body == CONTENT
    pushing, script = uploader(STARTED, BROKEN, look, Reply(200))
    assert pushing.push(BLOB, content()) is False
    assert script.log == [POST, PUT, LOOK, HEAD]


@pytest.mark.parametrize("look", [Reply(204), Reply(204, {"Range": "0-0"}), at(21)])
def test_a_session_that_is_empty_or_has_more_than_was_sent_begins_anew(uploader, look):
    pushing, script = uploader(STARTED, BROKEN, look, CANCELLED, STARTED_AGAIN, STORED)
    pushing.push(BLOB, content())
    assert script.log == [POST, PUT, LOOK, CANCEL, POST, PUT_AGAIN]
    assert script.sent[-1].body == CONTENT


def test_content_that_cannot_go_back_begins_anew(uploader):
    pushing, script = uploader(STARTED, BROKEN, at(7), CANCELLED, STARTED_AGAIN, STORED)
    pushing.push(BLOB, lambda: [CONTENT[:10], CONTENT[10:]])
    assert script.sent[-1].body == CONTENT


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 501])
def test_a_registry_that_does_not_go_on_gets_all_of_it_anew_and_is_not_asked_again(uploader, status):
    pushing, script = uploader(
        *(STARTED, BROKEN, at(7), refused(status, "UNSUPPORTED"), CANCELLED),
        *(STARTED, BROKEN, CANCELLED),
        *(STARTED_AGAIN, STORED),
    )
    pushing.push(BLOB, content())
    assert script.log == [POST, PUT, LOOK, PATCH, CANCEL, POST, PUT, CANCEL, POST, PUT_AGAIN]
    assert script.sent[-1].body == CONTENT


def test_a_session_that_lost_content_begins_anew(uploader):
    """Distribution 2 appends what it gets, wherever that belongs; the digest shows it in the end."""
    pushing, script = uploader(
        STARTED, BROKEN, at(7), STARTED, refused(400, "DIGEST_INVALID"), CANCELLED, STARTED_AGAIN, STORED
    )
    pushing.push(BLOB, content())
    assert script.log == [POST, PUT, LOOK, PATCH, PUT, CANCEL, POST, PUT_AGAIN]
    assert script.sent[-1].body == CONTENT


def test_a_registry_that_has_stored_more_since_is_asked_again(uploader, clock):
    pushing, script = uploader(STARTED, BROKEN, at(7), Reply(416), at(9), STARTED, STORED)
    pushing.push(BLOB, content())
    assert patches(script) == [("7-19", CONTENT[7:]), ("9-19", CONTENT[9:])]
    assert clock.naps == [0.5, 0.5]


def test_a_registry_that_is_never_satisfied_gets_all_of_it_anew(uploader):
    stuck = [at(7), Reply(416)] * 2
    pushing, script = uploader(STARTED, BROKEN, *stuck, CANCELLED, STARTED_AGAIN, STORED, retries=1)
    pushing.push(BLOB, content())
    assert script.log[-3:] == [CANCEL, POST, PUT_AGAIN]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_registry_is_asked_where_it_is(uploader, clock, status):
    busy = Reply(status, {"Retry-After": "7"})
    pushing, script = uploader(STARTED, busy, at(7), busy, at(7), STARTED, STORED)
    pushing.push(BLOB, content())
    assert script.log == [POST, PUT, LOOK, PATCH, LOOK, PATCH, PUT]
    assert clock.naps == [7.0, 7.0]


def test_pieces_go_on_after_a_token_expired(uploader, clock):
    basic = {"WWW-Authenticate": 'Basic realm="r"'}
    pushing, script = uploader(
        *(STARTED, Reply(413), CANCELLED, STARTED, STARTED),
        *(Reply(401, basic), at(8), STARTED, STARTED, STORED),
        credential=Credential("jane", "secret"),
    )
    pushing.push(BLOB, content())
    assert [asked for asked, _body in patches(script)] == ["0-7", "8-15", "8-15", "16-19"]
    assert clock.naps == []
    assert ["Authorization" in sent.headers for sent in script.sent[-4:]] == [True] * 4


def test_a_rest_that_is_too_large_goes_in_pieces(uploader):
    pushing, script = uploader(STARTED, BROKEN, at(7), Reply(413), at(7), STARTED, STARTED, STORED)
    pushing.push(BLOB, content())
    assert [asked for asked, _body in patches(script)] == ["7-19", "7-14", "15-19"]


def test_pieces_that_break_go_on_with_the_piece(uploader):
    pushing, script = uploader(
        STARTED, Reply(413), CANCELLED, STARTED, STARTED, BROKEN, at(8), STARTED, STARTED, STORED
    )
    pushing.push(BLOB, content())
    assert [asked for asked, _body in patches(script)] == ["0-7", "8-15", "8-15", "16-19"]


def test_a_source_that_has_other_content_the_second_time_ends_the_upload(uploader):
    sources = iter((CONTENT, CONTENT[:-1] + b"X"))
    pushing, script = uploader(STARTED, BROKEN, at(7), CANCELLED)
    with pytest.raises(DigestMismatch, match="changed while this task was reading it"):
        pushing.push(BLOB, lambda: Verified(lambda _at: [next(sources)], BLOB.digest, BLOB.size))
    assert script.log == [POST, PUT, LOOK, CANCEL]
