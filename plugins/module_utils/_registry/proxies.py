# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Proxies from HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, with the rules of programs written in Go.

So this collection uses the same proxies as docker, podman and skopeo on a node (golang.org/x/net/http/httpproxy).
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import urllib.request

from .._errors import ImageError
from .settings import hostname, is_loopback

_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_PROXY = re.compile(r"(?:([A-Za-z0-9+.-]+)://)?(?:[^/?#]*@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/?")


def proxy_for(scheme: str, host: str) -> str:
    """Return the URL of the proxy for requests to ``host[:port]``; empty for a direct connection.

    Raises :class:`ImageError` if a variable does not contain the address of a proxy.
    """
    proxies = urllib.request.getproxies_environment()
    name = scheme if proxies.get(scheme) else "all"
    if not proxies.get(name) or is_loopback(host) or bypasses(scheme, host, proxies.get("no", "")):
        return ""
    return _checked(proxies[name], name.upper() + "_PROXY")


def shown(proxy: str) -> str:
    """Return ``host[:port]`` of a proxy URL, without credentials."""
    match = _PROXY.fullmatch(proxy)
    if not match:
        return ""
    return match.group(2) + (":" + match.group(3) if match.group(3) else "")


def _checked(proxy: str, variable: str) -> str:
    match = _PROXY.fullmatch(proxy.strip())
    if not match or (match.group(1) or "http").lower() not in _SCHEMES or not 0 < int(match.group(3) or 1) < 65536:
        raise ImageError(
            "the environment variable %s is not a valid proxy URL" % variable,
            hint="Write http://host:port, https://host:port or socks5://host:port",
        )
    scheme, colon, address = proxy.strip().partition("://")
    return scheme.lower() + colon + address if match.group(1) else "http://" + proxy.strip()


def bypasses(scheme: str, host: str, no_proxy: str) -> bool:
    """Return whether NO_PROXY lists ``host[:port]``: ``*``, names, ``.domain`` or ``*.domain``, addresses and networks."""
    name = hostname(host)
    port = host[host.rindex(":") + 1 :] if re.search(r":[0-9]+$", host) else {"http": "80", "https": "443"}[scheme]
    return any(_matches(entry.strip().lower(), name, port) for entry in no_proxy.split(","))


def _matches(entry: str, name: str, port: str) -> bool:
    if entry in ("", "*"):
        return entry == "*"
    address = _address(name)
    if address is not None:
        with contextlib.suppress(ValueError):  # a name, or an address with a port
            return address in ipaddress.ip_network(entry, strict=False)
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::([0-9]+))?", entry)
    if not match or match.group(2) not in (None, port):
        return False
    listed = match.group(1).strip("[]")
    if address is not None:
        return _address(listed) == address
    if listed.startswith("*."):
        listed = listed[1:]
    return name.endswith(listed) if listed.startswith(".") else ("." + name).endswith("." + listed)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
