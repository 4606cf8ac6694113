# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""HTTP to one registry: TLS, proxies, retries with a pause shared by all threads, and redirects.

``requests`` does the connections; what it does on its own account is turned off where it would be wrong here: netrc
(it would send credentials nobody gave us), redirects (a signed URL must not see our Authorization) and decoding of
bodies (a digest is over the bytes as stored).
"""

from __future__ import annotations

import dataclasses
import email.utils
import os
import random
import threading
import time
import typing as t
from urllib.parse import urljoin, urlsplit

from .._errors import ConnectionFailed, ImageError, Refused
from .failures import Untrusted, broken_connection
from .library import BODY_ERRORS, library
from .settings import Registries, RegistrySettings, api_host

TRANSIENT = frozenset((408, 425, 429, 500, 502, 503, 504, 522))
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_MAX_REDIRECTS = 10
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0
_USER_AGENT = "drayage.registry"


@dataclasses.dataclass
class Policy:
    """What holds for all registries of a task. ``timeout`` is in seconds, for connecting and for idle reads."""

    timeout: float = 60.0
    retries: int = 3
    jobs: int = 16


class Traffic:
    """What a run asked of its registries, and what they warned of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests = 0
        self.warnings: list[str] = []

    def count(self) -> None:
        """Count one request as sent."""
        with self._lock:
            self.requests += 1

    def warn(self, text: str) -> None:
        """Keep a warning for the user, once."""
        with self._lock:
            if text not in self.warnings:
                self.warnings.append(text)


class Session:
    """Connections to the registry of one ``registries`` entry and to where it redirects. Safe for many threads."""

    def __init__(
        self, host: str, settings: RegistrySettings, registries: Registries, policy: Policy, traffic: Traffic
    ) -> None:
        self.host = host
        self.settings = settings
        self.base = "%s://%s" % (settings.scheme(host), api_host(host))
        self.policy = policy
        self.traffic = traffic
        self._registries = registries
        self._pause = _Pause()
        self._proxies: dict[str, t.Any] = {}
        self._session = library().Session()
        self._session.trust_env = False
        adapter = library().adapters.HTTPAdapter(pool_connections=4, pool_maxsize=policy.jobs)
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, adapter)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def exchange(self, method: str, url: str, headers: dict[str, str], data: t.Any = None) -> t.Any:
        """Send one request with retries, and return its response with the body unread.

        ``data`` is None or bytes; a body that is a stream goes through :meth:`stream`. Transient answers and broken
        connections are tried again after a pause; what the last try answered is returned as it is.

        Raises :class:`ConnectionFailed`.
        """
        attempt = 0
        while True:
            self._pause.wait()
            try:
                response = self._follow(method, url, headers, data)
            except Untrusted:
                raise
            except ConnectionFailed:
                if attempt >= self.policy.retries:
                    raise
                self.pause(attempt)
            else:
                if response.status_code not in TRANSIENT or attempt >= self.policy.retries:
                    return response
                self.hold_back(response, attempt)
                response.close()
            attempt += 1

    def stream(self, method: str, url: str, headers: dict[str, str], data: t.Any) -> t.Any:
        """Send one request whose body is a stream, once: only its owner can start the stream again."""
        self._pause.wait()
        return self._send(method, url, headers, data)

    def pause(self, attempt: int) -> None:
        """Make the next requests of all threads wait, longer with each attempt."""
        self._pause.extend(_backoff(attempt))

    def hold_back(self, response: t.Any, attempt: int) -> None:
        """Make the next requests of all threads wait as long as this answer asks, or as ``attempt`` suggests."""
        asked = retry_after(response.headers.get("Retry-After"), time.time())
        self._pause.extend(_backoff(attempt) if asked is None else min(asked, _LONGEST_PAUSE))

    def read(self, response: t.Any, limit: int) -> bytes:
        """The whole body of a response, at most ``limit`` bytes of it.

        Raises :class:`ConnectionFailed` where the body ends before its announced length (urllib3 1.26 says nothing).
        """
        try:
            body = response.raw.read(limit + 1, decode_content=True) or b""
        except BODY_ERRORS as error:
            raise broken_connection(self.host, error) from None
        finally:
            response.close()
        if len(body) > limit:
            raise Refused("%s sent more than %d bytes" % (self.host, limit))
        announced = response.headers.get("Content-Length", "")
        if announced.isdigit() and int(announced) > len(body) and "Content-Encoding" not in response.headers:
            raise ConnectionFailed("cannot read from %s: the connection broke" % self.host)
        return body

    def _follow(self, method: str, url: str, headers: dict[str, str], data: t.Any) -> t.Any:
        """Follow redirects of reads, without Authorization to another origin (OCI distribution spec, "Pull")."""
        for _hop in range(_MAX_REDIRECTS):
            response = self._send(method, url, headers, data)
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or not location or method not in ("GET", "HEAD"):
                return response
            response.close()
            target = urljoin(url, location)
            if _origin(target) != _origin(url):
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
            url = target
        raise Refused("%s redirects more than %d times" % (self.host, _MAX_REDIRECTS))

    def _send(self, method: str, url: str, headers: dict[str, str], data: t.Any) -> t.Any:
        host = urlsplit(url).netloc
        settings = self.settings
        if host != api_host(self.host):
            settings = self._registries.of_redirect(self.settings, self.host, host)
        self.traffic.count()
        try:
            response = self._session.request(
                method,
                url,
                headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **headers},
                data=data,
                timeout=self.policy.timeout,
                allow_redirects=False,
                stream=True,
                proxies=self._proxies_for(url),
                verify=_verify(settings),
                cert=_client_certificate(settings),
            )
        except library().exceptions.RequestException as error:
            raise broken_connection(host, error) from None
        except OSError as error:
            raise _unreadable_certificate(settings, error) from None
        self._note_warnings(response)
        return response

    def _proxies_for(self, url: str) -> t.Any:
        """The proxies of the environment (HTTPS_PROXY, NO_PROXY ...), looked up once a host."""
        origin = _origin(url)
        if origin not in self._proxies:
            self._proxies[origin] = library().utils.get_environ_proxies(url)
        return self._proxies[origin]

    def _note_warnings(self, response: t.Any) -> None:
        """OCI distribution spec, "Warnings": 299 - "text" is meant for the user."""
        text = response.headers.get("Warning", "")
        if text.startswith("299 - "):
            self.traffic.warn("%s warns: %s" % (self.host, text[len("299 - ") :].strip('" ')[:300]))


class _Pause:
    """A time until which nobody sends; one for all threads, or each would run into the same limit by itself."""

    def __init__(self) -> None:
        self._until = 0.0

    def extend(self, seconds: float) -> None:
        self._until = max(self._until, time.monotonic() + seconds)

    def wait(self) -> None:
        while self._until > time.monotonic():
            time.sleep(max(0.0, self._until - time.monotonic()))


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110, 10.2.3: seconds or a date); None where it says nothing."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    parsed = email.utils.parsedate_tz(value)
    return None if parsed is None else max(0.0, email.utils.mktime_tz(parsed) - now)


def _backoff(attempt: int) -> float:
    """Doubling from half a second, with jitter so that many hosts do not come back at the same moment."""
    return min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE) * random.uniform(0.75, 1.25)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return "%s://%s" % (parts.scheme, parts.netloc)


def _verify(settings: RegistrySettings) -> bool | str:
    if not settings.validate_certs:
        return False
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return settings.ca_path or bundle or True


def _client_certificate(settings: RegistrySettings) -> t.Any:
    if settings.client_cert and settings.client_key:
        return (settings.client_cert, settings.client_key)
    return settings.client_cert


def _unreadable_certificate(settings: RegistrySettings, error: OSError) -> ImageError:
    """``requests`` raises plain OSErrors for certificate files that are missing."""
    return ConnectionFailed(
        "cannot use the certificate files of %s: %s" % (settings.host, error),
        hint="Check ca_path, client_cert and client_key in registries",
    )
