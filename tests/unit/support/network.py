# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would go out through urllib3, in place of its connections."""

from __future__ import annotations

import typing as t

import pytest
import urllib3.connectionpool


class Sent(t.NamedTuple):
    """A request as urllib3 gets it; ``timeout`` is for connecting and for reading, ``proxy`` a URL or empty."""

    method: str
    url: str
    headers: dict[str, str]
    body: t.Any
    is_chunked: bool
    is_verified: bool
    timeout: tuple[float, float]
    proxy: str


def intercept(monkeypatch: pytest.MonkeyPatch, answer: t.Callable[[Sent], urllib3.HTTPResponse]) -> None:
    """Let a function answer every request."""

    def urlopen(pool, method, target, body=None, headers=None, **options):
        timeout = options["timeout"]
        url = target if "://" in target else _origin(pool) + target
        return answer(
            Sent(
                method,
                url,
                dict(headers),
                body,
                options["chunked"],
                getattr(pool, "cert_reqs", None) == "CERT_REQUIRED",
                (timeout.connect_timeout, timeout._read),
                str(pool.proxy or ""),
            )
        )

    monkeypatch.setattr(urllib3.connectionpool.HTTPConnectionPool, "urlopen", urlopen)


def _origin(pool: t.Any) -> str:
    host = "[%s]" % pool.host if ":" in pool.host else pool.host
    is_default = pool.port == {"http": 80, "https": 443}[pool.scheme]
    return "%s://%s%s" % (pool.scheme, host, "" if is_default else ":%d" % pool.port)
