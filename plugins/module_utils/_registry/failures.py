# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Convert error responses of a registry into errors of this collection.

URLs and bodies are not quoted verbatim, because both may contain signatures or tokens.
"""

from __future__ import annotations

import re
import typing as t

from .._errors import (
    AccessDenied,
    ConnectionFailed,
    ContentMissing,
    DigestRefused,
    FormatRefused,
    ImageError,
    ImmutableTag,
    NotFound,
    Refused,
)
from .._image import document as documents
from .._text import clean, without_secrets
from . import genuine
from .action import DELETIONS, PUSHES, Action
from .quota import Quota
from .transport import Response

_ERROR_BODY = 16 * 1024
_TLS_HINT = "Set plain_http: false for the host in registries"
_PROXY_TLS_HINT = "The proxy in front of the registry uses plain HTTP, but the registry expects TLS. Correct the proxy's configuration"
_ABSENT_HINT = "Check the name and tag. If the repository is private, also check the credentials: many registries return 404 without them"
_FOREIGN_HINT = "Check the host name, the port and any proxy in front of the registry"
_STORAGE_HINT = "Credentials are not sent to the storage server. Check the registry's storage settings and clock"


class ErrorDetails(t.NamedTuple):
    """The code and message of an error response: OCI distribution spec, "Error Codes". Empty if it has none."""

    status: int
    code: str
    message: str
    expects_tls: bool = False

    def __str__(self) -> str:
        text = " ".join(part for part in (str(self.status), self.code) if part)
        return "%s (%s)" % (text, self.message) if self.message else text


def read_details(response: Response) -> ErrorDetails:
    """Read an error response. A broken, foreign or huge body does not raise an error."""
    try:
        body = response.read(_ERROR_BODY)
    except ConnectionFailed:  # the status alone must do: some registries announce longer bodies than they send
        body = b""
    finally:
        response.close()
    return _parse_details(response, body)


def peek_details(response: Response) -> ErrorDetails:
    """Read an error response like :func:`read_details`, but leave its body readable."""
    return _parse_details(response, response.peek(_ERROR_BODY))


def _parse_details(response: Response, body: bytes) -> ErrorDetails:
    text = body.decode("utf-8", "replace")
    if "HTTP request" in text and "HTTPS" in text:
        return ErrorDetails(response.status, "", "", expects_tls=True)
    try:
        error = documents.decode(body)["errors"][0]
        code, message = error.get("code"), error.get("message")
    except (ValueError, LookupError, TypeError, AttributeError):
        return ErrorDetails(response.status, "", "")
    sent = response.authorization
    return ErrorDetails(response.status, _plain(code, sent), _plain(message, sent))


def _plain(text: object, authorization: str) -> str:
    """Return one short line, without URL queries and without credentials from our request."""
    if not isinstance(text, str):
        return ""
    line = " ".join(clean(without_secrets(text, [authorization])).split())
    return clean(re.sub(r"\?\S*", "", line), 200)


# What registries with tags that cannot be moved say; the distribution spec has no code for it.
_IMMUTABLE = re.compile(
    r"immutable|ImageTagAlreadyExists|cannot be overwritten|does not allow updating|tag \S* ?already exists",
    re.IGNORECASE,
)
_IMMUTABLE_HINT = "Use another tag, or change the registry's immutability rule"
_MAYBE_IMMUTABLE_HINT = "If the tag is immutable, use another tag, or change the registry's immutability rule"
_NO_DELETION_HINT = (
    "Enable deletion in the registry (in distribution: REGISTRY_STORAGE_DELETE_ENABLED=true), and check that the registry is not a "
    "pull-through cache"
)
_READ_ONLY_HINT = (
    "Check whether the registry is read-only (in distribution: REGISTRY_STORAGE_MAINTENANCE_READONLY), or whether a proxy in "
    "front of it blocks DELETE requests"
)
_MISSING_CONTENT = ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN")
_FORMAT_HINT = "Use a registry that accepts this type of manifest"
_HINTS = (
    (
        413,
        "",
        "Increase the request size limit of the proxy in front of the registry (client_max_body_size in nginx)",
    ),
    (405, "", "Check whether the registry is read-only or a pull-through cache"),
    (409, "", _MAYBE_IMMUTABLE_HINT),
    (412, "", _MAYBE_IMMUTABLE_HINT),
    (400, "TAG_INVALID", _MAYBE_IMMUTABLE_HINT),
    (429, "", "The registry limits the rate of requests. Try again later, with fewer jobs, or with credentials"),
    (500, "", "Check the registry's log for the cause"),
    (507, "", "Free up some space in the registry"),
)


def error_for(
    host: str,
    response: Response,
    action: Action,
    identity: str,
    quota: Quota | None = None,
    is_registry: t.Callable[[], bool] = lambda: True,
    digest: str = "",
) -> ImageError:
    """Return the error for a response that is neither successful nor worth a retry.

    ``identity`` names the user in access errors. ``quota`` is the rate limit that the registry last reported.
    ``is_registry`` decides about a 404 that is not marked as one from a registry. ``digest`` is the digest of the
    blob.
    """
    details = read_details(response)
    if 200 <= details.status < 300:
        return foreign_response(host, response, action, digest)
    if details.expects_tls and response.url.startswith("http:"):
        return ConnectionFailed("%s expects TLS, but the request used plain HTTP" % host, hint=_TLS_HINT)
    action_text = action.text(digest)
    cause = "cannot %s: %s returned %s" % (action_text, host, details)
    if details.status in (400, 403, 405, 409, 412) and _IMMUTABLE.search("%s %s" % (details.code, details.message)):
        cause = "cannot %s, because the tag is immutable: %s returned %s" % (action_text, host, details)
        return ImmutableTag(cause, hint=_IMMUTABLE_HINT, status=details.status)
    if details.status in (401, 403):
        return AccessDenied(
            "%s for %s" % (cause, identity),
            hint="Check that the repository exists, and check the credentials for it in registries or authfile",
            status=details.status,
        )
    if details.code in _MISSING_CONTENT and details.status in (400, 404) and action in PUSHES:
        return ContentMissing(cause, hint="Run the task again. If it fails again, push the image to the source again")
    if _refuses_format(details):
        return FormatRefused(cause, hint=_FORMAT_HINT, status=details.status)
    if details.code == "DIGEST_INVALID":
        return DigestRefused(cause, status=details.status)
    if details.status == 404:
        if genuine.is_marked(response, details.code) or is_registry():
            return NotFound(cause, hint=_ABSENT_HINT)
        return foreign_response(host, response, action, digest)
    return Refused(cause, hint=_hint(details, action, quota), status=details.status)


def _hint(details: ErrorDetails, action: Action, quota: Quota | None) -> str:
    if details.expects_tls:
        return _PROXY_TLS_HINT
    if details.status == 405 and action in DELETIONS:
        # Distribution returns a code if deletion is off, and none if all writing is off.
        return _NO_DELETION_HINT if details.code else _READ_ONLY_HINT
    if details.status == 429 and quota and quota.hint:
        return quota.hint
    fitting = (hint for status, code, hint in _HINTS if status == details.status and code in ("", details.code))
    return next(fitting, "")


def foreign_response(host: str, response: Response, action: Action, digest: str = "") -> Refused:
    """Return the error for a response that no registry would send, so that it says nothing about the image."""
    shown = "%d with a web page" % response.status if genuine.is_page(response) else str(response.status)
    cause = "cannot %s: %s returned %s, which is not a registry response" % (action.text(digest), host, shown)
    return Refused(cause, hint=_FOREIGN_HINT, status=response.status)


def redirected_error(host: str, other: str, response: Response, action: Action, digest: str = "") -> ImageError:
    """Return the error for a response of ``other``, to which ``host`` redirected a request. No credentials are sent there."""
    details = read_details(response)
    cause = "cannot %s: %s, the redirect target of %s, returned %s" % (action.text(digest), other, host, details)
    if details.status == 404 and genuine.is_marked(response, details.code):
        return NotFound(cause, hint=_ABSENT_HINT)
    return Refused(cause, hint=_STORAGE_HINT, status=details.status)


def _refuses_format(details: ErrorDetails) -> bool:
    """Return whether the registry rejects this kind of manifest. ECR reports OCI media types as invalid JSON."""
    is_invalid = details.status == 400 and details.code == "MANIFEST_INVALID"
    is_unsupported = details.code == "UNSUPPORTED" and "invalid json syntax" in details.message.lower()
    return details.status == 415 or is_invalid or is_unsupported


def compressed(host: str) -> Refused:
    """Return the error for content that was compressed in transit and no longer has its digest."""
    return Refused(
        "%s, or a proxy in front of it, compressed its response, even though compression was not requested" % host,
        hint="Disable compression for /v2/ in the registry or the proxy",
    )
