# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Confirm that tags that the list of a source lacks do not exist there: the list may be outdated or incomplete."""

from __future__ import annotations

import collections
import typing as t

from .. import _messages as messages
from .._errors import ImageError, naming
from .._image.descriptor import Descriptor
from .._image.referrers import is_digest_tag
from .._image.tag_selection import TagSelection
from .._run import Run
from .._stores.repository import Repository
from .._transfer.parallel import for_each


class ListedSource(t.NamedTuple):
    """A source with its tag list, and what an entry selects from this list."""

    repository: Repository
    listed: t.Collection[str]
    selection: TagSelection

    def could_select(self, tags: t.Sequence[str], referrers: bool) -> list[str]:
        """Return the tags that the list lacks and that the entry could select if they were listed.

        With ``referrers``, no entry selects tags that contain a digest.
        """
        missing = set(tags).difference(self.listed)
        names = [tag for tag in tags if tag in missing and not (referrers and is_digest_tag(tag))]
        return [tag for tag in names if self.selection.select([tag])]


class UnlistedTag(t.NamedTuple):
    """A tag of ``destination`` whose image may be absent from ``source``. With ``digest``, the entry requires this image."""

    destination: Repository
    tag: str
    source: Repository
    digest: str = ""


def find_unlisted(
    destination: Repository, tags: t.Sequence[str], sources: t.Iterable[ListedSource], referrers: bool
) -> list[UnlistedTag]:
    """Return the tags that an entry could select if the list of its source contained them.

    The lists of locations on disk are certain, except for what :func:`find_left_out` returns.
    """
    found = []
    for source in sources:
        if source.repository.location.is_registry:
            names = source.could_select(tags, referrers)
            found += [UnlistedTag(destination, tag, source.repository) for tag in names]
    return found


def find_left_out(
    destination: Repository,
    tags: t.Sequence[str],
    sources: t.Iterable[ListedSource],
    referrers: bool,
    is_at_site: t.Callable[[str], bool],
) -> set[str]:
    """Return the tags of images that a bundle may leave out because the site has them, so that an entry could select them."""
    at_site = [tag for tag in tags if is_at_site(destination.reference(tag))]
    on_disk = [source for source in sources if not source.repository.location.is_registry]
    return {tag for source in on_disk for tag in source.could_select(at_site, referrers)}


def find_existing(unlisted: t.Sequence[UnlistedTag], run: Run) -> set[str]:
    """Return the full references of the tags at the destination that are not certainly absent from the source.

    Sends one HEAD request for each tag, and one GET request to confirm that it is absent. Warns once per repository
    about tags that exist, and about tags that cannot be read.
    """
    groups: dict[tuple[str, str], list[UnlistedTag]] = collections.defaultdict(list)
    responses = dict(zip(unlisted, for_each(_look, unlisted, run.jobs)))
    for one, response in responses.items():
        if response:
            groups[one.source.reference(""), one.destination.reference("")].append(one)
    for (source, destination), group in groups.items():
        _warn(source, destination, {one.tag: responses[one] for one in group}, run)
    return {one.destination.reference(one.tag) for one, response in responses.items() if response}


def find_absent(optional: t.Sequence[UnlistedTag], run: Run) -> set[str]:
    """Return the full references of the tags at the destination that are certainly absent from the source. Sends requests like :func:`find_existing`."""
    responses = for_each(_look, optional, run.jobs)
    return {one.destination.reference(one.tag) for one, response in zip(optional, responses) if response is None}


def _look(one: UnlistedTag) -> Descriptor | ImageError | None:
    name = one.digest or one.tag
    try:
        with naming(one.source.reference(name)):
            return one.source.find(name)
    except ImageError as error:
        return error


def _warn(source: str, destination: str, found: t.Mapping[str, Descriptor | ImageError | None], run: Run) -> None:
    errors = {tag: response for tag, response in found.items() if isinstance(response, ImageError)}
    existing = [tag for tag in found if tag not in errors]
    if existing:
        text = "%s: the tag list is incomplete, because it lacks %s. prune does not delete from %s: %s"
        number = messages.count(len(existing), "existing tag")
        run.warn(text % (source, number, destination, messages.some(existing, 1)))
    if errors:
        text = "%s: cannot confirm the absence of %s. prune does not delete from %s: %s. First error: %s"
        number, first = messages.count(len(errors), "tag"), next(iter(errors.values()))
        run.warn(text % (source, number, destination, messages.some([*errors], 1), first))
