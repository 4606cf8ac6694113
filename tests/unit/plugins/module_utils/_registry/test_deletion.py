# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deleting a tag of a scripted registry, whatever it deletes."""

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    AccessDenied,
    ConnectionFailed,
    ImageError,
    ImmutableTag,
    Refused,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import deletion_marker, media_types
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import Credential
from ansible_collections.drayage.registry.plugins.module_utils._registry.deletion import TagDeleter
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.odd_server import REGISTRY, Reply, found, refused

ACCESS = Access("app", frozenset(("pull", "delete")))
IMAGE = images.image()
OTHER = digests.of(b"other")
DELETE = "DELETE app/manifests/1"
ABSENT = Reply(404, REGISTRY)
MANIFEST = Reply(200, {"Content-Type": IMAGE.manifest.media_type}, IMAGE.manifest.raw)
UPLOAD = (Reply(202, {"Location": "/v2/app/blobs/uploads/1"}), Reply(201))
# The tag cannot be deleted, manifests can, and the tag points to the image.
BEGINNING = (Reply(405), Reply(404), MANIFEST, *UPLOAD)


@pytest.fixture
def deleter(scripted):
    def make(*replies, **options):
        client, script = scripted(*replies, **options)
        return TagDeleter(client, ACCESS), script

    return make


def shown(script):
    """The requests, with ``*`` for each digest."""
    return [line.partition("sha256")[0] + ("*" if "sha256" in line else "") for line in script.log]


def pushed(script, number=0):
    """A manifest that was pushed."""
    bodies = [sent.body for sent in script.sent if sent.method == "PUT" and "/manifests/" in sent.url]
    return json.loads(bodies[number])


def test_a_tag_that_can_be_deleted_costs_one_request(deleter):
    deleting, script = deleter(Reply(202))
    assert deleting.delete("1", IMAGE.digest) == "tag"
    assert script.log == [DELETE]


def test_a_tag_that_is_gone_is_told(deleter):
    deleting, script = deleter(Reply(404), ABSENT)
    assert deleting.delete("1", IMAGE.digest) == ""
    assert script.log == [DELETE, "HEAD app/manifests/1"]


@pytest.mark.parametrize("reply", [Reply(405), Reply(400), Reply(501), refused(404, "X")])
def test_who_deletes_no_tags_gets_a_unique_manifest(deleter, reply):
    if reply.status == 404:
        first = (
            reply,
            MANIFEST._replace(
                headers={"Docker-Content-Digest": IMAGE.digest, **MANIFEST.headers, "Content-Length": "9"}
            ),
        )
    else:
        first = (reply,)
    deleting, script = deleter(*first, Reply(404), MANIFEST, *UPLOAD, Reply(201), Reply(202))
    assert deleting.delete("1", IMAGE.digest) == "unique_manifest"
    assert shown(script)[-6:] == [
        "DELETE app/manifests/*",
        "GET app/manifests/1",
        "POST app/blobs/uploads/",
        "PUT app/blobs/uploads/1?digest=*",
        "PUT app/manifests/1",
        "DELETE app/manifests/*",
    ]
    unique = pushed(script)
    assert unique["annotations"][deletion_marker.KEY] == IMAGE.digest
    assert script.log[-1] == "DELETE app/manifests/" + digests.of(script.sent[-2].body)


def test_what_a_registry_cannot_do_is_asked_once(deleter):
    again = (MANIFEST, *UPLOAD, Reply(201), Reply(202))
    deleting, script = deleter(*BEGINNING, Reply(201), Reply(202), *again)
    assert [deleting.delete("1", IMAGE.digest) for _turn in range(2)] == ["unique_manifest"] * 2
    assert shown(script).count(DELETE) == 1
    assert shown(script).count("DELETE app/manifests/*") == 3


@pytest.mark.parametrize("reply", [refused(403, "DENIED"), Reply(500), Reply(418)])
def test_any_other_refusal_is_an_error(deleter, reply):
    deleting, script = deleter(reply, retries=0)
    with pytest.raises((AccessDenied, Refused), match="cannot delete the tag"):
        deleting.delete("1", IMAGE.digest)
    assert script.log == [DELETE]


@pytest.mark.parametrize("status", [400, 405])
def test_a_tag_that_must_stay_is_left_alone(deleter, status):
    deleting, script = deleter(refused(status, "TAG_IMMUTABLE"))
    with pytest.raises(ImmutableTag):
        deleting.delete("1", IMAGE.digest)
    assert script.log == [DELETE]


def test_where_nothing_can_be_deleted_nothing_is_pushed(deleter):
    deleting, script = deleter(Reply(405), refused(405, "UNSUPPORTED"))
    with pytest.raises(Refused, match="cannot delete the manifest: .* Enable deletion in the registry"):
        deleting.delete("1", IMAGE.digest)
    assert shown(script) == [DELETE, "DELETE app/manifests/*"]


def test_a_tag_that_is_gone_meanwhile_is_told(deleter):
    deleting, script = deleter(Reply(405), Reply(404), refused(404, "MANIFEST_UNKNOWN"))
    assert deleting.delete("1", IMAGE.digest) == ""
    assert len(script.log) == 3


def test_a_tag_that_moved_is_left_alone(deleter):
    deleting, script = deleter(Reply(405), Reply(404), MANIFEST)
    with pytest.raises(ImageError) as caught:
        deleting.delete("1", OTHER)
    assert str(caught.value) == (
        "the tag moved to %s during this run, so it was not deleted. Run the task again." % IMAGE.digest
    )
    assert len(script.log) == 3


def test_a_digest_of_another_algorithm_may_mean_the_same(deleter):
    deleting, _script = deleter(*BEGINNING, Reply(201), Reply(202))
    assert deleting.delete("1", digests.of(IMAGE.manifest.raw, "sha512")) == "unique_manifest"


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [(media_types.OCI_MANIFEST, media_types.OCI_MANIFEST), (media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST)],
)
def test_the_format_is_kept(deleter, media_type, expected):
    raw = images.encode({**IMAGE.manifest.document, "mediaType": media_type})
    manifest = Reply(200, {"Content-Type": media_type}, raw)
    deleting, script = deleter(Reply(405), Reply(404), manifest, *UPLOAD, Reply(201), Reply(202))
    deleting.delete("1", digests.of(raw))
    assert pushed(script)["mediaType"] == expected


def test_the_right_to_push_is_asked_for_when_it_is_needed(deleter):
    def token(text):
        return found({"token": text})

    challenge = Reply(401, {"WWW-Authenticate": 'Bearer realm="https://r.example/token"'})
    deleting, script = deleter(
        challenge,
        token("one"),
        *BEGINNING[:2],
        token("two"),
        *BEGINNING[2:],
        Reply(201),
        Reply(202),
        credential=Credential("jane", "x"),
    )
    deleting.delete("1", IMAGE.digest)
    scopes = [sent.url.partition("scope=")[2] for sent in script.sent if "/token" in sent.url]
    assert [scope.partition("&")[0] for scope in scopes] == [
        "repository%3Aapp%3Adelete%2Cpull",
        "repository%3Aapp%3Adelete%2Cpull%2Cpush",
    ]


class TestFailureAfterwards:
    """The tag points to a manifest of ours when something fails: it is put back."""

    def unique(self, script):
        return digests.of(next(sent.body for sent in script.sent if sent.url.endswith("/manifests/1") and sent.body))

    def head_of(self, script, digest=None):
        """A HEAD that finds what was pushed, or this digest."""

        unique = self.unique

        class Late(Reply):
            @property
            def headers(self):
                found = digest or unique(script[0])
                return {
                    "Docker-Content-Digest": found,
                    "Content-Type": media_types.OCI_MANIFEST,
                    "Content-Length": "5",
                }

        return Late(200)

    def test_the_tag_is_put_back(self, deleter):
        scripts = []
        deleting, script = deleter(*BEGINNING, Reply(201), refused(403, "DENIED"), self.head_of(scripts), Reply(201))
        scripts.append(script)
        with pytest.raises(AccessDenied):
            deleting.delete("1", IMAGE.digest)
        assert shown(script)[-2:] == ["HEAD app/manifests/1", "PUT app/manifests/1"]
        assert script.sent[-1].body == IMAGE.manifest.raw

    def test_a_manifest_that_is_gone_was_deleted(self, deleter):
        deleting, _script = deleter(*BEGINNING, Reply(201), ConnectionFailed("x"), ABSENT, retries=0)
        assert deleting.delete("1", IMAGE.digest) == "unique_manifest"

    def test_404_of_what_was_just_stored_is_no_success(self, deleter):
        scripts = []
        deleting, script = deleter(*BEGINNING, Reply(201), Reply(404), ABSENT, self.head_of(scripts, IMAGE.digest))
        scripts.append(script)
        with pytest.raises(ImageError, match="^r.example returned 404 for a manifest that this task has just pushed"):
            deleting.delete("1", IMAGE.digest)
        assert shown(script)[-1] == "HEAD app/manifests/1"

    def test_what_somebody_else_pushed_meanwhile_stays(self, deleter):
        scripts = []
        deleting, script = deleter(*BEGINNING, Reply(201), refused(403, "DENIED"), self.head_of(scripts, OTHER))
        scripts.append(script)
        with pytest.raises(AccessDenied):
            deleting.delete("1", IMAGE.digest)
        assert shown(script)[-1] == "HEAD app/manifests/1"

    def test_where_it_cannot_be_put_back_the_hint_says_what_it_was(self, deleter):
        deleting, _script = deleter(*BEGINNING, Reply(201), refused(403, "DENIED"), Reply(401), retries=0)
        with pytest.raises(AccessDenied) as caught:
            deleting.delete("1", IMAGE.digest)
        assert caught.value.hint == (
            "The tag may now point to an empty image (previous digest: %s). "
            "Run the task again to complete the deletion, or push the image again" % IMAGE.digest
        )
