# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Enforce a minimum rate for requests and responses, and limit what http.client would read without end.

The timeout of a socket starts again with each byte, so a server that sends or accepts one byte a minute could block a
task forever.
"""

from __future__ import annotations

import functools
import http.client
import io
import socket
import time
import typing as t

# Interim responses (RFC 9110, 15.2) and lines after the last chunk; http.client reads any number of both.
_MAX_INTERIM = 20
_MAX_TRAILERS = 100
# A TLS socket accepts so many bytes (or fewer at the end) within its timeout, or none. Smaller pieces cost CPU time.
_PIECE = 64 * 1024
_SENT_SLOWLY = "the host sent data more slowly than min_rate allows"
_ACCEPTED_SLOWLY = "the host accepted data more slowly than min_rate allows"


class TooSlow(socket.timeout):
    """A request or a response was slower than the minimum rate. The text is the reason for messages."""


class SendTimeout(TooSlow):
    """The host did not accept more of a request within the timeout."""


class _Rate:
    """Requires at least ``rate`` bytes per second, averaged over ``window`` seconds of waiting. ``reason`` is that of the error."""

    def __init__(self, rate: float, window: float, reason: str) -> None:
        self._least = rate * window
        self._window = window
        self._reason = reason
        self._waited = 0.0
        self._passed = 0

    def count(self, waited: float, size: int) -> None:
        """Count the bytes that arrived or were accepted after a wait in seconds. Raises :class:`TooSlow`."""
        self._waited += waited
        self._passed += size
        if self._waited >= self._window and size:
            if self._passed < self._least:
                raise TooSlow(self._reason)
            self._waited, self._passed = 0.0, 0


class _Steady(io.RawIOBase):
    """Data from a socket, at a minimum rate.

    Only the time spent waiting for the server counts, from its first byte on. Before that, the timeout applies.
    """

    def __init__(self, raw: t.Any, rate: _Rate) -> None:
        super().__init__()
        self._raw = raw
        self._rate = rate
        self._has_begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int | None:
        started = time.monotonic()
        count: int | None = self._raw.readinto(buffer)
        if self._has_begun:
            self._rate.count(time.monotonic() - started, count or 0)
        self._has_begun = True
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: t.Any, *args: t.Any, rate: float, window: float, **more: t.Any) -> None:
        super().__init__(sock, *args, **more)
        self.fp: t.Any = io.BufferedReader(_Steady(self.fp.detach(), _Rate(rate, window, _SENT_SLOWLY)))
        self._interim = 0

    def _read_status(self) -> t.Any:
        self._interim += 1
        if self._interim > _MAX_INTERIM:
            raise http.client.HTTPException("too many interim responses")
        return super()._read_status()  # type: ignore[misc]

    def _read_and_discard_trailer(self) -> None:
        for _line in range(_MAX_TRAILERS):
            if self.fp.readline(65537) in (b"\r\n", b"\n", b""):
                return
        raise http.client.HTTPException("too many trailers")


class _Connection(http.client.HTTPConnection):
    """Sends in pieces, because the timeout of ``sendall`` is for all the data: a slow link would never send a large chunk."""

    _new_rate: t.Callable[[], _Rate]

    def send(self, data: t.Any) -> None:
        if self.sock is None:
            super().send(b"")  # connects, if that is allowed
        rate = self._new_rate()
        rest = memoryview(data)
        while rest:
            started = time.monotonic()
            try:
                count = self.sock.send(rest[:_PIECE])
            except socket.timeout:
                raise SendTimeout("the host did not accept more data within the timeout") from None
            rate.count(time.monotonic() - started, count)
            rest = rest[count:]


def pool_classes(
    classes: t.Mapping[str, t.Any], rate: float, window: float, more: t.Mapping[str, t.Any]
) -> dict[str, t.Any]:
    """Return connection pools of urllib3 by scheme, with a minimum rate; ``more`` are additional methods."""
    own = {
        "response_class": staticmethod(functools.partial(_Response, rate=rate, window=window)),
        "_new_rate": staticmethod(functools.partial(_Rate, rate, window, _ACCEPTED_SLOWLY)),
        **more,
    }
    made: dict[str, t.Any] = {}
    for scheme, pool in classes.items():
        connection = type(pool.ConnectionCls.__name__, (_Connection, pool.ConnectionCls), own)
        made[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": connection})
    return made
