# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""One upload session of a registry: OCI distribution spec, "Pushing blobs"."""

from __future__ import annotations

import contextlib
import re
import typing as t
from urllib.parse import quote

from .._errors import ConnectionFailed, ImageError
from . import urls
from .action import Action
from .auth import Access
from .registry_client import RegistryClient
from .transport import RequestBody, Response, byte_count
from .upload_body import Body

_HEADERS = {"Content-Type": "application/octet-stream"}


class UploadSession:
    """A session, or its replacement after it is lost. ``location`` is the URL to continue at; empty without a session.

    ``least`` is the minimum size of each PATCH in bytes, except for the last one.
    """

    def __init__(self, client: RegistryClient, access: Access) -> None:
        self._client = client
        self._session = client.session
        self._access = access
        self.location = ""
        self.least = 0

    def start(self, started: Response | None) -> None:
        """Start a session, or use the one that the registry ``started`` instead of a mount.

        Raises an error if the registry does not start a session.
        """
        response = started
        if response is None:
            response = self._client.call("POST", uploads_path(self._access), self._access)
            if response.status != 202 or not response.headers.get("Location"):
                raise self._client.error_for(response, Action.START_UPLOAD, self._access)
            response.drain()
        # OCI distribution spec, "Pushing a blob in chunks": pieces but the last may not be smaller.
        self.least = byte_count(response.headers.get("OCI-Chunk-Min-Length", "")) or 0
        self.location = location_of(response)

    def patch(self, start: int, body: Body | bytes) -> Response:
        """Send the content that begins at this offset."""
        headers = dict(_HEADERS, **{"Content-Range": "%d-%d" % (start, start + len(body) - 1)})
        return self._request("PATCH", self.location, headers, body)

    def put(self, digest: str, body: Body | bytes | None = None) -> Response:
        """Finish the session; the body, if any, is the whole content."""
        url = "%s%sdigest=%s" % (self.location, "&" if "?" in self.location else "?", quote(digest, safe=""))
        return self._request("PUT", url, {} if body is None else _HEADERS, b"" if body is None else body)

    def size(self) -> int | None:
        """Return how many bytes the registry has; None if it does not say. ``Range: 0-0`` means an empty session."""
        try:
            response = self._request("GET", self.location, {}, None)
            response.drain()
            last = re.fullmatch("(?:bytes=)?0-([0-9]{1,18})", response.headers.get("Range", "0-0"))
            if response.status != 204 or not last:
                return None
            if response.headers.get("Location"):
                self.location = location_of(response)
        except ImageError as error:
            if isinstance(error, ConnectionFailed):
                self.location = ""  # a host that does not respond cannot be asked to cancel it either
            return None
        return int(last.group(1)) + 1 if int(last.group(1)) else 0

    def cancel(self) -> None:
        """Cancel the upload as far as the registry supports it."""
        location, self.location = self.location, ""
        if not location or not self._session.is_own(location):
            return
        with contextlib.suppress(ImageError):  # what ended the upload is what matters
            response = self._client.send_unchallenged(
                self._access, {}, lambda sent: self._session.send_once("DELETE", location, sent, None)
            )
            response.drain()

    def _request(self, method: str, url: str, headers: dict[str, str], data: RequestBody) -> Response:
        """Send a request. Authorization is sent to the registry only, even if the session is on another host."""
        send: t.Callable[..., Response] = self._session.exchange if data is None else self._session.send_once
        if not self._session.is_own(url):
            return send(method, url, headers, data)
        again = not isinstance(data, Body)
        return self._client.authorized(self._access, headers, lambda sent: send(method, url, sent, data), again)


def uploads_path(access: Access) -> str:
    """Return the path that starts uploads to a repository."""
    return "%s/blobs/uploads/" % access.repository


def location_of(response: Response) -> str:
    """Return the URL to continue an upload at. Behind a proxy that terminates TLS, the registry may return http."""
    asked = response.url
    url = urls.resolve(asked, response.headers.get("Location", ""), "the Location header of %s" % urls.host(asked))
    return urls.over_tls(url, asked)
