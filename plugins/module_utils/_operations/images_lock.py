# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The ImagesLock file of Carvel's imgpkg and kbld, which contains the digest for each reference.

The format follows imgpkg: unknown keys are errors, an image must have a digest, and it may have a tag.
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
import typing as t

from .._errors import ImageError, LocalFailure, MissingLibrary, local_failure
from .._files import is_missing, keep_access, replaced, reserved, target_of
from .._image.reference import RegistryReference, parse_registry
from .resolve import parse_image
from .sync.plain_document import Node, read

API_VERSION = "imgpkg.carvel.dev/v1alpha1"
KIND = "ImagesLock"
ID = "kbld.carvel.dev/id"
ORIGINS = "kbld.carvel.dev/origins"
PLATFORMS = "drayage.registry/platforms"
SOURCE = "drayage.registry/source"
_NO_TEXT_TO_GO = re.compile(r"[yYnN]|[-+.]*[0-9][0-9a-fA-FoxX_.+-]*")


@dataclasses.dataclass(frozen=True)
class LockedImage:
    """An entry: ``image`` has a digest, and ``annotations`` are those in the file."""

    image: RegistryReference
    annotations: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def requested(self) -> RegistryReference:
        """The reference that was locked: without its digest, or with it if it has no tag."""
        try:
            return parse_image(self.annotations[ID])
        except (KeyError, ImageError):
            return dataclasses.replace(self.image, digest="") if self.image.tag else self.image

    @property
    def reference(self) -> RegistryReference:
        """The reference that was locked, with the digest of the image."""
        return dataclasses.replace(self.requested, digest=self.image.digest)

    @property
    def platforms(self) -> list[str]:
        """The platforms that the image must have; empty means all of them."""
        return [text.strip() for text in self.annotations.get(PLATFORMS, "").split(",") if text.strip()]

    def entry(self) -> dict[str, t.Any]:
        """Return the ``images`` entry of image_sync that copies exactly this image."""
        digest = self.image.digest if self.image.tag else ""
        tags = [self.image.tag or self.image.digest]
        return {"name": self.image.context, "tags": tags, "digest": digest, "platforms": self.platforms or None}

    def encoded(self) -> dict[str, t.Any]:
        """Return the entry as it is written to the file."""
        annotations = dict(sorted(self.annotations.items()))
        return {"image": str(self.image), **({"annotations": annotations} if annotations else {})}


def read_lock(path: str) -> list[LockedImage]:
    """Return the entries of a file. Raises ImageError with the file and the entry."""
    node = read(path)
    document = node.mapping()
    for key in document:
        if key not in ("apiVersion", "kind", "images"):
            raise node.wrong("unknown key %r" % key, "Use one of the supported keys: apiVersion, kind, images")
    for key, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if key not in document or document[key].value != wanted:
            raise node.wrong("the file is not an ImagesLock: %s must be %s" % (key, wanted))
    items = document["images"].items() if "images" in document else []
    return [_entry(Node(item.value, "%s[%d]" % (item.where, number))) for number, item in enumerate(items)]


def _entry(node: Node) -> LockedImage:
    parts = node.mapping()
    for key in parts:
        if key not in ("image", "annotations"):
            raise node.wrong("unknown key %r" % key, "Use one of the supported keys: image, annotations")
    if "image" not in parts:
        raise node.wrong("the key 'image' is missing", "Write image: NAME:TAG@DIGEST, or image: NAME@DIGEST")
    text = parts["image"].text()
    try:
        image = parse_registry(text)
    except ImageError as error:
        raise parts["image"].wrong(error.cause, error.hint) from None
    if not image.digest:
        raise parts["image"].wrong("the reference %s has no digest" % text, "Write NAME:TAG@DIGEST, or NAME@DIGEST")
    annotations = parts["annotations"].mapping() if "annotations" in parts else {}
    return LockedImage(image, {key: value.text() for key, value in annotations.items()})


def origin_of(text: str) -> dict[str, str]:
    """Return kbld's annotations: the reference as written in manifests, and the source of its digest. Raises ImageError."""
    reference = parse_image(text)
    tag = '    tag: "%s"\n' % reference.tag if reference.tag else ""
    return {ID: text, ORIGINS: "- resolved:\n%s    url: %s\n" % (tag, reference)}


def check_directory(path: str) -> None:
    """Raise LocalFailure if the file cannot be written because its directory does not exist, before any request is sent."""
    try:
        os.stat(os.path.join(os.path.dirname(target_of(path)), ""))
    except OSError as error:
        raise _write_failure(error, path) from None


def save_lock(path: str, images: t.Iterable[LockedImage], before: t.Iterable[LockedImage] | None = None) -> None:
    """Replace the file atomically, and keep its mode and owner. Raises ImageError.

    ``before`` has the entries that the file must still have. They are empty if there was no file.
    """
    content = encode(images)
    target = target_of(path)
    try:
        with reserved(target):
            if before is not None:
                _check_unchanged(path, encode(before), content)
            with replaced(target) as stream:
                keep_access(stream, target)
                stream.write(content)
    except OSError as error:
        raise _write_failure(error, path) from None


def _write_failure(error: OSError, path: str) -> LocalFailure:
    # Without the file name of the error, which is that of a temporary file or a directory.
    return local_failure(OSError(error.errno, error.strerror), "write the lock file", path)


def _check_unchanged(path: str, before: bytes, after: bytes) -> None:
    """Raise ImageError if the file has other entries than before.

    Another task may have written the same entries, because a task that is delegated to one host runs there for each host
    of the play.
    """
    if encode([] if is_missing(path) else read_lock(path)) not in (before, after):
        raise ImageError("the lock file changed during this run, so it was not written", path, "Run the task again")


def encode(images: t.Iterable[LockedImage]) -> bytes:
    """Return the content of the file, sorted, so that equal images give equal content. Each ``image`` is on one line."""
    try:
        import yaml
    except ImportError:
        raise MissingLibrary("PyYAML") from None

    class Dumper(yaml.SafeDumper):
        """Quotes texts that are booleans or numbers only in the YAML of Go, which imgpkg and kbld use."""

    Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _NO_TEXT_TO_GO, None)
    entries = [each.encoded() for each in sorted(images, key=lambda each: str(each.image))]
    document = {"apiVersion": API_VERSION, "kind": KIND, "images": entries}
    text = yaml.dump(document, Dumper=Dumper, sort_keys=False, width=sys.maxsize, allow_unicode=True)
    return ("---\n" + text).encode("utf-8")
