# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Open the stores for references. This is the only place that maps transports to classes."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import typing as t

from .._argspec import text_of_secret
from .._errors import ImageError, InvalidReference, Refused
from .._image.reference import EngineReference, LocalReference, Reference, RegistryReference
from .._registry import urls
from .._registry.auth import Authenticator
from .._registry.catalog import list_repositories
from .._registry.credentials import AuthFiles, Credential
from .._registry.helper_program import MAX_OUTPUT
from .._registry.registry_client import RegistryClient
from .._registry.session import Policy, Session
from .._registry.settings import Registries, RegistrySettings
from .._run import Run
from .._stores.registry_store import RegistryStore
from .._stores.repository import Repository, Store, StoreRoot
from .roots import ROOTS


class LocalStores(t.Protocol):
    """Opens the stores of images in files, directories and engines."""

    def open(self, reference: LocalReference | EngineReference) -> Store:
        """Return the store for a reference. Nothing is read yet."""


# Has what is to be closed at the end, and the timeout in seconds for engines.
OpenLocal = t.Callable[[float, Run, contextlib.ExitStack], LocalStores]


class NoLocalStores:
    """For modules that support only registries and sets."""

    def __init__(self, _timeout: float, _run: Run, _closing: contextlib.ExitStack) -> None:
        pass

    def open(self, reference: LocalReference | EngineReference) -> Store:
        """Raise InvalidReference."""
        raise InvalidReference(
            "only images in a registry are supported here", reference, "Write host[:port]/path[:tag]"
        )


class Stores:
    """Opens stores. Stores of one registry share its connections and tokens, and stores of one file share the open file.

    Thread-safe. A context manager that closes everything it has opened.
    """

    def __init__(
        self,
        entries: t.Iterable[RegistrySettings],
        authfile: str | None,
        policy: Policy,
        run: Run,
        local: OpenLocal = NoLocalStores,
    ) -> None:
        """Raise ImageError for an invalid entry."""
        self.run = run
        self.authfile = authfile
        self._registries = Registries(entries)
        self._authfiles = AuthFiles(authfile, self.run_helper, run.warn)
        self._policy = policy
        self._lock = threading.Lock()
        self._closing = contextlib.ExitStack()
        self._clients: dict[tuple[object, ...], RegistryClient] = {}
        self._local = local(policy.timeout, run, self._closing)
        self._roots: dict[tuple[str, str, frozenset[str]], StoreRoot] = {}

    def __enter__(self) -> Stores:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closing.close()

    def open(self, reference: Reference, writable: bool = False, mount_from: str = "", deletes: bool = False) -> Store:
        """Return the store for a reference. No request is sent yet.

        ``writable``, ``deletes`` and ``mount_from`` (a repository of the same registry) determine the permissions to
        request.
        """
        if isinstance(reference, RegistryReference):
            actions = ["push"] * writable + ["delete"] * deletes
            return RegistryStore(self._client(reference), reference, actions, mount_from)
        return self._local.open(reference)

    def open_named(self, reference: LocalReference, external_blobs: t.Collection[str] = frozenset()) -> Repository:
        """Return one repository in a layout or a tree of directories. Its name is the tag of the reference.

        A layout need not contain the blobs in ``external_blobs``.
        """
        return self._root(reference, frozenset(external_blobs)).repository(reference.tag)

    def repositories(self, reference: Reference) -> list[str]:
        """Return the names of all repositories in the registry, layout or tree of a reference. Raises ImageError."""
        if isinstance(reference, LocalReference):
            return self._root(reference, frozenset()).repositories()
        if isinstance(reference, EngineReference):
            raise InvalidReference(
                "engines cannot list repositories", reference, "Use a registry, an OCI layout or a directory"
            )
        return list_repositories(self._client(reference))

    def _root(self, reference: LocalReference, external_blobs: frozenset[str]) -> StoreRoot:
        """Return the root, which is shared by the whole run: one layout may have a thousand repositories and is read once."""
        key = (reference.transport, reference.path, external_blobs)
        with self._lock:
            if key not in self._roots:
                self._roots[key] = ROOTS[reference.transport](reference.path, self.run.warn, external_blobs)
            return self._roots[key]

    def run_helper(self, argv: list[str], stdin: str) -> tuple[int, str, str]:
        """Run a credential helper, which must respond within the timeout."""
        return self.run.run_command(argv, stdin, self._policy.timeout, MAX_OUTPUT)

    def read_url(self, url: str, limit: int) -> bytes | None:
        """Return the content at a URL, at most ``limit`` bytes; None if the server returns 404.

        No credentials are sent. Plain HTTP is used if the URL says so, so use this only for content that is verified
        afterwards. Raises ImageError.
        """
        host = urls.host(url)
        settings = self._registries.of(host, "")
        key = (host, settings, "without credentials")
        session = self._connect(host, settings, lambda _repository: Credential(), key).session
        response, content = session.fetch(lambda: session.exchange("GET", url, {}), limit)
        if response.status == 200:
            return content
        response.drain()
        if response.status == 404:
            return None
        hint = "Check the web server, and the lookaside location in registries.d"
        raise Refused("cannot read %s: the server returned %d" % (url, response.status), hint=hint)

    def has_credentials(self, host: str) -> bool:
        """Return whether the settings for a registry have credentials, regardless of auth files."""
        return self._registries.has_credentials(host)

    def add_registries(self, entries: t.Iterable[RegistrySettings]) -> None:
        """Add settings for registries. Settings of the task for the same host take precedence. Raises ImageError."""
        self._registries.extend(entries)

    def client_as(self, credential: Credential, host: str, repository: str) -> RegistryClient:
        """Return a client that uses this credential, regardless of options and files."""
        settings = self._registries.of(host, repository)
        return self._connect(host, settings, lambda _repository: credential, key=(host, settings, credential))

    def _client(self, reference: RegistryReference) -> RegistryClient:
        host = reference.host
        settings = self._registries.of(host, reference.repository)
        return self._connect(
            host, settings, lambda repository: self._credential(host, repository), key=(host, settings)
        )

    def _connect(
        self, host: str, settings: RegistrySettings, find: t.Callable[[str], Credential], key: tuple[object, ...]
    ) -> RegistryClient:
        with self._lock:
            if key not in self._clients:
                session = Session(host, settings, self._registries, self._policy, self.run.statistics)
                self._closing.callback(session.close)
                self._clients[key] = RegistryClient(session, Authenticator(session, find, self._authfiles.forget))
            return self._clients[key]

    def _credential(self, host: str, repository: str) -> Credential:
        """Return the credential for a repository. Options of the task take precedence over files."""
        settings = self._registries.of(host, repository)
        if settings.token:
            return Credential(bearer=settings.token)
        if settings.username or settings.password:
            return Credential(username=settings.username or "", password=settings.password or "")
        found = self._authfiles.find(host, repository)
        other = self._registries.of_other_port(host, repository)
        if other:
            remark = "The entry for %s in registries is not used for %s: write the same port as in the references" % (
                other,
                host,
            )
            found = dataclasses.replace(found, remark=found.remark or remark)
        return found


def open_stores(
    params: t.Mapping[str, t.Any],
    run: Run,
    conceal: t.Callable[[str], object] = lambda _secret: None,
    local: OpenLocal = NoLocalStores,
) -> Stores:
    """Open the stores for the shared options (:func:`.._argspec.registry_options`). Raises ImageError.

    ``conceal`` is called with each secret in ``params``, to keep it out of results and logs.
    """
    _check("timeout", params["timeout"], 0 < params["timeout"] <= 86400, "more than 0 and at most 86400 seconds")
    _check("min_rate", params["min_rate"], 0 <= params["min_rate"] < float("inf"), "0 or more bytes per second")
    _check("retries", params["retries"], params["retries"] >= 0, "0 or more")
    _check("jobs", run.jobs, 1 <= run.jobs <= 256, "from 1 to 256")
    policy = Policy(params["timeout"], params["retries"], run.jobs, params["min_rate"])
    entries = [_settings(entry, conceal) for entry in params["registries"]]
    return Stores(entries, params["authfile"], policy, run, local)


def _check(option: str, value: object, is_valid: bool, wanted: str) -> None:
    if not is_valid:
        raise ImageError("the %s option is %s, but must be %s" % (option, value, wanted))


def _settings(entry: t.Mapping[str, t.Any], conceal: t.Callable[[str], object]) -> RegistrySettings:
    """Return the settings of a ``registries`` entry, which may also contain aliases of its options."""
    known = {name: value for name, value in entry.items() if name in RegistrySettings.__dataclass_fields__}
    for option in ("password", "token"):
        secret = text_of_secret(known.get(option), "registries: the %s for %s" % (option, entry["host"]))
        if secret:
            conceal(secret)
        known[option] = secret
    return RegistrySettings(**known)
