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

import contextlib
import dataclasses
import typing as t
from urllib.parse import quote

from .._errors import ConnectionFailed, ImageError
from .._image.descriptor import Descriptor, OpenBlob
from . import genuine, urls
from .action import Action
from .auth import Access
from .client import RegistryClient, check_stored
from .connection_errors import ConnectionReset, PermanentConnectionError
from .failures import foreign_response
from .session import TRANSIENT
from .transport import Response, byte_count
from .upload_body import Body, Content

# The second is the largest body that nginx lets through by default.
_PIECES = (8 * 1024 * 1024, 1024 * 1024)
_HEADERS = {"Content-Type": "application/octet-stream"}


class BlobUploader:
    """Pushes blobs into one repository."""

    def __init__(self, client: RegistryClient, access: Access) -> None:
        self._client = client
        self._access = access
        # From where mounting was refused: from the repository itself (True), or from others (False).
        self._refused: set[bool] = set()
        self._limits = _Limits()

    def push(self, blob: Descriptor, open_blob: OpenBlob, mount_from: str = "") -> bool:
        """Mount a blob from a repository of the same registry (True), or else upload it (False).

        ``open_blob`` starts its verified content, again for each try. Raises what that raises, or an
        :class:`ImageError` for what the registry returns after all tries.
        """
        location = ""
        if mount_from and self._is_own(mount_from) not in self._refused:
            mounted, location = self._mount(blob, mount_from)
            if mounted:
                return True
        _Upload(self._client, self._access, blob, open_blob, self._limits).run(location)
        return False

    def _is_own(self, repository: str) -> bool:
        return repository == self._access.repository

    def _mount(self, blob: Descriptor, repository: str) -> tuple[bool, str]:
        """Whether it is mounted, and else the upload session that a registry may have opened instead.

        Registries refuse in many ways (401, 403, 404, 405 and 500 are all seen); each means: upload it, and do not
        ask again. A repository that is yet to be made may be refused as its own source alone.
        """
        access = Access(self._access.repository, self._access.actions, repository)
        query = {"mount": blob.digest, "from": repository}
        response = self._client.call("POST", _uploads_path(access), access, query=query, retry_on=(429, 503))
        if genuine.is_stored(response, blob.digest):
            check_stored(response, blob.digest, self._client.session.host, Action.MOUNT_BLOB)
            return True, ""
        response.drain()
        if response.status == 202 and response.headers.get("Location"):
            return False, _location(response)
        self._refused.add(self._is_own(repository))
        return False, ""


@dataclasses.dataclass
class _Limits:
    """What the uploads of a run have learned: the largest body that may pass, in bytes."""

    body: int | None = None


class _Upload:
    """One blob on its way. Each try is a request for the whole blob, or several for pieces of it."""

    def __init__(
        self, client: RegistryClient, access: Access, blob: Descriptor, open_blob: OpenBlob, limits: _Limits
    ) -> None:
        self._client = client
        self._session = client.session
        self._access = access
        self._blob = blob
        self._open_blob = open_blob
        self._limits = limits
        sizes = [blob.size, *(size for size in _PIECES if size < blob.size)]
        self._sizes = [size for size in sizes if size <= (limits.body or blob.size)] or sizes[-1:]
        self._least = 0
        self._failures = 0
        self._resets = 0
        self._restarts = 0
        self._location = ""
        # Whether the session was used by a try that was refused, and whether it may be used by the next one.
        self._is_reused = False
        self._may_reuse = False

    def run(self, location: str) -> None:
        """Upload, into the session at ``location`` where there is one already."""
        done = False
        while not done:
            self._is_reused, self._may_reuse = self._may_reuse and self._is_untouched(), False
            if not self._is_reused:
                self._cancel()
                self._location = location or self._start()
                location = ""
            try:
                done = self._try()
            except ImageError:
                self._cancel()
                raise

    def _start(self) -> str:
        response = self._client.call("POST", _uploads_path(self._access), self._access)
        if response.status != 202 or not response.headers.get("Location"):
            raise self._client.error_for(response, Action.START_UPLOAD, self._access)
        response.drain()
        # OCI distribution spec, "Pushing a blob in chunks": pieces but the last may not be smaller.
        self._least = byte_count(response.headers.get("OCI-Chunk-Min-Length", "")) or 0
        return _location(response)

    def _try(self) -> bool:
        """Send it once; False where another try makes sense."""
        content = Content(self._open_blob)
        try:
            response = self._send(content)
        except ConnectionFailed as error:
            if content.failed or not self._survives(error):
                raise
            return False
        if 200 <= response.status < 300:
            check_stored(response, self._blob.digest, urls.host(response.url), Action.PUSH_BLOB)
            if content.passed < self._blob.size:
                raise ImageError("%s accepted blob %s before its end" % (self._session.host, self._blob.digest))
            return True
        if not self._mend(response):
            raise self._client.error_for(response, Action.PUSH_BLOB, self._access, self._blob.digest)
        response.drain()
        return False

    def _may_fail_again(self) -> bool:
        self._failures += 1
        return self._failures <= self._session.policy.retries

    def _survives(self, error: ConnectionFailed) -> bool:
        """Whether another try makes sense after the connection failed, having waited for it."""
        if not isinstance(error, ConnectionReset):
            self._location = ""  # a host that does not respond cannot be asked to cancel an upload
            if isinstance(error, PermanentConnectionError) or not self._may_fail_again():
                return False
        else:
            self._resets += 1
            if self._resets == 1:
                return True  # perhaps only a kept connection that was closed meanwhile: no failure yet
            if not self._may_fail_again():
                return False
            # Some proxies cut the connection on bodies that are too large for them, instead of saying so.
            if len(self._sizes) > 1:
                self._sizes.pop(0)
        self._session.back_off(self._failures - 1)
        return True

    def _mend(self, response: Response) -> bool:
        """Whether the next try can go better, having done what is needed for it."""
        status, in_pieces = response.status, self._in_pieces
        if status in (405, 411, 413, 501) and (status == 413 or not in_pieces) and len(self._sizes) > 1:
            self._sizes.pop(0)
            if status == 413:
                self._limits.body = self._sizes[0]
            return True
        if status in TRANSIENT and self._may_fail_again():
            self._session.apply_retry_after(response, self._failures - 1)
            # Limits of rate are kept by something that does not look at the body: the session is as it was.
            self._may_reuse = status == 429 and not in_pieces
            return True
        # 401, and a challenge: the token expired during the upload, and there is a new one now. The others: the
        # session is gone, or has other bytes than were sent, as after a try that was refused only when some had arrived.
        may_pass = status in (400, 401, 404, 416) or response.was_challenged
        if may_pass and (self._is_reused or not self._restarts):
            self._restarts += not self._is_reused
            return True
        if in_pieces and status != 413 and self._sizes != [self._blob.size]:
            self._sizes = [self._blob.size]  # a registry that knows no chunks
            return True
        return False

    @property
    def _in_pieces(self) -> bool:
        return max(self._sizes[0], self._least) < self._blob.size

    def _send(self, content: Content) -> Response:
        # The source may let us wait for a connection, and a registry may cut off an upload in which nothing moves.
        content.begin()
        if not self._in_pieces:
            return self._request("PUT", self._final_url(), _HEADERS, content.body(self._blob.size))
        size = max(self._sizes[0], self._least)
        for start in range(0, self._blob.size, size):
            end = min(start + size, self._blob.size)
            headers = dict(_HEADERS, **{"Content-Range": "%d-%d" % (start, end - 1)})
            response = self._request("PATCH", self._location, headers, content.body(end - start))
            if not 200 <= response.status < 300:
                return response
            response.drain()
            if genuine.is_page(response) and "Location" not in response.headers:
                raise foreign_response(urls.host(response.url), response, Action.PUSH_BLOB, self._blob.digest)
            self._location = _location(response)
        return self._request("PUT", self._final_url(), {}, b"")

    def _request(self, method: str, url: str, headers: dict[str, str], data: t.Any) -> Response:
        """Authorization goes to the registry only, wherever the session lives."""
        if not self._session.is_own(url):
            return self._session.send_once(method, url, headers, data)
        again = not isinstance(data, Body)
        return self._client.authorized(
            self._access, headers, lambda sent: self._session.send_once(method, url, sent, data), again
        )

    def _final_url(self) -> str:
        separator = "&" if "?" in self._location else "?"
        return "%s%sdigest=%s" % (self._location, separator, quote(self._blob.digest, safe=""))

    def _is_untouched(self) -> bool:
        """Whether the session has no bytes yet; ``Range: 0-0`` is what registries say of an empty one."""
        try:
            response = self._request("GET", self._location, {}, None)
        except ImageError:
            return False
        response.drain()
        if response.status != 204 or response.headers.get("Range", "0-0") not in ("0-0", "bytes=0-0"):
            return False
        if response.headers.get("Location"):
            self._location = _location(response)
        return True

    def _cancel(self) -> None:
        """Leave no half-written upload behind, as far as the registry allows."""
        location, self._location = self._location, ""
        if not location or not self._session.is_own(location):
            return
        with contextlib.suppress(ImageError):  # what ended the upload is what matters
            response = self._client.send_unchallenged(
                self._access, {}, lambda sent: self._session.send_once("DELETE", location, sent, None)
            )
            response.drain()


def _uploads_path(access: Access) -> str:
    """Where uploads into a repository begin."""
    return "%s/blobs/uploads/" % access.repository


def _location(response: Response) -> str:
    """Where an upload goes on; behind a proxy that ends TLS the registry may say http."""
    asked = response.url
    url = urls.resolve(asked, response.headers.get("Location", ""), "the Location header of %s" % urls.host(asked))
    return urls.over_tls(url, asked)
