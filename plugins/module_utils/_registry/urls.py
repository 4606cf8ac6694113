# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""URLs that a registry tells us: where they lead, without what they may carry."""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit

from .._errors import Refused

_DEFAULT_PORTS = {"http": 80, "https": 443}


def split(url: str) -> SplitResult:
    """Raises :class:`Refused` where the text is no URL."""
    try:
        parts = urlsplit(url)
        parts.port  # pylint: disable=pointless-statement  # the check happens on access
    except ValueError:
        raise Refused("was sent to an address that is not valid") from None
    return parts


def join(base: str, location: str) -> str:
    """Resolve a Location against the URL that was asked. Raises :class:`Refused`."""
    split(location)
    return urljoin(base, location)


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port: two URLs of one origin may see the same credentials (RFC 6454)."""
    parts = split(url)
    return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS.get(parts.scheme.lower())


def host(url: str) -> str:
    """``host[:port]``, as it may be shown: user information is left out."""
    return split(url).netloc.rpartition("@")[2]
