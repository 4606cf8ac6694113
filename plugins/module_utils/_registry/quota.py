# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Read the rate limit that a registry reports in its response headers.

``RateLimit-Limit``, ``-Remaining`` and ``-Reset`` have the format of Docker Hub (``76;w=21600``, a window in seconds)
or of the first drafts of the HTTPAPI working group (draft-ietf-httpapi-ratelimit-headers, up to 06). ``RateLimit``
has the format of draft 07 (``limit=100, remaining=0, reset=12``) or of later drafts (``"default";r=0;t=12``, with
``RateLimit-Policy``).
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

# So long a wait, in seconds, is part of a normal run; a longer one is for the user to decide on.
_LONGEST_WAIT = 60.0
# Characters of a header that are looked at: it is read with each response.
_LONGEST_HEADER = 4096
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


@dataclasses.dataclass(frozen=True)
class Quota:
    """The requests allowed in a time window, the remaining ones, and the time until the next window, in seconds."""

    remaining: int
    limit: int | None = None
    window: int | None = None
    reset: int | None = None

    @property
    def wait(self) -> int:
        """The seconds to send nothing: until the next window if that is soon, else 0."""
        near = not self.remaining and self.reset is not None and self.reset <= _LONGEST_WAIT
        return (self.reset or 0) if near else 0

    @property
    def hint(self) -> str:
        """What the user can do about a status of 429; empty if the quota is not the reason."""
        if self.remaining:
            return ""
        limit = "limit of %d requests" % self.limit if self.limit else "request limit"
        window = " in %s" % _duration(self.window) if self.window and self.limit else ""
        ahead = ". It resets in %s" % _duration(self.reset) if self.reset else ""
        return "The registry's %s%s has been reached%s. Try again later, or use credentials with a higher limit" % (
            limit,
            window,
            ahead,
        )


def read(headers: t.Mapping[str, str]) -> Quota | None:
    """Return the quota in the headers of a response; None if they do not say how many requests remain."""
    if "RateLimit" in headers:
        return _read_combined(headers["RateLimit"][:_LONGEST_HEADER], headers.get("RateLimit-Policy", ""))
    remaining, window = _first(headers.get("RateLimit-Remaining", ""))
    if remaining is None:
        return None
    limit, own_window = _first(headers.get("RateLimit-Limit", ""))
    return Quota(remaining, limit, own_window or window, _first(headers.get("RateLimit-Reset", ""))[0])


def _first(value: str) -> tuple[int | None, int | None]:
    """Return the number in the first item of a list, and its parameter ``w``."""
    match = re.match(r"\s*([0-9]{1,15})\s*(?:$|[,;])", value)
    return (int(match.group(1)), _parameter(value.partition(",")[0], "w")) if match else (None, None)


def _read_combined(value: str, policies: str) -> Quota | None:
    """Return the quota that is closest to exhaustion."""
    if re.match(r"\s*limit\s*=", value):
        parts = [_parameter(";" + value.replace(",", ";"), name) for name in ("remaining", "limit", "reset")]
        return None if parts[0] is None else Quota(parts[0], parts[1], None, parts[2])
    policy_of = dict(reversed(_items(policies[:_LONGEST_HEADER])))
    quotas = []
    for name, parameters in _items(value):
        remaining = _parameter(parameters, "r")
        if remaining is not None:
            policy = policy_of.get(name, "")
            limit, window = _parameter(policy, "q"), _parameter(policy, "w")
            quotas.append(Quota(remaining, limit, window, _parameter(parameters, "t")))
    return min(quotas, key=lambda quota: (quota.remaining, -(quota.reset or 0)), default=None)


def _items(value: str) -> list[tuple[str, str]]:
    """Return names and parameters of the items of a structured list (RFC 9651, 3.1). A name may be a string or a token."""
    return re.findall(r'(?:^|,)\s*("[^"]*"|[^\s",;]+)((?:\s*;[^,";]*(?:"[^"]*")?)*)', value)


def _parameter(text: str, name: str) -> int | None:
    match = re.search(r";\s*%s\s*=\s*([0-9]{1,15})\s*(?:$|[,;])" % name, text)
    return int(match.group(1)) if match else None


def _duration(seconds: int) -> str:
    """Format a duration in the largest unit that divides it. Windows are usually round."""
    name, size = next(((name, size) for name, size in _UNITS if seconds and not seconds % size), _UNITS[-1])
    count = seconds // size
    return "%d %s%s" % (count, name, "" if count == 1 else "s")
