# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What is there on both sides, and so what is wanted: one list a repository on each side, all at once."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ..._errors import AccessDenied, ConnectionFailed, ImageError, NotFound, Refused, naming
from ..._image import digest as digests
from ..._image import reference as references
from ..._image.tag_selection import TagSelection
from ..._stores.base import Store
from ..._stores.directory_tree import TreeRepository
from ..._transfer.known import KnownDestination
from ..._transfer.parallel import for_each
from .images import Entry, Image, Pair, SyncOptions, Target, failed
from .names import Names
from .slices import Slice

_SELECTION_HINT = "Correct what is selected, or set missing_ok"

_REFUSALS = (AccessDenied, Refused)


@dataclasses.dataclass
class Survey:
    """Targets in the order of the declaration; images that are done with already, because they failed or are kept.

    ``unwanted`` has the tags that are no longer selected, by repository, where all sources could be listed.
    """

    targets: list[Target]
    settled: list[Image]
    unwanted: list[tuple[Store, list[str]]]


class Surveyor:
    """Looks at all repositories of a declaration."""

    def __init__(self, options: SyncOptions, names: Names, jobs: int) -> None:
        self._options = options
        self._names = names
        self._jobs = jobs
        self._slice = Slice.parse(options.slice)
        self._keep = [_pattern(text) for text in options.prune_keep]
        self._settled: list[Image] = []
        self._broken: set[str] = set()

    def survey(self, entries: t.Sequence[Entry]) -> Survey:
        """Find all targets. Raises ImageError where the declaration itself is wrong."""
        for entry in entries:
            _check(entry)
        pairs = self._share(self._pair_all(entries), entries)
        known, sources = self._list(pairs)
        listed = [pair for pair in pairs if pair.destination.reference("") in known]
        targets: dict[tuple[str, str], Target] = {}
        wanted: dict[str, set[str]] = {place: set() for place in known}
        for pair in listed:
            place = pair.destination.reference("")
            names = self._select(pair, sources[pair.source.reference("")] if pair.entry.has_pattern else None)
            wanted[place].update(names)
            pair = dataclasses.replace(pair, destination=known[place])
            for name in names:
                self._add(targets, Target(_narrowed(pair, name), name))
        return Survey(list(self._remaining(targets.values())), self._settled, self._unwanted(known, wanted))

    def _pair_all(self, entries: t.Sequence[Entry]) -> list[Pair]:
        pairs: list[Pair] = []
        for entry in entries:
            try:
                pairs += self._names.pairs(entry)
            except (NotFound, AccessDenied, ConnectionFailed, Refused) as error:
                self._fail(entry.name, "", error)
        return pairs

    def _share(self, pairs: list[Pair], entries: t.Sequence[Entry]) -> list[Pair]:
        """Whole repositories, where there are many for each host: then no two hosts list the same one."""
        self._by_repository = self._slice.shares_repositories(len(entries))
        if not self._by_repository:
            return pairs
        return [pair for pair in pairs if self._slice.has(pair.destination.reference(""))]

    def _has(self, store: Store, name: str) -> bool:
        return self._by_repository or self._slice.has(store.reference(name))

    def _list(self, pairs: t.Sequence[Pair]) -> tuple[dict[str, KnownDestination], dict[str, list[str] | ImageError]]:
        """The destinations with their tags, without those that cannot be listed; the tags of sources to choose from."""
        destinations = {pair.destination.reference(""): pair.destination for pair in pairs}
        sources = {pair.source.reference(""): pair.source for pair in pairs if pair.entry.has_pattern}
        answers = for_each(_list_tags, [*destinations.values(), *sources.values()], self._jobs)
        known = {}
        for place, answer in zip(destinations, answers):
            if isinstance(answer, ImageError) and not self._may_be_unlisted(answer):
                self._fail("", place, answer)
            else:
                names = () if isinstance(answer, NotFound) else None if isinstance(answer, ImageError) else answer
                known[place] = KnownDestination(destinations[place], names)
        return known, dict(zip(sources, answers[len(destinations) :]))

    def _may_be_unlisted(self, error: ImageError) -> bool:
        """Some registries refuse to list a repository that is yet to be made."""
        needs_list = self._options.prune or self._options.existing == "keep"
        return isinstance(error, NotFound) or (isinstance(error, _REFUSALS) and not needs_list)

    def _select(self, pair: Pair, listed: list[str] | ImageError | None) -> list[str]:
        """The names an entry wants, in the order of its tags, then of their versions."""
        entry, selection = pair.entry, pair.entry.selection()
        names = dict.fromkeys(str(name) for name in entry.tags)
        if isinstance(listed, ImageError):
            self._unlisted(pair, listed)
        elif listed is not None:
            chosen = selection.select(listed)
            self._check_chosen(pair, selection, listed, chosen)
            names.update(dict.fromkeys(chosen))
        return [name for name in names if digests.is_digest(name) or not _matches(selection.exclude, name)]

    def _unlisted(self, pair: Pair, error: ImageError) -> None:
        self._broken.add(pair.destination.reference(""))
        if not (pair.missing_ok and isinstance(error, NotFound)):
            self._fail(pair.source.reference(""), pair.destination.reference(""), error)

    def _check_chosen(self, pair: Pair, selection: TagSelection, listed: list[str], chosen: list[str]) -> None:
        """An entry that selects nothing is a mistake, and so is a pattern; unless the user says otherwise."""
        source, place = pair.source.reference(""), pair.destination.reference("")
        if not listed:
            self._broken.add(place)  # an empty list is no reason to remove anything
        if pair.missing_ok:
            return
        vain = [pattern.pattern for pattern in selection.include if not any(map(pattern.fullmatch, listed))]
        if vain and listed:
            self._fail(source, place, NotFound("no tag matches %s" % vain[0], source, _SELECTION_HINT))
        elif not chosen:
            cause = "none of its %d tags is selected" % len(listed) if listed else "it has no tags"
            self._fail(source, place, NotFound(cause, source, _SELECTION_HINT))

    def _add(self, targets: dict[tuple[str, str], Target], target: Target) -> None:
        """Raises ImageError where another source has claimed the destination."""
        place = target.pair.destination.reference("")
        other = targets.setdefault((place, target.name), target)
        if other.pair.source.reference(target.name) != target.pair.source.reference(target.name):
            raise ImageError(
                "is the destination of both %s and %s"
                % (other.pair.source.reference(target.name), target.pair.source.reference(target.name)),
                target.pair.destination.reference(target.name),
                "Give one of them another dest",
            )

    def _remaining(self, targets: t.Iterable[Target]) -> t.Iterator[Target]:
        """Those of this host, without what is there and to be kept."""
        for target in targets:
            destination = target.pair.destination
            if not self._has(destination, target.name):
                continue
            if self._options.existing == "keep" and target.name in (destination.names or ()):
                source = target.pair.source.reference(target.name)
                place = destination.reference(target.name)
                self._settled.append(Image(source, place, "unchanged", "", None, 0, ""))
                continue
            yield target

    def _unwanted(
        self, known: t.Mapping[str, KnownDestination], wanted: t.Mapping[str, set[str]]
    ) -> list[tuple[Store, list[str]]]:
        if not self._options.prune:
            return []
        found = []
        for place, destination in known.items():
            if place in self._broken:
                continue
            names = sorted(set(destination.names or ()) - wanted[place])
            names = [name for name in names if not any(pattern.fullmatch(name) for pattern in self._keep)]
            names = [name for name in names if self._has(destination, name)]
            if names:
                found.append((destination.store, names))
        return found

    def _fail(self, source: str, place: str, error: ImageError) -> None:
        self._broken.add(place)
        self._settled.append(failed(source, place, error))


def _narrowed(pair: Pair, name: str) -> Pair:
    """In a tree of directories each image of a repository has content of its own."""
    source, destination = pair.source, pair.destination
    if isinstance(source, TreeRepository):
        source = source.image(name)
    if isinstance(destination, KnownDestination) and isinstance(destination.store, TreeRepository):
        destination = KnownDestination(destination.store.image(name), destination.names)
    return dataclasses.replace(pair, source=source, destination=destination)


def _list_tags(store: Store) -> list[str] | ImageError:
    try:
        with naming(store.reference("")):
            return store.tags()
    except ImageError as error:
        return error


def _check(entry: Entry) -> None:
    """Raise ImageError for what could not be asked of any registry."""
    with naming("images: %s" % entry.name):
        entry.selection()
        for name in entry.tags:
            if not (references.is_tag(str(name)) or digests.is_digest(str(name))):
                raise ImageError("tags: %r is neither a tag nor a digest" % name)


def _matches(patterns: t.Iterable[re.Pattern[str]], name: str) -> bool:
    return any(pattern.fullmatch(name) for pattern in patterns)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ImageError("prune_keep: %r is not a regular expression: %s" % (text, error)) from None
