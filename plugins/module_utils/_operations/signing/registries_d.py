# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The locations of signatures according to containers-registries.d(5). Only settings for reading are used."""

from __future__ import annotations

import dataclasses
import os
import typing as t
from urllib.parse import unquote, urlsplit

from ..._errors import ImageError, MissingLibrary, file_errors, parsing
from ..._files import read_named
from ..._image import digest as digests
from ..._image.policy import scopes_of
from ..._image.reference import LocalReference, Reference, RegistryReference
from ..._registry import urls

_MAX_FILE = 1024 * 1024
_BUILT_IN = "file:///var/lib/containers/sigstore"
_FIELDS = frozenset(("lookaside", "lookaside-staging", "sigstore", "sigstore-staging", "use-sigstore-attachments"))


@dataclasses.dataclass(frozen=True)
class RegistriesD:
    """``namespaces`` maps scopes to their settings. The empty scope has those of ``default-docker``."""

    namespaces: t.Mapping[str, t.Mapping[str, t.Any]] = dataclasses.field(default_factory=dict)

    @classmethod
    def read(cls, directory: str) -> RegistriesD:
        """Read the files ``*.yaml`` in a directory. Raises ImageError."""
        found: dict[str, t.Mapping[str, t.Any]] = {}
        with file_errors("read", directory):
            names = sorted(name for name in os.listdir(directory) if name.endswith(".yaml"))
        for name in names:
            path = os.path.join(directory, name)
            for scope, settings in _namespaces(path).items():
                if scope in found:
                    cause = "another file in registries.d also contains settings for %s" % (scope or "default-docker")
                    raise ImageError(cause, path, "Remove the settings from one of the files")
                found[scope] = settings
        return cls(found)

    def uses_attachments(self, image: Reference) -> bool:
        """Return whether cosign tags count for this image. They do without any configuration, and in directories."""
        if not self.namespaces or (isinstance(image, LocalReference) and image.transport == "dir"):
            return True
        return next(self._settings(image, "use-sigstore-attachments"), False) is True

    def lookaside(self, image: Reference, digest: str) -> str:
        """Return the directory or the http(s) URL of the GPG signatures of a digest; empty if the image is not in a registry.

        Raises ImageError.
        """
        if not isinstance(image, RegistryReference):
            return ""
        base = str(next(self._settings(image, "lookaside", "sigstore"), _BUILT_IN))
        url = urlsplit(base)
        name = "%s@%s=%s" % (image.repository, *digests.split(digest))
        if url.scheme == "file":
            return "%s/%s" % (unquote(url.path, errors="surrogateescape").rstrip("/"), name)
        if url.query:  # perhaps a secret, which messages that name the signature would show
            raise ImageError(
                "the lookaside location in registries.d has a query string",
                hint="Remove the query string, which begins with ?",
            )
        hint = "Correct registries.d"
        return "%s/%s" % (urls.resolve("", base, "the lookaside location in registries.d", hint).rstrip("/"), name)

    def _settings(self, image: Reference, *names: str) -> t.Iterator[object]:
        """Yield the settings with these names, from the longest scope to the shortest. In each scope, the first name counts first."""
        for scope in (*scopes_of(image)[1], ""):
            values = self.namespaces.get(scope, {})
            yield from (values[name] for name in names if values.get(name) not in (None, ""))


def _namespaces(path: str) -> dict[str, t.Mapping[str, t.Any]]:
    try:
        import yaml
    except ImportError:
        raise MissingLibrary("PyYAML") from None
    content = read_named(path, _MAX_FILE, "the signature configuration")
    try:
        document = yaml.safe_load(content) or {}
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ImageError("the file is not valid YAML", path, "Correct the file") from None
    with parsing("the signature configuration %s" % path):
        found = dict(document.get("docker") or {})
        if document.get("default-docker"):
            found[""] = document["default-docker"]
        for scope, settings in found.items():
            if not isinstance(scope, str) or not isinstance(settings, dict) or set(settings) - _FIELDS:
                cause = "the settings for %s do not follow containers-registries.d(5)" % scope
                raise ImageError(cause, path, "Correct the settings")
        return found
