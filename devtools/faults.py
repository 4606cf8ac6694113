# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults between a client and a registry, made by the real programs that make them in the field."""

from __future__ import annotations

from devtools import provision
from devtools.process import Server
from devtools.servers import Haproxy, Nginx


def body_limit(upstream: Server, size: int) -> Nginx:
    """Refuse request bodies of more than ``size`` bytes with 413, as an nginx left at its defaults does."""
    return Nginx(upstream, f"client_max_body_size {size};")


def fail_first(upstream: Server, method: str, status: int, times: int, retry_after: int | None = None) -> Haproxy:
    """Answer the first ``times`` requests of this method for each path with ``status``, then pass them on."""
    header = f"hdr Retry-After {retry_after}" if retry_after is not None else ""
    return Haproxy(
        upstream,
        f"""
    stick-table type string len 1024 size 100k expire 1h store gpc0
    acl counted method {method}
    http-request track-sc0 path if counted
    http-request sc-inc-gpc0(0) if counted
    http-request return status {status} {header} if counted {{ sc0_get_gpc0 le {times} }}
""",
    )


def docker_only(upstream: Server) -> Haproxy:
    """Refuse manifests of OCI's media types with 415, as registries do that are older than these types."""
    return Haproxy(
        upstream,
        """
    acl of_oci req.hdr(Content-Type) -m sub vnd.oci.image
    http-request return status 415 if { method PUT } of_oci
""",
    )


def refuse_above(upstream: Server, condition: str, rules: str = "") -> Haproxy:
    """Refuse requests with 403 for which this condition holds, on all requests so far or their rate in a second."""
    return Haproxy(
        upstream,
        f"""
    stick-table type integer size 1 store http_req_rate(1s)
    http-request track-sc0 int(1)
    http-request return status 403 if {{ {condition} }}
    {rules}
""",
    )


def cut_downloads(upstream: Server, after_bytes: int) -> Server:
    """Cut each connection when the upstream has sent ``after_bytes`` over it, headers included."""
    return _Socat(upstream, "", f",readbytes={after_bytes}")


def cut_uploads(upstream: Server, after_bytes: int) -> Server:
    """Cut each connection when the client has sent ``after_bytes`` over it, headers included."""
    return _Socat(upstream, f",readbytes={after_bytes}", "")


def slow_blob(upstream: Server, digest: str, rate: int) -> Nginx:
    """Send this blob at ``rate`` bytes a second, and everything else as fast as it comes."""
    return Nginx(upstream, f"location ~ {digest}$ {{ limit_rate {rate}; proxy_pass http://upstream; }}")


class _Socat(Server):
    def __init__(self, upstream: Server, client_options: str, upstream_options: str) -> None:
        super().__init__()
        self._upstream = upstream
        self._client_options = client_options
        self._upstream_options = upstream_options

    def command(self) -> list[str]:
        return [
            provision.program("socat"),
            f"TCP-LISTEN:{self.port},bind=127.0.0.1,fork,reuseaddr{self._client_options}",
            f"TCP:{self._upstream.host}{self._upstream_options}",
        ]
