# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Find out what exists on both sides and what to copy. All tag lists are read in parallel, one per repository and side."""

from __future__ import annotations

import collections
import dataclasses
import functools
import re
import typing as t

from ..._errors import (
    AccessDenied,
    ConnectionFailed,
    ImageError,
    InvalidContent,
    LocalFailure,
    NotFound,
    Refused,
    naming,
)
from ..._image.referrers import is_digest_tag
from ..._image.tag_selection import TagSelection, compile_pattern
from ..._imports import importing
from ..._run import Run
from ..._stores.content_location import Location
from ..._stores.repository import Paging, Repository, Store
from ..._transfer.conversion import Conversion
from ..._transfer.job import Job
from ..._transfer.known import Known
from ..._transfer.parallel import do_all
from ..._transfer.request import CopyRequest, RepositoryRequest
from .declaration import Entry, SyncOptions
from .early_heads import EarlyHeads
from .far_side import FarSide
from .resolver import RepositoryPair, RepositoryResolver, check_prunable
from .slices import Slice
from .unmatched import (
    SELECTION_HINT,
    NamedTags,
    OptionalTags,
    selection_error,
    unmatched_expressions,
    wildcard_error,
)

if t.TYPE_CHECKING:
    from ..prune import PrunableTags

_LIST_ERRORS = (AccessDenied, Refused)
# What is wrong with a location, and not with the declaration.
_TROUBLES = (NotFound, AccessDenied, Refused, ConnectionFailed, InvalidContent, LocalFailure)


class _Tags(t.NamedTuple):
    """The tags of a repository at the destination; None if they could not be listed."""

    repository: Repository
    listed: t.Collection[str] | None


@dataclasses.dataclass
class Discovered:
    """One job for each image in the order of the declaration, including jobs for what could not be listed.

    ``prunable`` has the tags that no entry selects, by repository, if all sources could be listed. ``named`` has the
    tags that entries name and that their sources may lack.
    """

    jobs: list[Job]
    prunable: list[PrunableTags]
    named: list[OptionalTags]


def discover(
    entries: t.Sequence[Entry],
    options: SyncOptions,
    resolver: RepositoryResolver,
    run: Run,
    heads: EarlyHeads,
    far_side: FarSide,
) -> Discovered:
    """Inspect all repositories of a declaration. Raises ImageError if the declaration itself is invalid."""
    with heads:
        return _Discovery(options, resolver, run, heads, far_side).discover(entries)


class _Discovery:
    def __init__(
        self, options: SyncOptions, resolver: RepositoryResolver, run: Run, heads: EarlyHeads, far_side: FarSide
    ) -> None:
        self._heads = heads
        self._far_side = far_side
        self._options = options
        self._resolver = resolver
        self._run = run
        self._conversion = Conversion.of_options(options.format, options.attestations)
        self._slice = Slice.parse(options.slice)
        self._keep = [compile_pattern("prune_keep", text) for text in options.prune_keep]
        self._jobs: list[Job] = []
        self._declared: dict[tuple[str, str], Job] = {}
        self._broken: set[str] = set()
        self._known: dict[Location, Known] = {}
        self._sources: dict[str, list[tuple[RepositoryPair, list[str]]]] = collections.defaultdict(list)
        self._optional: dict[str, list[tuple[str, Repository, str]]] = collections.defaultdict(list)
        self._is_complete = True
        self._named: list[OptionalTags] = []

    def discover(self, entries: t.Sequence[Entry]) -> Discovered:
        for entry in entries:
            entry.check()
        # Whole repositories are shared out where there are many for each host: then no two hosts list the same one.
        self._by_repository = self._slice.shares_repositories(len(entries))
        found = [(entry, self._pairs(entry)) for entry in entries]
        if self._options.prune:
            check_prunable([pair for _entry, group in found if not isinstance(group, ImageError) for pair in group])
        found = [(entry, group if isinstance(group, ImageError) else self._share(group)) for entry, group in found]
        pairs = [pair for _entry, group in found if not isinstance(group, ImageError) for pair in group]
        known, sources = self._list(pairs)
        wanted: dict[str, set[str]] = {location: set() for location in known}
        for entry, group in found:
            if isinstance(group, ImageError):
                self._fail(self._resolver.text(entry), "", group)
                continue
            if entry.is_wildcard and entry.has_pattern:
                self._check_wildcard(entry, group, [sources[pair.source.reference("")] for pair in group])
            for pair in group:
                listed = sources[pair.source.reference("")] if pair.entry.has_pattern else None
                location = pair.destination.reference("")
                wanted[location].update(self._choose(pair, known[location], listed))
            if entry.tags and (entry.is_wildcard or self._resolver.missing_ok(entry)):
                self._named.append(self._named_tags(entry, group))
        return Discovered(self._jobs, self._prunable(known, wanted), self._named)

    def _named_tags(self, entry: Entry, pairs: t.Sequence[RepositoryPair]) -> OptionalTags:
        """Return the tags that an entry names and that its sources may lack, with their jobs."""
        named = OptionalTags(self._resolver.text(entry), not (self._by_repository or self._resolver.missing_ok(entry)))
        for pair in pairs:
            location = pair.destination.reference("")
            jobs = {name: self._declared.get((location, name)) for name in entry.named_tags()}
            own = {name: job if self._has(pair.destination, name) else None for name, job in jobs.items()}
            named.repositories.append(NamedTags(pair, own))
        return named

    def _choose(
        self, pair: RepositoryPair, tags: _Tags | ImageError, listed: list[str] | ImageError | None
    ) -> list[str]:
        """Add the images of a pair. Return their names, including those of other shares. Raises ImageError."""
        source, location = pair.source.reference(""), pair.destination.reference("")
        if isinstance(tags, ImageError):
            self._fail(source, location, tags)
            return []
        names = self._select(pair, listed)
        if isinstance(listed, list):
            self._sources[location].append((pair, listed))
        request: RepositoryRequest | None = None
        optional = pair.optional_tags
        if self._options.prune:
            absent = optional.intersection(names).difference(tags.listed or ())
            others = [name for name in sorted(absent) if not self._has(pair.destination, name)]
            self._optional[location] += [(name, pair.source, pair.entry.digest) for name in others]
        for name in names:
            opened, store = pair.source.open(name), pair.destination.open(name)
            if store.location not in self._known:
                self._known[store.location] = Known(store, tags.listed)
            if not (request and request.common.source is opened and request.common.destination is store):
                request = self._request(pair, opened, self._known[store.location])
            missing_ok = pair.missing_ok or name in optional
            job = Job(opened.reference(request.digest or name), store.reference(name), name, request, missing_ok)
            self._add(job, pair)
        return names

    def _pairs(self, entry: Entry) -> list[RepositoryPair] | ImageError:
        """Return the pairs of an entry in all shares, or the error that occurred."""
        try:
            found = self._resolver.pairs(entry)
        except _TROUBLES as error:
            self._is_complete = False
            return error
        self._jobs += [job for job in found if isinstance(job, Job)]
        pairs = [pair for pair in found if isinstance(pair, RepositoryPair)]
        # Nothing is no more certain than an error: its repositories may be gone for a moment only.
        self._is_complete = self._is_complete and bool(pairs)
        return pairs

    def _share(self, pairs: t.Sequence[RepositoryPair]) -> list[RepositoryPair]:
        """Return the pairs in this share."""
        return [pair for pair in pairs if not self._by_repository or self._slice.has(pair.destination.reference(""))]

    def _has(self, repository: Repository, name: str) -> bool:
        return self._by_repository or self._slice.has(repository.reference(name))

    def _list(
        self, pairs: t.Sequence[RepositoryPair]
    ) -> tuple[dict[str, _Tags | ImageError], dict[str, list[str] | ImageError]]:
        """Return the destinations with their tags, and the tags of sources to select from. Both may be errors instead."""
        destinations = {pair.destination.reference(""): pair.destination for pair in pairs}
        sources = {pair.source.reference(""): pair.source for pair in pairs if pair.entry.has_pattern}
        for pair in pairs:
            if self._is_comparable and pair.entry.has_pattern and pair.entry.newest is None and not pair.platforms:
                self._heads.expect(
                    pair.source, pair.destination, functools.partial(self._selects_early, pair, pair.entry.selection())
                )
        responses = self._list_all([*destinations.values()], [*sources.values()])
        known = {
            location: self._tags_of(repository, response)
            for (location, repository), response in zip(destinations.items(), responses[0])
        }
        return known, dict(zip(sources, responses[1]))

    def _list_all(self, *groups: t.Sequence[Repository]) -> list[list[list[str] | ImageError]]:
        """Return the tags of repositories in several places, or errors. All places are asked in parallel."""
        found: list[list[list[str] | ImageError]] = [[[] for _repository in group] for group in groups]
        mixed = sorted((number, index) for index, group in enumerate(groups) for number in range(len(group)))

        def look(position: tuple[int, int]) -> None:
            number, index = position
            repository = groups[index][number]
            with self._heads.turns.at(repository.location.root):
                response = _list_tags(repository, functools.partial(self._heads.note_page, repository))
            if not isinstance(response, ImageError):
                self._heads.note_all(repository, response)
            found[index][number] = response

        do_all(look, mixed, len(groups) * self._run.jobs)
        return found

    @property
    def _is_comparable(self) -> bool:
        """Whether digests show what is up to date and may be compared."""
        return self._options.existing == "update" and not self._conversion

    def _selects_early(self, pair: RepositoryPair, selection: TagSelection, name: str) -> bool:
        """Return whether a tag is selected regardless of the rest of the list."""
        if not self._has(pair.destination, name) or (self._options.referrers and is_digest_tag(name)):
            return False
        return bool(selection.select([name]))

    def _tags_of(self, repository: Repository, response: list[str] | ImageError) -> _Tags | ImageError:
        if isinstance(response, NotFound):
            return _Tags(repository, ())
        if not isinstance(response, ImageError):
            return _Tags(repository, response)
        # Some registries refuse to list a repository that is yet to be made.
        needs_list = self._options.prune or self._options.existing == "keep"
        return _Tags(repository, None) if isinstance(response, _LIST_ERRORS) and not needs_list else response

    def _select(self, pair: RepositoryPair, listed: list[str] | ImageError | None) -> list[str]:
        """Return the names that an entry selects, in the order of its tags, then by version."""
        entry = pair.entry
        names = dict.fromkeys(entry.named_tags())
        if isinstance(listed, ImageError):
            self._unlisted(pair, listed)
        elif listed is not None:
            if self._options.referrers:  # these go with the images that they belong to
                listed = [name for name in listed if not is_digest_tag(name)]
            chosen = entry.selection().select(listed)
            self._check_chosen(pair, listed, chosen)
            names.update(dict.fromkeys(chosen))
        if listed is None and not names and not pair.missing_ok:
            error = NotFound("all tags of the entry are excluded", pair.source.reference(""), SELECTION_HINT)
            self._fail(pair.source.reference(""), pair.destination.reference(""), error)
        return list(names)

    def _unlisted(self, pair: RepositoryPair, error: ImageError) -> None:
        self._broken.add(pair.destination.reference(""))
        if not ((pair.missing_ok or pair.entry.is_wildcard) and isinstance(error, NotFound)):
            self._fail(pair.source.reference(""), pair.destination.reference(""), error)

    def _check_chosen(self, pair: RepositoryPair, listed: list[str], chosen: list[str]) -> None:
        """Report an entry or an expression that selects nothing as a mistake, unless the user allows it.

        In any case, the tags that were selected before are not pruned.
        """
        source, location = pair.source.reference(""), pair.destination.reference("")
        is_wildcard = pair.entry.is_wildcard
        if not chosen or (unmatched_expressions(pair.entry, listed) and not is_wildcard):
            self._broken.add(location)
        error = selection_error(pair.entry, source, listed, chosen)
        if error and not (is_wildcard or pair.missing_ok):
            self._fail(source, location, error)

    def _check_wildcard(
        self, entry: Entry, pairs: t.Sequence[RepositoryPair], lists: t.Sequence[list[str] | ImageError]
    ) -> None:
        """Check that at least one of the repositories has a matching tag. A catalog may list repositories that do not exist."""
        if not lists or self._by_repository:  # not all can be seen
            return
        existing = [[] if isinstance(tags, NotFound) else tags for tags in lists]
        found = [tags for tags in existing if not isinstance(tags, ImageError)]
        error = wildcard_error(entry, self._resolver.text(entry), found)
        if not error:
            return
        self._broken.update(pair.destination.reference("") for pair in pairs)
        if len(found) == len(lists) and not self._resolver.missing_ok(entry):
            self._fail(self._resolver.text(entry), "", error)

    def _add(self, job: Job, pair: RepositoryPair) -> None:
        """Add an image, if it is in this share. Raises ImageError if another entry has a different image for the same destination."""
        key = pair.destination.reference(""), job.name
        other = self._declared.get(key)
        if other is None:
            self._declared[key] = job
            if self._has(pair.destination, job.name):
                self._jobs.append(job)
            return
        other.missing_ok = other.missing_ok and job.missing_ok
        if other.src != job.src:
            cause = "two images have the same destination: %s and %s" % (other.src, job.src)
            raise ImageError(cause, job.dest, _collision_hint(pair.entry, job.src))
        if isinstance(other.shared, RepositoryRequest) and set(other.shared.common.platforms) != set(pair.platforms):
            cause = "two entries select this tag with different platforms"
            raise ImageError(cause, job.dest, "Exclude the tag in one of the entries")

    def _request(self, pair: RepositoryPair, source: Store, known: Known) -> RepositoryRequest:
        common = CopyRequest(
            source=source,
            name="",
            destination=known.store,
            tags=(),
            listed=known,
            platforms=pair.platforms,
            is_set=True,
            conversion=self._conversion,
            unsigned=self._options.remove_signatures,
            referrers=self._options.referrers,
            artifact_types=tuple(self._options.artifact_types),
        )
        pins_digests = not pair.platforms and not self._conversion
        return RepositoryRequest(common, pair.entry.digest, pins_digests)

    def _prunable(
        self, known: t.Mapping[str, _Tags | ImageError], wanted: t.Mapping[str, set[str]]
    ) -> list[PrunableTags]:
        if not self._options.prune or not self._is_complete:
            return []
        with importing:
            from ..prune import PrunableTags
            from ..unlisted_tags import ListedSource, UnlistedTag, find_left_out, find_unlisted

        found = []
        for location, tags in known.items():
            if location in self._broken or isinstance(tags, ImageError):
                continue
            unselected = sorted(set(tags.listed or ()) - wanted[location])
            unselected = [tag for tag in unselected if not _matches(self._keep, tag)]
            referrers = self._options.referrers
            sources = [
                ListedSource(pair.source, listed, pair.entry.selection()) for pair, listed in self._sources[location]
            ]
            left_out = find_left_out(tags.repository, unselected, sources, referrers, self._far_side.lists)
            unselected = [tag for tag in unselected if tag not in left_out]
            if unselected:
                is_ours = functools.partial(self._has, tags.repository)
                unlisted = find_unlisted(tags.repository, unselected, sources, referrers)
                optional = [UnlistedTag(tags.repository, *one) for one in self._optional[location]]
                names = wanted[location]
                found.append(PrunableTags(tags.repository, unselected, names, is_ours, referrers, unlisted, optional))
        return found

    def _fail(self, source: str, location: str, error: ImageError) -> None:
        self._broken.add(location)
        self._jobs.append(Job.failed(source, location, error))


def _collision_hint(entry: Entry, source: str) -> str:
    """Return a hint about two images for one destination. A host with a port cannot be part of a name."""
    if not entry.is_of_file:
        return "Set a different dest for one of the images"
    if ":" in source.partition("/")[0]:
        return "Move one of the images from the source file to images, and set a different dest for it"
    return "Set scoped: true, which keeps the full source names"


def _list_tags(store: Repository, note: t.Callable[[list[str]], object]) -> list[str] | ImageError:
    try:
        with naming(store.reference("")):
            return store.tags_by_page(note) if isinstance(store, Paging) else store.tags()
    except ImageError as error:
        return error


def _matches(patterns: t.Iterable[re.Pattern[str]], name: str) -> bool:
    return any(pattern.fullmatch(name) for pattern in patterns)
