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

import os
import re
import typing as t

from . import urls
from .library import library
from .settings import RegistrySettings, is_loopback

_FIXED = {"User-Agent": "drayage.registry", "Accept-Encoding": "identity"}
# What requests would leave as it is: nothing in it needs encoding.
_PLAIN_URL = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]+)?/[A-Za-z0-9_./:=&?-]*")


class Transport:
    """Connections to any number of hosts, of which up to ``size`` are kept for each. Safe for many threads.

    ``timeout`` is in seconds, for connecting and for idle reads.
    """

    def __init__(self, size: int, timeout: float) -> None:
        self._adapter = library().adapters.HTTPAdapter(pool_connections=4, pool_maxsize=size)
        self._timeout = timeout
        self._proxies: dict[tuple[object, ...], t.Any] = {}
        self._trust: dict[RegistrySettings, tuple[bool | str, t.Any]] = {}

    def send(
        self, method: str, url: str, headers: t.Mapping[str, str], data: t.Any, settings: RegistrySettings
    ) -> t.Any:
        """Send a request and return its response, whatever that is, with the body unread and as it was stored.

        Raises what ``requests`` raises: ValueError, or one of BODY_ERRORS.
        """
        request = _prepare(method, url, headers, data)
        if settings not in self._trust:
            self._trust[settings] = (_verify(settings), _client_certificate(settings))
        verify, cert = self._trust[settings]
        return self._adapter.send(
            request,
            stream=True,
            timeout=self._timeout,
            verify=verify,
            cert=cert,
            proxies=self._proxies_for(request.url),
        )

    def forget_idle_connections(self) -> None:
        """Where one that was kept turns out to be closed, the others are likely to be."""
        self._adapter.poolmanager.clear()

    def close(self) -> None:
        """Close all connections."""
        self._adapter.close()

    def _proxies_for(self, url: str) -> t.Any:
        """The proxies of the environment (HTTPS_PROXY, NO_PROXY ...), looked up once a host; none for loopback."""
        place = tuple(url.split("/", 3)[:3])
        if place not in self._proxies:
            self._proxies[place] = {} if is_loopback(urls.host(url)) else library().utils.get_environ_proxies(url)
        return self._proxies[place]


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


def _verify(settings: RegistrySettings) -> bool | str:
    if not settings.validate_certs:
        return False
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return settings.ca_path or bundle or True


def _client_certificate(settings: RegistrySettings) -> t.Any:
    if settings.client_cert and settings.client_key:
        return (settings.client_cert, settings.client_key)
    return settings.client_cert
