# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A client for Docker's Engine API, which podman also supports, with one method for each endpoint."""

from __future__ import annotations

import typing as t
import urllib.parse

from .._errors import ConnectionFailed, NotFound, Refused
from .._image import document as documents
from .._registry.transport import Response
from .connection import Connection

# The list of some ten thousand images.
_MAX_RESPONSE = 64 * 1024 * 1024
_LOG_HINT = "Check the engine's log"


class EngineClient:
    """The API of one engine. Names are full names such as ``host/path:tag``, and IDs are digests."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._api = ""

    @property
    def location(self) -> str:
        """The address of the engine, for messages."""
        return str(self._connection.endpoint)

    def version(self) -> dict[str, t.Any]:
        """Return ``Os`` and ``Arch``, and ``Machine`` for 32-bit ARM, if the engine shows it. podman takes half a second to respond."""
        version = self._object(self._send("GET", "/version"))
        if version.get("Arch") == "arm":
            version["Machine"] = self._info().get("Architecture")
        return version

    def has_other_ids(self) -> bool:
        """Return whether IDs are digests of manifests, as in Docker's newer image store (containerd)."""
        return "io.containerd.snapshotter" in str(self._info().get("DriverStatus"))

    def images(self) -> list[dict[str, t.Any]]:
        """Return ``Id`` and ``RepoTags`` of all images."""
        found = self._json(self._checked(self._send("GET", "/images/json")))
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise self._unexpected()
        return found

    def inspect(self, name: str) -> dict[str, t.Any] | None:
        """Return ``Id``, ``RepoTags`` and more for the image with a name or ID; None if it does not exist."""
        response = self._send("GET", "/images/%s/json" % _quoted(name))
        if response.status == 404:
            response.close()
            return None
        return self._object(self._checked(response))

    def export(self, name: str) -> t.Iterator[bytes]:
        """Return an image as a ``docker save`` archive. Raises NotFound."""
        response = self._send("GET", "/images/%s/get" % _quoted(name), is_work=True)
        return self._connection.chunks(self._checked(response))

    def load(self, chunks: t.Iterator[bytes]) -> None:
        """Load such an archive. Raises Refused with the message of the engine."""
        # An empty chunk would be the end of the body: urllib3 1.26 does not leave it out.
        body = filter(None, chunks)
        response = self._checked(self._send("POST", "/images/load?quiet=1", data=body, is_work=True))
        for line in self._connection.read(response, _MAX_RESPONSE).splitlines():
            try:
                said = documents.decode(line)
            except ValueError:
                continue
            if isinstance(said, dict) and said.get("error"):
                raise Refused("the engine could not load the image (%s)" % said["error"], hint=_LOG_HINT)

    def tag(self, image_id: str, name: str) -> None:
        """Give an image a name. Raises NotFound if the image does not exist."""
        repository, _colon, tag = name.rpartition(":")
        query = urllib.parse.urlencode({"repo": repository, "tag": tag})
        self._checked(self._send("POST", "/images/%s/tag?%s" % (_quoted(image_id), query))).close()

    def remove(self, name: str) -> bool:
        """Remove a name, and the image with its last name. Return False if it does not exist. Raises Refused."""
        response = self._send("DELETE", "/images/%s" % _quoted(name), is_work=True)
        try:
            self._checked(response).close()
        except NotFound:
            return False
        return True

    def close(self) -> None:
        """Close all connections."""
        self._connection.close()

    def _info(self) -> dict[str, t.Any]:
        return self._object(self._send("GET", "/info"))

    def _send(self, method: str, path: str, **more: t.Any) -> Response:
        """Send a request. Each path begins with the API version of the engine, which is requested once."""
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
            raise NotFound("the engine returned 404 (%s)" % said, hint="Check the image name")
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
            return documents.decode(self._connection.read(response, _MAX_RESPONSE))
        except ValueError:
            raise self._unexpected() from None

    def _unexpected(self) -> ConnectionFailed:
        cause = "the service at %s is not a container engine" % self.location
        return ConnectionFailed(cause, hint="Check DOCKER_HOST and CONTAINER_HOST in the task's environment")


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="/:")
