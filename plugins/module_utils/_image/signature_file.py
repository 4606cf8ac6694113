# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Signature files in directories, in the format of containers/image (docs/signature-protocols.md there).

A file is a GPG message, or a zero byte, the name of a format, a line feed, and the content. In the format
``sigstore-json``, the content is a layer that cosign stores under the tag ``sha256-<hex>.sig``. So the files of an
image are presented as such a cosign image here. GPG messages have a separate tag, which no registry uses.
"""

from __future__ import annotations

import re
import typing as t

from .._errors import InvalidContent, parsing
from . import digest as digests
from . import document as documents
from . import strict_base64
from .descriptor import Descriptor
from .referrers import COSIGN_SUFFIXES

SIGNATURE_SUFFIX, GPG_SUFFIX = ".sig", ".gpg"
# Those of all tags that belong to an image, whether there is a place for them in a directory or not.
ATTACHED_SUFFIXES = (*COSIGN_SUFFIXES, GPG_SUFFIX)
GPG_MEDIA_TYPE = "application/pgp-signature"
# Bytes of what is signed, and of a file, in which that is base64.
MAX_PAYLOAD = 4 * 1024 * 1024
MAX_SIZE = 6 * 1024 * 1024

_TAG = re.compile(r"sha256-([0-9a-f]{64})(?:\%s|\%s)" % (SIGNATURE_SUFFIX, GPG_SUFFIX))
_SIGSTORE, _SIMPLE_SIGNING = b"sigstore-json", b"simple-signing"

Layer = dict[str, t.Any]


def tags(subject: str) -> list[str]:
    """Return the tags for the signature files of a digest: those for cosign and those for GPG."""
    algorithm, encoded = digests.split(subject)
    return ["sha256-%s%s" % (encoded, suffix) for suffix in (SIGNATURE_SUFFIX, GPG_SUFFIX)] * (algorithm == "sha256")


def subject_of(tag: str) -> str:
    """Return the digest that such a tag contains; empty for other tags."""
    match = _TAG.fullmatch(tag)
    return "sha256:" + match.group(1) if match else ""


def is_gpg(tag: str) -> bool:
    """Return whether a tag is for GPG signatures, which only directories support."""
    return bool(subject_of(tag)) and tag.endswith(GPG_SUFFIX)


def layer_of(blob: Descriptor) -> Layer:
    """Return a layer with only the fields that a file can store."""
    return _layer(blob.media_type, blob.digest, blob.size, blob.annotations)


def is_of(tag: str, layer: Layer) -> bool:
    """Return whether a signature belongs to this tag, rather than to the other tag of its image."""
    return tag.endswith(GPG_SUFFIX) is (str(layer["mediaType"]) == GPG_MEDIA_TYPE)


def decode(content: bytes) -> tuple[Layer, bytes]:
    """Return the descriptor of a signature as a layer, and its content. Raises InvalidContent."""
    if not content.startswith(b"\0"):
        return _layer(GPG_MEDIA_TYPE, digests.of(content), len(content)), content
    kind, _line_feed, chunk = content[1:].partition(b"\n")
    if kind == _SIMPLE_SIGNING:
        return _layer(GPG_MEDIA_TYPE, digests.of(chunk), len(chunk)), chunk
    if kind != _SIGSTORE:
        raise InvalidContent("a signature has an unknown format", hint="Sign the image again")
    document = documents.read(chunk, "a signature", hint="Sign the image again")
    with parsing("a signature", hint="Sign the image again"):
        payload = strict_base64.decode(document["payload"])
        annotations = document["annotations"] or {}
        if not all(isinstance(text, str) for text in (document["mimeType"], *annotations, *annotations.values())):
            raise ValueError
        return _layer(document["mimeType"], digests.of(payload), len(payload), annotations), payload


def encode(layer: Layer, payload: bytes) -> bytes:
    """Return the content of the file for a signature."""
    if layer["mediaType"] == GPG_MEDIA_TYPE:
        return payload
    document = {
        "mimeType": layer["mediaType"],
        "payload": strict_base64.encode(payload),
        "annotations": layer.get("annotations") or {},
    }
    return b"\0%s\n%s" % (_SIGSTORE, documents.encode(document))


def _layer(media_type: str, digest: str, size: int, annotations: t.Mapping[str, str] | None = None) -> Layer:
    layer: Layer = {"mediaType": media_type, "digest": digest, "size": size}
    return {**layer, "annotations": dict(annotations)} if annotations else layer
