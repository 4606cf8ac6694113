# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Make text from other systems safe to show: it must not move the cursor, forge a line of output, or show a credential."""

from __future__ import annotations

import base64
import re
import typing as t

# C0 and C1 controls, marks and overrides of direction, separators of lines, what is invisible, and halves of pairs.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]+"
)
# The same in values that may have lines, and joiners that some scripts need.
_UNSAFE_IN_VALUES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_ESCAPE = re.compile("(?:\x1b\\[|\x9b)[0-?]{0,32}[ -/]{0,8}[@-~]")
_AT_A_PORT = re.compile(
    r"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|localhost|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}/[a-z0-9][a-z0-9._/-]*(?::[\w.-]+)?$"
)
_DIGEST = re.compile("sha[0-9]+:")
# Characters of a whole message; longer ones hide what they say.
_LONGEST_MESSAGE = 4000


def clean(text: str, limit: int = _LONGEST_MESSAGE) -> str:
    """Return one line of at most ``limit`` characters, without control characters and escape sequences."""
    text = _UNSAFE.sub(" ", _ESCAPE.sub("", text[: limit + _LONGEST_MESSAGE])) if not text.isprintable() else text
    return text if len(text) <= limit else text[: limit - 3] + "..."


def clean_values(result: dict[str, t.Any], exempt: t.Collection[str] = ()) -> None:
    """Replace control characters in all texts of a result, in place, except for the values of ``exempt`` keys."""
    todo: list[t.Any] = [result]
    while todo:
        container = todo.pop()
        items = list(container.items()) if isinstance(container, dict) else list(enumerate(container))
        for key, value in items:
            if container is result and key in exempt:
                continue
            if isinstance(key, str) and not key.isprintable():
                del container[key]
                key = _neutral(key)
                container[key] = value
            if isinstance(value, str) and not value.isprintable():
                container[key] = _neutral(value)
            elif isinstance(value, (dict, list)):
                todo.append(value)


def _neutral(text: str) -> str:
    return _UNSAFE_IN_VALUES.sub("\ufffd", text)


def without_userinfo(text: str) -> str:
    """Return a URL or reference without the user name, password or token before its host.

    An ``@`` before a digest does not count. In a reference to a host with a port, no other ``@`` counts either.
    """
    end, at = len(text), text.rfind("@")
    while at >= 0 and _DIGEST.match(text, at + 1):
        end, at = at, text.rfind("@", 0, at)
    if at < 0:
        return text
    head, tail, digests = text[:at], text[at + 1 : end], text[end:]
    scheme = re.match(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//", text)
    if scheme:
        return scheme.group(0) + tail + digests
    return tail + digests if ":" in head and not ("/" not in tail and _AT_A_PORT.match(head)) else text


def without_secrets(text: str, authorizations: t.Iterable[str]) -> str:
    """Return a text without the secrets in these Authorization values, in any form in which a server may quote them."""
    return masked(text, forms_of(authorizations))


def masked(text: str, forms: t.Iterable[str]) -> str:
    """Return a text without secrets; ``forms`` are those of :func:`forms_of`."""
    for secret in forms:
        text = text.replace(secret, "***")
    return text


def forms_of(authorizations: t.Iterable[str]) -> list[str]:
    """Return the secrets in these Authorization values, in all forms and the longest first."""
    found: set[str] = set()
    for value in authorizations:
        credentials = value.partition(" ")[2]
        found.update((credentials, _base64(credentials.encode("utf-8"))))
        if value.startswith("Basic "):
            pair = base64.b64decode(credentials)
            password = pair.partition(b":")[2]
            found.update((pair.decode("utf-8", "replace"), password.decode("utf-8", "replace"), _base64(password)))
    found.update(secret.rstrip("=") for secret in list(found))
    return sorted(filter(None, found), key=len, reverse=True)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
