# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Signatures in a directory, which cannot store any other attached artifacts.

Signatures of the image are in ``signature-N``, and those of its children in ``<hex>.signature-N``. They are presented
like the image that cosign stores under its tag, so that they can be copied in the same way.
"""

from __future__ import annotations

import io
import typing as t

from .._errors import InvalidContent, NotFound, Refused, file_errors
from .._files import read_regular
from .._image import cosign_tag, signature_file
from .._image import digest as digests
from .._image.descriptor import Descriptor
from .._image.manifest import Manifest
from . import signature_files
from .signature_files import NAME

_OTHER_HINT = "Use a registry, an OCI layout or an OCI archive"
_AGAIN_HINT = "Run the task again"


class DirectorySignatures:
    """The signatures of the image with the digest that ``top`` returns (empty if there is none) and of its children.

    Methods that write may raise OSError.
    """

    def __init__(self, path: str, top: t.Callable[[str], str]) -> None:
        self._path = path
        self._top = top
        self._manifests: dict[str, Manifest] = {}
        self._contents: dict[str, bytes] = {}

    def keeps(self, tag: str) -> bool:
        """Return True only for signatures: a directory cannot store referrers, or cosign's attestations and SBOMs."""
        return bool(signature_file.subject_of(tag))

    def entries(self, subject: str, artifact_type: str = "", is_only: bool = False) -> list[Descriptor]:
        """Return an empty list, because a directory cannot store referrers."""
        return []

    def cosign_tags(self, subject: str) -> list[str]:
        """Return the tags for the signatures of a digest."""
        return [tag for tag in signature_file.tags(subject) if self.image(tag)]

    def attach(self, subject: str, manifests: t.Sequence[Manifest]) -> None:
        """Raises :class:`Refused`."""
        cause = "a directory can store only signatures, not the other referrers of %s" % subject
        raise Refused(cause, hint=_OTHER_HINT)

    def detach(self, subject: str, digests: t.Collection[str]) -> None:
        """Do nothing, because there are no referrers."""

    def image(self, tag: str) -> Manifest | None:
        """Return the signatures for a tag as an image; None if there are none. Raises InvalidContent."""
        with file_errors("read", self._path):
            layers = [layer for _path, layer in self._read(tag)] if self.keeps(tag) else []
        if not layers:
            return None
        manifest, config = cosign_tag.image_of(layers)
        self.add(manifest, config)
        return manifest

    def add(self, manifest: Manifest, config: bytes) -> None:
        """Register an image that was generated from signatures, so that it can be read by its digest."""
        self._contents[digests.of(config)] = config
        self._manifests[manifest.digest] = manifest

    def signatures(self, tag: str) -> Manifest:
        """Return the signatures like :meth:`image`. Raises NotFound."""
        found = self.image(tag)
        if found is None:
            raise NotFound("the directory contains no signatures for the tag %s" % tag, hint="Sign the image again")
        return found

    def manifest(self, digest: str) -> Manifest:
        """Return an image that :meth:`image` has generated before. Raises NotFound."""
        if digest not in self._manifests:
            raise NotFound("manifest %s is missing from the directory" % digest, hint=_AGAIN_HINT)
        return self._manifests[digest]

    def seen(self, subject: str, without: t.Collection[str] = ()) -> bool:
        """Return whether the directory contains signatures for a digest."""
        return not set(without).issuperset(self.cosign_tags(subject))

    def has_blob(self, digest: str) -> bool:
        """Return whether a blob belongs to an image that was generated before."""
        return digest in self._contents

    def open_blob(self, digest: str) -> t.BinaryIO:
        """Open a blob of an image that was generated before. Raises NotFound."""
        if digest not in self._contents:
            raise NotFound("blob %s is missing from the directory" % digest, hint=_AGAIN_HINT)
        return io.BytesIO(self._contents[digest])

    def put(self, tag: str, manifest: Manifest, read: t.Callable[[Descriptor], bytes]) -> None:
        """Replace the signatures for a tag; ``read`` reads the layers that are new."""
        if not self.keeps(tag):
            raise Refused(
                "a directory can store only signatures, so it cannot store the tag %s" % tag, hint=_OTHER_HINT
            )
        present = self._read(tag)
        known = [layer for _path, layer in present]
        wanted = [signature_file.layer_of(blob) for blob in manifest.layers]
        signature_files.check_room(self._path, self._name(tag), sum(layer not in known for layer in wanted))
        for blob, layer in zip(manifest.layers, wanted):
            if layer not in known:
                if blob.size > signature_file.MAX_PAYLOAD or not signature_file.is_of(tag, layer):
                    cause = "blob %s under the tag %s is not a signature" % (blob.digest, tag)
                    raise InvalidContent(cause, hint="Copy the image without referrers")
                signature_files.append(self._path, self._name(tag), signature_file.encode(layer, read(blob)))
                known.append(layer)
        outdated = [path for path, layer in present if layer not in wanted]
        signature_files.remove(self._path, self._name(tag), outdated)

    def remove(self, tag: str) -> None:
        """Remove the signatures for a tag."""
        signature_files.remove(self._path, self._name(tag), [path for path, _layer in self._read(tag)])

    def become(self, digest: str) -> int:
        """Add the signatures of a child, which is about to become the image, to those of the image. Return how many precede them."""
        added = signature_files.numbered(self._path, _prefix(digest))
        before = signature_files.check_room(self._path, NAME, len(added))
        for path in added:
            signature_files.append(self._path, NAME, read_regular(path, signature_file.MAX_SIZE))
        return before

    def forget(self, count: int) -> None:
        """Remove the first signatures, which belong to the previous image."""
        files = signature_files.numbered(self._path, NAME)
        signature_files.remove(self._path, NAME, files[:count])

    def _read(self, tag: str) -> list[tuple[str, signature_file.Layer]]:
        """Return the files for a tag with the descriptors of their signatures."""
        found = []
        for path in signature_files.numbered(self._path, self._name(tag)):
            try:
                layer, content = signature_file.decode(read_regular(path, signature_file.MAX_SIZE))
            except InvalidContent as error:
                raise InvalidContent("%s: %s" % (path, error.cause)) from None
            if signature_file.is_of(tag, layer):
                self._contents[layer["digest"]] = content
                found.append((path, layer))
        return found

    def _name(self, tag: str) -> str:
        """Return the prefix of the file names for a tag."""
        subject = signature_file.subject_of(tag)
        return NAME if subject == self._top(subject) else _prefix(subject)


def _prefix(digest: str) -> str:
    return "%s.%s" % (digests.split(digest)[1], NAME)
