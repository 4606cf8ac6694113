# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""From references to open stores: the one place that knows which transport is which class."""

from __future__ import annotations

import dataclasses
import typing as t

from .._image.reference import ENGINES, EngineReference, LocalReference, Reference, RegistryReference
from .._process import RunCommand
from .._registry.auth import Authenticator
from .._registry.catalog import list_repositories
from .._registry.client import RegistryClient
from .._registry.credentials import AuthFiles, Credential
from .._registry.helper_program import MAX_OUTPUT
from .._registry.session import Policy, Session, Traffic
from .._registry.settings import Registries, RegistrySettings
from .._stores import directory_tree
from .._stores.base import Store
from .._stores.by_config import ConfigStore, Keeper, Staging
from .._stores.directory import Directory
from .._stores.directory_tree import TreeRepository
from .._stores.named import NamedRepository, repositories
from .._stores.oci_archive import OciArchive
from .._stores.oci_layout import OciLayout
from .._stores.registry import RegistryStore

_LOCAL: dict[str, t.Callable[[str, t.Callable[[str], None]], Store]] = {
    "oci": OciLayout,
    "oci-archive": OciArchive,
    "dir": Directory,
}


class Stores:
    """Opens stores; those of one registry share its connections and tokens. A context manager."""

    def __init__(
        self, entries: t.Iterable[RegistrySettings], authfile: str | None, policy: Policy, run_command: RunCommand
    ) -> None:
        self.traffic = Traffic()
        self._registries = Registries(entries)
        self.authfile = authfile
        self.run_command = run_command
        self._authfiles = AuthFiles(authfile, self.run_helper, self.traffic.warn)
        self._policy = policy
        self._clients: dict[tuple[object, ...], RegistryClient] = {}
        self._staging = Staging()
        self._keepers: dict[tuple[str, str], Keeper] = {}
        self._layouts: dict[tuple[str, frozenset[str]], OciLayout] = {}

    def __enter__(self) -> Stores:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for client in self._clients.values():
            client.session.close()
        for keeper in self._keepers.values():
            keeper.close()
        self._staging.close()

    def open(self, reference: Reference, writable: bool = False, beside: str = "", deletes: bool = False) -> Store:
        """The store that a reference is in; nothing is asked of it yet.

        ``writable``, ``deletes`` and ``beside`` (a repository to mount from) say which rights to ask a registry for.
        """
        if isinstance(reference, RegistryReference):
            actions = ["push"] * writable + ["delete"] * deletes
            return RegistryStore(self._client(reference), reference, actions, beside)
        if isinstance(reference, EngineReference):
            return ConfigStore(self._keeper(reference), self._staging, reference)
        return _LOCAL[reference.transport](reference.path, self.traffic.warn)

    def open_named(self, reference: LocalReference, elsewhere: t.Collection[str] = frozenset()) -> Store:
        """The images of one repository in a layout or a tree of directories; its name is the reference's.

        Blobs whose digests are ``elsewhere`` need not be in a layout.
        """
        if reference.transport == "dir":
            return t.cast(Store, TreeRepository(reference.path, reference.tag, self.traffic.warn))
        key = (reference.path, frozenset(elsewhere))
        if key not in self._layouts:  # a thousand repositories are in one layout, which is looked into once
            self._layouts[key] = OciLayout(reference.path, self.traffic.warn, elsewhere)
        return NamedRepository(self._layouts[key], reference.tag)

    def repositories(self, reference: Reference) -> list[str]:
        """The names of all repositories of the registry, layout or tree that a reference is in. Raises ImageError."""
        if isinstance(reference, RegistryReference):
            return list_repositories(self._client(reference))
        if reference.transport == "dir":
            return directory_tree.repositories(reference.path)
        return repositories(self.open(reference), self.traffic.warn)

    def run_helper(self, argv: list[str], stdin: str) -> tuple[int, str, str]:
        """Run a credential helper, which has to answer within the timeout."""
        return self.run_command(argv, stdin, self._policy.timeout, MAX_OUTPUT)

    def add_registries(self, entries: t.Iterable[RegistrySettings]) -> None:
        """Reach further registries as these say; what the task says of the same host wins. Raises ImageError."""
        self._registries.extend(entries)

    def client_as(self, credential: Credential, host: str, repository: str) -> RegistryClient:
        """A client that acts with this credential, whatever options and files say."""
        settings = self._registries.of(host, repository)
        return self._connect(host, settings, lambda _repository: credential, key=(host, settings, credential))

    def _keeper(self, reference: EngineReference) -> Keeper:
        """The engine or file of a reference: one for the whole run."""
        key = (reference.transport, reference.path)
        if key not in self._keepers:
            # Each task pays for what is imported, and few have to do with engines.
            if reference.transport in ENGINES:
                from .._engine.find import find
                from .._stores.engine import EngineImages

                engine = find(reference.transport, self._policy.timeout, self.traffic, self.run_command)
                self._keepers[key] = EngineImages(reference.transport, engine)
            else:
                from .._stores.docker_archive import DockerArchive

                self._keepers[key] = DockerArchive(reference.path)
        return self._keepers[key]

    def _client(self, reference: RegistryReference) -> RegistryClient:
        host = reference.host
        settings = self._registries.of(host, reference.repository)
        return self._connect(
            host, settings, lambda repository: self._credential(host, repository), key=(host, settings)
        )

    def _connect(
        self, host: str, settings: RegistrySettings, find: t.Callable[[str], Credential], key: tuple[object, ...]
    ) -> RegistryClient:
        if key not in self._clients:
            session = Session(host, settings, self._registries, self._policy, self.traffic)
            self._clients[key] = RegistryClient(session, Authenticator(session, find))
        return self._clients[key]

    def _credential(self, host: str, repository: str) -> Credential:
        """What the task gives wins over what the files hold."""
        settings = self._registries.of(host, repository)
        if settings.token:
            return Credential(bearer=settings.token)
        if settings.username or settings.password:
            return Credential(username=settings.username or "", password=settings.password or "")
        found = self._authfiles.find(host, repository)
        other = self._registries.of_other_port(host, repository)
        if other:
            remark = "The entry for %s in registries is not used for %s: give the port that references have" % (
                other,
                host,
            )
            found = dataclasses.replace(found, remark=found.remark or remark)
        return found
