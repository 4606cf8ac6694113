# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get all content of a repository and write it to the disk, file by file, and nothing else; a script of its own.

This is the least that any program does to copy a repository to a disk. ``fetch.py HOST REPOSITORY DIRECTORY THREADS``.
"""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import os
import sys
import threading

_local = threading.local()


def _get(host: str, target: str) -> bytes:
    if not hasattr(_local, "connection"):
        _local.connection = http.client.HTTPConnection(host)
    types = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
    _local.connection.request("GET", target, headers={"Accept": types})
    response = _local.connection.getresponse()
    content = response.read()
    if response.status != 200:
        raise RuntimeError(f"{target}: {response.status}")
    return content


def _keep(directory: str, name: str, content: bytes) -> None:
    path = os.path.join(directory, name)
    with open(path + ".part", "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".part", path)


def main(host: str, repository: str, directory: str, threads: str) -> None:
    """Fetch every image, and every blob of each: they have none in common."""
    os.makedirs(directory)

    def fetch(tag: str) -> None:
        manifest = _get(host, f"/v2/{repository}/manifests/{tag}")
        _keep(directory, f"manifest-{tag}", manifest)
        document = json.loads(manifest)
        for blob in (document["config"], *document["layers"]):
            _keep(directory, blob["digest"], _get(host, f"/v2/{repository}/blobs/{blob['digest']}"))

    tags = json.loads(_get(host, f"/v2/{repository}/tags/list"))["tags"]
    with concurrent.futures.ThreadPoolExecutor(int(threads)) as pool:
        list(pool.map(fetch, tags))


if __name__ == "__main__":
    main(*sys.argv[1:])
