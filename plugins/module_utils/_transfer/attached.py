# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Find the artifacts attached to images: referrers, their own referrers, and artifacts under cosign tags.

A list of referrers is only a hint. Each listed manifest is read, and it counts only if its subject is the right one.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import DigestMismatch, InvalidContent, NotFound
from .._image import referrers
from .._image.descriptor import Descriptor
from .._image.graph import MAX_MANIFESTS, Map
from .._image.manifest import Manifest
from .._stores.referrers_interface import Referrers, required
from .._stores.repository import Store

# An SBOM, its signature, and a timestamp of that: nobody goes deeper.
MAX_DEPTH = 8

_MANY_HINT = "Delete referrers that are no longer needed, or remove the referrers option"
_HINT = "Correct the referrers in the registry, or remove the referrers option"

COPIED, UNCHANGED, LEFT_OUT = "copied", "unchanged", "left_out"


@dataclasses.dataclass(frozen=True)
class Attachment:
    """A manifest that is attached to ``subject``, the digest of another manifest; ``tag`` is its cosign tag, if it has one.

    ``depth`` is 1 for artifacts attached to an image, 2 for artifacts attached to these, and so on.
    """

    manifest: Manifest
    subject: str
    depth: int
    tag: str = ""

    @property
    def digest(self) -> str:
        """The digest of the attached manifest."""
        return self.manifest.digest

    @property
    def result(self) -> dict[str, t.Any]:
        """The result of image_inspect."""
        return {
            "digest": self.digest,
            "subject": self.subject,
            "artifact_type": self.manifest.artifact_type or None,
            "media_type": self.manifest.media_type,
            "size": self.manifest.size,
            "annotations": self.manifest.annotations,
            "scheme": "tag" if self.tag else "referrers",
            "tag": self.tag or None,
            "depth": self.depth,
        }

    @property
    def summary(self) -> dict[str, t.Any]:
        """The result of modules that also return an action."""
        shown = self.result
        return {name: shown[name] for name in ("digest", "subject", "artifact_type", "tag", "depth")}

    def matches(self, types: t.Collection[str]) -> bool:
        """Return whether the artifact type is one of these. For a cosign tag, the media types of its layers count as well."""
        if referrers.matches(self.manifest, types):
            return True
        return bool(self.tag) and any(layer.media_type in types for layer in self.manifest.layers)


@dataclasses.dataclass
class Attached:
    """The artifacts attached to an image at the source.

    ``missing`` does not exist at the destination; it is ordered with subjects first. ``present`` exists there.
    ``left_out`` is not copied, because the digest of its subject changes or because the destination cannot store it.
    ``listed`` contains the listed referrers of an unchanged image, whose manifests were not read. ``configs`` has the
    configs, by digest, of cosign manifests that were merged from both sides.
    """

    missing: list[Attachment] = dataclasses.field(default_factory=list)
    present: list[Attachment] = dataclasses.field(default_factory=list)
    left_out: list[Attachment] = dataclasses.field(default_factory=list)
    listed: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    configs: dict[str, bytes] = dataclasses.field(default_factory=dict)

    @property
    def digests(self) -> set[str]:
        """The digests of all artifacts that the image has at the destination after the copy."""
        listed = {str(row["digest"]) for row in self.listed if row["action"] != LEFT_OUT}
        return listed.union(one.digest for one in (*self.missing, *self.present))

    @property
    def by_subject(self) -> dict[str, list[Manifest]]:
        """The missing referrers by subject, each of which has a list."""
        found: dict[str, list[Manifest]] = {}
        for one in self.missing:
            if not one.tag:
                found.setdefault(one.subject, []).append(one.manifest)
        return found

    @property
    def tags(self) -> dict[str, Manifest]:
        """The missing cosign tags and their manifests."""
        return {one.tag: one.manifest for one in self.missing if one.tag}

    @property
    def results(self) -> list[dict[str, t.Any]]:
        """The results of modules."""
        groups = ((self.missing, COPIED), (self.present, UNCHANGED), (self.left_out, LEFT_OUT))
        return self.listed + [{**one.summary, "action": action} for group, action in groups for one in group]

    def diff(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """Return the digests of attached artifacts at the destination before and after the copy; empty if nothing changes."""
        if not self.missing:
            return {}, {}
        before = sorted(one.digest for one in self.present)
        return {"referrers": before}, {"referrers": sorted([*before, *(one.digest for one in self.missing)])}


class _Hint(t.NamedTuple):
    """A possible referrer of a subject; ``size`` is None for a tag."""

    subject: str
    name: str
    tag: str
    size: int | None


def find_attached(
    store: Store, subjects: t.Iterable[str], types: t.Collection[str] = (), in_parallel: Map = map
) -> list[Attachment]:
    """Return the artifacts attached to manifests of a store, with subjects first.

    With ``types``, return only artifacts with one of these types, and all artifacts attached to them. Raises
    ImageError, for example for a store that does not support referrers.
    """
    finder = _Finder(store, required(store), types, in_parallel)
    found: dict[tuple[str, str, str], Attachment] = {}
    level, depth = list(dict.fromkeys(subjects)), 0
    asked = set(level)
    while level:
        depth += 1
        fresh = finder.attached_to(level, depth)
        if fresh and depth > MAX_DEPTH:
            cause = "the referrers of the image are nested more than %d levels deep" % MAX_DEPTH
            raise InvalidContent(cause, hint=_HINT)
        found.update(((one.subject, one.digest, one.tag), one) for one in fresh)
        if len(found) > MAX_MANIFESTS:
            raise InvalidContent("the image has more than %d referrers" % MAX_MANIFESTS, hint=_MANY_HINT)
        level = [digest for digest in dict.fromkeys(one.digest for one in fresh) if digest not in asked]
        asked.update(level)
    return list(found.values())


def depth_first(found: t.Sequence[Attachment], subjects: t.Iterable[str]) -> list[Attachment]:
    """Return the artifacts attached to the subjects. Each is followed by the artifacts attached to it."""
    by_subject: dict[str, list[Attachment]] = {}
    for one in found:
        by_subject.setdefault(one.subject, []).append(one)
    todo = [one for subject in subjects for one in by_subject.pop(subject, ())][::-1]
    ordered = []
    while todo:
        one = todo.pop()
        ordered.append(one)
        todo.extend(reversed(by_subject.pop(one.digest, ())))
    return ordered


class _Finder:
    def __init__(self, store: Store, kept: Referrers, types: t.Collection[str], in_parallel: Map) -> None:
        self._store = store
        self._kept = kept
        self._types = types
        self._in_parallel = in_parallel

    def attached_to(self, subjects: t.Sequence[str], depth: int) -> list[Attachment]:
        hints = [hint for found in self._in_parallel(self._hints, subjects) for hint in found]
        manifests = self._in_parallel(self._read, hints)
        found = [
            Attachment(manifest, hint.subject, depth, hint.tag) for hint, manifest in zip(hints, manifests) if manifest
        ]
        return [one for one in found if depth > 1 or one.matches(self._types)]

    def _hints(self, subject: str) -> list[_Hint]:
        # Registries filter by one type only, and what they apply it to is not always the type of the manifest.
        entries: list[Descriptor] = self._kept.entries(subject)
        listed = [_Hint(subject, entry.digest, "", entry.size) for entry in entries if entry.digest != subject]
        listed.sort()  # some registries list them in another order each time
        return listed + [_Hint(subject, tag, tag, None) for tag in self._kept.cosign_tags(subject)]

    def _read(self, hint: _Hint) -> Manifest | None:
        """Read the manifest for a hint; None if it does not exist or is not attached to the subject."""
        try:
            manifest = self._store.manifest(hint.name)
        except NotFound:
            return None
        if hint.tag:
            return manifest if manifest.digest != hint.subject else None
        if not referrers.is_referrer(manifest, hint.subject):
            return None
        if manifest.size != hint.size:
            cause = "referrer %s is %d bytes long, but the list of referrers specifies %d bytes"
            raise DigestMismatch(cause % (manifest.digest, manifest.size, hint.size), hint=_HINT)
        return manifest
