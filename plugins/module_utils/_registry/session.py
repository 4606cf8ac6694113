# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""HTTP requests to one registry, with limits, redirects, and retries whose pauses apply to all threads."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import re
import threading
import time
import typing as t

from .._errors import ConnectionFailed, Refused
from .._run import RunStats
from .._text import clean, without_secrets
from . import trust, urls
from .connection_errors import BROKEN_HINT, ConnectionReset, PermanentConnectionError
from .contact import Contacts, NotTried
from .failures import compressed
from .limits import Load, nothing
from .quota import Quota
from .quota import read as read_quota
from .settings import Registries, RegistrySettings, api_host
from .transport import Response, Transport
from .urls import FOREIGN_HINT
from .warning_limit import LimitedWarnings

TRANSIENT = frozenset((408, 425, 429, 500, 502, 503, 504, 522))
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_MAX_REDIRECTS = 10
# Reads whose content is checked against the digest that was asked for; of a HEAD nothing is used but whether a blob is there.
_VERIFIED = {
    "GET": re.compile(r"/(?:blobs|manifests)/[a-z0-9+._-]+:[0-9a-zA-Z=_-]+$"),
    "HEAD": re.compile(r"/blobs/[a-z0-9+._-]+:[0-9a-zA-Z=_-]+$"),
}
# More requests at once gain nothing: from here on none is sent that is not needed.
_ENOUGH = 8
# The OCI distribution spec, "Warnings", allows this many bytes in all Warning headers of a response together.
_MAX_WARNING_SIZE = 4096
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0


@dataclasses.dataclass
class Policy:
    """Settings for all registries of a task.

    ``timeout`` is in seconds, for connecting and for idle reads. ``min_rate`` is in bytes per second, see
    :class:`Transport`.
    """

    timeout: float = 60.0
    retries: int = 3
    jobs: int = 32
    min_rate: float = 0.0
    contacts: Contacts = dataclasses.field(default_factory=Contacts)
    # How many threads may read ahead in the whole run: each has a buffer of 4 MiB.
    helpers: threading.Semaphore = dataclasses.field(default_factory=lambda: threading.Semaphore(_ENOUGH))


class Session:
    """Connections to the registry of one ``registries`` entry and to the hosts that it redirects to. Thread-safe."""

    def __init__(
        self, host: str, settings: RegistrySettings, registries: Registries, policy: Policy, statistics: RunStats
    ) -> None:
        self.host = host
        self.settings = settings
        address = "%s://%s" % (settings.scheme(host), api_host(host))
        self.base = urls.resolve("", address, address, "Check the host name and the port").rstrip("/")
        self._origin = urls.origin(self.base)
        self.policy = policy
        self.statistics = statistics
        self._warnings = LimitedWarnings(host, statistics)
        self._registries = registries
        self.quota: Quota | None = None
        self._limits = registries.limits(settings)
        self._pause = _Pause()
        self._load = Load()
        trust.check_files(settings)
        self._transport = Transport(policy.jobs, policy.timeout, policy.min_rate)

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def exchange(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        data: bytes | None = None,
        retry_on: t.Collection[int] = TRANSIENT,
        waits_for_slot: bool = True,
    ) -> Response:
        """Send a request, with retries, and return its response. The body of the response is unread.

        If other requests depend on this one, for example on a token, it must not wait for a free connection, because
        the thread that holds it may be waiting for the result.

        Send a body that is a stream with :meth:`send_once`. After a transient status or a broken connection, the
        request is sent again after a pause. The last response is returned whatever its status. Its ``was_repeated``
        shows whether there was more than one request, because an earlier one may have succeeded.

        Raises :class:`ConnectionFailed`.
        """
        attempt = 0
        was_reset = False
        failure: ConnectionFailed | None = None
        while True:
            self._pause.wait()
            try:
                response = self._follow(method, url, headers, data, waits_for_slot)
            except PermanentConnectionError as error:
                raise (failure if failure and isinstance(error, NotTried) else error) from None
            except ConnectionFailed as error:
                failure = error
                if isinstance(error, ConnectionReset) and not was_reset:
                    was_reset = True  # perhaps only by a server that does not keep connections: no failure yet
                    continue
                if attempt >= self.policy.retries:
                    raise
                self.back_off(attempt)
            else:
                if response.status not in retry_on or attempt >= self.policy.retries:
                    response.was_repeated = was_reset or attempt > 0
                    return response
                self.apply_retry_after(response, attempt)
                response.drain()
            attempt += 1

    def send_once(self, method: str, url: str, headers: dict[str, str], data: t.Any) -> Response:
        """Send a request without retries. Use it for a body that is a stream, which only the caller can start again."""
        self._pause.wait()
        return self._send(method, url, headers, data)

    def enter_at_once(self) -> t.Callable[[], None] | None:
        """Reserve room for an optional request, see :meth:`get_at_once`. Return a function to call when the request has ended.

        Return None if as many requests are active as ``jobs`` allows or as help, or if a limit of the registry leaves
        no room.
        """
        with contextlib.ExitStack() as held:
            done = self._load.enter_below(min(self.policy.jobs, _ENOUGH))
            held.callback(done or nothing)
            leave = self._limits.enter_at_once() if done else None
            held.callback(leave or nothing)
            return held.pop_all().close if leave else None

    def get_at_once(self, url: str, headers: dict[str, str]) -> Response:
        """Send a GET without retries, after :meth:`enter_at_once` has reserved room for it."""
        self._pause.wait()
        return self._follow("GET", url, headers, None, waits_for_slot=False)

    def back_off(self, attempt: int) -> None:
        """Delay the next requests of all threads, longer with each attempt."""
        self._pause.extend(_backoff(attempt))

    def apply_retry_after(self, response: Response, attempt: int) -> None:
        """Delay the next requests of all threads as long as the response asks, or else depending on ``attempt``."""
        asked = response.retry_after
        self._pause.extend(_backoff(attempt) if asked is None else min(asked, _LONGEST_PAUSE))

    def read(self, response: Response, limit: int) -> bytes:
        """Read the whole body of a response.

        Raises :class:`ConnectionFailed` if the body is shorter than announced (urllib3 1.26 does not report this),
        and :class:`Refused` if it has more than ``limit`` bytes or is compressed although compression was not
        requested.
        """
        try:
            body = response.read(limit + 1)
        finally:
            response.close()
        if len(body) > limit:
            raise Refused("%s sent a response larger than %d bytes" % (self.host, limit), hint=FOREIGN_HINT)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise compressed(self.host)
        if len(body) < (response.length or 0):
            raise ConnectionFailed("cannot read from %s: the connection was lost" % self.host, hint=BROKEN_HINT)
        return body

    def fetch(self, send: t.Callable[[], Response], limit: int) -> tuple[Response, bytes]:
        """Call ``send``, and call it again if the connection breaks in the body of a response with status 200.

        A response with another status is returned with its body unread. Raises the errors of :meth:`read`.
        """
        attempt = 0
        while True:
            response = send()
            if response.status != 200:
                return response, b""
            try:
                return response, self.read(response, limit)
            except ConnectionFailed:
                if attempt >= self.policy.retries:
                    raise
            self.back_off(attempt)
            attempt += 1

    def _follow(self, method: str, url: str, headers: dict[str, str], data: t.Any, waits_for_slot: bool) -> Response:
        """Follow redirects of reads, without Authorization to another origin (OCI distribution spec, "Pull")."""
        is_verified = _VERIFIED[method].search(url) is not None if method in _VERIFIED else False
        for _hop in range(_MAX_REDIRECTS):
            response = self._send(method, url, headers, data, waits_for_slot)
            if response.status not in _REDIRECTS or method not in _VERIFIED:
                return response
            location = response.headers.get("Location")
            if not location:
                return response
            response.drain()
            target = urls.resolve(url, location, "the Location header of %s" % urls.host(url))
            if url.startswith("https:") and target.startswith("http:") and not is_verified:
                raise Refused(
                    "%s redirects to %s over plain HTTP, which is allowed only for content with a digest"
                    % (urls.host(url), urls.host(target)),
                    hint="Configure the registry to redirect to HTTPS",
                )
            if urls.origin(target) != urls.origin(url):
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
            url = target
        raise Refused("%s redirects more than %d times" % (self.host, _MAX_REDIRECTS), hint=FOREIGN_HINT)

    def _send(
        self, method: str, url: str, headers: dict[str, str], data: t.Any, waits_for_slot: bool = True
    ) -> Response:
        """Send a request within the limits of its registry. Storage and token services have no limits."""
        with contextlib.ExitStack() as held:
            if waits_for_slot:
                held.callback(self._load.enter())
            if self.is_own(url):
                if waits_for_slot:
                    held.callback(self._limits.enter())
                self._await_turn()
                response = self._transmit(method, url, headers, data, self.settings)
                self._note_quota(response)
            else:
                settings = self._registries.of_redirect(self.settings, self.host, urls.host(url))
                response = self._transmit(method, url, headers, data, settings)
            response.when_closed(held.pop_all().close)
        return response

    def _await_turn(self) -> None:
        """Wait until the pace allows a request and no pause was requested in the meantime."""
        self._limits.pace.wait()
        while self._pause.wait():
            self._limits.pace.wait()

    def _note_quota(self, response: Response) -> None:
        quota = read_quota(response.headers)
        if quota:
            self.quota = quota
            self.statistics.quotas[self.host] = quota.remaining
            self._pause.extend(quota.wait)

    def _transmit(
        self, method: str, url: str, headers: dict[str, str], data: t.Any, settings: RegistrySettings
    ) -> Response:
        contact = self.policy.contacts.of(url, urls.host(url), settings.trust, self.policy.retries)
        if contact.is_reached:
            return self._transmit_at_once(method, url, headers, data, settings)
        is_shared = data is not None and not isinstance(data, bytes)
        with contact.attempt(is_shared, self._pause.wait, self.back_off):
            return self._transmit_at_once(method, url, headers, data, settings)

    def _transmit_at_once(
        self, method: str, url: str, headers: dict[str, str], data: t.Any, settings: RegistrySettings
    ) -> Response:
        self.statistics.count()
        if "Authorization" in headers:
            self.statistics.note_sent(headers["Authorization"])
        response = self._transport.send(method, url, headers, data, settings)
        self._note_warnings(response)
        return response

    def is_own(self, url: str) -> bool:
        """Return whether a URL belongs to the registry itself, so that it may receive its credentials."""
        return url.startswith(self.base + "/") or urls.origin(url) == self._origin

    def allows_plain_http(self, host: str) -> bool:
        """Return whether the user allows plain HTTP, with credentials, for this registry or for another host of it."""
        return bool(self.settings.plain_http or self._registries.of(host, "").plain_http)

    def _note_warnings(self, response: Response) -> None:
        """Show warnings to the user: OCI distribution spec, "Warnings", 299 - "text"."""
        if "Warning" not in response.headers or self._warnings.is_full:
            return
        header = response.headers["Warning"][:_MAX_WARNING_SIZE]
        for text in re.findall(r'299 - "((?:[^"\\]|\\.)*)"', header):
            text = without_secrets(re.sub(r"\\(.)", r"\1", text), [response.authorization])
            self._warnings.warn("%s warns: %s" % (self.host, clean(text, 300)))


class _Pause:
    """The time until which no thread sends requests. It is shared, so that not every thread runs into the same limit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0

    def extend(self, seconds: float) -> None:
        with self._lock:
            self._until = max(self._until, time.monotonic() + seconds)

    def wait(self) -> bool:
        """Wait, and return whether there was a pause."""
        is_pausing = self._until > time.monotonic()
        while self._until > time.monotonic():
            time.sleep(max(0.0, self._until - time.monotonic()))
        return is_pausing


def _backoff(attempt: int) -> float:
    """Return a delay that starts at half a second and doubles, with jitter so that hosts do not retry at the same time."""
    seconds: float = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)
    return seconds * random.uniform(0.75, 1.25)
