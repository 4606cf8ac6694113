# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that fail: the reason that the user is told, and which of them are worth another try."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl

import pytest
import requests
from urllib3 import exceptions as urllib3_errors

from ansible_collections.drayage.registry.plugins.module_utils._errors import ConnectionFailed
from ansible_collections.drayage.registry.plugins.module_utils._registry.connection_errors import (
    PermanentConnectionError,
    broken_connection,
)

SECRET = "hunter2"
URL = "/v2/a/manifests/1?X-Amz-Signature=" + SECRET


def caused_by(error, cause):
    error.__cause__ = cause
    return error


def retried(reason):
    """An exception as requests raises it after urllib3 gave up."""
    return requests.exceptions.ConnectionError(urllib3_errors.MaxRetryError(None, URL, reason))


def closed_in_handshake():
    """What the ssl module says of a peer that goes away during a handshake."""
    incoming = ssl.MemoryBIO()
    incoming.write_eof()
    try:
        ssl.create_default_context().wrap_bio(incoming, ssl.MemoryBIO(), server_hostname="r.example").do_handshake()
    except ssl.SSLError as error:
        return error
    raise AssertionError("a handshake with nobody")


def refused_by_peer():
    return caused_by(
        urllib3_errors.NewConnectionError(None, "failed"), OSError(errno.ECONNREFUSED, "Connection refused")
    )


def not_tls():
    """What the ssl module says of a peer that answers a handshake in plain text."""
    incoming = ssl.MemoryBIO()
    incoming.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    try:
        ssl.create_default_context().wrap_bio(incoming, ssl.MemoryBIO(), server_hostname="r.example").do_handshake()
    except ssl.SSLError as error:
        return error
    raise AssertionError("a handshake with plain text")


def untrusted():
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "unable to get local issuer certificate"
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (retried(refused_by_peer()), "connection refused"),
        (
            retried(
                caused_by(urllib3_errors.NewConnectionError(None, "x"), OSError(errno.EHOSTUNREACH, "No route to host"))
            ),
            "no route to host",
        ),
        (
            retried(
                caused_by(
                    urllib3_errors.NewConnectionError(None, "x"), socket.gaierror(-2, "Name or service not known")
                )
            ),
            "name cannot be resolved",
        ),
        (requests.exceptions.ConnectTimeout(urllib3_errors.ConnectTimeoutError(None, "timed out")), "timeout"),
        (requests.exceptions.ReadTimeout(urllib3_errors.ReadTimeoutError(None, URL, "timed out")), "timeout"),
        (urllib3_errors.ReadTimeoutError(None, URL, "Read timed out."), "timeout"),
        (socket.timeout("timed out"), "timeout"),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), "timeout"),
        (
            requests.exceptions.ConnectionError(
                urllib3_errors.ProtocolError(
                    "aborted", ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
                )
            ),
            "connection reset by peer",
        ),
        (
            requests.exceptions.ConnectionError(
                urllib3_errors.ProtocolError("aborted", http.client.RemoteDisconnected("closed"))
            ),
            "the connection was lost",
        ),
        (urllib3_errors.ProtocolError("broken", http.client.IncompleteRead(b"", 9)), "the connection was lost"),
        (requests.exceptions.ChunkedEncodingError("x"), "the connection was lost"),
    ],
)
def test_a_broken_connection_is_told_by_its_innermost_reason(error, reason):
    result = broken_connection("r.example", error)
    assert isinstance(result, ConnectionFailed)
    assert not isinstance(result, PermanentConnectionError)
    assert str(result).startswith("cannot reach r.example: ")
    assert reason in str(result)


def by_proxy(reason):
    return requests.exceptions.ProxyError(
        urllib3_errors.MaxRetryError(None, URL, urllib3_errors.ProxyError("Cannot connect to proxy.", reason))
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (by_proxy(OSError("Tunnel connection failed: 403 Forbidden")), "the proxy refused the connection (403)"),
        (by_proxy(OSError("Tunnel connection failed: 407 x")), "the proxy refused the connection (407)"),
        (by_proxy(refused_by_peer()), "connection refused"),
        (by_proxy(socket.gaierror(-2, "Name or service not known")), "the host name cannot be resolved"),
    ],
)
def test_a_proxy_that_fails_is_blamed_itself(error, reason):
    result = broken_connection("r.example", error, "proxy.example:3128")
    assert str(result) == (
        "cannot reach r.example through the proxy proxy.example:3128: %s."
        " Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY in the task's environment." % reason
    )


def test_reasons_do_not_depend_on_the_language_of_the_environment():
    localized = caused_by(
        urllib3_errors.NewConnectionError(None, "x"), OSError(errno.ECONNREFUSED, "Verbindungsaufbau abgelehnt")
    )
    assert (
        str(broken_connection("r.example", retried(localized)))
        == "cannot reach r.example: connection refused. Check the host name, the port and the network."
    )


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (9, "clock"),
        (10, "Renew"),
        (62, "a host name that the certificate contains"),
        (64, "a host name that"),
        (20, "ca_path"),
    ],
)
def test_the_hint_fits_the_fault_of_a_certificate(code, hint):
    error = untrusted()
    error.verify_code = code
    result = broken_connection("r.example", retried(urllib3_errors.SSLError(error)))
    assert hint in result.hint
    assert ("ca_path" in result.hint) is (code == 20)


@pytest.mark.parametrize(
    "error", [retried(urllib3_errors.SSLError(not_tls())), requests.exceptions.SSLError(not_tls()), not_tls()]
)
def test_a_server_without_tls_is_told_apart(error):
    result = broken_connection("r.example", error)
    assert isinstance(result, PermanentConnectionError)
    assert (
        str(result)
        == "r.example does not use TLS. If this is intended, set plain_http: true for the host in registries."
    )


@pytest.mark.parametrize(
    "error", [retried(urllib3_errors.SSLError(untrusted())), requests.exceptions.SSLError(untrusted()), untrusted()]
)
def test_a_certificate_that_is_not_trusted_names_its_fault_and_the_options(error):
    result = broken_connection("r.example", error)
    assert isinstance(result, PermanentConnectionError)
    assert "the certificate of r.example is not trusted: unable to get local issuer certificate" in str(result)
    assert "ca_path" in result.hint
    assert "validate_certs" in result.hint


def test_any_other_fault_of_tls_is_final_too():
    fault = ssl.SSLError(1, "sslv3 alert handshake failure")
    fault.reason = "SSLV3_ALERT_HANDSHAKE_FAILURE"
    result = broken_connection("r.example", retried(urllib3_errors.SSLError(fault)))
    assert isinstance(result, PermanentConnectionError)
    assert "the TLS connection to r.example failed: sslv3 alert handshake failure" in str(result)


@pytest.mark.parametrize(
    "error",
    [
        retried(refused_by_peer()),
        retried(urllib3_errors.SSLError(not_tls())),
        retried(urllib3_errors.SSLError(untrusted())),
        requests.exceptions.ReadTimeout(urllib3_errors.ReadTimeoutError(None, URL, "timed out")),
        requests.exceptions.ChunkedEncodingError(urllib3_errors.ProtocolError("broken: " + URL)),
        requests.exceptions.InvalidURL("bad URL " + URL),
    ],
)
def test_no_url_reaches_the_user(error):
    text = str(broken_connection("r.example", error))
    assert SECRET not in text
    assert "/v2/" not in text


@pytest.mark.parametrize("name", ["http-request", "unknown-protocol", "wrong-version-number", "timeout", "proxy"])
def test_the_name_of_a_repository_is_no_reason(name):
    error = urllib3_errors.MaxRetryError(None, "/v2/acme/%s/manifests/1" % name, refused_by_peer())
    result = broken_connection("r.example", requests.exceptions.ConnectionError(error))
    assert not isinstance(result, PermanentConnectionError)
    assert str(result) == "cannot reach r.example: connection refused. Check the host name, the port and the network."


def test_a_peer_that_goes_away_during_a_handshake_may_come_back():
    error = retried(urllib3_errors.SSLError(closed_in_handshake()))
    assert not isinstance(broken_connection("r.example", error), PermanentConnectionError)


def test_an_address_that_is_not_valid_is_not_tried_again():
    result = broken_connection("r.example", requests.exceptions.InvalidURL("bad URL " + URL))
    assert isinstance(result, PermanentConnectionError)
    assert "not valid" in str(result)


@pytest.mark.parametrize("link", ["args", "__cause__", "__context__", "reason"])
def test_the_reason_is_found_however_it_is_wrapped(link):
    inner = OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    outer = RuntimeError(inner) if link == "args" else RuntimeError("outer")
    if link != "args":
        setattr(outer, link, inner)
    assert "connection refused" in str(broken_connection("r.example", caused_by(RuntimeError("x"), outer)))


def test_exceptions_that_wrap_each_other_come_to_an_end():
    one, two = RuntimeError("one"), RuntimeError("two")
    one.__context__, two.__context__ = two, one
    assert "the connection was lost" in str(broken_connection("r.example", one))
