# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Convert exceptions of ``requests`` about a connection into errors of this collection.

Messages do not quote URLs, because URLs may contain signatures.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl

from .._errors import ConnectionFailed, reason_of
from .least_rate import SendTimeout, TooSlow

_PLAIN_HTTP_HINT = "If this is intended, set plain_http: true for the host in registries"
_TRUST_HINT = (
    "Set ca_path in registries to the registry's CA certificate, or validate_certs: false to disable verification"
)
# X509_V_ERR_* of OpenSSL, x509_vfy.h.
_OTHER_NAME = 62
_OTHER_NAME_HINT = "Use a host name that the certificate contains, or issue a certificate for this host"
_CERTIFICATE_HINTS = {
    9: "Check the managed node's clock",
    10: "Renew the registry's certificate, or check the managed node's clock",
    _OTHER_NAME: _OTHER_NAME_HINT,
    64: _OTHER_NAME_HINT,
}
_TLS_ALERT_HINT = "Set client_cert in registries if the registry requires a client certificate, and check which TLS versions it supports"
_REACH_HINT = "Check the host name, the port and the network"
BROKEN_HINT = "Check the network, and run the task again"
_URL_HINT = "Check the host name and the credentials for invalid characters"
_SLOW_HINT = "Decrease min_rate if the network is slow"
_SEND_HINT = "Increase timeout if the network is slow"
_PROXY_HINT = "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY in the task's environment"


class ConnectionReset(ConnectionFailed):
    """An established connection broke. If it was kept alive, the server may have closed it long before."""


class NoResponse(ConnectionFailed):
    """The host accepted the connection, but did not respond within the timeout."""


class PermanentConnectionError(ConnectionFailed):
    """A connection failure that a retry will not fix, such as failed or missing TLS, or an invalid address."""


class MalformedRequest(PermanentConnectionError):
    """The request is invalid and cannot be sent to any host."""


def broken_connection(host: str, error: BaseException, proxy: str = "") -> ConnectionFailed:
    """Return the error for an exception of ``requests``; :class:`PermanentConnectionError` if a retry will not help.

    ``proxy`` is the ``host[:port]`` of the proxy that the request went through, or empty.
    """
    causes = _chain(error)
    # urllib3 says so of what happened before the proxy had connected us.
    is_by_proxy = bool(proxy) and any("ProxyError" in type(cause).__name__ for cause in causes)
    failure = _tls_failure("the proxy " + proxy if is_by_proxy else host, causes)
    if failure:
        return failure
    if isinstance(error, ValueError):
        reason = "the URL or a header of the request is not valid"
        return MalformedRequest("cannot reach %s: %s" % (host, reason), hint=_URL_HINT, reason=reason)
    kind = _kind(causes)
    if is_by_proxy:
        reason = _proxy_reason(causes)
        return kind("cannot reach %s through the proxy %s: %s" % (host, proxy, reason), hint=_PROXY_HINT, reason=reason)
    reason = _reason(causes)
    return kind("cannot reach %s: %s" % (host, reason), hint=_hint(causes), reason=reason, system_errno=_errno(causes))


def _tls_failure(host: str, causes: list[BaseException]) -> PermanentConnectionError | None:
    for cause in causes:
        # urllib3 before 2.0 compares names itself, and raises one without the fields of OpenSSL.
        if isinstance(cause, ssl.SSLCertVerificationError) or type(cause).__name__ == "CertificateError":
            message = getattr(cause, "verify_message", "")
            code = getattr(cause, "verify_code", 0) if message else _OTHER_NAME
            fault = message or (cause.args[0] if cause.args else "")
            return PermanentConnectionError(
                "the certificate of %s is not trusted: %s" % (host, fault),
                hint=_CERTIFICATE_HINTS.get(code, _TRUST_HINT),
                reason="the certificate is not trusted: %s" % fault,
            )
    reasons = [str(getattr(cause, "reason", None) or "") for cause in causes if isinstance(cause, ssl.SSLError)]
    if any(re.search("WRONG_VERSION_NUMBER|UNKNOWN_PROTOCOL|HTTP_REQUEST|RECORD_LAYER_FAILURE", r) for r in reasons):
        cause_text = "%s does not use TLS" % host
        return PermanentConnectionError(cause_text, hint=_PLAIN_HTTP_HINT, reason="the host does not use TLS")
    for reason in reasons:
        if re.search("ALERT|NO_PROTOCOLS|NO_CIPHERS|UNSUPPORTED", reason):
            shown = reason.replace("_", " ").lower()
            return PermanentConnectionError(
                "the TLS connection to %s failed: %s" % (host, shown),
                hint=_TLS_ALERT_HINT,
                reason="the TLS connection failed: %s" % shown,
            )
    return None


_RESETS = (ConnectionResetError, BrokenPipeError, http.client.HTTPException, ssl.SSLEOFError)


def _kind(causes: list[BaseException]) -> type[ConnectionFailed]:
    if any(isinstance(cause, _RESETS) for cause in causes):
        return ConnectionReset
    return NoResponse if any("ReadTimeout" in type(cause).__name__ for cause in causes) else ConnectionFailed


def _proxy_reason(causes: list[BaseException]) -> str:
    for cause in causes:
        refused = re.match("Tunnel connection failed: ([0-9]{3})", str(cause))  # http.client has no other sign of it
        if refused:
            return "the proxy refused the connection (%s)" % refused.group(1)
    return _reason(causes)


def _slowness(causes: list[BaseException]) -> TooSlow | None:
    return next((cause for cause in causes if isinstance(cause, TooSlow)), None)


def _hint(causes: list[BaseException]) -> str:
    slowness = _slowness(causes)
    if slowness is None:
        return _REACH_HINT
    return _SEND_HINT if isinstance(slowness, SendTimeout) else _SLOW_HINT


def _reason(causes: list[BaseException]) -> str:
    slowness = _slowness(causes)
    if slowness:
        return str(slowness)
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return "the host name cannot be resolved"
        if isinstance(cause, (socket.timeout, TimeoutError)) or "Timeout" in type(cause).__name__:
            return "no response within the timeout"
    system = _system_error(causes)
    return reason_of(system) if system else "the connection was lost"


def _system_error(causes: list[BaseException]) -> OSError | None:
    for cause in causes:
        if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) and cause.errno and cause.strerror:
            return cause
    return None


def _errno(causes: list[BaseException]) -> int:
    system = _system_error(causes)
    return system.errno or 0 if system else 0


def _chain(error: BaseException) -> list[BaseException]:
    """Return an exception and all that it wraps: ``requests`` wraps the exception of urllib3, which wraps that of the socket."""
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
