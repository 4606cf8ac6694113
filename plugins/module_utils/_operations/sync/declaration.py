# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The options of image_sync."""

from __future__ import annotations

import dataclasses
import typing as t

from ..._errors import ImageError, InvalidReference, naming
from ..._image import digest as digests
from ..._image import reference as references
from ..._image.tag_selection import TagSelection


@dataclasses.dataclass(frozen=True)
class Entry:
    """One entry of ``images``, as the user wrote it; with ``is_of_file``, an entry of a source file.

    Names in a source file are full, even if the task has a ``src``. Its expressions need not match a whole tag
    (``anchored``). ``digest`` is the digest that the only tag of a plain reference must point to; empty if the source
    decides.
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
        """Return the entry for a plain reference, ``NAME[:TAG][@DIGEST]``. Without tag and digest, the tag is ``latest``.

        Raises InvalidReference. The syntax of name and tag is checked later, as for any other entry.
        """
        rest, at, digest = text.strip().partition("@")
        if at and not digests.is_digest(digest):
            hint = "Write sha256: followed by 64 hexadecimal digits"
            raise InvalidReference("%r is not a valid digest" % digest, "images: %s" % rest, hint)
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
        """Whether the entry selects from the list of existing tags."""
        return bool(self.include or self.semver is not None or self.newest is not None or not self.tags)

    @property
    def is_wildcard(self) -> bool:
        """Whether the entry matches all repositories that are found."""
        return self.name.endswith("*")

    def check(self) -> None:
        """Raise ImageError if the entry is invalid for any registry."""
        with naming("images: %s" % self.name):
            self.selection()
            for name in self.tags:
                if not (references.is_tag(str(name)) or digests.is_digest(str(name))):
                    raise ImageError(
                        "tags: %r is neither a tag nor a digest" % name, hint="Write only a tag or a digest"
                    )

    def selection(self) -> TagSelection:
        """Return the rules that select its tags. Raises ImageError."""
        include = self.include if self.anchored else [".*(?:%s).*" % pattern for pattern in self.include]
        return TagSelection.parse(include, self.exclude, self.semver, self.semver_strict, self.newest)

    def named_tags(self) -> list[str]:
        """Return its tags and digests, without those that it excludes. Raises ImageError."""
        exclude = self.selection().exclude
        names = dict.fromkeys(map(str, self.tags))
        return [
            name for name in names if digests.is_digest(name) or not any(regex.fullmatch(name) for regex in exclude)
        ]


@dataclasses.dataclass(frozen=True)
class SyncOptions:
    """The options of image_sync."""

    src: str | None = None
    dest: str | None = None
    images: t.Sequence[Entry] | None = None
    source_file: str | None = None
    lock_file: str | None = None
    scoped: bool | None = None
    platforms: t.Sequence[str] = ()
    format: str = "preserve"
    attestations: str = "keep"
    remove_signatures: bool = False
    referrers: bool = False
    artifact_types: t.Sequence[str] = ()
    missing_ok: bool = False
    existing: str = "update"
    prune: bool = False
    prune_keep: t.Sequence[str] = ()
    max_delete: int | None = None
    max_bytes: int | None = None
    keep_going: bool = False
    slice: str | None = None
    inventory: str | None = None
    base: str | None = None
