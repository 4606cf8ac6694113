# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Resolve the names in a declaration to pairs of open repositories."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ..._errors import ImageError, InvalidReference, NotFound, naming
from ..._image import reference as references
from ..._image.platform import Platform
from ..._image.reference import LocalReference, RegistryReference
from ..._stores.repository import Repository as OpenRepository
from ..._transfer.job import Job
from ..stores import Stores
from .declaration import Entry, SyncOptions

# Each repository costs at least one request, and nobody is told of them before the task has ended.
_MAX_FOUND = 10_000

Repository = t.Union[RegistryReference, LocalReference]


@dataclasses.dataclass(frozen=True)
class SyncRoot:
    """The value of ``src`` or ``dest``: a registry, a path in a registry, or (with ``transport``) a path on disk."""

    transport: str
    path: str

    @classmethod
    def parse(cls, option: str, text: str) -> SyncRoot:
        """Parse the option. Raises InvalidReference."""
        text = text.strip()
        if not text.startswith("docker://"):
            references.refuse_other_notations(text)  # without the password that may be in a URL
        transport, colon, rest = text.partition(":")
        if colon and transport in references.LOCAL_TRANSPORTS + references.ENGINE_TRANSPORTS:
            if transport not in _SETS or not rest:
                hint = "Use a registry, or one of: %s" % ", ".join(name + ":PATH" for name in _SETS)
                raise InvalidReference(
                    "the %s option must be a location that can store several repositories" % option, text, hint
                )
            return cls(transport, os.path.abspath(os.path.expanduser(rest)))
        text = _without_scheme(text)
        host, _slash, path = text.rstrip("/").partition("/")
        if not references.is_host(host):
            hint = "Write host[:port] or host[:port]/path, or docker.io/path for Docker Hub"
            raise InvalidReference("the %s option has no registry" % option, text, hint)
        references.parse_registry("%s/%s" % (host, path or "any"))
        return cls("", "%s/%s" % (host, path) if path else host)

    def __str__(self) -> str:
        return "%s:%s" % (self.transport, self.path) if self.transport else self.path

    def repository(self, path: str) -> Repository:
        """Return a repository below this root. Raises InvalidReference."""
        if self.transport:
            return LocalReference(self.transport, self.path, path)
        return _without_name("%s/%s" % (self.path, path))

    def relative(self, path: str) -> str:
        """Return the path of a repository of the registry relative to this root."""
        below = self.path.partition("/")[2]
        return path[len(below) + 1 :] if below else path


_SETS = ("oci", "dir")


def _without_scheme(text: str) -> str:
    return text[len("docker://") :] if text.startswith("docker://") else text


def _without_name(text: str) -> RegistryReference:
    reference = references.parse(text)
    if not isinstance(reference, RegistryReference):
        raise InvalidReference(
            "only repositories in a registry are supported here",
            text,
            "To use an OCI layout or a directory, specify it in the src or dest option",
        )
    if reference.name:
        raise InvalidReference(
            "a repository is required, but the reference has a tag or digest", text, "Move the tag to tags"
        )
    return reference


@dataclasses.dataclass(frozen=True)
class RepositoryPair:
    """A source repository and a destination repository, with the entry that selects from it."""

    entry: Entry
    source: OpenRepository
    destination: OpenRepository
    platforms: tuple[Platform, ...]
    missing_ok: bool

    @property
    def optional_tags(self) -> set[str]:
        """The tags of the entry that the source may lack, like each repository that a pattern matches."""
        return set(map(str, self.entry.tags)) if self.missing_ok or self.entry.is_wildcard else set()


class RepositoryResolver:
    """Opens the repositories of a declaration, each of them once."""

    def __init__(self, options: SyncOptions, stores: Stores, external_blobs: t.Collection[str] = frozenset()) -> None:
        self._options = options
        self._stores = stores
        self._external_blobs = external_blobs
        self._src = SyncRoot.parse("src", options.src) if options.src is not None else None
        self._dest = SyncRoot.parse("dest", options.dest) if options.dest is not None else None
        self._opened: dict[tuple[object, ...], OpenRepository] = {}
        self._listed: dict[Repository, list[str]] = {}

    def text(self, entry: Entry) -> str:
        """Return the full name of an entry."""
        return entry.name if entry.is_of_file else self._in_full(entry.name)

    def _in_full(self, name: str) -> str:
        return name if self._src is None else "%s/%s" % (self._src, name)

    def pairs(self, entry: Entry) -> list[RepositoryPair | Job]:
        """Return the repositories of an entry. If a pattern finds a repository with an invalid name, a failed job takes its place.

        Raises ImageError.
        """
        if not entry.is_wildcard:
            source = _without_name(entry.name) if entry.is_of_file else self._source(entry.name)
            return [self._pair(entry, source, entry.dest, self._platforms(entry))]
        start = entry.name[:-1]
        if start and not start.endswith("/"):
            hint = "Write path/* for all repositories below a path, or * for all repositories"
            raise ImageError("images: %r is not a valid name" % entry.name, hint=hint)
        return self._found(entry, start)

    def _found(self, entry: Entry, start: str) -> list[RepositoryPair | Job]:
        """Return pairs like :meth:`pairs`, for a pattern that begins with ``start``."""
        found = self._list(start)
        if len(found) > _MAX_FOUND:
            cause = "the entry matches %d repositories, but at most %d are allowed" % (len(found), _MAX_FOUND)
            raise ImageError(cause, self.text(entry), "Split the entry by path, for example path/*")
        own, platforms = self._own_output(entry, start), self._platforms(entry)
        pairs: list[RepositoryPair | Job] = []
        for path in found:
            dest = None if entry.dest is None else "/".join(filter(None, (entry.dest.rstrip("/"), path[len(start) :])))
            try:
                source = self._source(path)
                if not (own and str(source).startswith(own)):
                    pairs.append(self._pair(entry, source, dest, platforms))
            except InvalidReference as error:
                pairs.append(Job.failed(self._in_full(path), "", error))
        if not pairs and not self.missing_ok(entry):
            searched = entry.name if self._src is None else self._src.path
            raise NotFound("no repository matches the entry", searched, "Correct the name, or set missing_ok")
        return pairs

    def _own_output(self, entry: Entry, start: str) -> str:
        """Return the prefix of names that the pattern writes to, if it would match these names in the next run.

        Otherwise, each run would copy the output of the last one below itself.
        """
        searched = "/".join(filter(None, (str(self._src or ""), start.rstrip("/"))))
        written = "/".join(filter(None, (str(self._dest or ""), _without_scheme(entry.dest or "").strip("/"))))
        if written == searched and entry.dest is None and self._options.scoped is not False:
            path = searched if self._options.scoped else searched.partition("/")[2]
            written = "/".join(filter(None, (written, path)))
        return written + "/" if written.startswith(searched + "/") else ""

    def _pair(
        self, entry: Entry, source: Repository, dest: str | None, platforms: tuple[Platform, ...]
    ) -> RepositoryPair:
        destination = self._open(self._destination(entry, dest, source), writable=True)
        return RepositoryPair(entry, self._open(source), destination, platforms, self.missing_ok(entry))

    def _platforms(self, entry: Entry) -> tuple[Platform, ...]:
        texts = self._options.platforms if entry.platforms is None else entry.platforms
        return tuple(Platform.parse(text) for text in texts)

    def missing_ok(self, entry: Entry) -> bool:
        """Return whether an entry may select nothing."""
        return self._options.missing_ok if entry.missing_ok is None else entry.missing_ok

    def _source(self, name: str) -> Repository:
        return self._src.repository(name) if self._src else _without_name(name)

    def _destination(self, entry: Entry, dest: str | None, source: Repository) -> Repository:
        if self._dest is None:
            if dest is None:
                raise ImageError(
                    "images: %s has no dest" % _text(source), hint="Set dest for this entry or for the task"
                )
            destination = _without_name(dest)
            references.refuse_official(dest, destination)
            return destination
        return self._dest.repository(self._default(entry, source) if dest is None else dest.strip("/"))

    def _default(self, entry: Entry, source: Repository) -> str:
        """Return the default name: the full name in a location on disk, so that it can be copied back, else the name without its host.

        Entries of a source file get the name that ``skopeo sync`` uses, except in a layout, which skopeo cannot
        synchronize to. Raises InvalidReference.
        """
        full = source.context if isinstance(source, RegistryReference) else source.tag
        host, _slash, path = full.partition("/")
        path = path if path and references.is_host(host) else full
        scoped = self._options.scoped
        if scoped is None and entry.is_of_file and not (self._dest and self._dest.transport == "oci"):
            scoped = False
        if scoped and self._dest and not self._dest.transport and ":" in host:
            raise InvalidReference(
                "a host with a port cannot be part of a repository name",
                _text(source),
                "Set scoped: false, or use an OCI layout as the destination",
            )
        if scoped is not None:
            return full if scoped else path.rpartition("/")[2]
        return full if self._dest and self._dest.transport else path

    def _list(self, start: str) -> list[str]:
        """Return the names of all repositories that begin with ``start``, as they would be written in an entry."""
        if self._src is None:
            host, _slash, path = start.partition("/")
            if not references.is_host(host):
                raise ImageError("images: %s* does not include a registry" % start, hint="Write host/*, or set src")
            found = self._all(_without_name("%s/any" % host))
            return ["%s/%s" % (host, name) for name in found if name.startswith(path)]
        if self._src.transport:
            names = self._all(LocalReference(self._src.transport, self._src.path))
            return [name for name in names if name.startswith(start)]
        below = self._src.path.partition("/")[2]
        prefix = "%s/%s" % (below, start) if below else start
        found = self._all(_without_name(self._src.path.partition("/")[0] + "/any"))
        return [self._src.relative(name) for name in found if name.startswith(prefix)]

    def _all(self, location: Repository) -> list[str]:
        """Return all repositories in a location. They are requested once."""
        if location not in self._listed:
            self._listed[location] = self._stores.repositories(location)
        return self._listed[location]

    def _open(self, repository: Repository, writable: bool = False) -> OpenRepository:
        key = (repository, writable)
        if key not in self._opened:
            with naming(_text(repository)):
                if isinstance(repository, LocalReference):
                    external_blobs = self._external_blobs if writable else frozenset()
                    self._opened[key] = self._stores.open_named(repository, external_blobs)
                else:
                    deletes = writable and self._options.prune
                    self._opened[key] = self._stores.open(repository, writable=writable, deletes=deletes)
        return self._opened[key]


def check_prunable(pairs: t.Sequence[RepositoryPair]) -> None:
    """Raise ImageError if a repository is the source of one pair and the destination of another pair, or of the same one."""
    sources = {pair.source.reference("") for pair in pairs}
    for pair in pairs:
        location = pair.destination.reference("")
        if location in sources:
            hint = "Use separate tasks, or remove prune"
            if location == pair.source.reference(""):
                hint = "Set a different dest for the entry, or remove prune"
            cause = "the repository is both source and destination, so pruned tags could not be restored"
            raise ImageError(cause, location, hint)


def _text(repository: Repository) -> str:
    return str(repository)
