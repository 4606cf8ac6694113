# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Parse WWW-Authenticate (RFC 9110, 11.6.1), including several challenges in one line.

``requests`` joins repeated headers with a comma, and commas also separate parameters. Only the grammar shows where a
challenge ends and the next one begins.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(r"\s*(%s)(?:\s+|\s*(?=,|$))" % _TOKEN)
_PARAMETER = re.compile(r'\s*(%s)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|(%s))\s*' % (_TOKEN, _TOKEN))
_TOKEN68 = re.compile(r"\s*[A-Za-z0-9._~+/-]+=*\s*(?=,|$)")


@dataclasses.dataclass(frozen=True)
class Challenge:
    """One way to authenticate: the scheme in lower case, and its parameters with their names in lower case."""

    scheme: str
    parameters: t.Mapping[str, str]

    @property
    def service(self) -> tuple[str, str]:
        """The realm and the name of the token service; empty if the challenge does not state them."""
        return self.parameters.get("realm", ""), self.parameters.get("service", "")


def parse(header: str) -> list[Challenge]:
    """Return all challenges of a header. Parsing stops at the first syntax error."""
    found: list[Challenge] = []
    position = 0
    while position < len(header):
        position = _skip_commas(header, position)
        match = _SCHEME.match(header, position)
        if not match:
            break
        parameters, position = _parameters(header, match.end())
        found.append(Challenge(match.group(1).lower(), parameters))
    return found


def _skip_commas(header: str, position: int) -> int:
    while position < len(header) and header[position] in ", \t":
        position += 1
    return position


def _parameters(header: str, position: int) -> tuple[dict[str, str], int]:
    parameters: dict[str, str] = {}
    token68 = _TOKEN68.match(header, position)
    if token68 and not _PARAMETER.match(header, position):
        return parameters, token68.end()
    while True:
        following = _skip_commas(header, position)
        match = _PARAMETER.match(header, following)
        if not match:
            return parameters, position
        name, quoted, plain = match.groups()
        parameters[name.lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        position = match.end()
