# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The result of image_sync."""

from __future__ import annotations

import dataclasses
import typing as t

from ... import _messages as messages
from ..._run import Run
from ..._transfer.attached import COPIED
from ..._transfer.job import CREATED, DELETED, FAILED, UNCHANGED, UPDATED, Job, NotTried

_CHANGES = (CREATED, UPDATED, DELETED)
_PLANNED = {CREATED: "to create", UPDATED: "to update", DELETED: "to delete"}


@dataclasses.dataclass
class Synced:
    """The result of a set. ``failure`` is the reason why the task fails, or empty."""

    images: list[Job]
    failure: str = ""
    inventory_changed: bool = False
    cost: dict[str, t.Any] = dataclasses.field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether anything was, or would be, written or deleted."""
        return self.inventory_changed or any(image.action in _CHANGES for image in self.images)

    def left_out(self, report: str) -> int:
        """Return the number of images that are not in the results: if the task fails, the unchanged ones."""
        return sum(image.action == UNCHANGED for image in self.images) if self.failure and report != "all" else 0

    def results(self, report: str) -> list[dict[str, t.Any]]:
        """Return the images as in RETURN."""
        left_out = self.left_out(report)
        return [
            {
                "src": image.src,
                "dest": image.dest,
                "digest": image.digest,
                "action": image.action,
                "bytes_copied": image.moved.bytes,
                "referrers": image.referrers,
                "error": str(image.error) if image.error else None,
            }
            for image in self.images
            if not left_out or image.action != UNCHANGED
        ]

    def diff(self) -> tuple[dict[str, dict[str, t.Any]], dict[str, dict[str, t.Any]]]:
        """Return what changed tags point to before and after, by repository, and the attached artifacts of their images."""
        before: dict[str, dict[str, t.Any]] = {}
        after: dict[str, dict[str, t.Any]] = {}
        for image in self.images:
            if image.action in _CHANGES:
                current = "" if image.action == DELETED else image.digest
                for side, digest in ((before, image.previous), (after, current)):
                    side.setdefault(image.repository, {}).update({image.name: digest} if digest else {})
                attached = _attached(image, (UNCHANGED, DELETED)), _attached(image, (UNCHANGED, COPIED))
                for side, found in zip((before, after), attached if attached[0] != attached[1] else ()):
                    side[image.repository]["%s (referrers)" % image.name] = found  # no tag has such a name
        return before, after

    def sentence(self, run: Run) -> str:
        """Return a sentence about what was or would be done."""
        counts = self.summary()
        words = _PLANNED if run.dry_run else {}
        done = [
            f"{counts[action]:,} {words.get(action, action)}"
            for action in (*_CHANGES, UNCHANGED, FAILED)
            if counts[action]
        ]
        mounted = sum(image.moved.bytes_mounted for image in self.images)
        size, verb = messages.size(counts["bytes_copied"]), "to copy" if run.dry_run else "copied"
        moved = ["%s %s%s" % (size, verb, messages.took(run.seconds))] if counts["bytes_copied"] else []
        if mounted:
            moved.append("%s %s" % (messages.size(mounted), "to mount" if run.dry_run else "mounted"))
        parts = [", ".join(done) or "No images", ", ".join(moved)]
        return "%s%s." % ("Check mode: " if run.dry_run else "", "; ".join(filter(None, parts)))

    def summary(self) -> dict[str, int]:
        """Return the number of images by outcome."""
        counts = dict.fromkeys((CREATED, UPDATED, UNCHANGED, DELETED, FAILED), 0)
        for image in self.images:
            counts[image.action] += 1
        return dict(counts, bytes_copied=sum(image.moved.bytes for image in self.images))


def _attached(image: Job, actions: t.Collection[str]) -> list[str]:
    """Return the digests of an image's attached artifacts with one of these actions."""
    return sorted({str(row["digest"]) for row in image.referrers if row["action"] in actions})


def failure_of(images: t.Sequence[Job]) -> str:
    """Return the message about failed images; empty if none failed. Images that were skipped because of others do not count."""
    failed = [image for image in images if image.error and not isinstance(image.error, NotTried)]
    errors = [str(image.error) for image in failed]
    if not errors:
        return ""
    untried = sum(isinstance(image.error, NotTried) for image in images)
    skipped = " Images skipped because of this: %d." % untried if untried else ""
    if len(errors) == 1:
        return errors[0] + skipped
    names = messages.listing([image.dest for image in failed])
    about = "%d of %s failed: %s." % (len(errors), messages.count(len(images), "image"), names)
    return "%s First error: %s%s" % (about, errors[0], skipped)
