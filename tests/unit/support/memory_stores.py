# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries in memory that list and delete tags, have referrers, and remember the permissions that were asked for."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._errors import NotFound, Refused
from ansible_collections.drayage.registry.plugins.module_utils._image import referrers
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import RegistryReference
from ansible_collections.drayage.registry.plugins.module_utils._stores.directory import Directory
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore


class Tags(dict):
    """What the tags of a repository point to; to call it is to list them."""

    def __call__(self):
        if not self:
            raise NotFound("there is no such repository")
        return list(self)


class Repository(MemoryStore):
    """A repository that deletes manifests by their digest only, with all tags; calls of a name in ``broken`` fail.

    ``deletes`` is how it deletes a tag, as :meth:`Store.delete_tag` returns it, and ``transport`` is that of its location.
    """

    deletes = "unique_manifest"
    transport = "docker"

    def __init__(self, host: str = "r.example", name: str = "app") -> None:
        super().__init__(host, name)
        self.tags = Tags()
        self.broken: set[str] = set()

    @property
    def location(self):
        return dataclasses.replace(super().location, kind=self.transport)

    def find(self, name):
        if name in self.broken:
            raise Refused("returned 500")
        return self.resolve(name)

    def delete_tag(self, tag, digest):
        self.asked.append(("delete_tag", tag))
        if tag in self.broken:
            raise Refused("returned 500")
        del self.tags[tag]
        return self.deletes

    def delete(self, digest):
        self.asked.append(("delete", digest))
        for name in [name for name, named in self.tags.items() if named == digest]:
            del self.tags[name]
        return self.manifests.pop(digest, None) is not None


class Api:
    """The referrers API of a repository in memory; ``detached`` is what was removed from lists."""

    def __init__(self, repository: MemoryStore) -> None:
        self._repository = repository
        self.detached: list[tuple[str, list[str]]] = []

    def entries(self, subject, artifact_type="", is_only=False):
        found = [one for one in self._repository.manifests.values() if referrers.subject_of(one) == subject]
        return referrers.read_entries(referrers.with_entries(None, found).raw)

    def cosign_tags(self, subject):
        return [tag for tag in referrers.cosign_tags(subject) if tag in self._repository.tags]

    def keeps(self, tag):
        return True

    def attach(self, subject, manifests):
        """Do nothing, because a registry with this API lists what is pushed."""

    def detach(self, subject, digests):
        self.detached.append((subject, list(digests)))


def attach(repository: MemoryStore, subject, text: bytes):
    """Add a referrer of an image to a repository, and return it."""
    referrer = image("unknown/unknown", text, subject=entry(subject))
    repository.add(referrer)
    return referrer


class Opened(t.NamedTuple):
    """How a store was opened: the reference, and the permissions to ask for."""

    reference: str
    writable: bool
    mount_from: str
    deletes: bool


class MemoryStores:
    """Opens repositories in memory, each the same at every time, and layouts and directories on disk."""

    def __init__(self, kind: type[MemoryStore] = Repository) -> None:
        self._kind = kind
        self.repositories: dict[tuple[str, str], MemoryStore] = {}
        self.opened: list[Opened] = []
        self.run = runs.run()

    def repository(self, host, name, kind=None):
        return self.repositories.setdefault((host, name), (kind or self._kind)(host, name))

    def open(self, reference, writable=False, mount_from="", deletes=False):
        self.opened.append(Opened(str(reference), writable, mount_from, deletes))
        if isinstance(reference, RegistryReference):
            return self.repository(reference.host, reference.repository)
        kind = Directory if reference.transport == "dir" else OciLayout
        return kind(reference.path, self.run.warn)
