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

import re
import ssl
import threading
import typing as t

from . import least_rate, proxies, trust, urls
from .library import HTTPAdapter, library
from .settings import RegistrySettings

_FIXED = {"User-Agent": "drayage.registry", "Accept-Encoding": "identity"}
# What requests would leave as it is: nothing in it needs encoding.
_PLAIN_URL = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]+)?/[A-Za-z0-9_./:=&?-]*")


class Transport:
    """Connections to any number of hosts, of which up to ``size`` are kept for each. Safe for many threads.

    ``timeout`` is in seconds, for connecting and for idle reads; ``min_rate`` is the least that a response has in bytes a
    second, on average over that time.
    """

    def __init__(self, size: int, timeout: float, min_rate: float = 0.0) -> None:
        library()
        self._size = size
        self._timeout = timeout
        self._min_rate = min_rate
        self._lock = threading.Lock()
        self._proxies: dict[str, str] = {}
        # One for plain HTTP, and one for each kind of trust.
        self._adapters: dict[RegistrySettings | None, _Adapter] = {}

    def send(
        self, method: str, url: str, headers: t.Mapping[str, str], data: t.Any, settings: RegistrySettings
    ) -> t.Any:
        """Send a request and return its response, whatever that is, with the body unread and as it was stored.

        Raises what ``requests`` raises: ValueError, or one of BODY_ERRORS; :class:`ImageError` for an option or a variable
        of the environment that cannot be used.
        """
        request = _prepare(method, url, headers, data)
        is_plain = url.startswith("http:")
        proxy = self.proxy_for(url)
        return self._adapter(None if is_plain else settings).send(
            request,
            stream=True,
            timeout=self._timeout,
            verify=settings.validate_certs,
            proxies={"http" if is_plain else "https": proxy} if proxy else {},
        )

    def proxy_for(self, url: str) -> str:
        """The URL of the proxy for this URL, looked up once a host; empty for none. Raises :class:`ImageError`."""
        place = "/".join(url.split("/", 3)[:3])
        if place not in self._proxies:
            self._proxies[place] = proxies.proxy_for(place.partition(":")[0], urls.host(url))
        return self._proxies[place]

    def forget_idle_connections(self) -> None:
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
                    adapter = _Adapter(
                        self._size, trust.context(settings) if settings else None, self._min_rate, self._timeout
                    )
                    self._adapters[settings] = adapter
        return adapter


class _Adapter(HTTPAdapter):
    """An adapter whose connections all have the same TLS context, or none, and the same least rate."""

    def __init__(self, size: int, context: ssl.SSLContext | None, min_rate: float, window: float) -> None:
        self._options = {"ssl_context": context} if context else {}
        self._min_rate = min_rate
        self._window = window
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
        manager.pool_classes_by_scheme = least_rate.pool_classes(classes, self._min_rate, self._window)

    def cert_verify(self, conn: t.Any, url: str, verify: t.Any, cert: t.Any) -> None:
        """The context has the certificates; requests would have them read for each connection."""
        conn.cert_reqs = "CERT_REQUIRED" if verify else "CERT_NONE"


def _prepare(method: str, url: str, headers: t.Mapping[str, str], data: t.Any) -> t.Any:
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
