# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What went wrong, from what ``requests`` raised or a registry answered, as one of our errors.

Neither URLs nor bodies are quoted as they come: both may carry signatures or tokens.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
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
    reason_of,
)
from .._image import document as documents
from .._text import clean, without_secrets
from . import genuine
from .least_rate import TooSlow
from .library import BODY_ERRORS
from .quota import Quota

_ERROR_BODY = 16 * 1024
_PLAIN_HTTP_HINT = "If it is meant to, set plain_http for it in registries"
_TLS_HINT = "Set plain_http: false for it in registries"
_TRUST_HINT = "Give its CA as ca_path in registries (or set validate_certs: false there to trust anything)"
# X509_V_ERR_* of OpenSSL, x509_vfy.h.
_OTHER_NAME = 62
_OTHER_NAME_HINT = "Use a name that the certificate is for, or have one issued for the name in the reference"
_CERTIFICATE_HINTS = {
    9: "Check the clock of the managed node",
    10: "Have it renewed at the registry, and check the clock of the managed node",
    _OTHER_NAME: _OTHER_NAME_HINT,
    64: _OTHER_NAME_HINT,
}
_TLS_ALERT_HINT = (
    "The registry may ask for a client certificate (client_cert in registries), or not know our TLS versions"
)
_PROXY_HINT = "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY in the environment of the task"
_ABSENT_HINT = (
    "Check the name and tag, and the credentials where the repository is private: some registries say so then"
)
_FOREIGN_HINT = "Check the host name, the port and any proxy in front of the registry"
_STORAGE_HINT = "The task's credentials are not sent there. Check the storage settings and the clock of the registry"


class RegistryAnswer(t.NamedTuple):
    """The code and message of an error answer: OCI distribution spec, "Error Codes". Empty where it has none."""

    status: int
    code: str
    message: str

    def __str__(self) -> str:
        text = " ".join(part for part in (str(self.status), self.code) if part)
        return "%s (%s)" % (text, self.message) if self.message else text


def read_answer(response: t.Any) -> RegistryAnswer:
    """Read an error answer; a body that is broken, foreign or huge is no error of its own."""
    try:
        body = response.raw.read(_ERROR_BODY, decode_content=False) or b""
    except BODY_ERRORS:  # the status alone must do: some registries announce longer bodies than they send
        body = b""
    finally:
        response.close()
    return _parse_answer(response, body)


def _parse_answer(response: t.Any, body: bytes) -> RegistryAnswer:
    status, sent = response.status_code, response.request.headers.get("Authorization", "")
    text = body.decode("utf-8", "replace")
    if "HTTP request" in text and "HTTPS" in text:
        return RegistryAnswer(status, "", "the server expects TLS")
    try:
        error = documents.decode(body)["errors"][0]
        code, message = error.get("code"), error.get("message")
    except (ValueError, LookupError, TypeError, AttributeError):
        return RegistryAnswer(status, "", "")
    return RegistryAnswer(status, _plain(code, sent), _plain(message, sent))


def peek_answer(response: t.Any) -> RegistryAnswer:
    """As :func:`read_answer`, of a response that is still to be read by somebody else."""
    raw = response.raw
    try:
        head = raw.read(_ERROR_BODY, decode_content=False) or b""
    except BODY_ERRORS:
        head = b""
    response.raw = _Reread(head, raw)
    return _parse_answer(response, head)


class _Reread:
    """A body whose beginning has been read, as if it had not been."""

    def __init__(self, head: bytes, raw: t.Any) -> None:
        self._head = head
        self._raw = raw

    def read(self, amt: int, decode_content: bool = False) -> bytes:
        """As urllib3's responses read."""
        head, self._head = self._head[:amt], self._head[amt:]
        return head if len(head) == amt else head + (self._raw.read(amt - len(head), decode_content=False) or b"")

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._raw, name)


def _plain(text: object, authorization: str) -> str:
    """One short line, without the query of any URL, and without the credentials that it quotes from our request."""
    if not isinstance(text, str):
        return ""
    line = " ".join(clean(without_secrets(text, [authorization])).split())
    return clean(re.sub(r"\?\S*", "", line), 200)


# What registries with tags that cannot be moved say; the distribution spec has no code for it.
_IMMUTABLE = re.compile(
    r"immutable|ImageTagAlreadyExists|cannot be overwritten|does not allow updating|tag \S* ?already exists",
    re.IGNORECASE,
)
_IMMUTABLE_HINT = "Use another tag, or change the rule for this one at the registry"
_NO_DELETION_HINT = (
    "Deletion is probably turned off, as it is by default in distribution (REGISTRY_STORAGE_DELETE_ENABLED=true turns it "
    "on), or this is a pull-through cache"
)
_READ_ONLY_HINT = (
    "The registry is probably read-only (in distribution: REGISTRY_STORAGE_MAINTENANCE_READONLY), or something before it "
    "lets no DELETE through"
)
_MISSING_CONTENT = ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN")
_FORMAT_HINT = "The registry does not take this kind of manifest"
_HINTS = (
    (413, "", "A proxy before the registry limits the size of a request, as nginx does by client_max_body_size"),
    (405, "", "The registry may be read-only, or a proxy cache: check its configuration"),
    (409, "", "The tag may be immutable at the registry"),
    (412, "", "The tag may be immutable at the registry"),
    (400, "TAG_INVALID", "The tag may be immutable at the registry"),
    (429, "", "The registry limits the rate of requests: try later, with fewer jobs, or with credentials"),
    (500, "", "The registry itself failed: its log tells why"),
    (507, "", "The registry has no space left"),
)


def refusal(
    host: str,
    response: t.Any,
    doing: str,
    identity: str,
    quota: Quota | None = None,
    is_registry: t.Callable[[], bool] = lambda: True,
) -> ImageError:
    """The error for an answer that is neither the success that was expected nor worth another try.

    ``doing`` completes "cannot ..."; ``identity`` says who asked, for refusals of access; ``quota`` is what the registry
    last told of its limit of requests. ``is_registry`` decides about a 404 that does not say that it is a registry's.
    """
    answer = read_answer(response)
    if 200 <= answer.status < 300:
        return foreign_response(host, response, doing)
    if answer.message == "the server expects TLS":
        return ConnectionFailed("%s expects TLS but was asked in plain HTTP" % host, hint=_TLS_HINT)
    cause = "cannot %s: %s answered %s" % (doing, host, answer)
    if answer.status in (400, 403, 405, 409, 412) and _IMMUTABLE.search("%s %s" % (answer.code, answer.message)):
        cause = "cannot %s, as the tag is immutable: %s answered %s" % (doing, host, answer)
        return ImmutableTag(cause, hint=_IMMUTABLE_HINT, status=answer.status)
    if answer.status in (401, 403):
        return AccessDenied(
            "%s to %s" % (cause, identity),
            hint="Check that the repository exists, and the credentials for it in registries or authfile",
            status=answer.status,
        )
    if answer.code in _MISSING_CONTENT and answer.status in (400, 404) and doing.startswith("push"):
        return ContentMissing(cause)
    if _refuses_format(answer):
        return FormatRefused(cause, hint=_FORMAT_HINT, status=answer.status)
    if answer.code == "DIGEST_INVALID":
        return DigestRefused(cause, status=answer.status)
    if answer.status == 404:
        if genuine.is_marked(response, answer.code) or is_registry():
            return NotFound(cause, hint=_ABSENT_HINT)
        return foreign_response(host, response, doing)
    if answer.status == 405 and doing.startswith("delete"):
        # Distribution answers with a code where deletion is off, and without any where all writing is.
        return Refused(cause, hint=_NO_DELETION_HINT if answer.code else _READ_ONLY_HINT, status=answer.status)
    hint = next((h for status, code, h in _HINTS if status == answer.status and code in ("", answer.code)), "")
    if answer.status == 429 and quota:
        hint = quota.hint or hint
    return Refused(cause, hint=hint, status=answer.status)


def foreign_response(host: str, response: t.Any, doing: str) -> Refused:
    """The error for a response that no registry gives: it tells nothing about the image."""
    status = response.status_code
    shown = "%d with a web page" % status if genuine.is_page(response) else str(status)
    cause = "cannot %s: %s does not answer like a registry: it returned %s" % (doing, host, shown)
    return Refused(cause, hint=_FOREIGN_HINT, status=status)


def redirected_refusal(host: str, other: str, response: t.Any, doing: str) -> ImageError:
    """The error for what ``other``, to which ``host`` redirected a request, answered; credentials are not sent there."""
    answer = read_answer(response)
    cause = "cannot %s: %s, to which %s redirects, returned %s" % (doing, other, host, answer)
    if answer.status == 404 and genuine.is_marked(response, answer.code):
        return NotFound(cause, hint=_ABSENT_HINT)
    return Refused(cause, hint=_STORAGE_HINT, status=answer.status)


def _refuses_format(answer: RegistryAnswer) -> bool:
    """Whether it is the kind of manifest that the registry does not take; ECR calls OCI types bad JSON."""
    is_invalid = answer.status == 400 and answer.code == "MANIFEST_INVALID"
    is_unsupported = answer.code == "UNSUPPORTED" and "invalid json syntax" in answer.message.lower()
    return answer.status == 415 or is_invalid or is_unsupported


def compressed(host: str) -> Refused:
    """The error for content that something compressed on its way: it no longer has its digest."""
    return Refused(
        "%s, or a proxy before it, sent a compressed answer, which was not asked for" % host,
        hint="Turn compression off for /v2/ there",
    )


class Cut(ConnectionFailed):
    """The connection broke after it had been made; one that was kept may have been closed long before."""


class Hopeless(ConnectionFailed):
    """No connection, and none to be expected from another try: TLS that fails or is not there, or a bad address."""


class Malformed(Hopeless):
    """The request cannot be sent, whatever the host is like."""


def broken_connection(host: str, error: BaseException, proxy: str = "") -> ImageError:
    """The error for an exception of ``requests``; :class:`Hopeless` where another try would not mend it.

    ``proxy`` is the ``host[:port]`` of the proxy that the request went through, empty if there was none.
    """
    causes = _chain(error)
    # urllib3 says so of what happened before the proxy had connected us.
    is_by_proxy = bool(proxy) and any("ProxyError" in type(cause).__name__ for cause in causes)
    failure = _tls_failure("the proxy " + proxy if is_by_proxy else host, causes)
    if failure:
        return failure
    if isinstance(error, ValueError):
        return Malformed("cannot reach %s: its address, or what is to be sent there, is not valid" % host)
    kind = Cut if any(isinstance(cause, _CUTS) for cause in causes) else ConnectionFailed
    if is_by_proxy:
        cause = "cannot reach %s through the proxy %s: %s" % (host, proxy, _proxy_reason(causes))
        return kind(cause, hint=_PROXY_HINT)
    return kind("cannot reach %s: %s" % (host, _reason(causes)))


def _tls_failure(host: str, causes: list[BaseException]) -> Hopeless | None:
    for cause in causes:
        # urllib3 before 2.0 compares names itself, and raises one without the fields of OpenSSL.
        if isinstance(cause, ssl.SSLCertVerificationError) or type(cause).__name__ == "CertificateError":
            message = getattr(cause, "verify_message", "")
            code = getattr(cause, "verify_code", 0) if message else _OTHER_NAME
            reason = message or (cause.args[0] if cause.args else "")
            hint = _CERTIFICATE_HINTS.get(code, _TRUST_HINT)
            return Hopeless("the certificate of %s is not trusted: %s" % (host, reason), hint=hint)
    reasons = [str(getattr(cause, "reason", None) or "") for cause in causes if isinstance(cause, ssl.SSLError)]
    if any(re.search("WRONG_VERSION_NUMBER|UNKNOWN_PROTOCOL|HTTP_REQUEST|RECORD_LAYER_FAILURE", r) for r in reasons):
        return Hopeless("%s does not speak TLS" % host, hint=_PLAIN_HTTP_HINT)
    for reason in reasons:
        if re.search("ALERT|NO_PROTOCOLS|NO_CIPHERS|UNSUPPORTED", reason):
            return Hopeless("TLS with %s failed: %s" % (host, reason.replace("_", " ").lower()), hint=_TLS_ALERT_HINT)
    return None


_CUTS = (ConnectionResetError, BrokenPipeError, http.client.HTTPException, ssl.SSLEOFError)


def _proxy_reason(causes: list[BaseException]) -> str:
    for cause in causes:
        refused = re.match("Tunnel connection failed: ([0-9]{3})", str(cause))  # http.client has no other sign of it
        if refused:
            return "the proxy refused the connection (%s)" % refused.group(1)
    return _reason(causes)


def _reason(causes: list[BaseException]) -> str:
    if any(isinstance(cause, TooSlow) for cause in causes):
        return "it sends less than min_rate allows"
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return "its name cannot be resolved"
        if isinstance(cause, (socket.timeout, TimeoutError)) or "Timeout" in type(cause).__name__:
            return "no answer within the timeout"
    for cause in causes:
        if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) and cause.errno and cause.strerror:
            return reason_of(cause)
    return "the connection broke"


def _chain(error: BaseException) -> list[BaseException]:
    """An exception and all it wraps: ``requests`` nests urllib3's, which nests the socket's, in three ways."""
    found: dict[int, BaseException] = {}
    todo = [error]
    while todo:
        current = todo.pop(0)
        if id(current) in found:
            continue
        found[id(current)] = current
        wrapped = [getattr(current, name, None) for name in ("reason", "__cause__", "__context__")]
        todo += [item for item in (*current.args, *wrapped) if isinstance(item, BaseException)]
    return list(found.values())
