# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifests of a scripted registry: which requests each method sends, and what it makes of the responses."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    AccessDenied,
    ConnectionFailed,
    ContentMissing,
    DigestMismatch,
    DigestRefused,
    InvalidContent,
    Refused,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access
from ansible_collections.drayage.registry.plugins.module_utils._registry.connection_errors import ConnectionReset
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.odd_server import (
    BASIC,
    HTML,
    PAGE,
    REGISTRY,
    Reply,
    refused,
)

ACCESS = Access("app", frozenset(("pull",)))
IMAGE = images.image()
RAW, DIGEST, TYPE = IMAGE.manifest.raw, IMAGE.digest, IMAGE.manifest.media_type
OTHER = digests.of(b"other")
SCHEMA1 = images.encode({"schemaVersion": 1, "name": "app", "tag": "1", "fsLayers": [], "history": []})
HEAD, GET, BASE = "HEAD app/manifests/1", "GET app/manifests/1", "GET "
UNKNOWN = refused(404, "MANIFEST_UNKNOWN")


def manifest(**headers):
    return Reply(200, {"Content-Type": TYPE, **{name.replace("_", "-"): text for name, text in headers.items()}}, RAW)


def described(digest=DIGEST, media_type=TYPE, length="416"):
    headers = {"Docker-Content-Digest": digest, "Content-Type": media_type, "Content-Length": length}
    return Reply(200, {name: value for name, value in headers.items() if value is not None})


class TestHead:
    @pytest.mark.parametrize("media_type", [TYPE, TYPE + "; charset=utf-8", media_types.OCI_INDEX])
    def test_the_headers_make_a_descriptor(self, scripted, media_type):
        client, script = scripted(described(media_type=media_type))
        head = client.head_manifest(ACCESS, "1")
        assert (head.media_type, head.digest, head.size) == (media_type.partition(";")[0], DIGEST, 416)
        assert script.log == [HEAD]
        assert script.sent[0].headers == {"Accept": media_types.ACCEPT}

    @pytest.mark.parametrize(
        "head",
        [
            described(digest=None),
            described(digest="sha256:abc"),
            described(media_type=None),
            described(media_type="application/json"),
            described(media_type=media_types.DOCKER_SCHEMA1),
            described(length=None),
            described(length="-1"),
        ],
    )
    def test_a_header_that_is_missing_costs_a_get(self, scripted, head):
        client, script = scripted(head, manifest())
        assert client.head_manifest(ACCESS, "1").digest == DIGEST
        assert script.log == [HEAD, GET]

    def test_schema_1_counts_where_it_is_asked_for(self, scripted):
        client, script = scripted(described(media_type=media_types.DOCKER_SCHEMA1))
        assert client.head_manifest(ACCESS, "1", legacy=True).media_type == media_types.DOCKER_SCHEMA1
        assert script.sent[0].headers["Accept"] == ", ".join(
            (media_types.ACCEPT, media_types.DOCKER_SCHEMA1, media_types.DOCKER_SCHEMA1_SIGNED)
        )

    def test_schema_1_is_asked_for_by_get_as_well(self, scripted):
        client, script = scripted(Reply(405), Reply(200, {}, SCHEMA1))
        assert client.head_manifest(ACCESS, "1", legacy=True).digest == digests.of(SCHEMA1)
        assert media_types.DOCKER_SCHEMA1 in script.sent[1].headers["Accept"]

    def test_a_marked_404_is_absence(self, scripted):
        client, script = scripted(Reply(404, REGISTRY))
        assert client.head_manifest(ACCESS, "1") is None
        assert script.log == [HEAD]

    def test_get_confirms_absence_where_it_is_to_be_certain(self, scripted):
        client, script = scripted(Reply(404, REGISTRY), UNKNOWN, Reply(404, REGISTRY), manifest())
        assert client.head_manifest(ACCESS, "1", is_certain=True) is None
        assert client.head_manifest(ACCESS, "1", is_certain=True).digest == DIGEST
        assert script.log == [HEAD, GET] * 2

    @pytest.mark.parametrize(("status", "error"), [(401, AccessDenied), (429, Refused)])
    def test_what_get_would_not_change_is_an_error(self, scripted, status, error):
        client, script = scripted(Reply(status), retries=0)
        with pytest.raises(error, match="cannot read the manifest: r.example returned %d" % status):
            client.head_manifest(ACCESS, "1")
        assert script.log == [HEAD]

    def test_401_of_storage_is_not_the_registrys(self, scripted):
        away = Reply(307, {"Location": "https://storage.example/x"})
        client, _script = scripted(away, Reply(401), manifest())
        assert client.head_manifest(ACCESS, "1").digest == DIGEST

    def test_404_of_storage_is_no_absence(self, scripted):
        away = Reply(307, {"Location": "https://storage.example/x"})
        client, _script = scripted(away, Reply(404), manifest())
        assert client.head_manifest(ACCESS, "1").digest == DIGEST


class TestBase:
    """A 404 without a mark is one of a registry if GET /v2/ is answered as registries answer it."""

    @pytest.mark.parametrize(
        ("base", "is_registry"),
        [
            (Reply(200), True),
            (Reply(401, BASIC), True),
            (refused(403, "DENIED"), True),
            (Reply(404, REGISTRY), True),
            (Reply(401), False),
            (Reply(403), False),
            (Reply(404), False),
            (Reply(200, PAGE, HTML), False),
            (Reply(200, {"Content-Type": "TEXT/HTML ;x"}, HTML), False),
        ],
    )
    def test_it_decides(self, scripted, base, is_registry):
        client, script = scripted(
            Reply(404), base, *([] if is_registry else [UNKNOWN]), Reply(404), *([] if is_registry else [manifest()])
        )
        assert client.head_manifest(ACCESS, "1") is None
        second = client.head_manifest(ACCESS, "1")
        assert (second is None) is is_registry
        assert script.log.count(BASE) == 1
        assert script.sent[1].headers == {}

    @pytest.mark.parametrize("status", [429, 503])
    def test_who_does_not_decide_now_is_an_error(self, scripted, status):
        client, _script = scripted(Reply(404), Reply(status), retries=0)
        with pytest.raises(Refused) as caught:
            client.head_manifest(ACCESS, "1")
        assert str(caught.value).startswith("cannot check that the host is a registry: r.example returned %d" % status)


class TestGet:
    def test_a_manifest_has_its_own_digest(self, scripted):
        client, script = scripted(manifest())
        assert client.get_manifest(ACCESS, "1").digest == DIGEST
        assert (script.log, script.sent[0].headers) == ([GET], {"Accept": media_types.ACCEPT})
        assert client.session.statistics.warnings == []

    def test_it_is_compared_with_the_digest_it_was_asked_for_by(self, scripted):
        client, _script = scripted(manifest())
        with pytest.raises(DigestMismatch):
            client.get_manifest(ACCESS, OTHER)

    def test_the_type_may_be_in_the_header_only(self, scripted):
        raw = images.encode({key: value for key, value in IMAGE.manifest.document.items() if key != "mediaType"})
        client, _script = scripted(Reply(200, {"Content-Type": media_types.DOCKER_MANIFEST}, raw))
        assert client.get_manifest(ACCESS, "1").media_type == media_types.DOCKER_MANIFEST

    @pytest.mark.parametrize(
        ("stated", "is_told"),
        [(DIGEST, False), (OTHER, True), ("sha512:" + "0" * 128, False), ("nonsense", False), ("sha256:abc", False)],
    )
    def test_a_header_with_another_digest_is_warned_of(self, scripted, stated, is_told):
        client, _script = scripted(manifest(Docker_Content_Digest=stated))
        client.get_manifest(ACCESS, "1")
        text = (
            "r.example returned app:1 with the digest %s in the Docker-Content-Digest header, but the content has "
            "the digest %s. Check the registry, and any proxy in front of it." % (stated, DIGEST)
        )
        assert client.session.statistics.warnings == ([text] if is_told else [])

    def test_schema_1_is_refused_unless_it_is_asked_for(self, scripted):
        client, _script = scripted(Reply(200, {}, SCHEMA1), Reply(200, {}, SCHEMA1))
        with pytest.raises(InvalidContent, match="schema 1"):
            client.get_manifest(ACCESS, "1")
        assert client.get_manifest(ACCESS, "1", legacy=True).media_type == media_types.DOCKER_SCHEMA1

    def test_a_body_that_breaks_is_asked_for_again(self, scripted, clock):
        broken = manifest()._replace(body=RAW[:10], announced=len(RAW))
        client, script = scripted(broken, manifest())
        assert client.get_manifest(ACCESS, "1").digest == DIGEST
        assert (script.log, clock.naps) == ([GET, GET], [0.5])

    def test_a_body_that_breaks_for_ever_is_an_error(self, scripted):
        broken = manifest()._replace(body=RAW[:10], announced=len(RAW))
        client, script = scripted(broken, broken, retries=1)
        with pytest.raises(ConnectionFailed):
            client.get_manifest(ACCESS, "1")
        assert script.log == [GET, GET]

    def test_it_has_a_limit(self, scripted):
        client, _script = scripted(Reply(200, {}, bytes(4 * 1024 * 1024 + 1)))
        with pytest.raises(Refused, match="r.example sent a response larger than 4194304 bytes"):
            client.get_manifest(ACCESS, "1")

    def test_a_page_is_blamed_on_its_sender(self, scripted):
        away = Reply(307, {"Location": "https://portal.example/x"})
        client, _script = scripted(away, Reply(200, PAGE, HTML))
        with pytest.raises(Refused) as caught:
            client.get_manifest(ACCESS, "1")
        assert str(caught.value).startswith(
            "cannot read the manifest: portal.example returned 200 with a web page, which is not a registry response."
        )

    def test_other_nonsense_is_the_manifests(self, scripted):
        client, _script = scripted(Reply(200, {}, b"{}"))
        with pytest.raises(InvalidContent):
            client.get_manifest(ACCESS, "1")


class TestPut:
    PUT = "PUT app/manifests/1"

    def test_bytes_and_type_are_those_of_the_manifest(self, scripted):
        client, script = scripted(Reply(201))
        assert client.put_manifest(ACCESS, "1", IMAGE.manifest) == ""
        assert (script.log, script.sent[0].body) == ([self.PUT], RAW)
        assert script.sent[0].headers == {"Content-Type": TYPE}

    def test_the_subject_that_it_was_listed_for_is_returned(self, scripted):
        client, _script = scripted(Reply(201, {"OCI-Subject": OTHER}))
        assert client.put_manifest(ACCESS, "1", IMAGE.manifest) == OTHER

    @pytest.mark.parametrize("status", [201, 299])
    def test_another_digest_is_an_error(self, scripted, status):
        client, _script = scripted(Reply(status, {"Docker-Content-Digest": OTHER}))
        with pytest.raises(DigestMismatch):
            client.put_manifest(ACCESS, "1", IMAGE.manifest)

    def test_content_that_is_missing_is_an_error_of_its_own(self, scripted):
        client, _script = scripted(refused(404, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry"))
        with pytest.raises(ContentMissing) as caught:
            client.put_manifest(ACCESS, "1", IMAGE.manifest)
        assert str(caught.value) == (
            "cannot push the manifest: r.example returned 404 MANIFEST_BLOB_UNKNOWN (blob unknown to registry)."
            " Run the task again. If it fails again, push the image to the source again."
        )

    def test_digest_invalid_is_tried_again(self, scripted, clock):
        """Distribution says so while another client pushes the same."""
        client, script = scripted(refused(400, "DIGEST_INVALID"), refused(400, "DIGEST_INVALID"), Reply(201))
        client.put_manifest(ACCESS, "1", IMAGE.manifest)
        assert (script.log, clock.naps) == ([self.PUT] * 3, [0.5, 1.0])

    def test_digest_invalid_for_ever_is_an_error(self, scripted):
        client, script = scripted(*[refused(400, "DIGEST_INVALID")] * 2, retries=1)
        with pytest.raises(DigestRefused):
            client.put_manifest(ACCESS, "1", IMAGE.manifest)
        assert script.log == [self.PUT] * 2

    @pytest.mark.parametrize(
        ("layer", "status", "is_told"), [("foreign", 500, True), ("foreign", 400, False), ("", 500, False)]
    )
    def test_layers_of_a_vendor_explain_500(self, scripted, layer, status, is_told):
        kind = media_types.DOCKER_LAYER.replace("diff", "foreign.diff") if layer else images.LAYER
        pushed = images.image("linux/amd64", b"x", layer_type=kind).manifest
        client, _script = scripted(Reply(status), retries=0)
        with pytest.raises(Refused) as caught:
            client.put_manifest(ACCESS, "1", pushed)
        assert ("validation.manifests.urls.allow" in caught.value.hint) is is_told


class TestDelete:
    DELETE = "DELETE app/manifests/1"
    GONE = (Reply(404, REGISTRY),)

    def test_202_is_final(self, scripted):
        client, script = scripted(Reply(202))
        assert client.delete_manifest(ACCESS, "1") is True
        assert script.log == [self.DELETE]

    @pytest.mark.parametrize("status", [200, 204])
    def test_another_success_is_looked_at(self, scripted, status):
        client, script = scripted(Reply(status), *self.GONE)
        assert client.delete_manifest(ACCESS, "1") is True
        assert script.log == [self.DELETE, HEAD]

    @pytest.mark.parametrize(("name", "what"), [("1", "tag"), (DIGEST, "manifest")])
    def test_a_success_that_did_nothing_is_an_error(self, scripted, name, what):
        client, _script = scripted(Reply(200), described())
        with pytest.raises(Refused) as caught:
            client.delete_manifest(ACCESS, name)
        assert str(
            caught.value
        ) == "cannot delete the %s: r.example returned 200, but the %s still exists. Check the registry's log." % (
            what,
            what,
        )
        assert caught.value.status == 200

    def test_404_is_absence(self, scripted):
        client, script = scripted(Reply(404), *self.GONE)
        assert client.delete_manifest(ACCESS, "1") is False
        assert script.log == [self.DELETE, HEAD]

    def test_404_after_a_lost_response_is_success(self, scripted):
        client, _script = scripted(ConnectionReset("x"), Reply(404), *self.GONE)
        assert client.delete_manifest(ACCESS, "1") is True

    def test_a_schema_1_manifest_that_is_still_there_counts(self, scripted):
        client, _script = scripted(Reply(200), described(media_type=media_types.DOCKER_SCHEMA1))
        with pytest.raises(Refused, match="still exists"):
            client.delete_manifest(ACCESS, "1")

    @pytest.mark.parametrize(("status", "deleted"), [(404, False), (202, True), (200, True)])
    def test_what_cannot_exist_is_not_looked_for(self, scripted, status, deleted):
        client, script = scripted(Reply(status))
        assert client.delete_manifest(ACCESS, DIGEST, exists=False) is deleted
        assert len(script.log) == 1

    @pytest.mark.parametrize(("status", "exists"), [(200, True), (202, True), (404, False), (200, False)])
    def test_a_page_is_no_answer(self, scripted, status, exists):
        client, _script = scripted(Reply(status, PAGE, HTML))
        with pytest.raises(Refused, match="returned %d with a web page" % status):
            client.delete_manifest(ACCESS, "1", exists=exists)

    def test_a_page_with_404_is_looked_at(self, scripted):
        client, _script = scripted(Reply(404, PAGE, HTML), *self.GONE)
        assert client.delete_manifest(ACCESS, "1") is False

    @pytest.mark.parametrize(("name", "what"), [("1", "tag"), (DIGEST, "manifest")])
    @pytest.mark.parametrize(
        ("reply", "hint"),
        [
            (refused(405, "UNSUPPORTED"), "Enable deletion in the registry"),
            (Reply(405), "Check whether the registry is read-only"),
        ],
    )
    def test_a_refusal_says_what_is_turned_off(self, scripted, name, what, reply, hint):
        client, _script = scripted(reply)
        with pytest.raises(Refused) as caught:
            client.delete_manifest(ACCESS, name)
        assert str(caught.value).startswith("cannot delete the %s: r.example returned 405" % what)
        assert hint in caught.value.hint

    @pytest.mark.parametrize("status", [300, 400])
    def test_any_other_status_is_a_refusal(self, scripted, status):
        client, script = scripted(Reply(status))
        with pytest.raises(Refused):
            client.delete_manifest(ACCESS, "1")
        assert script.log == [self.DELETE]
