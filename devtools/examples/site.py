# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A place where examples run: their hosts are one registry, their directories one directory, their images are there.

Every document gets a part of the registry and of the directory of its own. What its examples read is put there first:
each image that is named anywhere but as a destination, each name of an OCI layout, certificates, and for a repository
without a tag a set of tags that a guide may ask for. Variables that begin with ``vault_`` or end in ``_digest`` have a value.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from devtools import images
from devtools.examples.extract import Document

# The registries that the world knows, and all that end as hosts of examples do; but not where nodes are named.
_HOST = (
    r"(?<![\w./@-])(?<!hosts: )(?<!hostvars\[')"
    r"(?:docker\.io|quay\.io|ghcr\.io|registry\.k8s\.io|(?:[a-z0-9-]+\.)+example(?:\.(?:com|org|net))?(?::\d+)?)"
    r"(?![\w.-])"
)
_REFERENCE = re.compile(rf"(?:docker://)?({_HOST})/([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::([\w][\w.-]*))?")
_LAYOUT = re.compile(r"\boci:(/[\w./-]+):([\w][\w.-]*)")
_WHOLE_LAYOUT = re.compile(r"\bsrc: oci:(/[\w./-]+)$", re.MULTILINE)
_DIRECTORY = re.compile(r"(?<![\w./}-])/(?=(?:srv|etc|var|opt|mnt|media|data)/)")
_CERTIFICATE = re.compile(r"/etc/[\w./-]+\.(?:pem|crt)\b")
_AUTHORITY = re.compile(r"^( +)(ca_path: .*)$", re.MULTILINE)
_DIGEST = re.compile(r"\bsha256:[0-9a-f]{64}\b")
_SECRET = re.compile(r"\bvault_\w+")
_NAMED_DIGEST = re.compile(r"\b[a-z]\w*_digest\b")

# The names of images in these look like those of registries, and say nothing of them.
_ENGINES = ("docker-daemon:", "containers-storage:")

# What a repository has where an example names no tag of it.
TAGS = ("1.4.1", "1.4.2", "1.9.0", "3.20", "7.2.4-alpine", "feature-login", "latest", "v1.8.2")

IMAGE = images.index(("linux/amd64", "linux/arm64"), attestations=True, layers=(2000, 1000))


class Site:
    """``host`` is a registry without users; ``authority`` is a certificate; everything else is below ``root``."""

    def __init__(self, host: str, root: Path, authority: Path) -> None:
        self._host = host
        self._root = root
        self._authority = authority

    def directory(self, document: Document) -> Path:
        """Return the directory that stands for ``/`` in a document's examples; its playbook goes there too."""
        return self._root / document.slug

    def text(self, document: Document, text: str) -> str:
        """Return an example with the hosts, directories and digests that are here."""
        text = re.sub(_HOST, lambda match: f"{self._host}/{self._prefix(document, match[0])}", text)
        text = _DIRECTORY.sub(f"{self.directory(document)}/", text)
        text = _AUTHORITY.sub(r"\1\2\n\1plain_http: true", text)  # else a CA for a loopback host means TLS
        return _DIGEST.sub(IMAGE.digest, text)

    def variables(self, document: Document) -> dict[str, str]:
        """Return a value for each variable that examples leave to their reader."""
        text = "\n".join(block.text for block in document.blocks)
        secrets = {name: "secret" for name in _SECRET.findall(text)}
        return {**{name: IMAGE.digest for name in _NAMED_DIGEST.findall(text)}, **secrets}

    def fill(self, document: Document, more: tuple[str, ...] = ()) -> None:
        """Put there what the examples of a document read, and the references of ``more``."""
        wanted: dict[str, set[str]] = {}
        for host, repository, tag in _needed(document, more):
            wanted.setdefault(self._prefix(document, host) + f"/{repository}", set()).update([tag] if tag else TAGS)
        for repository, tags in wanted.items():
            self._push(repository, sorted(tags))
        for block in document.blocks:
            for path, name in _LAYOUT.findall(block.text):
                images.write_layout(IMAGE, self.directory(document) / path.lstrip("/"), name)
            for path in _WHOLE_LAYOUT.findall(block.text):
                images.write_layout(IMAGE, self.directory(document) / path.lstrip("/"), "ghcr.io/example/app:1.4.2")
            for path in _CERTIFICATE.findall(block.text):
                copy = self.directory(document) / path.lstrip("/")
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(self._authority.read_bytes())

    def _prefix(self, document: Document, host: str) -> str:
        return f"{document.slug}/{host.replace(':', '-')}"

    def _push(self, repository: str, tags: list[str]) -> None:
        images.push(IMAGE, self._host, repository, tags[0])
        media_type, content = IMAGE.manifests[IMAGE.digest]
        with closing(http.client.HTTPConnection(self._host, timeout=60)) as connection:
            for tag in tags[1:]:
                connection.request("PUT", f"/v2/{repository}/manifests/{tag}", content, {"Content-Type": media_type})
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 201, answer.status


def _needed(document: Document, more: tuple[str, ...]) -> set[tuple[str, str, str]]:
    """Return host, repository and tag (may be empty) of all images that are read before they are written."""
    read, written = set(_REFERENCE.findall(json.dumps(more))), set()
    for block in document.blocks:
        for key, text in _texts(block.value):
            if not text.startswith(_ENGINES):
                (written if key == "dest" else read).update(_REFERENCE.findall(text))
    return read - written


def _texts(value: object, key: str = "", below: str = "") -> Iterator[tuple[str, str]]:
    """Return all strings in a document, each with the key that it stands under.

    A relative name among the ``images`` of a task with a ``src`` becomes a whole reference, for each of its tags.
    """
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, key, below)
    elif isinstance(value, dict):
        source = value.get("src") if "images" in value else None
        if key == "images" and isinstance(value.get("name"), str):
            name = f"{below}{value['name']}".replace("*", "app")
            tags = value.get("tags")
            yield from (("name", f"{name}:{tag}") for tag in (tags if isinstance(tags, list) else [""]))
        for inner, item in value.items():
            yield from _texts(item, inner, f"{source}/" if isinstance(source, str) else below)
