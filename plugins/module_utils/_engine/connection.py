# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""HTTP to a container engine: over a socket of this machine, or over TCP with or without TLS."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import typing as t

from .._errors import AccessDenied, ConnectionFailed, InvalidContent, LocalFailure, reason_of
from .._files import open_regular
from .._image.digest import CHUNK
from .._registry.library import BODY_ERRORS, REQUEST_ERRORS, library
from .._run import RunStats

# Saving and loading may be silent for as long as they take.
_WORK_SECONDS = 3600.0


class Endpoint(t.NamedTuple):
    """Where an engine listens: the path of a socket, or ``host:port``; and the directory of the files for TLS."""

    socket: str = ""
    host: str = ""
    tls: str = ""
    is_verified: bool = True

    def __str__(self) -> str:
        return "unix://%s" % self.socket if self.socket else "tcp://%s" % self.host


class Connection:
    """Requests to one engine. Nothing is sent again: an engine is near, or it is not there."""

    def __init__(self, endpoint: Endpoint, timeout: float, statistics: RunStats) -> None:
        self.endpoint = endpoint
        self._timeout = timeout
        self._statistics = statistics
        self._session = library().Session()
        self._session.trust_env = False
        if endpoint.socket:
            self._session.mount("http://", _unix_adapter(endpoint.socket))
            self._base = "http://engine"
        else:
            self._base = "%s://%s" % ("https" if endpoint.tls else "http", endpoint.host)
            self._set_tls()

    def send(self, method: str, path: str, data: t.Any = None, is_work: bool = False) -> t.Any:
        """Send a request and return its response, the body unread; ``is_work`` may take the engine long.

        Raises :class:`ConnectionFailed`, or :class:`AccessDenied` where the socket is not for this user.
        """
        self._statistics.count()
        headers = {"Content-Type": "application/x-tar"} if data is not None else {}
        try:
            return self._session.request(
                method,
                self._base + path,
                data=data,
                headers={"Accept-Encoding": "identity", **headers},
                timeout=(self._timeout, _WORK_SECONDS if is_work else self._timeout),
                allow_redirects=False,
                stream=True,
            )
        except REQUEST_ERRORS as error:
            raise self._failure(error) from None

    def read(self, response: t.Any, limit: int) -> bytes:
        """The whole body. Raises :class:`ConnectionFailed`, also for more than ``limit`` bytes."""
        return b"".join(self.chunks(response, CHUNK, limit))

    def chunks(self, response: t.Any, size: int = CHUNK, limit: int | None = None) -> t.Iterator[bytes]:
        """The body in pieces of up to ``size`` bytes. Raises :class:`ConnectionFailed` where it breaks off."""
        seen = 0
        try:
            while True:
                chunk = response.raw.read(size, decode_content=False)
                seen += len(chunk)
                if limit is not None and seen > limit:
                    raise ConnectionFailed("the engine at %s sends more than %d bytes" % (self.endpoint, limit))
                if not chunk:
                    return
                yield chunk
        except BODY_ERRORS:
            raise ConnectionFailed("the connection to the engine at %s broke" % (self.endpoint,)) from None
        finally:
            response.close()

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _set_tls(self) -> None:
        if not self.endpoint.tls:
            return
        ca, cert, key = (os.path.join(self.endpoint.tls, name) for name in ("ca.pem", "cert.pem", "key.pem"))
        if self.endpoint.is_verified:
            _require(ca, "which is to verify the engine")
            with _usable("the file %s, which is to verify the engine, holds no certificate" % ca):
                _context().load_verify_locations(ca)
        self._session.verify = ca if self.endpoint.is_verified else False
        if os.path.exists(cert) or os.path.exists(key):
            _require(cert, "which belongs to %s" % key)
            _require(key, "which belongs to %s" % cert)
            with _usable("%s and %s are not a certificate and its key without a passphrase" % (cert, key)):
                _context().load_cert_chain(cert, key, password=lambda: b"")
            self._session.cert = (cert, key)

    def _failure(self, error: BaseException) -> Exception:
        reason = _reason(error)
        text = "cannot reach the engine at %s: %s" % (self.endpoint, reason)
        if reason == "permission denied":
            return AccessDenied(text, hint="Use become, or a user who may use this engine")
        return ConnectionFailed(text, hint="Start it, or say where it is in the environment of the task")


def _require(path: str, purpose: str) -> None:
    try:
        open_regular(path).close()
    except (OSError, InvalidContent):
        raise LocalFailure("cannot read the file %s, %s" % (path, purpose)) from None


@contextlib.contextmanager
def _usable(otherwise: str) -> t.Iterator[None]:
    """What is wrong with files would come out when the engine is reached, and read as if that were at fault."""
    try:
        yield
    except (OSError, ValueError):
        raise LocalFailure(otherwise) from None


def _context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _reason(error: BaseException) -> str:
    """The word of the system in a chain of exceptions that wrap each other, or else what the innermost says."""
    said = ""
    seen: list[BaseException] = []
    todo: list[object] = [error]
    while todo:
        current = todo.pop()
        if not isinstance(current, BaseException) or current in seen:
            continue
        seen.append(current)
        if isinstance(current, socket.timeout):
            return "no answer in time"
        if isinstance(current, OSError) and current.errno and current.strerror:
            return reason_of(current)
        inner = [current.__context__, getattr(current, "reason", None), *current.args]
        todo += inner
        if not said and not any(isinstance(item, BaseException) for item in inner):
            said = " ".join(str(current).split())[:300]
    return said.rstrip(".") or "the connection broke"


def _unix_adapter(path: str) -> t.Any:
    """An adapter of ``requests`` whose connections go to a socket: made here, as ``requests`` may be missing."""
    import urllib3.connection
    import urllib3.connectionpool

    class UnixConnection(urllib3.connection.HTTPConnection):
        """Connects to the socket, whatever the host."""

        def _new_conn(self) -> socket.socket:
            connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connected.settimeout(self.timeout if isinstance(self.timeout, (int, float)) else None)
                connected.connect(path)
            except BaseException:
                connected.close()
                raise
            return connected

    class UnixPool(urllib3.connectionpool.HTTPConnectionPool):
        """A pool of those."""

        ConnectionCls = UnixConnection

    http_adapter: t.Any = library().adapters.HTTPAdapter

    class UnixAdapter(http_adapter):
        """One pool for all hosts."""

        def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            self._unix_pool = UnixPool("engine")

        def get_connection(self, url: t.Any, proxies: t.Any = None) -> t.Any:
            return self._unix_pool

        def get_connection_with_tls_context(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
            return self._unix_pool

        def close(self) -> None:
            self._unix_pool.close()
            super().close()

    return UnixAdapter()
