# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Entries, expressions and tags that match nothing, which are probably mistakes."""

from __future__ import annotations

import dataclasses
import typing as t

from ... import _messages as messages
from ..._errors import ImageError, NotFound
from ..._image import digest as digests
from ..._run import Run
from ..._transfer.job import Job
from ..._transfer.parallel import for_each
from .declaration import Entry
from .resolver import RepositoryPair

SELECTION_HINT = "Correct the selection, or set missing_ok"
_PATTERN_HINT = "Correct the expression, or set missing_ok"
_ANCHORED_HINT = (
    "Correct the expression, or set missing_ok. An expression must match the whole tag, for example 1\\.2\\..*"
)


def unmatched_expressions(entry: Entry, tags: t.Collection[str]) -> list[str]:
    """Return the expressions that match none of the tags."""
    pairs = zip(entry.include, entry.selection().include)
    return [text for text, pattern in pairs if not any(map(pattern.fullmatch, tags))]


def selection_error(entry: Entry, source: str, listed: t.Sequence[str], chosen: t.Sequence[str]) -> NotFound | None:
    """Return the error about what the entry selects from the tags of its repository; None if there is none."""
    unmatched = unmatched_expressions(entry, listed)
    if unmatched and listed:
        hint = _ANCHORED_HINT if entry.anchored else _PATTERN_HINT
        return NotFound("no tag matches %s" % unmatched[0], source, hint)
    if chosen:
        return None
    cause = "the repository has no tags"
    if listed:
        cause = "the repository has %s, but the entry selects none" % messages.count(len(listed), "tag")
    return NotFound(cause, source, SELECTION_HINT)


def wildcard_error(entry: Entry, source: str, lists: t.Sequence[list[str]]) -> NotFound | None:
    """Return the error about what the entry selects from all matching repositories; None if there is none."""
    unmatched = unmatched_expressions(entry, [tag for tags in lists for tag in tags])
    if unmatched:
        return NotFound("no tag matches %s" % unmatched[0], source, SELECTION_HINT)
    if any(map(entry.selection().select, lists)):
        return None
    cause = "the entry selects no tags in any of the %d matching repositories" % len(lists)
    return NotFound(cause, source, SELECTION_HINT)


class NamedTags(t.NamedTuple):
    """The tags and digests that an entry names in one of its repositories, with their jobs.

    The job is None if the image is in another share, or if the destination could not be inspected.
    """

    pair: RepositoryPair
    jobs: dict[str, Job | None]

    @property
    def location(self) -> str:
        """The destination repository."""
        return self.pair.destination.reference("")

    @property
    def has_image(self) -> bool:
        """Whether a planned job has found an image at the source."""
        return any(job is not None and bool(job.digest) for job in self.jobs.values())

    def find_image(self) -> bool:
        """Return whether the source certainly has one of the images that no job has looked up there.

        These are in other shares, or they exist at the destination and are not updated.
        """
        names = (name for name, job in self.jobs.items() if job is None or (job.action and not job.digest))
        return any(map(self._exists, names))

    def _exists(self, name: str) -> bool:
        try:
            return self.pair.source.find(self.pair.entry.digest or name) is not None
        except ImageError:
            return False


@dataclasses.dataclass
class OptionalTags:
    """The tags that an entry names and that a repository may lack. ``source`` is the full name of the entry.

    With ``is_required``, each must exist in at least one of the repositories.
    """

    source: str
    is_required: bool
    repositories: list[NamedTags] = dataclasses.field(default_factory=list)

    def failure(self) -> Job | None:
        """Return a failed job for the first tag that no repository has, once all jobs are planned. Otherwise, return None."""
        for name in self.repositories[0].jobs if self.is_required and self.repositories else ():
            jobs = [one.jobs[name] for one in self.repositories]
            if all(job is not None and not job.action for job in jobs):
                noun = "digest" if digests.is_digest(name) else "tag"
                error = NotFound("no matching repository has the %s %s" % (noun, name), self.source, SELECTION_HINT)
                return Job.failed(self.source, "", error)
        return None


def find_unprunable(groups: t.Iterable[OptionalTags], prunable: t.Collection[str], run: Run) -> set[str]:
    """Return the destinations to exclude from pruning, out of ``prunable``.

    These are the destinations of entries that fail, and those whose sources have none of the named tags: what was
    copied before may be missing only for a moment. Sends requests for tags that no job has looked up at the source.
    """
    found: set[str] = set()
    doubtful: list[NamedTags] = []
    for group in groups:
        has_failed = group.failure() is not None
        for one in group.repositories:
            if has_failed:
                found.add(one.location)
            elif one.location in prunable and not (one.pair.entry.has_pattern or one.has_image):
                doubtful.append(one)
    exist = for_each(NamedTags.find_image, doubtful, run.jobs)
    return found.union(one.location for one, exists in zip(doubtful, exist) if not exists)
