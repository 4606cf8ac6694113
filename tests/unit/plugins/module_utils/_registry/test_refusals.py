# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What refusals of registries mean, by their status, code and words."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    AccessDenied,
    ContentMissing,
    DigestRefused,
    FormatRefused,
    ImmutableTag,
    NotFound,
    Refused,
)
from ansible_collections.drayage.registry.plugins.module_utils._registry import genuine
from ansible_collections.drayage.registry.plugins.module_utils._registry.action import Action
from ansible_collections.drayage.registry.plugins.module_utils._registry.failures import (
    error_for,
    foreign_response,
    read_details,
    redirected_error,
)
from ansible_collections.drayage.registry.plugins.module_utils._registry.quota import Quota
from ansible_collections.drayage.registry.tests.unit.support.odd_server import HTML, PAGE, REGISTRY, refused
from ansible_collections.drayage.registry.tests.unit.support.responses import response

# OCI distribution spec, "Error Codes", and the further codes of distribution.
CODES = [
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DENIED",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "MANIFEST_UNVERIFIED",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "PAGINATION_NUMBER_INVALID",
    "RANGE_INVALID",
    "SIZE_INVALID",
    "TAG_INVALID",
    "TOOMANYREQUESTS",
    "UNAUTHORIZED",
    "UNSUPPORTED",
]
DIGEST = "sha256:" + "a" * 64


def error(status, code="", message="", action=Action.PUSH_MANIFEST, **options):
    reply = refused(status, code, message)
    return error_for("r.example", response(status, reply.body, reply.headers), action, "user jane", **options)


@pytest.mark.parametrize("code", CODES)
def test_a_code_of_the_spec_marks_a_registry(code):
    assert genuine.is_marked(response(404), code)
    found = error(404, code, action=Action.READ_MANIFEST, is_registry=lambda: False)
    assert isinstance(found, DigestRefused if code == "DIGEST_INVALID" else NotFound)


def test_another_code_marks_nothing():
    assert not genuine.is_marked(response(404), "NOT_FOUND")
    assert genuine.is_marked(response(404, headers=REGISTRY))
    found = error(404, "NOT_FOUND", action=Action.READ_MANIFEST, is_registry=lambda: False)
    assert str(found).startswith("cannot read the manifest: r.example returned 404, which is not a registry response.")


WORDS = [
    "the tag is Immutable",
    "ImageTagAlreadyExists",
    "cannot be overwritten",
    "does not allow updating",
    "tag 1.0 already exists",
    "tag already exists",
]


@pytest.mark.parametrize("status", [400, 403, 405, 409, 412])
@pytest.mark.parametrize("words", WORDS)
def test_a_tag_that_must_stay_is_told_by_words(status, words):
    found = error(status, "DENIED", words)
    assert isinstance(found, ImmutableTag)
    assert found.status == status
    assert str(found) == (
        "cannot push the manifest, because the tag is immutable: r.example returned %d DENIED (%s)."
        " Use another tag, or change the registry's immutability rule." % (status, words)
    )


@pytest.mark.parametrize("status", [401, 404, 410, 500])
def test_words_about_tags_mean_nothing_with_another_status(status):
    assert not isinstance(error(status, "X", "immutable"), ImmutableTag)


@pytest.mark.parametrize("action", list(Action))
def test_missing_content_is_a_matter_of_pushing(action):
    is_push = action in (Action.PUSH_MANIFEST, Action.PUSH_BLOB, Action.START_UPLOAD)
    assert isinstance(error(404, "BLOB_UNKNOWN", action=action, digest=DIGEST), ContentMissing) is is_push
    assert not isinstance(error(405, "BLOB_UNKNOWN", action=action, digest=DIGEST), ContentMissing)


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize(
    ("code", "hint"),
    [("UNSUPPORTED", "Enable deletion in the registry"), ("", "Check whether the registry is read-only")],
)
def test_405_is_about_deletion_where_something_is_deleted(action, code, hint):
    found = error(405, code, action=action, digest=DIGEST)
    is_deletion = action in (Action.DELETE_TAG, Action.DELETE_MANIFEST)
    assert found.hint.startswith(
        hint if is_deletion else "Check whether the registry is read-only or a pull-through cache"
    )
    assert found.status == 405


@pytest.mark.parametrize("action", list(Action))
def test_the_object_of_an_action_is_named(action):
    text = action.text(DIGEST)
    assert "%" not in text
    assert (DIGEST in text) is action.name.endswith("_BLOB")
    assert str(error(418, action=action, digest=DIGEST)).startswith("cannot %s: r.example returned 418" % text)


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (401, "DENIED", "", AccessDenied),
        (403, "DENIED", "", AccessDenied),
        (415, "", "", FormatRefused),
        (400, "MANIFEST_INVALID", "", FormatRefused),
        (405, "UNSUPPORTED", "Invalid JSON syntax", FormatRefused),
        (405, "UNSUPPORTED", "other", Refused),
        (405, "OTHER", "Invalid JSON syntax", Refused),
        (409, "MANIFEST_INVALID", "", Refused),
        (400, "DIGEST_INVALID", "", DigestRefused),
        (404, "", "", NotFound),
        (400, "", "", Refused),
        (300, "", "", Refused),
    ],
)
def test_the_kind_of_a_refusal(status, code, message, kind):
    found = error(status, code, message)
    assert found.__class__ is kind
    assert getattr(found, "status", status) == status


@pytest.mark.parametrize("status", [200, 202, 299])
def test_a_success_that_was_not_expected_is_foreign(status):
    cause = "cannot push the manifest: r.example returned %d, which is not a registry response." % status
    assert str(error(status)).startswith(cause)
    assert error(status).status == status


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (405, "", "Check whether the registry is read-only or a pull-through cache"),
        (409, "", "If the tag is immutable, use another tag, or change the registry's immutability rule"),
        (412, "X", "If the tag is immutable, use another tag, or change the registry's immutability rule"),
        (
            400,
            "TAG_INVALID",
            "If the tag is immutable, use another tag, or change the registry's immutability rule",
        ),
        (400, "NAME_INVALID", ""),
        (429, "", "The registry limits the rate of requests. Try again later, with fewer jobs, or with credentials"),
        (500, "UNKNOWN", "Check the registry's log for the cause"),
        (507, "", "Free up some space in the registry"),
        (501, "", ""),
    ],
)
def test_the_hint_of_a_status(status, code, hint):
    assert error(status, code).hint == hint


@pytest.mark.parametrize(("quota", "is_used_up"), [(Quota(0, 10), True), (Quota(1, 10), False), (None, False)])
def test_a_quota_explains_429_only(quota, is_used_up):
    assert ("has been reached" in error(429, quota=quota).hint) is is_used_up
    assert "has been reached" not in error(500, quota=quota).hint


class TestStorage:
    """What a registry redirects to has its own refusals."""

    def error(self, status, headers=None, body=b""):
        return redirected_error("r.example", "s.example", response(status, body, headers), Action.READ_BLOB, DIGEST)

    def test_absence_counts_if_it_is_a_registry(self):
        found = self.error(404, REGISTRY)
        assert isinstance(found, NotFound)
        assert str(found).startswith(
            "cannot read blob %s: s.example, the redirect target of r.example, returned 404. Check the name" % DIGEST
        )

    @pytest.mark.parametrize(("status", "headers"), [(404, {}), (403, REGISTRY), (500, {})])
    def test_anything_else_is_a_matter_of_its_settings(self, status, headers):
        found = self.error(status, headers)
        assert isinstance(found, Refused)
        assert found.status == status
        assert found.hint.startswith(
            "Credentials are not sent to the storage server. Check the registry's storage settings"
        )


def test_a_page_is_told_from_other_foreign_responses():
    page = foreign_response("r.example", response(200, HTML, PAGE), Action.LIST_TAGS)
    other = foreign_response("r.example", response(200), Action.LIST_TAGS)
    assert "returned 200 with a web page, which is not a registry response. Check the host name" in str(page)
    assert "returned 200, which is not a registry response. Check the host name" in str(other)


@pytest.mark.parametrize(("status", "is_success"), [(199, False), (200, True), (299, True), (300, False)])
def test_the_digest_of_a_success_proves_it(status, is_success):
    stored = response(status, headers={"Docker-Content-Digest": DIGEST})
    assert genuine.is_stored(stored, DIGEST) is is_success
    assert genuine.is_stored(response(201), DIGEST)
    assert not genuine.is_stored(response(201, headers=PAGE), DIGEST)
    assert not genuine.is_stored(response(200), DIGEST)


@pytest.mark.parametrize(
    ("body", "expects_tls"),
    [
        (b"Client sent an HTTP request to an HTTPS server.\n", True),
        (b"this HTTP request is bad", False),
        (b"speak HTTPS", False),
    ],
)
def test_a_server_that_expects_tls_is_told_by_its_words(body, expects_tls):
    assert read_details(response(400, body)).expects_tls is expects_tls
