# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""HTTP to a container engine, over a local socket or over TCP with or without TLS."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import ssl
import typing as t

from .._errors import AccessDenied, ConnectionFailed, InvalidContent, LocalFailure
from .._files import is_missing, open_regular
from .._image.digest import CHUNK
from .._registry.connection_errors import NoResponse
from .._registry.settings import RegistrySettings
from .._registry.transport import RequestBody, Response, Transport
from .._run import RunStats

# Saving, loading and deleting may be silent for as long as they take.
_WORK_SECONDS = 3600.0
# Kept for the next requests; more are made when needed.
_CONNECTIONS = 10
_LOG_HINT = "Check the engine's log, and run the task again"
_FILES_HINT = "Check DOCKER_CERT_PATH in the task's environment"


class Endpoint(t.NamedTuple):
    """The address of an engine: the path of a socket, or ``host:port``, and the directory with the files for TLS."""

    socket: str = ""
    host: str = ""
    tls: str = ""
    is_verified: bool = True

    def __str__(self) -> str:
        return "unix://%s" % self.socket if self.socket else "tcp://%s" % self.host


class Connection:
    """Requests to one engine. They are not repeated, because an engine is nearby and either runs or does not."""

    def __init__(self, endpoint: Endpoint, timeout: float, statistics: RunStats) -> None:
        self.endpoint = endpoint
        self._statistics = statistics
        if endpoint.socket:
            self._base = "http://engine"
        else:
            self._base = "%s://%s" % ("https" if endpoint.tls else "http", endpoint.host)
        self._settings = _settings(endpoint)
        self._transport = Transport(_CONNECTIONS, timeout, uses_proxies=False, socket_path=endpoint.socket)

    def send(self, method: str, path: str, data: RequestBody = None, is_work: bool = False) -> Response:
        """Send a request and return its response with the body unread. With ``is_work``, the engine may take long to respond.

        Raises :class:`ConnectionFailed`, or :class:`AccessDenied` if this user may not use the socket.
        """
        self._statistics.count()
        headers = {"Content-Type": "application/x-tar"} if data is not None else {}
        patience = _WORK_SECONDS if is_work else None
        try:
            return self._transport.send(method, self._base + path, headers, data, self._settings, patience)
        except NoResponse:
            cause = "the engine at %s did not respond within the timeout" % (self.endpoint,)
            raise ConnectionFailed(cause, hint=_LOG_HINT) from None
        except ConnectionFailed as error:
            text = "cannot reach the engine at %s: %s" % (self.endpoint, error.reason)
            if error.system_errno == errno.EACCES:
                raise AccessDenied(
                    text, hint="Use become, or run the task as a user with access to this engine"
                ) from None
            hint = "Start the engine, or set DOCKER_HOST or CONTAINER_HOST in the task's environment"
            raise ConnectionFailed(text, hint=hint) from None

    def read(self, response: Response, limit: int) -> bytes:
        """Return the whole body. Raises :class:`ConnectionFailed`, also if it has more than ``limit`` bytes."""
        return b"".join(self.chunks(response, CHUNK, limit))

    def chunks(self, response: Response, size: int = CHUNK, limit: int | None = None) -> t.Iterator[bytes]:
        """Yield the body in chunks of up to ``size`` bytes. Raises :class:`ConnectionFailed` if the connection breaks."""
        seen = 0
        try:
            while True:
                chunk = self._next(response, size)
                seen += len(chunk)
                if limit is not None and seen > limit:
                    cause = "the engine at %s sent a response larger than %d bytes" % (self.endpoint, limit)
                    raise ConnectionFailed(cause, hint=_LOG_HINT)
                if not chunk:
                    return
                yield chunk
        finally:
            response.close()

    def _next(self, response: Response, size: int) -> bytes:
        try:
            return response.read(size)
        except ConnectionFailed:
            cause = "the connection to the engine at %s was lost" % (self.endpoint,)
            raise ConnectionFailed(cause, hint=_LOG_HINT) from None

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()


def _settings(endpoint: Endpoint) -> RegistrySettings:
    """Return settings with the files for TLS, after checking them. Raises :class:`LocalFailure`."""
    host = endpoint.host or "engine"
    if not endpoint.tls:
        return RegistrySettings(host)
    ca, cert, key = (os.path.join(endpoint.tls, name) for name in ("ca.pem", "cert.pem", "key.pem"))
    settings = RegistrySettings(host, validate_certs=False)
    if endpoint.is_verified:
        _require(ca, "the CA certificate of the engine")
        with _usable("cannot verify the engine: the file %s contains no certificate" % ca):
            _context().load_verify_locations(ca)
        settings = RegistrySettings(host, ca_path=ca)
    if not (is_missing(cert) and is_missing(key)):
        _require(cert, "the client certificate for %s" % key)
        _require(key, "the private key for %s" % cert)
        with _usable("the files %s and %s are not a certificate and its unencrypted private key" % (cert, key)):
            _context().load_cert_chain(cert, key, password=lambda: b"")
        settings = dataclasses.replace(settings, client_cert=cert, client_key=key)
    return settings


def _require(path: str, purpose: str) -> None:
    try:
        open_regular(path).close()
    except (OSError, InvalidContent):
        raise LocalFailure("cannot read the TLS file %s (%s)" % (path, purpose), hint=_FILES_HINT) from None


@contextlib.contextmanager
def _usable(otherwise: str) -> t.Iterator[None]:
    """Raise LocalFailure for invalid files, which would otherwise be reported as an error of the engine."""
    try:
        yield
    except (OSError, ValueError):
        raise LocalFailure(otherwise, hint=_FILES_HINT) from None


def _context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
