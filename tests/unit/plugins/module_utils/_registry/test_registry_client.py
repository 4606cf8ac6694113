# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The blobs, repositories and logins of a scripted registry: which requests each method sends, and what it makes of the responses."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    AccessDenied,
    ImageError,
    LoginRefused,
    NotFound,
    Refused,
)
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import Credential
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.odd_server import (
    BASIC,
    HTML,
    PAGE,
    REGISTRY,
    Reply,
    found,
    refused,
)

ACCESS = Access("app", frozenset(("pull",)))
DIGEST = images.image().digest
BASE = "GET "
JANE = Credential("jane", "secret")


class TestBlob:
    HEAD, GET = "HEAD app/blobs/" + DIGEST, "GET app/blobs/" + DIGEST

    @pytest.mark.parametrize(
        ("reply", "is_there"), [(Reply(200), True), (Reply(200, PAGE), False), (Reply(404), False)]
    )
    def test_head_finds_it(self, scripted, reply, is_there):
        client, script = scripted(reply)
        assert client.has_blob(ACCESS, DIGEST) is is_there
        assert script.log == [self.HEAD]

    @pytest.mark.parametrize(("status", "error"), [(401, AccessDenied), (429, Refused)])
    def test_what_get_would_not_change_is_an_error(self, scripted, status, error):
        client, _script = scripted(Reply(status), retries=0)
        with pytest.raises(error, match="cannot look for blob %s: r.example returned %d" % (DIGEST, status)):
            client.has_blob(ACCESS, DIGEST)

    @pytest.mark.parametrize("status", [200, 206, 416])
    def test_one_byte_proves_it(self, scripted, status):
        client, script = scripted(Reply(status, {}, b"x"))
        assert client.can_read_blob(ACCESS, DIGEST) is True
        assert (script.log, script.sent[0].headers) == ([self.GET], {"Range": "bytes=0-0"})
        assert script.responses[0]._body.closed

    def test_unknown_is_absent(self, scripted):
        client, _script = scripted(refused(404, "BLOB_UNKNOWN"))
        assert client.can_read_blob(ACCESS, DIGEST) is False

    def test_what_storage_lost_is_absent(self, scripted):
        client, _script = scripted(Reply(307, {"Location": "https://storage.example/x"}), Reply(404))
        assert client.can_read_blob(ACCESS, DIGEST) is False

    @pytest.mark.parametrize("reply", [Reply(200, PAGE, HTML), refused(403, "DENIED"), refused(500, "UNKNOWN")])
    def test_anything_else_is_an_error(self, scripted, reply):
        client, _script = scripted(reply, retries=0)
        with pytest.raises(ImageError, match="cannot look for blob %s" % DIGEST):
            client.can_read_blob(ACCESS, DIGEST)

    def test_a_refusal_of_storage_is_an_error(self, scripted):
        client, _script = scripted(Reply(307, {"Location": "https://storage.example/x"}), Reply(403))
        with pytest.raises(Refused, match="storage.example, the redirect target of r.example, returned 403"):
            client.can_read_blob(ACCESS, DIGEST)

    def test_a_404_that_is_no_registrys_is_an_error(self, scripted):
        client, _script = scripted(Reply(404, PAGE, HTML), Reply(404))
        with pytest.raises(Refused, match="returned 404 with a web page"):
            client.can_read_blob(ACCESS, DIGEST)


class TestRepository:
    @pytest.mark.parametrize(
        ("reply", "exists"),
        [
            (found({"tags": ["1"]}), True),
            (found({"tags": []}), False),
            (found({"tags": None}), False),
            (found({}), False),
            (found(["1"]), True),
            (Reply(200, {}, b"nonsense"), True),
            (Reply(200, {"Content-Length": "9"}, b"{}"), True),
            (Reply(404, REGISTRY), False),
            (Reply(403), True),
            (Reply(500), True),
        ],
    )
    def test_its_tags_show_it(self, scripted, reply, exists):
        client, script = scripted(reply, retries=0)
        assert client.has_repository(ACCESS) is exists
        assert script.log == ["GET app/tags/list?n=1"]


class TestCheck:
    @pytest.mark.parametrize("reply", [Reply(200), Reply(200, REGISTRY)])
    def test_success_lets_us_in(self, scripted, reply):
        client, script = scripted(reply)
        client.check()
        assert script.log == [BASE]

    @pytest.mark.parametrize("status", [200, 404])
    def test_a_host_that_is_none(self, scripted, status):
        client, _script = scripted(Reply(status, PAGE, HTML))
        with pytest.raises(Refused) as caught:
            client.check()
        assert str(caught.value).startswith(
            "cannot log in: r.example returned %d with a web page, which is not a registry response." % status
        )

    def test_404_of_a_registry_is_not_access(self, scripted):
        client, _script = scripted(Reply(404, REGISTRY))
        with pytest.raises(NotFound, match="cannot log in: r.example returned 404"):
            client.check()

    def test_a_password_that_is_wrong(self, scripted):
        client, script = scripted(Reply(401, BASIC), Reply(401, BASIC), credential=JANE)
        with pytest.raises(LoginRefused, match="cannot log in to r.example as user jane: the registry returned 401"):
            client.check()
        assert [sent.headers.get("Authorization") for sent in script.sent] == [None, "Basic amFuZTpzZWNyZXQ="]

    def test_any_other_refusal(self, scripted):
        client, _script = scripted(refused(403, "DENIED"))
        with pytest.raises(AccessDenied, match="cannot log in: r.example returned 403 DENIED for anonymous users"):
            client.check()
