# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Responses without a network, over the bodies of urllib3."""

from __future__ import annotations

import http.client
import io
import typing as t

import requests.structures
import urllib3

from ansible_collections.drayage.registry.plugins.module_utils._registry.transport import Response


class _Original(io.BytesIO):
    """What http.client would return, which may break in the body."""

    def __init__(self, body: bytes, headers: t.Mapping[str, str], error: Exception | None) -> None:
        super().__init__(body)
        self.msg = http.client.HTTPMessage()
        for name, value in headers.items():
            self.msg[name] = value
        self._error = error

    def isclosed(self) -> bool:
        return self.closed

    def read(self, amount: int | None = None) -> bytes:
        data = super().read(amount)
        if self._error and (amount is None or len(data) < amount):
            raise self._error
        return data

    def readinto(self, buffer: t.Any) -> int:
        count = super().readinto(buffer)
        if self._error and not count:
            raise self._error
        return count


def body_of(
    body: bytes, headers: t.Mapping[str, str] | None = None, status: int = 200, error: Exception | None = None
) -> urllib3.HTTPResponse:
    """A body as urllib3 has it, which raises ``error`` at its end."""
    original = _Original(body, headers or {}, error)
    return urllib3.HTTPResponse(original, headers, status, preload_content=False, original_response=original)


def response(
    status: int = 200,
    body: bytes = b"",
    headers: t.Mapping[str, str] | None = None,
    url: str = "https://r.example/v2/",
    authorization: str = "",
    error: Exception | None = None,
) -> Response:
    """A response whose body raises ``error`` at its end."""
    fields = requests.structures.CaseInsensitiveDict(headers or {})
    return Response(url, status, fields, body_of(body, fields, status, error), authorization)
