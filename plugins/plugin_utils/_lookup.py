# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What lookups need to connect to registries from the controller: the options of the modules, programs, and a cache."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import typing as t

from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.drayage.registry.plugins.module_utils._argspec import registry_options
from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, file_errors
from ansible_collections.drayage.registry.plugins.module_utils._files import locked
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._text import clean
from ansible_collections.drayage.registry.plugins.plugin_utils._stores import open_for_reading, registry_params

_CACHE = "drayage-registry-digests.json"
_MAX_CACHE = 64 * 1024 * 1024
_SECRETS = ("password", "token")


class RegistryLookup(LookupBase):
    """A lookup with the options that the modules share."""

    name = "lookup"

    def registry_params(self, direct: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the shared options, checked and completed as for a module; ``direct`` are those of the call. Raises ImageError."""
        return registry_params({name: self._option(name, direct) for name in registry_options()})

    def _option(self, name: str, direct: t.Mapping[str, t.Any]) -> t.Any:
        """Return an option. ansible-core does not template the variables that options of lookups come from."""
        value = self.get_option(name)
        if name in direct or self._templar is None:
            return value
        return self._templar.template(value)

    @contextlib.contextmanager
    def stores(self, params: dict[str, t.Any]) -> t.Iterator[Stores]:
        """Open the stores for these options. Warnings are shown at the end."""
        opened = open_for_reading(params)
        statistics = opened.run.statistics
        try:
            with opened as stores:
                yield stores
        except ImageError as error:
            error.cause = statistics.hide(error.cause)
            raise
        finally:
            for warning in statistics.warnings:
                self.warn(warning)

    def warn(self, text: str) -> None:
        """Show a warning. It may quote file names from an untrusted archive or repository."""
        Display().warning("%s: %s" % (self.name, clean(text)))

    @contextlib.contextmanager
    def reporting(self) -> t.Iterator[None]:
        """End the task with the message of an error in the block."""
        try:
            yield
        except ImageError as error:
            raise AnsibleLookupError("%s: %s" % (self.name, error)) from None


class DigestCache:
    """The digests that were looked up in this run of ansible-playbook, for all its tasks and hosts.

    They are in a file in the run's own directory, because tasks are separate processes. The cache is locked while it
    is used, so that the registry is asked only once if a hundred hosts need the same digests.
    """

    def __init__(self, params: t.Mapping[str, t.Any]) -> None:
        """``params`` are the shared options. They are part of the key, because results may depend on them."""
        public = {**params, "registries": [_public(entry) for entry in params["registries"]]}
        text = json.dumps(public, sort_keys=True, default=str)
        self._key = hashlib.sha256(text.encode()).hexdigest()
        self._path = os.path.join(vars(constants)["DEFAULT_LOCAL_TMP"], _CACHE)

    @contextlib.contextmanager
    def hold(self) -> t.Iterator[dict[str, str]]:
        """Lock the cache. The block receives the digests by reference, and its additions are stored. Raises ImageError."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(file_errors("use the digest cache", self._path))
            stream = stack.enter_context(locked(self._path))
            stored = self._load(stream.read(_MAX_CACHE))
            known = stored.setdefault(self._key, {})
            before = dict(known)
            try:
                yield known
            finally:
                if known != before:
                    stream.seek(0)
                    stream.truncate()
                    stream.write(json.dumps(stored).encode())

    @staticmethod
    def _load(content: bytes) -> dict[str, dict[str, str]]:
        try:
            stored = json.loads(content)
        except ValueError:  # empty, or cut off by a task that was killed
            return {}
        return stored if isinstance(stored, dict) else {}


def _public(entry: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {name: value for name, value in entry.items() if name not in _SECRETS}
