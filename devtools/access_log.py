# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a docker-registry's access log: what was asked of the registry, and how it answered."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

# The combined log format; quotes and backslashes inside the quoted fields come escaped.
_LINE = re.compile(
    r'^\S+ \S+ \S+ \[[^\]]*\] "(?P<method>\S+) (?P<target>\S+) [^"]*" (?P<status>\d{3}) \S+ '
    r'"(?:[^"\\]|\\.)*" "(?P<agent>(?:[^"\\]|\\.)*)"$'
)


class Request(NamedTuple):
    """One request as a registry saw it; ``path`` has no query."""

    method: str
    path: str
    query: str
    status: int
    user_agent: str


def parse(line: str) -> Request | None:
    """Return the request of one log line, None for a line of another kind."""
    match = _LINE.match(line)
    if not match:
        return None
    target = urlsplit(match["target"])
    agent = re.sub(r"\\(.)", r"\1", match["agent"])
    return Request(match["method"], target.path, target.query, int(match["status"]), agent)
