# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Parse and check URLs from servers, and build them again from their parts before they are used.

If two parsers disagree about a URL, credentials can be stolen: one reads the name of the registry, and the other
connects to a different host. So only URLs that all parsers read alike are accepted.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urljoin, urlsplit

from .._errors import Refused

# Characters of one header field that a server sends. Signed URLs have up to 4,000, and most servers take 8,000.
MAX_HEADER = 16 * 1024
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])"
_AUTHORITY = re.compile(r"(%s)(?::([0-9]{1,5}))?" % _HOST)
# Printable ASCII without the blank and the backslash.
_CLEAN = re.compile(r"[!-\[\]-~]*")
_SENDABLE = re.compile(r"https?://%s(?::[0-9]{1,5})?/[!\"$-\[\]-~]*" % _HOST)
_LINK_PART = re.compile(r'[ \t]*(?:<([^<>]*)>|([;,=])|"((?:[^"\\]|\\.)*)"|([^\s;,="<>]+))')


FOREIGN_HINT = "Check the registry, and any proxy in front of it"


class _Fault(ValueError):
    """What is wrong with a URL, in a few words. ValueErrors of parsers would quote the URL."""


def resolve(base: str, text: str, source: str, hint: str = FOREIGN_HINT) -> str:
    """Return the absolute URL of a Location, Link or realm, which may be relative to ``base``, without its fragment.

    ``source`` describes the origin of the URL in errors, for example "the Location header of r.example", and ``hint`` what to do.

    Raises :class:`Refused` if it is not a plain http or https URL (RFC 3986) without user information.
    """
    try:
        _check_text(text)
        parts = urlsplit(urljoin(base, text))
        authority = _authority(parts)
    except ValueError as error:
        fault = str(error) if isinstance(error, _Fault) else "unreadable host or port"
        raise Refused("%s is not a valid URL (%s)" % (source, fault), hint=hint) from None
    return "%s://%s%s%s" % (parts.scheme, authority, parts.path or "/", "?" + parts.query if parts.query else "")


def _check_text(text: str) -> None:
    """Raise :class:`_Fault` if parsers would change the text or read it differently."""
    if len(text) > MAX_HEADER:
        raise _Fault("more than %d characters" % MAX_HEADER)
    if not _CLEAN.fullmatch(text):
        raise _Fault("a space, a backslash or another invalid character")
    scheme = re.match("[A-Za-z][A-Za-z0-9+.-]*:", text)
    if scheme and not text[scheme.end() :].startswith("//"):
        raise _Fault("no http:// or https:// at the start")
    if re.match("(?:[^/?#]*:)?///", text):
        raise _Fault("malformed host, port or path")


def _authority(parts: SplitResult) -> str:
    """Return the host and port of an absolute URL, in lower case. Raises ValueError."""
    if parts.scheme not in _DEFAULT_PORTS:
        raise _Fault("no http:// or https:// at the start")
    if "@" in parts.netloc:
        raise _Fault("a user name in the URL")
    match = _AUTHORITY.fullmatch(parts.netloc.lower())
    if not match or parts.path[:1] not in ("", "/"):
        raise _Fault("malformed host, port or path")
    name, port = match.groups()
    if name.startswith("["):
        ipaddress.IPv6Address(name[1:-1])
    if port is None:
        return name
    if not 0 < int(port) < 65536:
        raise _Fault("port out of range")
    return "%s:%d" % (name, int(port))


def over_tls(url: str, asked: str) -> str:
    """Return ``url`` with the scheme and port of ``asked`` if it is an http URL and ``asked`` is on the same host over TLS."""
    own, told = urlsplit(asked), urlsplit(url)
    if own.scheme == "https" and told.scheme == "http" and own.hostname == told.hostname:
        return told._replace(scheme="https", netloc=own.netloc).geturl()
    return url


def is_sendable(url: str) -> bool:
    """Return whether a URL has the form that :func:`resolve` returns and that all parsers read alike."""
    return _SENDABLE.fullmatch(url) is not None


def next_target(header: str, base: str, source: str) -> str:
    """Return path and query of the ``rel="next"`` in a Link header (RFC 8288), relative to ``base``; empty if there is none.

    A registry behind a proxy may return its internal host or scheme, which must not be used.

    Raises :class:`Refused` for a link that is not a valid URL.
    """
    if len(header) > MAX_HEADER:
        raise Refused("%s has more than %d characters" % (source, MAX_HEADER), hint=FOREIGN_HINT)
    for link, relations in _links(header):
        if "next" in relations:
            parts = urlsplit(resolve(base, link, source))
            return parts.path + ("?" + parts.query if parts.query else "")
    return ""


def _links(header: str) -> list[tuple[str, list[str]]]:
    """Return the targets of a Link header with their relation types. Parsing stops at the first syntax error.

    The header is parsed in one pass. A regular expression for a whole link would read each part again for each ``<``.
    """
    found: list[tuple[str, list[str]]] = []
    name, separator = "", ","
    position = 0
    while True:
        match = _LINK_PART.match(header, position)
        if not match:
            return found
        position = match.end()
        target, mark, quoted, plain = match.groups()
        value = plain if quoted is None else quoted
        if mark:
            separator = mark
        elif target is not None and separator == ",":
            found.append((target, []))
        elif target is not None or not found or separator == ",":
            return found
        elif separator == ";" and plain:
            name, separator = plain.lower(), ""
        elif separator == "=":
            if name == "rel" and not found[-1][1]:
                found[-1][1].extend(value.lower().split())
            separator = ""
        else:
            return found


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port. Two URLs with the same origin may receive the same credentials (RFC 6454)."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or ""), parts.port or _DEFAULT_PORTS.get(parts.scheme)


def host(url: str) -> str:
    """Return ``host[:port]`` of a URL that :func:`resolve` returned or that this collection built."""
    return urlsplit(url).netloc
