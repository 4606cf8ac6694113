# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a distance between a client and a server; a script, and a process of its own.

What either side sends arrives half a round trip later, however much else is under way: nothing waits for anything but
its time, and there is no limit of bandwidth. A new connection costs one round trip more before its first byte goes, as
a handshake does. The clock of the event loop adds up to a millisecond each way.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Callable


class _End(asyncio.Protocol):
    """One end of a connection; ``far`` is where to send what arrives here, from ``opens`` on (time of the loop)."""

    def __init__(self, loop: asyncio.AbstractEventLoop, delay: float) -> None:
        self.far: asyncio.Transport | None = None
        self.opens = 0.0
        self._loop = loop
        self._delay = delay
        self._last = 0.0
        self._early: list[Callable[[], None]] = []

    def data_received(self, data: bytes) -> None:
        self._later(lambda: self.far.write(data))

    def connection_lost(self, _error: Exception | None) -> None:
        self._later(self._close)

    def _close(self) -> None:
        self.far.close()

    def join(self, far: asyncio.Transport) -> None:
        """Begin to send."""
        self.far = far
        for action in self._early:
            self._later(action)

    def _later(self, action: Callable[[], None]) -> None:
        if self.far is None:
            self._early.append(action)
            return
        # Never at the same time as the one before: the loop does not keep the order of those.
        self._last = max(max(self._loop.time(), self.opens) + self._delay, self._last + 1e-6)
        self._loop.call_at(self._last, action)


class _Near(_End):
    """The end of the client, which opens the one of the server."""

    def __init__(self, loop: asyncio.AbstractEventLoop, delay: float, port: int) -> None:
        super().__init__(loop, delay)
        self._port = port

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.opens = self._loop.time() + 2 * self._delay
        self._task = self._loop.create_task(self._connect(transport))

    async def _connect(self, near: asyncio.Transport) -> None:
        def make() -> _End:
            return _End(self._loop, self._delay)

        try:
            transport, end = await self._loop.create_connection(make, "127.0.0.1", self._port)
        except OSError:
            near.abort()
            return
        end.join(near)
        self.join(transport)


async def serve(port: int, upstream: int, round_trip: float) -> None:
    """Forward connections to one port of 127.0.0.1 to another, ``round_trip`` seconds away, until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Near(loop, round_trip / 2, upstream), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
