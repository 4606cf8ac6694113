# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Pin references in an ImagesLock file, or check that its pins are up to date."""

from __future__ import annotations

import dataclasses
import typing as t

from .. import _messages as messages
from .._errors import ImageError
from .._files import is_missing
from .._image.platform import Platform
from .._image.reference import RegistryReference
from . import images_lock
from .images_lock import LockedImage
from .resolve import parse_image, require_digests
from .stores import Stores


@dataclasses.dataclass(frozen=True)
class Wanted:
    """An image to lock: the original text, the full reference, and the files that contain it, if known."""

    text: str
    reference: RegistryReference
    sources: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Locked:
    """The entries before and after. ``failure`` is the reason why the task fails, or empty."""

    before: list[LockedImage]
    after: list[LockedImage]
    changed: bool
    failure: str = ""

    @property
    def moved(self) -> list[dict[str, str]]:
        """The pins that have changed."""
        old = {each.requested: each.image.digest for each in self.before}
        return [
            {"image": str(each.requested), "before": old[each.requested], "after": each.image.digest}
            for each in self.after
            if each.requested in old and old[each.requested] != each.image.digest
        ]

    @property
    def counts(self) -> tuple[int, int, int]:
        """The numbers of added, moved and removed images."""
        old, new = ({each.requested for each in images} for images in (self.before, self.after))
        return len(new - old), len(self.moved), len(old - new)

    def diff(self) -> dict[str, dict[str, str]]:
        """Return the digests before and after, by reference."""
        sides = {"before": self.before, "after": self.after}
        return {side: {str(each.requested): each.image.digest for each in images} for side, images in sides.items()}


def wanted_images(values: t.Iterable[t.Any]) -> list[Wanted]:
    """Return the images of an option whose elements are references or results of find_images and images_of.

    The result has each image once, with all its sources. Raises ImageError.
    """
    found: dict[RegistryReference, list[str]] = {}
    texts: dict[RegistryReference, str] = {}
    for number, value in enumerate(values):
        given = value.get("reference") if isinstance(value, dict) else value
        if not isinstance(given, str):
            cause = "images[%d] is neither an image reference nor a mapping with the key 'reference'" % number
            raise ImageError(cause, hint="Write an image reference, or use the result of the images_of lookup")
        reference = parse_image(given)
        texts.setdefault(reference, given.strip())
        sources = found.setdefault(reference, [])
        source = value.get("file") if isinstance(value, dict) else None
        if isinstance(source, str) and source and source not in sources:
            sources.append(source)
    return [Wanted(texts[reference], reference, tuple(sorted(sources))) for reference, sources in found.items()]


def lock(path: str, wanted: list[Wanted] | None, update: str, platforms: t.Sequence[str], stores: Stores) -> Locked:
    """Lock these images in the file, or if ``wanted`` is None, the images that it already contains.

    ``update`` is ``missing`` (look up images that are not locked yet), ``all``, or ``none`` (look up all of them, and
    write nothing). Raises ImageError.
    """
    needed = [Platform.parse(text) for text in platforms]
    noted = ",".join(map(str, needed))
    before = [] if is_missing(path) and update != "none" else images_lock.read_lock(path)
    if update != "none":
        images_lock.check_directory(path)
    known = {each.requested: each for each in before}
    requested = [Wanted(str(reference), reference) for reference in known] if wanted is None else wanted
    if not requested:
        raise ImageError("there are no images to lock", hint="Add image references to the images option")
    digests = _digests([each.reference for each in requested], known, update, needed, stores)
    after = [_entry(each, digests[each.reference], known.get(each.reference), noted) for each in requested]
    after.sort(key=lambda each: str(each.image))
    changed = _as_set(before) != _as_set(after)
    locked = Locked(before, after, changed)
    if update == "none":
        return dataclasses.replace(locked, changed=False, failure=_failure(path, locked))
    if changed and not stores.run.dry_run:
        images_lock.save_lock(path, after, before)
    return locked


def _digests(
    requested: t.Sequence[RegistryReference],
    known: t.Mapping[RegistryReference, LockedImage],
    update: str,
    platforms: t.Sequence[Platform],
    stores: Stores,
) -> dict[RegistryReference, str]:
    """Return the digest for each reference. References without a digest and a valid pin are looked up.

    Images that are not already locked with the same platforms are checked for these platforms.
    """
    pinned = {each: each.digest for each in requested if each.digest}
    if update == "missing":
        kept = {each: known[each].image.digest for each in requested if each in known and each not in pinned}
        pinned.update(kept)
    absent = {each: _location(each, known.get(each)) for each in requested if each not in pinned}
    if update == "none":
        found = require_digests([*absent.values()], stores)
        return {**pinned, **{each: found[location] for each, location in absent.items()}}
    noted = {each: known[each].platforms for each in requested if each in known}
    given = list(map(str, platforms))
    unchecked = [each for each in pinned if given and noted.get(each) != given]
    by_digest = [_pinned(each, pinned[each], known.get(each)) for each in unchecked]
    needed = {
        location: platforms or list(map(Platform.parse, noted.get(each, ()))) for each, location in absent.items()
    }
    needed.update(dict.fromkeys(by_digest, platforms))
    found = require_digests([*absent.values(), *by_digest], stores, needed)
    return {**pinned, **{each: found[location] for each, location in absent.items()}}


def _location(requested: RegistryReference, known: LockedImage | None) -> RegistryReference:
    """Return the reference to look up. An image that was relocated, such as by imgpkg, is looked up where it is now. Raises ImageError."""
    if known is None or known.image.context == requested.context:
        return requested
    if not known.image.tag:
        cause = "the lock file contains the image as %s, which has no tag to look up" % known.image
        hint = "Set update: missing to keep this entry, or remove it to lock the image at its original location"
        raise ImageError(cause, requested, hint)
    return dataclasses.replace(known.image, digest="")


def _pinned(requested: RegistryReference, digest: str, known: LockedImage | None) -> RegistryReference:
    """Return the reference of the locked image. It stays as it is in the file as long as its digest stays the same."""
    if known and known.image.digest == digest:
        return known.image
    location = requested if requested.digest else _location(requested, known)
    return dataclasses.replace(location, digest=digest)


def _entry(wanted: Wanted, digest: str, known: LockedImage | None, platforms: str) -> LockedImage:
    """Return the entry with its annotations, including those that other tools have added."""
    annotations = dict(known.annotations) if known else {}
    if images_lock.ID not in annotations:
        annotations.update(images_lock.origin_of(wanted.text))
    if platforms:
        annotations[images_lock.PLATFORMS] = platforms
    if wanted.sources:
        annotations[images_lock.SOURCE] = ", ".join(wanted.sources)
    return LockedImage(_pinned(wanted.reference, digest, known), annotations)


def _as_set(images: t.Iterable[LockedImage]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the images in a form that can be compared regardless of their order."""
    return sorted((str(each.image), sorted(each.annotations.items())) for each in images)


def _failure(path: str, locked: Locked) -> str:
    """Return why the lock file is out of date; empty if it is not."""
    moved = ["%s (%s, locked as %s)" % (each["image"], each["after"], each["before"]) for each in locked.moved]
    known = {each.requested for each in locked.before}
    missing = [str(each.requested) for each in locked.after if each.requested not in known]
    causes = []
    if moved:
        causes.append("the tags of these images have moved: %s" % messages.listing(moved))
    if missing:
        causes.append("these images are not in the lock file: %s" % messages.listing(missing))
    hint = "Run the task with update: all, and review the difference" if moved else "Run the task with update: missing"
    return "%s is out of date: %s. %s." % (path, "; ".join(causes), hint) if causes else ""
