# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What counts as there, as absent and as done, of what servers answer."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    AccessDenied,
    DigestMismatch,
    ImageError,
    NotFound,
    Refused,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import parse
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._registry import session as sessions
from ansible_collections.drayage.registry.plugins.module_utils._registry.session import Policy
from ansible_collections.drayage.registry.tests.unit.support import images, runs
from ansible_collections.drayage.registry.tests.unit.support.odd_server import (
    HTML,
    PAGE,
    REGISTRY,
    OddServer,
    Reply,
    refused,
)

IMAGE = images.image()
BLOB = IMAGE.manifest.blobs[0]
CONTENT = IMAGE.blobs[0]
MANIFEST = Reply(200, {"Content-Type": IMAGE.manifest.media_type}, IMAGE.manifest.raw)
UNKNOWN = refused(404, "MANIFEST_UNKNOWN")
NOT_THERE = Reply(404, REGISTRY)
NOWHERE = Reply(404, PAGE, HTML)
OTHER = digests.of(b"something else")


@pytest.fixture
def open_store(home, monkeypatch):
    """Serve what a function answers, and return the server and its repository ``app`` as a store."""
    monkeypatch.setattr(sessions, "_FIRST_PAUSE", 0.0)
    servers = []

    def open_at(answer, **options):
        server = OddServer(answer).__enter__()
        stores = Stores([], None, Policy(timeout=120, retries=1), runs.run()).__enter__()
        servers.extend((stores, server))
        return server, stores.open(parse("%s/app" % server.host), **options)

    yield open_at
    for server in servers:
        server.__exit__(None, None, None)


def of_methods(**replies):
    """Answer by the method; GET of the base as a registry does."""
    return lambda method, target: Reply(200, REGISTRY) if target == "/v2/" else replies[method]


class TestManifest:
    @pytest.mark.parametrize("status", [400, 403, 404, 405, 500, 501])
    @pytest.mark.parametrize("writable", [True, False])
    def test_head_is_not_the_last_word(self, status, writable, open_store):
        server, store = open_store(of_methods(HEAD=Reply(status), GET=MANIFEST), writable=writable)
        assert store.find("1").digest == IMAGE.digest
        if status != 404:  # a new tag of a destination costs one request
            assert store.resolve("1").digest == IMAGE.digest

    def test_absence_is_confirmed_where_it_matters(self, open_store):
        server, store = open_store(of_methods(HEAD=NOT_THERE, GET=UNKNOWN))
        assert store.find("1") is None
        assert server.log == ["HEAD /v2/app/manifests/1", "GET /v2/app/manifests/1"]

    def test_new_tag_costs_one_request(self, open_store):
        server, store = open_store(of_methods(HEAD=NOT_THERE), writable=True)
        assert store.resolve("1") is None
        assert server.log == ["HEAD /v2/app/manifests/1"]

    def test_registry_without_a_mark_is_asked_once_what_it_is(self, open_store):
        server, store = open_store(of_methods(HEAD=Reply(404)), writable=True)
        assert [store.resolve(tag) for tag in "12"] == [None, None]
        assert server.log == ["HEAD /v2/app/manifests/1", "GET /v2/", "HEAD /v2/app/manifests/2"]

    def test_refused_tag_of_a_destination_is_pushed_to(self, open_store):
        """Artifactory's virtual repositories return 403 for tags that do not exist."""
        replies = of_methods(HEAD=Reply(403), GET=refused(403, "DENIED"))
        _server, store = open_store(replies, writable=True)
        assert store.resolve("1") is None
        assert store.has_manifest(IMAGE.digest) is False
        _server, store = open_store(replies)
        with pytest.raises(AccessDenied, match="returned 403 DENIED"):
            store.resolve("1")
        with pytest.raises(AccessDenied):
            store.find("1")

    @pytest.mark.parametrize("status", [401, 429])
    def test_what_get_would_not_change_is_not_asked_again(self, status, open_store):
        server, store = open_store(of_methods(HEAD=Reply(status, {"Retry-After": "0"})), writable=True)
        with pytest.raises(ImageError, match="returned %d" % status):
            store.resolve("1")
        assert not any(line.startswith("GET /v2/app") for line in server.log)


class TestNoRegistry:
    @pytest.mark.parametrize("base", [NOWHERE, Reply(200, PAGE, HTML), Reply(403, PAGE, HTML), Reply(401, PAGE, HTML)])
    @pytest.mark.parametrize("writable", [True, False])
    def test_nothing_is_absent_there(self, base, writable, open_store):
        def answer(method, target):
            return base if target == "/v2/" else NOWHERE

        server, store = open_store(answer, writable=writable)
        asked = (
            lambda: store.resolve("1"),
            lambda: store.find("1"),
            lambda: store.manifest("1"),
            store.tags,
            lambda: list(store.open_blob(BLOB)),
        )
        for ask in asked:
            with pytest.raises(Refused) as caught:
                ask()
            assert "%s returned 404 with a web page, which is not a registry response. Check" % server.host in str(
                caught.value
            )
        assert server.log.count("GET /v2/") == 1

    @pytest.mark.parametrize(
        ("reply", "base"),
        [
            (refused(404, "NAME_UNKNOWN"), NOWHERE),
            (Reply(404, {**REGISTRY, **PAGE}, HTML), NOWHERE),
            (NOWHERE, Reply(200, REGISTRY)),
            (NOWHERE, Reply(200, {"Content-Type": "application/json"}, b"{}")),
            (NOWHERE, Reply(401, {"WWW-Authenticate": 'Basic realm="r"'})),
            (NOWHERE, refused(403, "DENIED")),
        ],
    )
    def test_what_a_registry_says_of_itself_is_enough(self, reply, base, open_store):
        _server, store = open_store(lambda method, target: base if target == "/v2/" else reply)
        assert store.find("1") is None
        for ask in (lambda: store.manifest("1"), store.tags, lambda: list(store.open_blob(BLOB))):
            with pytest.raises(NotFound):
                ask()


class TestPage:
    """A portal returns a page with status 200 for everything."""

    def test_nothing_is_read_from_it(self, open_store):
        server, store = open_store(lambda _method, _target: Reply(200, PAGE, HTML), writable=True)
        for ask in (lambda: store.resolve("1"), lambda: store.find("1"), lambda: store.manifest("1"), store.tags):
            with pytest.raises(Refused) as caught:
                ask()
            assert "%s returned 200 with a web page, which is not a registry response. Check" % server.host in str(
                caught.value
            )

    def test_nothing_is_uploaded_to_it(self, open_store):
        server, store = open_store(lambda _method, _target: Reply(200, PAGE, HTML), writable=True)
        cause = "cannot push to the repository: %s returned 200 with a web page"
        with pytest.raises(Refused, match=cause % server.host):
            store.put_blob(BLOB, lambda: [CONTENT], "")

    def test_a_manifest_that_is_called_a_page_is_a_manifest(self, open_store):
        _server, store = open_store(of_methods(GET=Reply(200, PAGE, IMAGE.manifest.raw)))
        assert store.manifest("1").digest == IMAGE.digest


class TestStorage:
    """A registry redirects to storage, whose URLs it has signed for GET only."""

    @pytest.fixture
    def redirect(self, open_store):
        def to(answer, **options):
            storage, _store = open_store(answer)
            headers = {"Location": "http://%s/bucket?Signature=secret" % storage.host}
            _server, store = open_store(lambda method, target: Reply(307, headers), **options)
            return storage, store

        return to

    def test_get_decides(self, redirect):
        _storage, store = redirect(of_methods(HEAD=Reply(403), GET=MANIFEST))
        assert store.resolve("1").digest == IMAGE.digest
        _storage, store = redirect(of_methods(HEAD=Reply(403), GET=Reply(206, {}, b"x")))
        assert store.has_blob(BLOB) is True

    @pytest.mark.parametrize("status", [400, 403, 404])
    @pytest.mark.parametrize("what", ["manifest", "blob"])
    def test_its_refusal_is_its_own(self, status, what, redirect):
        storage, store = redirect(of_methods(GET=Reply(status, {"Content-Type": "application/xml"}, b"<Error/>")))
        with pytest.raises(Refused) as caught:
            store.manifest("1") if what == "manifest" else list(store.open_blob(BLOB))
        message = str(caught.value)
        registry = store.reference("").partition("/")[0]
        assert "%s, the redirect target of %s, returned %d" % (storage.host, registry, status) in message
        assert "the registry's storage settings and clock" in message
        assert "authfile" not in message
        assert "secret" not in message

    def test_another_registry_may_be_what_is_redirected_to(self, redirect):
        _storage, store = redirect(of_methods(HEAD=Reply(404), GET=UNKNOWN))
        assert store.find("1") is None
        _storage, store = redirect(of_methods(HEAD=NOT_THERE), writable=True)
        assert store.resolve("1") is None

    def test_what_it_lost_is_missing(self, redirect):
        _storage, store = redirect(of_methods(HEAD=Reply(404), GET=Reply(404, {}, b"<Error/>")))
        assert store.has_blob(BLOB) is False


class TestBlob:
    @pytest.mark.parametrize("status", [400, 403, 404, 405, 500])
    def test_uploading_decides_at_a_destination(self, status, open_store):
        server, store = open_store(of_methods(HEAD=Reply(status)), writable=True)
        assert store.has_blob(BLOB) is False
        assert not any(line.startswith("GET") for line in server.log)

    @pytest.mark.parametrize("status", [400, 403, 404, 405, 500])
    @pytest.mark.parametrize(
        ("reply", "is_there"),
        [
            (Reply(206, {}, b"x"), True),
            (Reply(200, {}, CONTENT), True),
            (Reply(416, {"Content-Range": "bytes */0"}), True),
            (refused(404, "BLOB_UNKNOWN"), False),
        ],
    )
    def test_get_decides_elsewhere(self, status, reply, is_there, open_store):
        _server, store = open_store(of_methods(HEAD=Reply(status), GET=reply))
        assert store.has_blob(BLOB) is is_there

    def test_refusal_is_not_absence(self, open_store):
        _server, store = open_store(of_methods(HEAD=Reply(403), GET=refused(403, "DENIED")))
        with pytest.raises(AccessDenied, match="cannot look for blob"):
            store.has_blob(BLOB)

    def test_a_page_is_no_blob(self, open_store):
        _server, store = open_store(of_methods(HEAD=Reply(200, PAGE)), writable=True)
        assert store.has_blob(BLOB) is False


def stated(digest, **headers):
    return {"Docker-Content-Digest": digest, **headers}


class TestSuccess:
    """201, or success with the digest of what was stored; a page is none, unless it has that digest, as Quay's has."""

    STORED = [(201, {}), (201, "fits"), (200, "fits"), (202, "fits page"), (201, "fits page")]
    NOT_STORED = [(200, {}), (202, {}), (204, {}), (200, "page"), (201, "page"), (200, "other algorithm")]

    def reply(self, status, kind, digest):
        headers = dict(PAGE) if "page" in kind else {}
        if "fits" in kind:
            headers["Docker-Content-Digest"] = digest
        if "other" in kind:
            headers["Docker-Content-Digest"] = "sha512:" + "0" * 128
        return Reply(status, headers, HTML if "page" in kind else b"")

    @pytest.mark.parametrize(("status", "kind"), STORED)
    def test_manifest_is_stored(self, status, kind, open_store):
        _server, store = open_store(of_methods(PUT=self.reply(status, kind, IMAGE.digest)), writable=True)
        store.put_manifest(IMAGE.manifest)

    @pytest.mark.parametrize(("status", "kind"), NOT_STORED)
    def test_manifest_is_not_stored(self, status, kind, open_store):
        server, store = open_store(of_methods(PUT=self.reply(status, kind, IMAGE.digest)), writable=True)
        cause = "cannot push the manifest: %s returned %d" % (server.host, status)
        with pytest.raises(Refused, match=cause):
            store.publish(IMAGE.manifest, ["1"], None)

    @pytest.mark.parametrize("status", [200, 201])
    def test_manifest_is_stored_as_another(self, status, open_store):
        _server, store = open_store(of_methods(PUT=Reply(status, stated(OTHER))), writable=True)
        with pytest.raises(DigestMismatch):
            store.put_manifest(IMAGE.manifest)

    def upload(self, open_store, mount_from="", **replies):
        session = {"Location": "/v2/app/blobs/uploads/1"}
        replies = {"POST": Reply(202, session), "DELETE": Reply(204), "PATCH": Reply(202, session), **replies}
        server, store = open_store(of_methods(**replies), writable=True)
        return server, lambda: store.put_blob(BLOB, lambda: [CONTENT], mount_from)

    @pytest.mark.parametrize(("status", "kind"), STORED)
    def test_blob_is_stored(self, status, kind, open_store):
        _server, push = self.upload(open_store, PUT=self.reply(status, kind, BLOB.digest))
        assert push() is False

    @pytest.mark.parametrize(("status", "kind"), NOT_STORED)
    def test_blob_is_not_stored(self, status, kind, open_store):
        server, push = self.upload(open_store, PUT=self.reply(status, kind, BLOB.digest))
        cause = "cannot push blob %s: %s returned %d"
        with pytest.raises(Refused, match=cause % (BLOB.digest, server.host, status)):
            push()
        assert server.log[-1].startswith("DELETE ")

    @pytest.mark.parametrize(("status", "kind"), STORED)
    def test_blob_is_mounted(self, status, kind, open_store):
        _server, push = self.upload(open_store, "other", POST=self.reply(status, kind, BLOB.digest))
        assert push() is True

    def test_a_page_mounts_nothing(self, open_store):
        replies = iter([Reply(201, PAGE, HTML), Reply(202, {"Location": "/v2/app/blobs/uploads/1"})])

        def answer(method, target):
            return next(replies) if method == "POST" else Reply(201)

        server, store = open_store(answer, writable=True)
        assert store.put_blob(BLOB, lambda: [CONTENT], "other") is False
        assert [line.partition(" ")[0] for line in server.log] == ["POST", "POST", "PUT"]

    def test_a_page_takes_no_piece(self, open_store):
        """The whole is refused as too large, and the pieces by a portal."""
        blob = images.descriptor(b"x" * 9_000_000)

        def answer(method, target):
            if method == "POST":
                return Reply(202, {"Location": "/v2/app/blobs/uploads/1"})
            return {"PUT": Reply(413), "PATCH": Reply(200, PAGE, HTML)}.get(method, Reply(204))

        server, store = open_store(answer, writable=True)
        with pytest.raises(Refused, match="returned 200 with a web page"):
            store.put_blob(blob, lambda: [b"x" * 9_000_000], "")
