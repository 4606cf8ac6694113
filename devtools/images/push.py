# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Push images with nothing but http.client, as an independent check of the collection's own client."""

from __future__ import annotations

import http.client
import ssl
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from devtools.images.value import Blob, Image

_TIMEOUT = 60

# A repository that already has each blob, by host and digest. A new registry on the same port asks for the blob instead.
_pushed: dict[tuple[str, str], str] = {}


class PushError(Exception):
    """A registry did not accept a part of an image."""


def push(
    image: Image, host: str, repository: str, tag: str, *, authorization: str | None = None, tls_ca: Path | None = None
) -> None:
    """Push an image to ``host`` (TLS where its authority is given); ``authorization`` is the header's value."""
    context = ssl.create_default_context(cafile=str(tls_ca)) if tls_ca else None
    connection = (
        http.client.HTTPSConnection(host, timeout=_TIMEOUT, context=context)
        if context
        else http.client.HTTPConnection(host, timeout=_TIMEOUT)
    )
    headers = {"Authorization": authorization} if authorization else {}
    with closing(connection):
        for digest, content in image.blobs.items():
            # A user may have no access to the other repository.
            other = None if authorization else _pushed.get((host, digest))
            mount = f"?mount={digest}&from={other}" if other else ""
            _push_blob(connection, f"/v2/{repository}/blobs/uploads/{mount}", digest, content, headers)
            _pushed[host, digest] = repository
        for digest, (media_type, content) in image.manifests.items():
            reference = tag if digest == image.digest else digest
            _send(
                connection,
                "PUT",
                f"/v2/{repository}/manifests/{reference}",
                content,
                {**headers, "Content-Type": media_type},
            )


def _push_blob(
    connection: http.client.HTTPConnection, uploads: str, digest: str, content: Blob, headers: dict[str, str]
) -> None:
    status, answered = _send(connection, "POST", uploads, b"", headers)
    if status == 201:
        return  # mounted
    location = urlsplit(answered)
    query = f"{location.query}&digest={digest}".lstrip("&")
    binary = {**headers, "Content-Type": "application/octet-stream"}
    if isinstance(content, bytes):
        _send(connection, "PUT", f"{location.path}?{query}", content, binary)
    else:
        with content.open("rb") as stream:
            length = str(content.stat().st_size)
            _send(connection, "PUT", f"{location.path}?{query}", stream, {**binary, "Content-Length": length})


def _send(
    connection: http.client.HTTPConnection, method: str, target: str, body, headers: dict[str, str]
) -> tuple[int, str]:
    """Send a request that creates something; return the status and the Location of its answer."""
    connection.request(method, target, body=body, headers=headers)
    response = connection.getresponse()
    text = response.read().decode(errors="replace").strip()
    if response.status not in (201, 202):
        raise PushError(f"{connection.host}:{connection.port} answered {response.status} to {method} {target}: {text}")
    return response.status, response.headers.get("Location", "")
