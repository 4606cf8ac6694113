# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refused requests: the error that each status, code and message of a registry becomes."""

from __future__ import annotations

import base64
import errno
import http.client
import json

import pytest
from urllib3 import exceptions as urllib3_errors

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    AccessDenied,
    ConnectionFailed,
    ContentMissing,
    FormatRefused,
    NotFound,
    Refused,
)
from ansible_collections.drayage.registry.plugins.module_utils._registry.action import Action
from ansible_collections.drayage.registry.plugins.module_utils._registry.failures import error_for, read_details
from ansible_collections.drayage.registry.plugins.module_utils._registry.quota import Quota
from ansible_collections.drayage.registry.tests.unit.support.responses import response

SECRET = "hunter2"
AUTHORIZATION = "Basic " + base64.b64encode(b"jane:open:sesame").decode()


def errors(code, message="", **more):
    return json.dumps({"errors": [{"code": code, "message": message, **more}]}).encode()


def answer(status, body=b"", error=None):
    return response(status, body, authorization=AUTHORIZATION, error=error)


def refused(status, body=b"", action=Action.READ_MANIFEST, who="user u"):
    return error_for("r.example", answer(status, body), action, who)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (errors("DENIED", "requested access is denied"), "400 DENIED (requested access is denied)"),
        (errors("DENIED"), "400 DENIED"),
        (errors("", "no such thing"), "400 (no such thing)"),
        (errors("A\nB", "one\n two\t\tthree"), "400 A B (one two three)"),
        (b'{"errors": [{"code": 5, "message": ["x"]}]}', "400"),
        (b'{"errors": [{"message": "only this"}]}', "400 (only this)"),
        (b'{"errors": []}', "400"),
        (b'{"errors": null}', "400"),
        (b'{"errors": {"code": "X"}}', "400"),
        (b'{"errors": ["X"]}', "400"),
        (b'{"error": "X"}', "400"),
        (b'["X"]', "400"),
        (b"null", "400"),
        (b"", "400"),
        (b"<html>Bad gateway</html>", "400"),
        (b"\xff\xfe", "400"),
        pytest.param(b"[" * 16384, "400", id="nested"),
    ],
)
def test_an_answer_is_told_by_status_code_and_message(body, shown):
    given = answer(400, body)
    assert str(read_details(given)) == shown
    assert given._body.closed


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(errno.ECONNRESET, "reset"),
        http.client.IncompleteRead(b"", 93),
        urllib3_errors.ProtocolError("Connection broken"),
        urllib3_errors.DecodeError("not gzip"),
    ],
)
def test_a_body_that_breaks_leaves_the_status(error):
    given = answer(416, error=error)
    assert str(read_details(given)) == "416"
    assert given._body.closed


def test_a_message_is_kept_short_and_a_huge_body_is_not_read():
    assert len(str(read_details(answer(400, errors("X", "m" * 5000))))) < 250
    assert str(read_details(answer(400, errors("X", "m" * 100000)))) == "400"


@pytest.mark.parametrize(
    "body",
    [
        errors("X", "see https://s3.example/x?X-Amz-Signature=%s&y=%s" % (SECRET, SECRET)),
        errors("X?token=" + SECRET, "x"),
        errors("X", "x", detail={"token": SECRET}),
        b'{"errors": [{"code": "X"}], "access_token": "%s"}' % SECRET.encode(),
        b"<html>%s</html>" % SECRET.encode(),
        SECRET.encode(),
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_no_query_and_no_foreign_body_reaches_the_user(status, body):
    assert SECRET not in str(refused(status, body))


def test_a_refusal_says_what_could_not_be_done_where_and_why():
    error = refused(400, errors("NAME_INVALID", "invalid repository name"))
    assert str(error).startswith(
        "cannot read the manifest: r.example returned 400 NAME_INVALID (invalid repository name)"
    )
    assert error.status == 400


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("code", ["UNAUTHORIZED", "DENIED", "MANIFEST_UNKNOWN", ""])
def test_no_access_is_never_absence_and_says_who_asked(status, code):
    error = refused(status, errors(code), who="user jane")
    assert isinstance(error, AccessDenied)
    assert "for user jane" in str(error)
    assert "credentials" in error.hint


@pytest.mark.parametrize(
    "body", [errors("MANIFEST_UNKNOWN"), errors("NAME_UNKNOWN"), errors("BLOB_UNKNOWN"), b"<html>404</html>", b""]
)
def test_absence_says_that_it_may_be_lack_of_access(body):
    error = refused(404, body)
    assert isinstance(error, NotFound)
    assert "credentials" in error.hint


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("code", ["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"])
def test_a_manifest_whose_content_is_missing(status, code):
    assert isinstance(refused(status, errors(code), action=Action.PUSH_MANIFEST), ContentMissing)


@pytest.mark.parametrize(("status", "code"), [(400, "MANIFEST_INVALID"), (404, "NAME_UNKNOWN"), (500, "BLOB_UNKNOWN")])
def test_other_refusals_of_a_push_are_not_about_missing_content(status, code):
    assert not isinstance(refused(status, errors(code), action=Action.PUSH_MANIFEST), ContentMissing)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (415, b""),
        (400, errors("MANIFEST_INVALID")),
        (405, errors("UNSUPPORTED", "Invalid parameter at 'ImageManifest': 'Invalid JSON syntax'")),
    ],
)
def test_a_manifest_of_a_kind_that_is_not_taken_is_an_error_of_its_own(status, body):
    error = refused(status, body, action=Action.PUSH_MANIFEST)
    assert isinstance(error, FormatRefused)
    assert (error.status, error.hint) == (status, "Use a registry that accepts this type of manifest")


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (413, "", "client_max_body_size"),
        (415, "", "type of manifest"),
        (400, "MANIFEST_INVALID", "type of manifest"),
        (405, "UNSUPPORTED", "read-only"),
        (409, "", "immutable"),
        (412, "PRECONDITION", "immutable"),
        (400, "TAG_INVALID", "immutable"),
        (429, "TOOMANYREQUESTS", "rate"),
        (500, "UNKNOWN", "log"),
        (507, "", "Free up some space"),
    ],
)
def test_the_hint_fits_the_error_for(status, code, hint):
    error = refused(status, errors(code) if code else b"", action=Action.PUSH_MANIFEST)
    assert isinstance(error, Refused)
    assert hint in error.hint


def test_no_hint_is_better_than_a_wrong_one():
    assert refused(400, errors("DIGEST_INVALID")).hint == ""
    assert refused(418).hint == ""


def test_a_server_that_expects_tls_says_so_in_an_error():
    reply = response(400, b"Client sent an HTTP request to an HTTPS server.\n", url="http://r.example/v2/")
    error = error_for("r.example", reply, Action.READ_MANIFEST, "user u")
    assert isinstance(error, ConnectionFailed)
    assert (
        str(error)
        == "r.example expects TLS, but the request used plain HTTP. Set plain_http: false for the host in registries."
    )


def test_a_request_over_tls_that_reached_the_registry_in_plain_text_is_about_the_proxy():
    error = refused(400, b"Client sent an HTTP request to an HTTPS server.\n")
    assert str(error) == (
        "cannot read the manifest: r.example returned 400. The proxy in front of the registry uses plain HTTP, "
        "but the registry expects TLS. Correct the proxy's configuration."
    )


@pytest.mark.parametrize("message", ["use HTTPS", "this HTTP request is too long"])
def test_words_about_requests_are_not_words_about_tls(message):
    assert isinstance(refused(400, errors("X", message)), Refused)


@pytest.mark.parametrize(
    "quoted",
    [AUTHORIZATION, AUTHORIZATION[6:], "jane:open:sesame", "open:sesame", base64.b64encode(b"open:sesame").decode()],
)
def test_credentials_that_a_server_quotes_are_not_shown(quoted):
    text = str(refused(403, errors(quoted, "who is x%sx?" % quoted)))
    assert "x***x" in text.replace("Basic ", "")
    assert quoted not in text
    assert "sesame" not in text


def test_what_a_server_says_is_one_line_of_text():
    message = "a\x1b[2K\x1b[1Ab\r\nok: [localhost]\u202ec\x9b31m\u2028d" + "e" * 5000
    text = str(refused(400, errors("X\x1b]0;title\x07\n", message)))
    assert text.startswith(
        "cannot read the manifest: r.example returned 400 X ]0;title (ab ok: [localhost] c d" + "e" * 50
    )
    assert text.isprintable()
    assert len(text) < 500


@pytest.mark.parametrize(
    ("quota", "hint"),
    [
        (None, "The registry limits the rate of requests"),
        (Quota(3, 100, 21600), "The registry limits the rate of requests"),
        (Quota(0, 100, 21600), "The registry's limit of 100 requests in 6 hours has been reached"),
        (Quota(0, None, 21600), "The registry's request limit has been reached. Try again later"),
    ],
)
def test_a_quota_that_is_used_up_explains_the_error_for(quota, hint):
    error = error_for("r.example", answer(429), Action.READ_MANIFEST, "anonymous users", quota)
    assert str(error).startswith("cannot read the manifest: r.example returned 429. " + hint)
    assert "limit of 100" not in error_for("r.example", answer(500), Action.READ_MANIFEST, "u", quota).hint
