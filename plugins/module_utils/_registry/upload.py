# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Pushing blobs: OCI distribution spec, "Pushing blobs" and "Mounting a blob from another repository".

POST then one PUT with the whole body is what every registry takes. Where something in between refuses so large a body,
the blob goes in chunks. An upload whose source turns out wrong is cut off before its last bytes and cancelled.
"""

from __future__ import annotations

import typing as t
from urllib.parse import quote, urljoin, urlsplit

from .._errors import ConnectionFailed, ImageError
from .._image.descriptor import Descriptor
from .auth import Access
from .client import RegistryClient, check_digest
from .failures import Untrusted
from .session import TRANSIENT

# The second is the largest body that nginx lets through by default.
_PIECES = (4 * 1024 * 1024, 1024 * 1024)
_TOO_LARGE_AT_ONCE = frozenset((404, 405, 411, 413, 501))
_HEADERS = {"Content-Type": "application/octet-stream"}

OpenBlob = t.Callable[[], t.Iterable[bytes]]


class BlobUploader:
    """Pushes blobs into one repository."""

    def __init__(self, client: RegistryClient, access: Access) -> None:
        self._client = client
        self._access = access
        self._can_mount = True

    def push(self, blob: Descriptor, open_blob: OpenBlob, mount_from: str = "") -> bool:
        """Mount a blob from a repository of the same registry (True), or else upload it (False).

        ``open_blob`` starts its verified content, again for each try. Raises what that raises, or an
        :class:`ImageError` for what the registry answers after all tries.
        """
        location = ""
        if mount_from and self._can_mount:
            mounted, location = self._mount(blob, mount_from)
            if mounted:
                return True
        _Upload(self._client, self._access, blob, open_blob).run(location)
        return False

    def _mount(self, blob: Descriptor, repository: str) -> tuple[bool, str]:
        """Whether it is mounted, and else the upload session that a registry may have opened instead.

        Registries refuse in many ways (401, 403, 404, 405 and 500 are all seen); each means: upload it, and do not
        ask again.
        """
        access = Access(self._access.repository, self._access.actions, repository)
        query = {"mount": blob.digest, "from": repository}
        response = self._client.call("POST", _uploads_path(access), access, query=query)
        response.close()
        if response.status_code == 201:
            check_digest(response, blob.digest, self._client.session.host)
            return True, ""
        if response.status_code == 202 and response.headers.get("Location"):
            return False, _location(response)
        self._can_mount = False
        return False, ""


class _Upload:
    """One blob on its way: session, tries, and how much of it goes into a request."""

    def __init__(self, client: RegistryClient, access: Access, blob: Descriptor, open_blob: OpenBlob) -> None:
        self._client = client
        self._session = client.session
        self._access = access
        self._blob = blob
        self._open_blob = open_blob
        self._sizes = [blob.size, *(size for size in _PIECES if size < blob.size)]
        self._least = 0
        self._attempt = 0
        self._untouched = False
        self._location = ""

    def run(self, location: str) -> None:
        """Upload, into the session at ``location`` where there is one already."""
        self._location = location
        done = False
        while not done:
            self._location = self._location or self._start()
            self._untouched = False
            try:
                done = self._try()
            finally:
                if not done and not self._untouched:
                    self._cancel()
            self._attempt += 1

    def _start(self) -> str:
        response = self._client.call("POST", _uploads_path(self._access), self._access)
        if response.status_code != 202 or not response.headers.get("Location"):
            raise self._client.refusal(response, "push to the repository", self._access)
        response.close()
        # OCI distribution spec, "Pushing a blob in chunks": pieces but the last may not be smaller.
        least = response.headers.get("OCI-Chunk-Min-Length", "")
        self._least = int(least) if least.isdigit() else 0
        return _location(response)

    def _try(self) -> bool:
        """Send it once; False where another try makes sense."""
        body = _Body(self._open_blob, self._blob.size)
        try:
            response = self._send(body)
        except ConnectionFailed as error:
            if body.failed or isinstance(error, Untrusted) or not self._may_try_again:
                raise
            # Some proxies cut the connection on bodies that are too large for them instead of saying so.
            if len(self._sizes) > 1:
                self._sizes.pop(0)
            self._session.pause(self._attempt)
            return False
        if 200 <= response.status_code < 300:
            response.close()
            check_digest(response, self._blob.digest, self._session.host)
            return True
        if not self._mend(response):
            raise self._client.refusal(response, "push blob %s" % self._blob.digest, self._access)
        response.close()
        return False

    @property
    def _may_try_again(self) -> bool:
        return self._attempt < self._session.policy.retries

    def _mend(self, response: t.Any) -> bool:
        """Whether the next try can go better, having done what is needed for it."""
        status = response.status_code
        if status in _TOO_LARGE_AT_ONCE and len(self._sizes) > 1:
            self._sizes.pop(0)
            return True
        if status in TRANSIENT and self._may_try_again:
            self._session.hold_back(response, self._attempt)
            # These are said before the body is looked at, often by a proxy: the session can be used once more.
            self._untouched = status in (429, 503)
            return True
        # 401: the token ended under way, and a new one is there now. 400 and 416: other bytes arrived than were sent
        # (chunks out of order, a proxy), which starting over mends or does not.
        return status in (400, 401, 416) and self._attempt == 0

    def _send(self, body: _Body) -> t.Any:
        size = max(self._sizes[0], self._least)
        if size >= self._blob.size:
            return self._request("PUT", self._final_url(), _HEADERS, body if len(body) else b"".join(body))
        for start, piece in _pieces(body, size):
            headers = dict(_HEADERS, **{"Content-Range": "%d-%d" % (start, start + len(piece) - 1)})
            response = self._request("PATCH", self._location, headers, piece)
            if not 200 <= response.status_code < 300:
                return response
            response.close()
            self._location = _location(response)
        return self._request("PUT", self._final_url(), {}, b"")

    def _request(self, method: str, url: str, headers: dict[str, str], data: t.Any) -> t.Any:
        """Authorization goes to the registry only, wherever the session lives."""
        if urlsplit(url).netloc != urlsplit(self._session.base).netloc:
            return self._session.stream(method, url, headers, data)
        again = not isinstance(data, _Body)
        return self._client.authorized(
            self._access, headers, lambda sent: self._session.stream(method, url, sent, data), again
        )

    def _final_url(self) -> str:
        separator = "&" if urlsplit(self._location).query else "?"
        return "%s%sdigest=%s" % (self._location, separator, quote(self._blob.digest, safe=""))

    def _cancel(self) -> None:
        """Leave no half-written upload behind, as far as the registry allows."""
        location, self._location = self._location, ""
        try:
            self._request("DELETE", location, {}, None).close()
        except ImageError:
            pass


class _Body:
    """A request body of known length that remembers whether it was its own source that failed."""

    def __init__(self, open_blob: OpenBlob, size: int) -> None:
        self._open_blob = open_blob
        self._size = size
        self.failed = False

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> t.Iterator[bytes]:
        try:
            yield from self._open_blob()
        except ImageError:
            self.failed = True
            raise


def _uploads_path(access: Access) -> str:
    """Where uploads into a repository begin."""
    return "%s/blobs/uploads/" % access.repository


def _location(response: t.Any) -> str:
    """Where an upload goes on; behind a proxy that ends TLS the registry may say http."""
    url = urljoin(response.url, response.headers.get("Location", ""))
    asked, told = urlsplit(response.url), urlsplit(url)
    if asked.scheme == "https" and told.scheme == "http" and asked.hostname == told.hostname:
        url = told._replace(scheme="https", netloc=asked.netloc).geturl()
    return url


def _pieces(chunks: t.Iterable[bytes], size: int) -> t.Iterator[tuple[int, bytes]]:
    """Cut a stream into pieces of ``size`` bytes (the last may be shorter), each with its offset."""
    start = 0
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= size:
            yield start, bytes(buffer[:size])
            start += size
            del buffer[:size]
    if buffer:
        yield start, bytes(buffer)
