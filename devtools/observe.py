# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See what is in a registry or layout without the collection's own code."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from devtools.access_log import Request

_SECONDS = 60
_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


def digest_at(host: str, repository: str, name: str) -> str | None:
    """Return the digest of the bytes that a registry without users serves under a tag, None where it has none."""
    content = _get(host, f"/v2/{repository}/manifests/{name}")
    return None if content is None else "sha256:" + hashlib.sha256(content).hexdigest()


def blob_at(host: str, repository: str, digest: str) -> bytes | None:
    """Return a blob that a registry without users has in a repository, None where it has none of that digest."""
    return _get(host, f"/v2/{repository}/blobs/{digest}")


def tags_at(host: str, repository: str) -> list[str]:
    """Return the tags of a repository, sorted; none where there is no such repository."""
    content = _get(host, f"/v2/{repository}/tags/list")
    return sorted(json.loads(content)["tags"] or []) if content else []


def layout_names(path: Path) -> dict[str, str]:
    """Return the digest for each name in an OCI layout; a name that stands there twice raises AssertionError."""
    entries = json.loads((path / "index.json").read_text())["manifests"]
    names = [entry.get("annotations", {}).get("org.opencontainers.image.ref.name", "") for entry in entries]
    assert len(set(names)) == len(names), names
    return {name: entry["digest"] for name, entry in zip(names, entries)}


def layout_files(path: Path) -> set[str]:
    """Return the files of a layout, after checking that each blob has the digest that its name says."""
    files = {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}
    for blob in path.glob("blobs/*/*"):
        assert hashlib.new(blob.parent.name, blob.read_bytes()).hexdigest() == blob.name
    return files


def tally(requests: Iterable[Request]) -> dict[str, int]:
    """Count requests by method and kind, as ``{"HEAD manifest": 1, "POST upload": 3}``."""
    counts: dict[str, int] = {}
    for request in requests:
        key = f"{request.method} {_kind(request)}"
        counts[key] = counts.get(key, 0) + 1
    return counts


def _kind(request: Request) -> str:
    if "/blobs/uploads/" in request.path:
        return "mount" if "mount=" in request.query else "upload"
    kinds = (("/manifests/", "manifest"), ("/blobs/", "blob"), ("/tags/list", "tags"), ("/referrers/", "referrers"))
    for part, kind in kinds:
        if part in request.path:
            return kind
    return request.path


def _get(host: str, path: str) -> bytes | None:
    deadline = time.monotonic() + _SECONDS
    status, content = _response(host, path)
    # distribution 2 writes the file of a tag in place: for a moment it is empty, and reading it fails.
    while status == 500 and time.monotonic() < deadline:
        time.sleep(0.01)
        status, content = _response(host, path)
    if status == 404:
        return None
    assert status == 200, (path, status, content)
    return content


def _response(host: str, path: str) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection(host, timeout=_SECONDS)) as connection:
        connection.request("GET", path, headers={"Accept": _ACCEPT})
        response = connection.getresponse()
        return response.status, response.read()
