# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Sending one request with ``requests``, by its adapter alone.

Its sessions do more with each request than a registry needs, which is a third of the time that a short one takes; and
some of it would be wrong here: netrc would send credentials that nobody gave us, a redirect would carry our Authorization
to a signed URL, and cookies would be shared by all users.
"""

from __future__ import annotations

import contextlib
import errno
import re
import socket
import ssl
import threading
import typing as t

from .._errors import ConnectionFailed
from . import least_rate, proxies, trust, urls
from .connection_errors import ConnectionReset, broken_connection
from .library import BODY_ERRORS, REQUEST_ERRORS, HTTPAdapter, ca_bundle, library, seconds_to_wait, tls_context
from .settings import RegistrySettings

_FIXED = {"User-Agent": "drayage.registry", "Accept-Encoding": "identity"}
# What requests would leave as it is: nothing in it needs encoding.
_PLAIN_URL = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]+)?/[A-Za-z0-9_./:=&?-]*")

# The content of a request; what has no length is sent in chunks.
RequestBody = t.Union[bytes, t.Iterable[bytes], None]
# So much of a body that nobody reads is read all the same: it costs less than a new connection.
_WORTH_READING = 64 * 1024
_LONGEST_RETRY_AFTER = 100


class Response:
    """A response: its ``status``, its ``headers`` (in any case), and a body that is read once, as the server stored it.

    ``url`` is where the request went, and ``authorization`` what it carried. Reading raises :class:`ConnectionFailed`.
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
        """The Content-Length, in bytes; None where there is none that is valid."""
        return byte_count(self.headers.get("Content-Length", ""))

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait by the Retry-After header (RFC 9110, 10.2.3: seconds or a date); None where it says nothing."""
        value = self.headers.get("Retry-After", "")
        return seconds_to_wait(value) if 0 < len(value) <= _LONGEST_RETRY_AFTER else None

    def read(self, limit: int) -> bytes:
        """The next ``limit`` bytes of the body, or all that are left."""
        head, self._peeked = self._peeked[:limit], self._peeked[limit:]
        if len(head) == limit:
            return head
        with self._translated():
            return head + (self._body.read(limit - len(head), decode_content=False) or b"")

    def into(self, buffer: memoryview) -> int:
        """Fill a buffer with the next bytes of the body and return how many these are; 0 at its end.

        urllib3's ``read`` allocates every chunk, and the page faults of that are a tenth of the CPU time of a large copy.
        So the response of http.client behind it is read, with urllib3 still translating the errors.
        """
        if self._peeked or not reads_in_place(self._body):
            chunk = self.read(len(buffer))
            buffer[: len(chunk)] = chunk
            return len(chunk)
        with self._translated(), self._body._error_catcher():  # pylint: disable=protected-access
            count: int = self._body._fp.readinto(buffer)  # pylint: disable=protected-access
            return count

    def peek(self, limit: int) -> bytes:
        """Up to ``limit`` bytes from the beginning of the body, which can still be read; what is broken off is left out."""
        try:
            self._peeked = self.read(limit)
        except ConnectionFailed:
            self._peeked = b""
        return self._peeked

    def drain(self) -> None:
        """Be done with a response whose body does not matter, and keep its connection where that is cheap."""
        try:
            self.read(_WORTH_READING)
        except ConnectionFailed:
            pass  # the connection is closed below
        self.close()

    def when_closed(self, release: t.Callable[[], None]) -> None:
        """Have something called when the response is closed, each time."""
        self._release = release

    def close(self) -> None:
        """Give the connection back, closed if the body has not been read to its end."""
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
    """Whether a body of urllib3 has what it takes to read it into a buffer; these are names that it may change."""
    return hasattr(body, "_error_catcher") and hasattr(getattr(body, "_fp", None), "readinto")


def byte_count(text: str) -> int | None:
    """A number of bytes in a header; None for anything else."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


class Transport:
    """Connections to any number of hosts, of which up to ``size`` are kept for each. Safe for many threads.

    ``timeout`` is in seconds, for connecting and for idle reads; ``min_rate`` is the least that a response has in bytes a
    second, on average over that time. With ``socket_path`` all connections are to that socket of this machine.
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
        self._adapters: dict[RegistrySettings | None, _Adapter] = {}

    def send(
        self,
        method: str,
        url: str,
        headers: t.Mapping[str, str],
        data: RequestBody,
        settings: RegistrySettings,
        read_timeout: float | None = None,
    ) -> Response:
        """Send a request and return its response, whatever that is, with the body unread.

        ``read_timeout`` is for idle reads of this response alone. Raises :class:`ConnectionFailed`; :class:`ImageError` for an option
        or a variable of the environment that cannot be used; and what the iterable raises.
        """
        proxy = ""
        try:
            request = _prepare(method, url, headers, data)
            proxy = self._proxy_for(url)
            response = self._exchange(request, proxy, settings, read_timeout or self._timeout)
        except REQUEST_ERRORS as error:
            failure = broken_connection(urls.host(url), error, proxies.shown(proxy))
        else:
            authorization = headers.get("Authorization", "")
            return Response(response.url, response.status_code, response.headers, response.raw, authorization)
        if isinstance(failure, ConnectionReset):
            self._forget_idle_connections()
        raise failure

    def _exchange(self, request: t.Any, proxy: str, settings: RegistrySettings, read_timeout: float) -> t.Any:
        is_plain = request.url.startswith("http:")
        return self._adapter(None if is_plain else settings).send(
            request,
            stream=True,
            timeout=(self._timeout, read_timeout),
            verify=settings.validate_certs,
            proxies={"http" if is_plain else "https": proxy} if proxy else {},
        )

    def _proxy_for(self, url: str) -> str:
        """The URL of the proxy for this URL, looked up once a host; empty for none. Raises :class:`ImageError`."""
        origin = "/".join(url.split("/", 3)[:3])
        if not self._uses_proxies:
            return ""
        if origin not in self._proxies:
            self._proxies[origin] = proxies.proxy_for(origin.partition(":")[0], urls.host(url))
        return self._proxies[origin]

    def _forget_idle_connections(self) -> None:
        """Where one that was kept turns out to be closed, the others are likely to be."""
        for adapter in list(self._adapters.values()):
            adapter.poolmanager.clear()

    def close(self) -> None:
        """Close all connections."""
        for adapter in list(self._adapters.values()):
            adapter.close()

    def _adapter(self, settings: RegistrySettings | None) -> _Adapter:
        adapter = self._adapters.get(settings)
        if adapter is None:
            with self._lock:
                adapter = self._adapters.get(settings)
                if adapter is None:
                    adapter = _Adapter(self._size, _tls(settings), self._min_rate, self._timeout, self._socket_path)
                    self._adapters[settings] = adapter
        return adapter


def _tls(settings: RegistrySettings | None) -> ssl.SSLContext | None:
    if settings is None:
        return None
    made = tls_context()
    trust.configure(made, settings, ca_bundle())
    return made


class _Adapter(HTTPAdapter):
    """An adapter whose connections all have the same TLS context, or none, and the same least rate."""

    def __init__(
        self, size: int, context: ssl.SSLContext | None, min_rate: float, window: float, socket_path: str
    ) -> None:
        self._options = {"ssl_context": context} if context else {}
        self._min_rate = min_rate
        self._window = window
        self._socket_path = socket_path
        super().__init__(pool_connections=4, pool_maxsize=size)

    def init_poolmanager(self, *args: t.Any, **options: t.Any) -> None:
        super().init_poolmanager(*args, **options, **self._options)
        self._watch(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: t.Any) -> t.Any:
        is_known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options, **self._options)
        if not is_known:
            self._watch(manager)
        return manager

    def _watch(self, manager: t.Any) -> None:
        classes = manager.pool_classes_by_scheme
        more = {"_new_conn": _connect_to(self._socket_path)} if self._socket_path else {}
        manager.pool_classes_by_scheme = least_rate.pool_classes(classes, self._min_rate, self._window, more)

    def cert_verify(self, conn: t.Any, url: str, verify: t.Any, cert: t.Any) -> None:
        """The context has the certificates; requests would have them read for each connection."""
        conn.cert_reqs = "CERT_REQUIRED" if verify else "CERT_NONE"


def _connect_to(path: str) -> t.Callable[[t.Any], socket.socket]:
    """How a connection of urllib3 is made to a socket of this machine; another name of its own that it may change."""

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


def _prepare(method: str, url: str, headers: t.Mapping[str, str], data: RequestBody) -> t.Any:
    request = library().PreparedRequest()
    request.method = method
    if _PLAIN_URL.fullmatch(url) and "/." not in url:
        request.url = url
    elif urls.is_sendable(url):
        request.prepare_url(url, None)
    else:
        raise ValueError("not a URL that all parsers read alike")
    request.headers = library().structures.CaseInsensitiveDict(_FIXED)
    request.headers.update(headers)
    if data is not None:
        request.prepare_body(data, None)
    elif method not in ("GET", "HEAD"):
        request.headers["Content-Length"] = "0"
    return request
