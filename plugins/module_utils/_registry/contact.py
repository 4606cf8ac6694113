# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Find out whether a host can be reached. Only one request at a time tries it, and only once if it cannot.

Without this, each of a thousand images would wait for its own retries when a host is down.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t

from .._errors import ConnectionFailed
from .connection_errors import ConnectionReset, MalformedRequest, PermanentConnectionError
from .settings import Trust


class NotTried(PermanentConnectionError):
    """Nothing was sent, because the host has not responded to earlier requests."""


class Contact:
    """The attempts to reach one host, until it first responds. Thread-safe."""

    def __init__(self, host: str, retries: int) -> None:
        self.is_reached = False
        self._host = host
        self._retries = retries
        self._lock = threading.Lock()
        self._failures = 0
        self._was_reset = False
        self._last: ConnectionFailed | None = None

    @contextlib.contextmanager
    def attempt(
        self, is_shared: bool, wait: t.Callable[[], object], back_off: t.Callable[[int], object]
    ) -> t.Iterator[None]:
        """Run the block, which sends one request and raises :class:`ConnectionFailed` unless the host responds.

        Until the host has responded, the next request waits for the result of this one. Requests that are
        ``is_shared`` neither wait nor make others wait, because their bodies take long. ``wait`` returns when
        requests may be sent, and ``back_off`` delays them after a failure.

        Raises :class:`NotTried` without running the block if all retries for the host failed without a response.
        """
        if self.is_reached:
            yield
            return
        with contextlib.ExitStack() as held:
            if not is_shared:
                held.enter_context(self._lock)
            if self._was_reached():
                held.close()  # so that nothing waits for this request
            else:
                wait()
            try:
                yield
            except ConnectionFailed as failure:
                if not self.is_reached:
                    self._note(failure, back_off)
                raise
            self.is_reached = True

    def _was_reached(self) -> bool:
        """Return whether the host has responded since. Raises :class:`NotTried` or :class:`PermanentConnectionError`."""
        if self.is_reached or self._last is None:
            return self.is_reached
        if isinstance(self._last, PermanentConnectionError):
            raise PermanentConnectionError(self._last.cause, hint=self._last.hint)
        if self._failures > self._retries:
            cause = "the request was not sent, because %s did not respond to an earlier request (%s)" % (
                self._host,
                self._last.reason or self._last.cause,
            )
            raise NotTried(cause, hint=self._last.hint)
        return False

    def _note(self, failure: ConnectionFailed, back_off: t.Callable[[int], object]) -> None:
        if isinstance(failure, MalformedRequest):
            return
        if isinstance(failure, ConnectionReset) and not self._was_reset:
            self._was_reset = True  # one more try than the others, as for any request
            return
        self._last = failure
        back_off(self._failures)
        self._failures += 1


class Contacts:
    """One :class:`Contact` for each host and each set of trust settings in a run: TLS may fail with one set only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._contacts: dict[tuple[str, Trust], Contact] = {}

    def of(self, url: str, host: str, trust: Trust, retries: int) -> Contact:
        """Return the contact for the host of a URL; ``host`` is its name in messages."""
        key = ("/".join(url.split("/", 3)[:3]), trust)
        contact = self._contacts.get(key)
        if contact is None:
            with self._lock:
                contact = self._contacts.setdefault(key, Contact(host, retries))
        return contact
