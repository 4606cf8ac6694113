# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Read the file format of ``skopeo sync --src yaml`` (skopeo-sync(1), "YAML file content").

Files of regsync, oc-mirror and Hauler are recognized by their content and read by other modules.

With ``tls-verify: false``, skopeo may fall back to plain HTTP. Here, the key disables certificate validation,
and only a loopback host uses plain HTTP.
"""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from ..._errors import ImageError, LocalFailure
from ..._image import digest as digests
from ..._image import reference as references
from ..._image.reference import RegistryReference
from ..._image.tag_selection import POSIX_CLASS, TagSelection
from ..._registry import cert_dir
from ..._registry.settings import RegistrySettings, is_loopback
from .image_list_file import is_image_list, read_image_list
from .plain_document import Node, read
from .regsync_file import is_regsync, read_regsync

_KEYS = (
    "images",
    "images-by-tag-regex",
    "images-by-semver",
    "credentials",
    "tls-verify",
    "cert-dir",
)
# Go's notation where Python's re has another one, or takes the same characters for something else.
_GO_ONLY = re.compile(POSIX_CLASS.pattern + r"|(?<!\\)(?:\\\\)*\\[zQEpPC]|\(\?[a-zA-Z]*[U-]")
_LEADING_FLAGS = re.compile(r"\(\?([ims]+)\)")


@dataclasses.dataclass(frozen=True)
class FileRegistry:
    """The entries for one registry, with full names, and its connection settings, if the file has any.

    Credentials are only in ``settings``. ``is_of_file`` in an entry is False if it does not use the destination names
    of skopeo.
    """

    host: str
    entries: list[dict[str, t.Any]]
    settings: RegistrySettings | None = None


def read_source_file(
    path: str, warn: t.Callable[[str], None], has_credentials: t.Callable[[str], bool] = lambda _host: False
) -> list[FileRegistry]:
    """Return the registries in a file, in order. ``has_credentials`` returns whether the task has credentials for a host.

    Raises :class:`ImageError` with the file, the registry and the repository.
    """
    document = read(path)
    if is_regsync(document):
        file = read_regsync(document, warn, has_credentials)
        credentials = [FileRegistry(settings.host, [], settings) for settings in file.settings]
        return [*credentials, FileRegistry("", [{**entry, "is_of_file": False} for entry in file.entries])]
    if is_image_list(document):
        return [FileRegistry("", [{**entry, "is_of_file": False} for entry in read_image_list(document)])]
    registries = [_registry(name, node, path) for name, node in document.mapping().items()]
    for registry in registries:
        if not registry.entries:
            warn("The file %s contains no images for %s." % (path, registry.host))
    if not registries:
        raise ImageError("the file %s contains no registries" % path, hint="Add a registry and its images to the file")
    return registries


def check_locations(path: str, registries: t.Iterable[FileRegistry], src: str | None, dest: str | None) -> None:
    """Reject ``src`` and ``dest`` of the task if the file already contains them. Raises ImageError."""
    entries = [entry for registry in registries for entry in registry.entries]
    if src is not None and any(not entry.get("is_of_file", True) for entry in entries):
        cause = "src cannot be set, because the names in %s already include a registry" % path
        raise ImageError(cause, hint="Remove the src option")
    if dest is not None and any("dest" in entry for entry in entries):
        cause = "dest cannot be set, because %s already contains a target for each image" % path
        raise ImageError(cause, hint="Remove the dest option")


def _registry(name: str, node: Node, path: str) -> FileRegistry:
    parts = node.mapping()
    for key in parts:
        if key not in _KEYS:
            raise node.wrong("unknown key %r" % key, "Use one of the supported keys: %s" % ", ".join(_KEYS))
    host = _repository(name.rstrip("/"), "any", node).host
    entries = [
        {"name": _repository(name, key, value).context, **read_entry(value)}
        for kind, read_entry in (
            ("images", _listed),
            ("images-by-tag-regex", _by_regex),
            ("images-by-semver", _by_semver),
        )
        if kind in parts
        for key, value in parts[kind].mapping().items()
    ]
    return FileRegistry(host, entries, _settings(name.rstrip("/"), parts, path))


def _repository(registry: str, name: str, node: Node) -> RegistryReference:
    """Parse the names of a registry and a repository. Raises ImageError if they are invalid."""
    try:
        reference = references.parse_registry("%s/%s" % (registry.rstrip("/"), name))
    except ImageError as error:
        raise node.wrong(error.cause, error.hint) from None
    if reference.name:
        raise node.wrong(
            "a repository is required, but the key contains a tag or digest",
            "Move the tag or digest to the value of this key",
        )
    first = registry.partition("/")[0]
    if reference.host != first and not (reference.host == references.DOCKER_HUB and first.endswith(".docker.io")):
        raise node.wrong("%r is not a valid registry host" % first, "Write host[:port], or host[:port]/path")
    return reference


def _listed(node: Node) -> dict[str, t.Any]:
    """Return tags and digests; an empty list selects all tags."""
    tags = list(dict.fromkeys(_tag(item) for item in node.items()))
    return {"tags": tags} if tags else {}


def _tag(node: Node) -> str:
    if not isinstance(node.value, str):
        raise node.wrong(
            "a tag in the list is not a string",
            "Put tags in quotes, because YAML reads an unquoted 1.10 as the number 1.1",
        )
    if not (references.is_tag(node.value) or digests.is_digest(node.value)):
        raise node.wrong("%r is neither a tag nor a digest" % node.value, "Write only a tag or a digest")
    return node.value


def _by_regex(node: Node) -> dict[str, t.Any]:
    """Return a pattern in the syntax of Go (RE2), which need not match the whole tag."""
    pattern = node.text()
    if _GO_ONLY.search(pattern):
        hint = "Use 0-9, a-z or A-Z instead of classes such as [:digit:], and write flags such as (?i) at the start"
        raise node.wrong("the regular expression uses syntax that only Go supports", hint)
    flags = _LEADING_FLAGS.match(pattern)
    if flags:
        pattern = "(?%s:%s)" % (flags.group(1), pattern[flags.end() :])
    return _checked(node, {"include": [pattern], "anchored": False}, include=[".*(?:%s).*" % pattern])


def _by_semver(node: Node) -> dict[str, t.Any]:
    """Return a version range for tags that need not have all three numbers."""
    entry = {"semver": node.text(), "semver_strict": False}
    return _checked(node, entry, semver=node.text(), strict=False)


def _checked(node: Node, entry: dict[str, t.Any], **rules: t.Any) -> dict[str, t.Any]:
    try:
        TagSelection.parse(**rules)
    except ImageError as error:
        raise node.wrong(error.cause) from None
    return entry


def _settings(name: str, parts: dict[str, Node], path: str) -> RegistrySettings | None:
    found: dict[str, t.Any] = {}
    if "credentials" in parts:
        found.update(_credentials(parts["credentials"]))
    if "tls-verify" in parts:
        # To ask for verification means TLS, on loopback too. There, skopeo is told not to verify because it is plain HTTP.
        plain = {"plain_http": True} if is_loopback(name.partition("/")[0]) else {}
        found.update({"plain_http": False} if parts["tls-verify"].flag() else {"validate_certs": False, **plain})
    if "cert-dir" in parts and not parts["cert-dir"].is_empty:
        found.update(_certificates(parts["cert-dir"], path), plain_http=False)
    return RegistrySettings(name, **found) if found else None


def _certificates(node: Node, path: str) -> dict[str, t.Any]:
    """Return the settings for ``cert-dir``. A relative path starts in the directory of the source file."""
    try:
        return cert_dir.read(os.path.join(os.path.dirname(os.path.abspath(path)), os.path.expanduser(node.text())))
    except LocalFailure as error:
        raise error.about(node.where) from None


def _credentials(node: Node) -> dict[str, str]:
    parts = node.mapping()
    if not set(parts) <= {"username", "password"}:
        raise node.wrong("credentials can have only the keys username and password", "Remove all other keys")
    if parts and len(parts) < 2:
        raise node.wrong("credentials must have both username and password", "Add the missing key")
    return {key: value.text() for key, value in parts.items()}
