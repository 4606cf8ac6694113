# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Send one request with ``urllib3``, which ``requests`` installs.

``requests`` does more work for each request than a registry needs, which takes as long as sending a short one. Some
of it would also be wrong here: netrc would add credentials that nobody set, a redirect would send our Authorization
to a signed URL, and all users would share cookies.
"""

from __future__ import annotations

import base64
import collections.abc
import contextlib
import errno
import re
import socket
import threading
import typing as t
from urllib.parse import unquote, urlsplit

from .._errors import ConnectionFailed
from . import least_rate, proxies, trust, urls
from .connection_errors import ConnectionReset, broken_connection
from .library import BODY_ERRORS, REQUEST_ERRORS, ca_bundle, library, seconds_to_wait, socks_proxy_manager, tls_context
from .settings import RegistrySettings, Trust

_FIXED = {"User-Agent": "drayage.registry", "Accept-Encoding": "identity"}
# So many hosts keep connections at the same time: storage may have a name for each repository.
_MAX_HOSTS = 4
# So many pools in a row may be closed by other threads before a request counts as failed.
_MAX_CLOSED_POOLS = 5
# What urllib3 would leave as it is: nothing in it needs encoding.
_PLAIN_URL = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]+)?/[A-Za-z0-9_./:=&?-]*")

# The content of a request; what has no length is sent in chunks.
RequestBody = t.Union[bytes, t.Iterable[bytes], None]
# So much of a body that nobody reads is read all the same: it costs less than a new connection.
_WORTH_READING = 64 * 1024
_LONGEST_RETRY_AFTER = 100


class Response:
    """A response: its ``status``, its ``headers`` (in any case), and a body that can be read once, as the server stores it.

    ``url`` is the address of the request, and ``authorization`` its header. Reading raises :class:`ConnectionFailed`.
    """

    def __init__(
        self, url: str, status: int, headers: t.Mapping[str, str], body: t.Any, authorization: str = ""
    ) -> None:
        self.url = url
        self.status = status
        self.headers = headers
        self.authorization = authorization
        # Whether the request was sent several times: an earlier try may have had its effect.
        self.was_repeated = False
        # Whether the next request has other credentials, which this challenge asked for.
        self.was_challenged = False
        self._body = body
        self._peeked = b""
        self._release: t.Callable[[], None] | None = None

    @property
    def length(self) -> int | None:
        """The Content-Length, in bytes; None if it is missing or invalid."""
        return byte_count(self.headers.get("Content-Length", ""))

    @property
    def retry_after(self) -> float | None:
        """The seconds to wait according to the Retry-After header (RFC 9110, 10.2.3: seconds or a date); None without a valid one."""
        value = self.headers.get("Retry-After", "")
        return seconds_to_wait(value) if 0 < len(value) <= _LONGEST_RETRY_AFTER else None

    def read(self, limit: int) -> bytes:
        """Return the next ``limit`` bytes of the body, or all remaining bytes."""
        head, self._peeked = self._peeked[:limit], self._peeked[limit:]
        if len(head) == limit:
            return head
        with self._translated():
            return head + (self._body.read(limit - len(head), decode_content=False) or b"")

    def into(self, buffer: memoryview) -> int:
        """Fill a buffer with the next bytes of the body, and return their number; 0 at the end of the body.

        urllib3's ``read`` allocates every chunk, and the resulting page faults are a tenth of the CPU time of a large
        copy. So this reads from the http.client response inside it, while urllib3 still translates the errors.
        """
        if self._peeked or not reads_in_place(self._body):
            chunk = self.read(len(buffer))
            buffer[: len(chunk)] = chunk
            return len(chunk)
        with self._translated(), self._body._error_catcher():  # pylint: disable=protected-access
            count: int = self._body._fp.readinto(buffer)  # pylint: disable=protected-access
            return count

    def peek(self, limit: int) -> bytes:
        """Return up to ``limit`` bytes from the beginning of the body without consuming them. Content after a broken connection is missing."""
        try:
            self._peeked = self.read(limit)
        except ConnectionFailed:
            self._peeked = b""
        return self._peeked

    def drain(self) -> None:
        """Discard the body, and keep the connection if that is cheap."""
        try:
            self.read(_WORTH_READING)
        except ConnectionFailed:
            pass  # the connection is closed below
        self.close()

    def when_closed(self, release: t.Callable[[], None]) -> None:
        """Register a function to call each time the response is closed."""
        self._release = release

    def close(self) -> None:
        """Release the connection. It is closed if the body was not read to its end."""
        try:
            self._body.close()
            self._body.release_conn()
        finally:
            if self._release:
                self._release()

    @contextlib.contextmanager
    def _translated(self) -> t.Iterator[None]:
        try:
            yield
        except BODY_ERRORS as error:
            raise broken_connection(urls.host(self.url), error) from None


def reads_in_place(body: t.Any) -> bool:
    """Return whether a body of urllib3 can be read into a buffer. The attributes for this are internal and may change."""
    return hasattr(body, "_error_catcher") and hasattr(getattr(body, "_fp", None), "readinto")


def byte_count(text: str) -> int | None:
    """Parse a number of bytes in a header; None if it is invalid."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


class Transport:
    """Connections to any number of hosts. Up to ``size`` of them are kept for each host. Thread-safe.

    ``timeout`` is in seconds, for connecting and for waiting in a transfer. ``min_rate`` is the minimum rate of a request
    or a response in bytes per second, averaged over that time. With ``socket_path``, all connections use that local socket.
    """

    def __init__(
        self,
        size: int,
        timeout: float,
        min_rate: float = 0.0,
        uses_proxies: bool = True,
        socket_path: str = "",
    ) -> None:
        library()
        self._uses_proxies = uses_proxies
        self._socket_path = socket_path
        self._size = size
        self._timeout = timeout
        self._min_rate = min_rate
        self._lock = threading.Lock()
        self._proxies: dict[str, str] = {}
        # One for plain HTTP, and one for each kind of trust.
        self._connections: dict[Trust | None, _Connections] = {}

    def send(
        self,
        method: str,
        url: str,
        headers: t.Mapping[str, str],
        data: RequestBody,
        settings: RegistrySettings,
        read_timeout: float | None = None,
    ) -> Response:
        """Send a request and return its response, whatever its status, with the body unread.

        ``read_timeout`` applies to idle reads of this response only. Raises :class:`ConnectionFailed`;
        :class:`ImageError` for an option or an environment variable that cannot be used; and the errors of the
        iterable.
        """
        proxy = ""
        try:
            url = _checked(url)
            proxy = self._proxy_for(url)
            response = self._exchange(method, url, headers, data, settings, proxy, read_timeout or self._timeout)
        except REQUEST_ERRORS as error:
            failure = broken_connection(urls.host(url), error, proxies.shown(proxy))
        else:
            return Response(url, response.status, response.headers, response, headers.get("Authorization", ""))
        if isinstance(failure, ConnectionReset):
            self._forget_idle_connections()
        raise failure

    def _exchange(
        self,
        method: str,
        url: str,
        headers: t.Mapping[str, str],
        data: RequestBody,
        settings: RegistrySettings,
        proxy: str,
        read_timeout: float,
    ) -> t.Any:
        is_plain = url.startswith("http:")
        sent = {**_FIXED, **headers}
        if not data:
            if method not in ("GET", "HEAD"):
                sent["Content-Length"] = "0"
        elif isinstance(data, collections.abc.Sized):
            sent["Content-Length"] = str(len(data))
        is_forwarded = is_plain and proxy.startswith("http")
        return self._connections_for(None if is_plain else settings).request(
            url,
            proxy,
            method,
            url if is_forwarded else "/" + url.split("/", 3)[3],
            body=data or None,
            headers=sent,
            retries=library().util.Retry(0, read=False),
            redirect=False,
            assert_same_host=False,
            timeout=library().util.Timeout(connect=self._timeout, read=read_timeout),
            preload_content=False,
            decode_content=False,
            chunked=bool(data) and "Content-Length" not in sent,
        )

    def _proxy_for(self, url: str) -> str:
        """Return the URL of the proxy for this URL; empty for none. It is looked up once for each host. Raises :class:`ImageError`."""
        origin = "/".join(url.split("/", 3)[:3])
        if not self._uses_proxies:
            return ""
        if origin not in self._proxies:
            self._proxies[origin] = proxies.proxy_for(origin.partition(":")[0], urls.host(url))
        return self._proxies[origin]

    def _forget_idle_connections(self) -> None:
        """Close idle connections. If one of them was closed by the server, the others probably were as well."""
        for connections in list(self._connections.values()):
            connections.clear()

    def close(self) -> None:
        """Close all connections."""
        for connections in list(self._connections.values()):
            connections.clear()

    def _connections_for(self, settings: RegistrySettings | None) -> _Connections:
        trusted = settings.trust if settings else None  # hosts that differ only in their names share a TLS context
        found = self._connections.get(trusted)
        if found is None:
            with self._lock:
                found = self._connections.get(trusted)
                if found is None:
                    found = _Connections(self._size, settings, self._min_rate, self._timeout, self._socket_path)
                    self._connections[trusted] = found
        return found


class _Connections:
    """Connections with the same TLS context (or none without ``settings``) and the same minimum rate."""

    def __init__(
        self, size: int, settings: RegistrySettings | None, min_rate: float, window: float, socket_path: str
    ) -> None:
        self._options: dict[str, t.Any] = {"num_pools": _MAX_HOSTS, "maxsize": size}
        if settings:
            self._options["ssl_context"] = tls_context()
            trust.configure(self._options["ssl_context"], settings, ca_bundle())
            self._options["cert_reqs"] = "CERT_REQUIRED" if settings.validate_certs else "CERT_NONE"
        self._min_rate = min_rate
        self._window = window
        self._more = {"_new_conn": _connect_to(socket_path)} if socket_path else {}
        self._lock = threading.Lock()
        self._managers: dict[str, t.Any] = {"": self._watched(library().PoolManager(**self._options))}
        # The pools that were used last, the latest at the end. Managers keep all of them, but look for the pool of a
        # URL by parsing it, which takes long.
        self._pools: dict[tuple[str, str], t.Any] = {}

    def request(self, url: str, proxy: str, *arguments: t.Any, **options: t.Any) -> t.Any:
        """Send a request over a connection to the host of a URL, see :meth:`pool`.

        Another thread may close the pool after it was chosen. Nothing has been sent then, so it is simply replaced.
        """
        for _closed in range(_MAX_CLOSED_POOLS - 1):
            with contextlib.suppress(library().exceptions.ClosedPoolError):
                return self.pool(url, proxy).request(*arguments, **options)
        return self.pool(url, proxy).request(*arguments, **options)

    def pool(self, url: str, proxy: str) -> t.Any:
        """Return the connections to the host of a URL, through its proxy if that is not empty."""
        key = "/".join(url.split("/", 3)[:3]), proxy
        with self._lock:
            found = self._pools.pop(key, None) or self._open(*key)
            self._pools[key] = found
        return found

    def _open(self, origin: str, proxy: str) -> t.Any:
        if proxy not in self._managers:
            self._managers[proxy] = self._watched(_proxy_manager(proxy, self._options))
        # A manager closes the pool that it was asked for least recently, which may be in use.
        for other, via in self._pools:
            self._managers[via].connection_from_url(other)
        if len(self._pools) == _MAX_HOSTS:
            del self._pools[next(iter(self._pools))]
        return self._managers[proxy].connection_from_url(origin)

    def clear(self) -> None:
        """Close idle connections, and close the others when they are released."""
        with self._lock:
            self._pools.clear()
            for manager in self._managers.values():
                manager.clear()

    def _watched(self, manager: t.Any) -> t.Any:
        classes = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = least_rate.pool_classes(classes, self._min_rate, self._window, self._more)
        return manager


def _proxy_manager(proxy: str, options: dict[str, t.Any]) -> t.Any:
    """Return connections through a proxy. Its URL may contain a user name and a password."""
    parts = urlsplit(proxy)
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme.startswith("socks"):
        return socks_proxy_manager(proxy, username=username, password=password, **options)
    headers = {}
    if username:
        pair = base64.b64encode(("%s:%s" % (username, password)).encode("utf-8"))
        headers["Proxy-Authorization"] = "Basic " + pair.decode("ascii")
    return library().ProxyManager(proxy, proxy_headers=headers, **options)


def _connect_to(path: str) -> t.Callable[[t.Any], socket.socket]:
    """Return a function that connects urllib3 to a local socket. It overrides a name that is internal and may change."""

    def connect(connection: t.Any) -> socket.socket:
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connected.settimeout(connection.timeout if isinstance(connection.timeout, (int, float)) else None)
            connected.connect(path)
        except BaseException as error:
            connected.close()
            if isinstance(error, OSError) and not error.errno:  # Python's own, of a path that no socket can have
                raise OSError(errno.ENAMETOOLONG, str(error)) from None
            raise
        return connected

    return connect


def _checked(url: str) -> str:
    """Return a URL as it is sent. Raises ValueError if parsers may disagree about it."""
    if _PLAIN_URL.fullmatch(url) and "/." not in url:
        return url
    if not urls.is_sendable(url):
        raise ValueError("not an unambiguous URL")
    return str(library().util.parse_url(url).url)
