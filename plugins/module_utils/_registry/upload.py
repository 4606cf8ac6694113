# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Push blobs: OCI distribution spec, "Pushing blobs" and "Mounting a blob from another repository".

Every registry supports POST followed by one PUT with the whole body. If something in between rejects such a large
body, the blob is sent in chunks. An interrupted upload resumes at the offset that the registry reports. If the
session is lost, the upload starts again. If the source turns out to be wrong, the upload stops before its last bytes
and is cancelled.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum

from .._errors import ConnectionFailed, ImageError
from .._image.descriptor import Descriptor, OpenBlob
from . import genuine, urls
from .action import Action
from .auth import Access
from .connection_errors import BROKEN_HINT, ConnectionReset, PermanentConnectionError
from .failures import foreign_response
from .registry_client import RegistryClient, check_stored
from .session import TRANSIENT
from .transport import Response
from .upload_body import Content
from .upload_session import UploadSession, location_of, uploads_path
from .urls import FOREIGN_HINT

# The second is the largest body that nginx lets through by default.
_PIECES = (8 * 1024 * 1024, 1024 * 1024)
# What distribution answers when the body of a request ended early: a proxy between it and us may pass that on.
_CLIENT_GONE = 499
# Fewer bytes are sent again at once, and are no progress worth the name.
_WORTH_RESUMING = 1024 * 1024


class BlobUploader:
    """Pushes blobs to one repository."""

    def __init__(self, client: RegistryClient, access: Access) -> None:
        self._client = client
        self._access = access
        # From where mounting was refused: from the repository itself (True), or from others (False).
        self._refused: set[bool] = set()
        self._limits = _Limits()

    def push(self, blob: Descriptor, open_blob: OpenBlob, mount_from: str = "") -> bool:
        """Mount a blob from a repository of the same registry and return True, or else upload it and return False.

        ``open_blob`` opens the verified content, once for each attempt. Raises the errors of ``open_blob``, and an
        :class:`ImageError` if the registry still returns an error after all retries.
        """
        started = None
        if mount_from and self._is_own(mount_from) not in self._refused:
            mounted, started = self._mount(blob, mount_from)
            if mounted:
                return True
        _Upload(self._client, self._access, blob, open_blob, self._limits).run(started)
        return False

    def _is_own(self, repository: str) -> bool:
        return repository == self._access.repository

    def _mount(self, blob: Descriptor, repository: str) -> tuple[bool, Response | None]:
        """Return whether the blob was mounted, and the response if the registry started an upload session instead.

        Registries refuse in many ways (401, 403, 404, 405 and 500 have all been observed). After each of these, the
        blob is uploaded and mounting is not tried again. A repository that does not exist yet may be refused only as
        its own source.
        """
        access = Access(self._access.repository, self._access.actions, repository)
        query = {"mount": blob.digest, "from": repository}
        response = self._client.call("POST", uploads_path(access), access, query=query, retry_on=(429, 503))
        if genuine.is_stored(response, blob.digest):
            check_stored(response, blob.digest, self._client.session.host, Action.MOUNT_BLOB)
            return True, None
        response.drain()
        if response.status == 202 and response.headers.get("Location"):
            return False, response
        self._refused.add(self._is_own(repository))
        return False, None


class _Next(enum.Enum):
    """The session for the next attempt: a new one, the last one if it is empty or can be resumed, or the last one if it can be resumed."""

    ANEW = enum.auto()
    UNTOUCHED = enum.auto()
    RESUMED = enum.auto()


@dataclasses.dataclass
class _Limits:
    """What the uploads of a run have learned: the largest body that is accepted, in bytes."""

    body: int | None = None


class _Upload:
    """The upload of one blob. Each attempt is one request for the whole blob, or several requests for pieces of it."""

    def __init__(
        self, client: RegistryClient, access: Access, blob: Descriptor, open_blob: OpenBlob, limits: _Limits
    ) -> None:
        self._client = client
        self._policy = client.session.policy
        self._access = access
        self._session = UploadSession(client, access)
        self._blob = blob
        self._content = Content(open_blob)
        self._limits = limits
        sizes = [blob.size, *(size for size in _PIECES if size < blob.size)]
        self._sizes = [size for size in sizes if size <= (limits.body or blob.size)] or sizes[-1:]
        self._failures = 0
        self._resets = 0
        self._restarts = 0
        # Bytes that the session has: when the try began, those of pieces that followed, and of any session so far.
        self._began_at = 0
        self._offset = 0
        self._progress = 0
        # Whether the try is in a session that an earlier one has used, and whether the next one may be.
        self._is_reused = False
        self._next = _Next.ANEW
        self._can_resume = True
        # How much was sent into the session at most, and whether it could not be found again.
        self._sent = 0
        self._is_lost = False

    def run(self, started: Response | None) -> None:
        """Upload the blob, into the session that this response ``started`` if there is one."""
        done = False
        while not done:
            self._is_reused = self._goes_on()
            if not self._is_reused:
                if self._was_stored():
                    return
                self._session.cancel()
                self._session.start(started)
                started = None
                self._content.restart()
                self._offset = self._sent = 0
            self._began_at = self._offset
            try:
                done = self._try()
            except ImageError:
                self._session.cancel()
                raise

    def _try(self) -> bool:
        """Make one attempt. Return False if another attempt makes sense."""
        content = self._content
        try:
            response = self._send()
            if response.status == _CLIENT_GONE:
                response.drain()
                cause = "cannot push blob %s: the connection was lost" % self._blob.digest
                raise ConnectionReset(cause, hint=BROKEN_HINT)
        except ConnectionFailed as error:
            content.close()
            if content.failed or not self._survives(error):
                raise
            return False
        if 200 <= response.status < 300:
            check_stored(response, self._blob.digest, urls.host(response.url), Action.PUSH_BLOB)
            if content.passed < self._blob.size:
                cause = "cannot push blob %s: %s reported success before it received the whole blob"
                raise ImageError(cause % (self._blob.digest, self._client.session.host), hint=FOREIGN_HINT)
            return True
        content.close()
        if not self._mend(response):
            raise self._client.error_for(response, Action.PUSH_BLOB, self._access, self._blob.digest)
        response.drain()
        return False

    def _may_fail_again(self) -> bool:
        self._failures += 1
        return self._failures <= self._policy.retries

    def _survives(self, error: ConnectionFailed) -> bool:
        """Return whether another attempt makes sense after a connection failure. Wait before it if necessary."""
        self._next = _Next.RESUMED if self._is_worth_resuming else _Next.ANEW
        if not isinstance(error, ConnectionReset):
            if self._next is _Next.ANEW:
                self._session.location = ""  # a host that does not respond cannot be asked to cancel an upload
            if isinstance(error, PermanentConnectionError) or not self._may_fail_again():
                return False
        else:
            self._resets += 1
            if self._resets == 1:
                # Perhaps only a kept connection that was closed meanwhile: no failure yet. Else the registry may still
                # be storing what has arrived.
                if self._next is _Next.RESUMED:
                    self._client.session.back_off(0)
                return True
            if not self._may_fail_again():
                return False
            # Some proxies cut the connection on bodies that are too large for them, instead of saying so.
            if len(self._sizes) > 1:
                self._sizes.pop(0)
        self._client.session.back_off(self._failures - 1)
        return True

    def _mend(self, response: Response) -> bool:
        """Prepare the next attempt after an error response, and return whether it can succeed."""
        status, in_pieces = response.status, self._in_pieces
        resumed = _Next.RESUMED if self._is_worth_resuming else _Next.ANEW
        if status == 413 and len(self._sizes) > 1:
            self._sizes.pop(0)
            self._limits.body = self._sizes[0]
            self._next = resumed if self._offset else _Next.ANEW
            return True
        if status in (405, 411, 501) and not in_pieces and not self._began_at and len(self._sizes) > 1:
            self._sizes.pop(0)
            return True
        if status in TRANSIENT and self._may_fail_again():
            self._client.session.apply_retry_after(response, self._failures - 1)
            # Limits of rate are kept by something that does not look at the body: the session is as it was.
            self._next = _Next.UNTOUCHED if status == 429 and not in_pieces else resumed
            return True
        if self._offset and (response.was_challenged or status == 416) and self._may_fail_again():
            # The token expired during the upload, and there is a new one now; or the registry has stored more since it
            # said where to go on, and may still be storing.
            if status == 416:
                self._client.session.back_off(self._failures - 1)
            self._next = resumed
            return True
        if self._began_at:
            self._can_resume = False  # a registry that knows no chunks, or that lost some of the content
            return True
        # 401, and a challenge: as above. The others: the session is gone, or has other bytes than were sent, as after a
        # try that was refused only when some had arrived.
        may_pass = status in (400, 401, 404, 416) or response.was_challenged
        if may_pass and (self._is_reused or not self._restarts):
            self._restarts += not self._is_reused
            return True
        if in_pieces and status != 413 and self._sizes != [self._blob.size]:
            self._sizes = [self._blob.size]  # a registry that knows no chunks
            return True
        return False

    @property
    def _is_worth_resuming(self) -> bool:
        return self._can_resume and self._content.passed >= _WORTH_RESUMING

    @property
    def _in_pieces(self) -> bool:
        return self._size < self._blob.size

    @property
    def _size(self) -> int:
        """The size of one request, in bytes."""
        return max(self._sizes[0], self._session.least)

    def _send(self) -> Response:
        content = self._content
        # The source may let us wait for a connection, and a registry may cut off an upload in which nothing moves.
        if content.passed < self._blob.size:
            content.begin()
        if not self._offset and not self._in_pieces:
            return self._session.put(self._blob.digest, content.body(self._blob.size))
        while self._offset < self._blob.size:
            size = min(self._size, self._blob.size - self._offset)
            response = self._session.patch(self._offset, content.body(size))
            if not 200 <= response.status < 300:
                return response
            response.drain()
            if genuine.is_page(response) and "Location" not in response.headers:
                raise foreign_response(urls.host(response.url), response, Action.PUSH_BLOB, self._blob.digest)
            self._session.location = location_of(response)
            self._offset += size
        return self._session.put(self._blob.digest)

    def _goes_on(self) -> bool:
        """Return whether the next attempt can use the last session. If so, rewind the content to the offset of the session."""
        wanted, self._next = self._next, _Next.ANEW
        self._is_lost = False
        if wanted is _Next.ANEW:
            return False
        self._sent = max(self._sent, self._content.passed)
        size = self._session.size()
        self._is_lost = size is None and self._is_worth_resuming
        if not size:
            self._content.restart()
            self._offset = 0
            return size == 0 and wanted is _Next.UNTOUCHED
        if not self._is_worth_resuming or size > self._sent or not self._content.rewind(size):
            return False
        if size - self._progress >= _WORTH_RESUMING:
            self._progress = size
            self._failures = self._resets = 0
        self._offset = size
        return True

    def _was_stored(self) -> bool:
        """Return whether the session is gone because the upload succeeded and only the response was lost."""
        if not self._is_lost or self._sent < self._blob.size:
            return False
        with contextlib.suppress(ImageError):
            return self._client.has_blob(self._access, self._blob.digest)
        return False
