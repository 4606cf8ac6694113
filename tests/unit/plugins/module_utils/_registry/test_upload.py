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
from ansible_collections.drayage.registry.plugins.module_utils._registry.connection_errors import ConnectionReset
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import Credential
from ansible_collections.drayage.registry.tests.unit.support.odd_server import (
    BASIC,
    HTML,
    PAGE,
    REGISTRY,
    Reply,
    refused,
)
from ansible_collections.drayage.registry.tests.unit.support.uploads import (
    BLOB,
    CANCEL,
    CANCELLED,
    CONTENT,
    MOUNT,
    POST,
    PUT,
    QUOTED,
    SESSION,
    STARTED,
    STORED,
    blob_of,
    chunks,
)


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


def test_a_marked_page_is_a_refusal_of_the_registry(uploader):
    pushing, _script = uploader(STARTED, Reply(404, {**REGISTRY, **PAGE}, HTML), CANCELLED, STARTED, STORED)
    assert pushing.push(BLOB, chunks()) is False
