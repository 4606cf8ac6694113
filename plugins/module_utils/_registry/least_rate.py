# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Enforce a minimum rate for responses, and limit what http.client would read without end.

The timeout of a socket starts again with each byte, so a server that sends one byte a minute could block a task
forever.
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


class TooSlow(socket.timeout):
    """A response was slower than the minimum rate."""


class _Steady(io.RawIOBase):
    """Data from a socket that must arrive with at least ``rate`` bytes per second, averaged over ``window`` seconds of waiting.

    Only the time spent waiting for the server counts, from its first byte on. Before that, the timeout applies.
    """

    def __init__(self, raw: t.Any, rate: float, window: float) -> None:
        super().__init__()
        self._raw = raw
        self._least = rate * window
        self._window = window
        self._waited = 0.0
        self._received = 0
        self._has_begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int | None:
        started = time.monotonic()
        count: int | None = self._raw.readinto(buffer)
        if self._has_begun:
            self._waited += time.monotonic() - started
            self._received += count or 0
            if self._waited >= self._window and count:
                if self._received < self._least:
                    raise TooSlow("too slow")
                self._waited, self._received = 0.0, 0
        self._has_begun = True
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: t.Any, *args: t.Any, rate: float, window: float, **more: t.Any) -> None:
        super().__init__(sock, *args, **more)
        self.fp: t.Any = io.BufferedReader(_Steady(self.fp.detach(), rate, window))
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


def pool_classes(
    classes: t.Mapping[str, t.Any], rate: float, window: float, more: t.Mapping[str, t.Any]
) -> dict[str, t.Any]:
    """Return connection pools of urllib3 by scheme, with a minimum rate for responses; ``more`` are additional methods."""
    response = functools.partial(_Response, rate=rate, window=window)
    made: dict[str, t.Any] = {}
    for scheme, pool in classes.items():
        methods = {"response_class": staticmethod(response), **more}
        connection = type(pool.ConnectionCls.__name__, (pool.ConnectionCls,), methods)
        made[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": connection})
    return made
