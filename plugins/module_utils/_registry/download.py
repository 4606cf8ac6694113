# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reading a blob as a stream that survives broken connections: OCI distribution spec, "Pulling blobs"."""

from __future__ import annotations

import re
import typing as t

from .._errors import ConnectionFailed, DigestMismatch, NotFound
from .._image.descriptor import Descriptor
from .auth import Access
from .client import RegistryClient
from .failures import broken_connection
from .library import BODY_ERRORS

# Large reads keep the interpreter out of the way of the copy; 16 streams of them stay well below 100 MiB.
CHUNK = 512 * 1024


class BlobReader:
    """The bytes of one blob, in order; not yet verified.

    After a broken connection it asks the registry (not the storage it redirected to: such URLs expire) for the rest.
    Any progress renews the number of tries. The URLs of a descriptor are never followed.
    """

    def __init__(self, client: RegistryClient, access: Access, blob: Descriptor) -> None:
        self._client = client
        self._access = access
        self._blob = blob
        self._offset = 0

    def __iter__(self) -> t.Iterator[bytes]:
        failures = 0
        while self._offset < self._blob.size or not self._blob.size:
            before = self._offset
            try:
                for chunk in self._read_on():
                    self._offset += len(chunk)
                    yield chunk
                if self._offset >= self._blob.size:
                    return
                raise ConnectionFailed("cannot read blob %s: the connection broke" % self._blob.digest)
            except ConnectionFailed:
                failures = 1 if self._offset > before else failures + 1
                if failures > self._client.session.policy.retries:
                    raise
                self._client.session.pause(failures - 1)

    def _read_on(self) -> t.Iterator[bytes]:
        response = self._open()
        try:
            while True:
                chunk = response.raw.read(CHUNK, decode_content=False)
                if not chunk:
                    return
                yield chunk
        except BODY_ERRORS as error:
            raise broken_connection(self._client.session.host, error) from None
        finally:
            response.close()

    def _open(self) -> t.Any:
        """Start or go on at the offset; a registry that ignores Range begins anew, and so must we."""
        headers = {"Range": "bytes=%d-" % self._offset} if self._offset else {}
        path = "%s/blobs/%s" % (self._access.repository, self._blob.digest)
        response = self._client.call("GET", path, self._access, headers)
        if response.status_code == 206 and self._offset:
            if _first_byte(response.headers.get("Content-Range", "")) == self._offset:
                return response
        elif response.status_code == 200:
            self._skip(response)
            return response
        elif response.status_code == 416:
            response.close()
            raise DigestMismatch(
                "digest mismatch: blob %s should have %d bytes but ends after %d"
                % (self._blob.digest, self._blob.size, self._offset)
            )
        elif response.status_code == 404:
            response.close()
            raise NotFound("blob %s is missing in %s" % (self._blob.digest, self._client.session.host))
        raise self._client.refusal(response, "read blob %s" % self._blob.digest, self._access)

    def _skip(self, response: t.Any) -> None:
        """Read past what was already passed on; the consumer's hash stays valid, as the content is the same."""
        remaining = self._offset
        while remaining:
            chunk = response.raw.read(min(remaining, CHUNK), decode_content=False)
            if not chunk:
                raise ConnectionFailed("cannot read blob %s: the connection broke" % self._blob.digest)
            remaining -= len(chunk)


def _first_byte(content_range: str) -> int:
    match = re.match(r"bytes (\d+)-", content_range)
    return int(match.group(1)) if match else -1
