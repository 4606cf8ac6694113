# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What image_sync is asked for, and what it answers, image by image."""

from __future__ import annotations

import dataclasses
import typing as t

from ..._errors import ImageError, InvalidReference
from ..._image import digest as digests
from ..._image.descriptor import Descriptor
from ..._image.platform import Platform
from ..._image.tag_selection import TagSelection
from ..._stores.repository import Repository, Store
from ..._transfer.known import Known


@dataclasses.dataclass(frozen=True)
class Entry:
    """One entry of ``images``, as the user wrote it, or ``is_of_file``: an entry of a source file.

    Names in a source file are full, even if the task has a ``src``, and its expressions need not match a whole tag
    (``anchored``). ``digest`` is what the only tag of a plain reference must point to; empty: what it points to.
    """

    name: str
    dest: str | None = None
    tags: t.Sequence[str] = ()
    include: t.Sequence[str] = ()
    exclude: t.Sequence[str] = ()
    semver: str | None = None
    semver_strict: bool = True
    newest: int | None = None
    platforms: t.Sequence[str] | None = None
    missing_ok: bool | None = None
    anchored: bool = True
    digest: str = ""
    is_of_file: bool = False

    @classmethod
    def of_reference(cls, text: str) -> Entry:
        """An entry that is a plain reference, ``NAME[:TAG][@DIGEST]``; without either it means the tag ``latest``.

        Raises InvalidReference. Whether the name and the tag are in the grammar is checked as for any other entry.
        """
        rest, at, digest = text.strip().partition("@")
        if at and not digests.is_digest(digest):
            hint = "A digest is sha256: and 64 hexadecimal digits"
            raise InvalidReference("%r is not a digest" % digest, "images: %s" % rest, hint)
        name, colon, tag = rest.rpartition(":")
        if not colon or "/" in tag:
            name, tag = rest, ""
        if tag:
            return cls(name, tags=(tag,), digest=digest)
        if digest or name.endswith("*"):
            return cls(name, tags=(digest,) if digest else ())
        return cls(name, tags=("latest",))

    @property
    def has_pattern(self) -> bool:
        """Whether tags are to be chosen among those that there are."""
        return bool(self.include or self.semver is not None or self.newest is not None or not self.tags)

    @property
    def is_wildcard(self) -> bool:
        """Whether it speaks of all repositories that are found."""
        return self.name.endswith("*")

    def selection(self) -> TagSelection:
        """Its rules. Raises ImageError."""
        include = self.include if self.anchored else [".*(?:%s).*" % pattern for pattern in self.include]
        return TagSelection.parse(include, self.exclude, self.semver, self.semver_strict, self.newest)


@dataclasses.dataclass(frozen=True)
class SyncOptions:
    """The options of image_sync."""

    src: str | None = None
    dest: str | None = None
    images: t.Sequence[Entry] | None = None
    source_file: str | None = None
    scoped: bool | None = None
    platforms: t.Sequence[str] = ()
    format: str = "preserve"
    attestations: str = "keep"
    remove_signatures: bool = False
    missing_ok: bool = False
    existing: str = "update"
    prune: bool = False
    prune_keep: t.Sequence[str] = ()
    max_delete: int | None = None
    keep_going: bool = False
    slice: str | None = None
    inventory: str | None = None
    base: str | None = None


@dataclasses.dataclass(frozen=True)
class Pair:
    """A repository to read from, and the one to write to, with what is wanted of it."""

    entry: Entry
    source: Repository
    destination: Repository
    platforms: tuple[Platform, ...]
    missing_ok: bool


class Target(t.NamedTuple):
    """One image to be at one place: a tag, or a digest. ``origin`` is where it is now, ``known`` what is known of where it goes."""

    pair: Pair
    name: str
    origin: Store
    known: Known

    @property
    def source_name(self) -> str:
        """What the source is asked for: the digest that the entry gives, or else the same name."""
        return self.pair.entry.digest or self.name

    @property
    def source(self) -> str:
        """The reference of the image at the source."""
        return self.origin.reference(self.source_name)

    @property
    def place(self) -> str:
        """The reference of the image at the destination."""
        return self.known.store.reference(self.name)


@dataclasses.dataclass
class Image:
    """What became of one image; ``digest`` is empty where it was not asked for, or could not be had."""

    __slots__ = ("action", "before", "bytes_copied", "dest", "digest", "error", "src")

    src: str
    dest: str
    action: str
    digest: str
    before: str | None
    bytes_copied: int
    error: str

    @property
    def repository(self) -> str:
        """Where it belongs, without tag or digest."""
        return _split(self.dest)[0]

    @property
    def name(self) -> str:
        """Its tag or digest at the destination."""
        return _split(self.dest)[1]

    def result(self) -> dict[str, t.Any]:
        """As the module returns it."""
        shown = {"src": self.src, "dest": self.dest, "digest": self.digest, "action": self.action}
        return {**shown, "bytes_copied": self.bytes_copied, "error": self.error or None}


def _split(reference: str) -> tuple[str, str]:
    """The repository, and the tag or digest."""
    repository, _at, digest = reference.rpartition("@")
    if not digests.is_digest(digest):
        repository, _colon, digest = reference.rpartition(":")
    return repository, digest


def failed(src: str, dest: str, error: ImageError) -> Image:
    """An image that could not be brought."""
    return Image(src, dest, "failed", "", None, 0, str(error))


@dataclasses.dataclass(frozen=True)
class PrunableTags:
    """Tags of a destination that are no longer selected, with what they point to.

    ``needed`` are the tags and digests that the repository must have, ``declared`` the digests of the declared images.
    ``is_ours`` tells which of the tags this host deletes if several share the work; ``left_to_others`` are the rest.
    """

    destination: Repository
    tags: t.Mapping[str, Descriptor]
    needed: frozenset[str]
    declared: frozenset[str]
    is_ours: t.Callable[[str], bool]
    left_to_others: frozenset[str] = frozenset()

    def in_share(self) -> PrunableTags:
        """The same without what other hosts delete."""
        tags = {tag: known for tag, known in self.tags.items() if self.is_ours(tag)}
        return dataclasses.replace(self, tags=tags, left_to_others=frozenset(self.tags) - frozenset(tags))


@dataclasses.dataclass
class Synced:
    """All that became of a set. ``failure`` says in a sentence why the task fails, if it does."""

    images: list[Image]
    failure: str = ""
    inventory_changed: bool = False

    @property
    def changed(self) -> bool:
        """Whether anything was, or would be, written or removed."""
        acted = any(image.action in ("created", "updated", "deleted") for image in self.images)
        return acted or self.inventory_changed

    def diff(self) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
        """What tags that change name before and after, by repository."""
        before: dict[str, dict[str, str]] = {}
        after: dict[str, dict[str, str]] = {}
        for image in self.images:
            if image.action in ("created", "updated", "deleted"):
                for side, digest in (
                    (before, image.before),
                    (after, image.digest if image.action != "deleted" else ""),
                ):
                    side.setdefault(image.repository, {}).update({image.name: digest} if digest else {})
        return before, after

    def summary(self) -> dict[str, int]:
        """How many images ended how."""
        counts = dict.fromkeys(("created", "updated", "unchanged", "deleted", "failed"), 0)
        for image in self.images:
            counts[image.action] += 1
        return dict(counts, bytes_copied=sum(image.bytes_copied for image in self.images))
