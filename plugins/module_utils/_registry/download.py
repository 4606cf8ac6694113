# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Read a blob as a stream that survives broken connections: OCI distribution spec, "Pulling blobs"."""

from __future__ import annotations

import re
import typing as t

from .._errors import ConnectionFailed, DigestMismatch, NotFound
from .._image.descriptor import Descriptor
from .._image.digest import CHUNK, MISMATCH_HINT, Chunk
from .._image.verified import skipped
from .action import Action
from .auth import Access
from .connection_errors import BROKEN_HINT
from .failures import compressed
from .registry_client import RegistryClient, blob_path
from .transport import Response

# After so many bytes a connection that breaks counts as a first failure again; less is no progress worth the name.
_PROGRESS = 1024 * 1024


class BlobReader:
    """The bytes of one blob, from an offset to its end or to ``end``, in order. They are not verified.

    After a broken connection, it asks the registry for the rest. It does not ask the storage that the registry
    redirected to, because such URLs expire. It never uses the URLs in a descriptor.
    """

    def __init__(
        self, client: RegistryClient, access: Access, blob: Descriptor, offset: int = 0, end: int | None = None
    ) -> None:
        self._client = client
        self._access = access
        self._blob = blob
        self._offset = offset
        self._end = end

    def __iter__(self) -> t.Generator[Chunk, None, None]:
        failures, since = 0, self._offset
        while True:
            response = self._open()
            try:
                for chunk in self._rest(response):
                    part = chunk if self._end is None else chunk[: self._end - self._offset]
                    self._offset += len(part)
                    yield part
                    if self._offset == self._end:
                        return
                if self._offset >= self._blob.size:
                    return
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise compressed(self._client.session.host)
                raise self._broken()
            except ConnectionFailed:
                if self._offset - since >= _PROGRESS:
                    failures, since = 0, self._offset
                failures += 1
                if failures > self._client.session.policy.retries:
                    raise
                self._client.session.back_off(failures - 1)
            finally:
                response.close()

    def _open(self) -> Response:
        """Start the download, or resume it at the offset."""
        is_whole = not self._offset and self._end is None
        headers = {} if is_whole else {"Range": range_header(self._offset, self._end)}
        response = self._client.call("GET", blob_path(self._access, self._blob.digest), self._access, headers)
        if response.status in (200, 206):
            return response
        if response.status == 416:
            response.drain()
            raise DigestMismatch(
                "digest mismatch: blob %s should be %d bytes long, but ends after %d bytes"
                % (self._blob.digest, self._blob.size, self._offset),
                hint=MISMATCH_HINT,
            )
        error = self._client.error_for(response, Action.READ_BLOB, self._access, self._blob.digest)
        if isinstance(error, NotFound):
            cause = "blob %s is missing from %s" % (self._blob.digest, self._client.session.host)
            raise NotFound(cause, hint="Push the image to this registry again")
        raise error

    def _rest(self, response: Response) -> t.Iterator[Chunk]:
        """Yield the content of a response from the offset on. A response that ignores Range begins at the start of the blob."""
        begin = _first_byte(response)
        if begin > self._offset:
            raise self._broken()
        return skipped(self._chunks(response), self._offset - begin)

    def _chunks(self, response: Response) -> t.Iterator[memoryview]:
        """Yield the body in one buffer that is reused for each chunk. To keep a chunk, the caller must copy it."""
        view = memoryview(bytearray(min(CHUNK, max(self._blob.size, 1))))
        while True:
            count = response.into(view)
            if not count:
                return
            yield view[:count]

    def _broken(self) -> ConnectionFailed:
        return ConnectionFailed("cannot read blob %s: the connection was lost" % self._blob.digest, hint=BROKEN_HINT)


def range_header(start: int, end: int | None) -> str:
    """Return the Range header for the bytes from ``start`` to the end or to ``end``: RFC 9110, 14.2."""
    return "bytes=%d-%s" % (start, "" if end is None else end - 1)


def _first_byte(response: Response) -> int:
    match = re.match(r"bytes ([0-9]{1,18})-", response.headers.get("Content-Range", ""))
    return int(match.group(1)) if response.status == 206 and match else 0
