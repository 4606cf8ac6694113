# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Docker's Engine API, which podman speaks too: one method an endpoint."""

from __future__ import annotations

import typing as t
import urllib.parse

from .._errors import ConnectionFailed, NotFound, Refused
from .._image import document as documents
from .._registry.transport import Response
from .connection import Connection

# The list of some ten thousand images.
_MAX_ANSWER = 64 * 1024 * 1024
_LOG_HINT = "Check the log of the engine"


class EngineClient:
    """Names are spelled out, as ``host/path:tag``; IDs are digests."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._api = ""

    @property
    def place(self) -> str:
        """Which engine this is."""
        return str(self._connection.endpoint)

    def version(self) -> dict[str, t.Any]:
        """``Os`` and ``Arch``; podman takes half a second to answer."""
        return self._object(self._send("GET", "/version"))

    def has_other_ids(self) -> bool:
        """Whether IDs are digests of manifests: Docker's newer store (containerd) has those."""
        status = self._object(self._send("GET", "/info")).get("DriverStatus")
        return "io.containerd.snapshotter" in str(status)

    def images(self) -> list[dict[str, t.Any]]:
        """``Id`` and ``RepoTags`` of all images."""
        found = self._json(self._checked(self._send("GET", "/images/json")))
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise self._unexpected()
        return found

    def inspect(self, name: str) -> dict[str, t.Any] | None:
        """``Id`` and ``RepoTags`` of the image of a name or ID, and more; None where there is none."""
        response = self._send("GET", "/images/%s/json" % _quoted(name))
        if response.status == 404:
            response.close()
            return None
        return self._object(self._checked(response))

    def export(self, name: str) -> t.Iterator[bytes]:
        """The archive of ``docker save``. Raises NotFound."""
        response = self._send("GET", "/images/%s/get" % _quoted(name), is_work=True)
        return self._connection.chunks(self._checked(response))

    def load(self, chunks: t.Iterator[bytes]) -> None:
        """Take in such an archive. Raises Refused with what the engine says of it."""
        # An empty chunk would be the end of the body: urllib3 1.26 does not leave it out.
        body = filter(None, chunks)
        response = self._checked(self._send("POST", "/images/load?quiet=1", data=body, is_work=True))
        for line in self._connection.read(response, _MAX_ANSWER).splitlines():
            try:
                said = documents.decode(line)
            except ValueError:
                continue
            if isinstance(said, dict) and said.get("error"):
                raise Refused("the engine could not load the image (%s)" % said["error"], hint=_LOG_HINT)

    def tag(self, image_id: str, name: str) -> None:
        """Make a name stand for an image. Raises NotFound where this is not there."""
        repository, _colon, tag = name.rpartition(":")
        query = urllib.parse.urlencode({"repo": repository, "tag": tag})
        self._checked(self._send("POST", "/images/%s/tag?%s" % (_quoted(image_id), query))).close()

    def remove(self, name: str) -> bool:
        """Remove a name, and the image with its last one; False where there is none. Raises Refused."""
        response = self._send("DELETE", "/images/%s" % _quoted(name))
        try:
            self._checked(response).close()
        except NotFound:
            return False
        return True

    def close(self) -> None:
        """Close all connections."""
        self._connection.close()

    def _send(self, method: str, path: str, **more: t.Any) -> Response:
        """All paths begin with the version of the API that the engine speaks, which is asked for once."""
        if not self._api:
            response = self._checked(self._connection.send("GET", "/_ping"))
            response.close()
            self._api = response.headers.get("Api-Version", "")
            if not self._api:
                raise self._unexpected()
        return self._connection.send(method, "/v%s%s" % (self._api, path), **more)

    def _checked(self, response: Response) -> Response:
        if response.status < 300:
            return response
        said = self._message(response)
        if response.status == 404:
            raise NotFound("the engine returned 404 (%s)" % said, hint="Check the name of the image")
        raise Refused("the engine returned %d (%s)" % (response.status, said), hint=_LOG_HINT, status=response.status)

    def _message(self, response: Response) -> str:
        try:
            said = self._json(response)
        except ConnectionFailed:
            return "no readable message"
        message = said.get("message") if isinstance(said, dict) else None
        return " ".join(str(message).split())[:300]

    def _object(self, response: Response) -> dict[str, t.Any]:
        found = self._json(self._checked(response))
        if not isinstance(found, dict):
            raise self._unexpected()
        return found

    def _json(self, response: Response) -> t.Any:
        try:
            return documents.decode(self._connection.read(response, _MAX_ANSWER))
        except ValueError:
            raise self._unexpected() from None

    def _unexpected(self) -> ConnectionFailed:
        cause = "the service at %s is not a container engine" % self.place
        return ConnectionFailed(cause, hint="Check DOCKER_HOST and CONTAINER_HOST in the environment of the task")


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="/:")
