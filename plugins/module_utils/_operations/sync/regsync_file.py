# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Read the configuration of regsync (regclient's docs/regsync.md).

Each key is either used, ignored with a warning because it has no meaning here, or rejected by name.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..._errors import ImageError
from ..._image import reference as references
from ..._image.platform import Platform
from ..._image.reference import RegistryReference
from ..._image.tag_selection import TagSelection
from ..._registry.settings import RegistrySettings
from .plain_document import Node

_TOP = ("version", "creds", "defaults", "sync")
# They say when and how fast regsync works. A timer runs the playbook, and the options of the task limit the requests.
_UNUSED = frozenset(
    [
        "interval",
        "schedule",
        "ratelimit",
        "parallel",
        "cacheCount",
        "cacheTime",
        "userAgent",
        "blobLimit",
        "fastCopy",
        "fastCheck",
        "mediaTypes",
    ]
)
# What changes the result and has no counterpart; false is what this does anyway.
_REFUSED = frozenset(
    ["backup", "digestTags", "referrers", "forceRecursive", "includeExternal", "hooks", "skipDockerConfig"]
)
_CREDENTIALS = ("registry", "user", "pass", "tls", "reqPerSec", "reqConcurrent")
_TLS: dict[str, dict[str, bool]] = {
    "enabled": {"plain_http": False},
    "insecure": {"validate_certs": False},
    "disabled": {"plain_http": True},
}


@dataclasses.dataclass(frozen=True)
class RegsyncFile:
    """The entries of ``images``, with full names on both sides, and the connection settings of registries."""

    entries: list[dict[str, t.Any]]
    settings: list[RegistrySettings]


def is_regsync(node: Node) -> bool:
    """Return whether a document is a regsync configuration: no registry is called ``sync``."""
    return isinstance(node.value, dict) and isinstance(node.value.get("sync"), list)


def read_regsync(
    node: Node, warn: t.Callable[[str], None], has_credentials: t.Callable[[str], bool] = lambda _host: False
) -> RegsyncFile:
    """Return the entries and settings in a file. ``has_credentials`` returns whether the task has credentials for a host.

    Raises ImageError with the file and the key.
    """
    parts = {key: value for key, value in node.mapping().items() if not key.startswith("x-")}
    for key in parts:
        if key not in _TOP:
            raise node.wrong("unknown key %r" % key, "Use one of the supported keys: %s" % ", ".join(_TOP))
    version = parts.get("version")
    if version and not version.is_empty and version.value not in ("0", 0, "1", 1):
        raise node.wrong("the key 'version' must be 1", "Set version: 1")
    unused: set[str] = set()
    if "defaults" in parts:
        _check_keys(parts["defaults"].mapping(), parts["defaults"], (), unused)
    settings = [_settings(item, has_credentials) for item in parts["creds"].items()] if "creds" in parts else []
    entries = [_entry(_numbered(item, number), unused) for number, item in enumerate(parts["sync"].items())]
    if unused:
        warn("%s: these keys are ignored: %s" % (node.where, ", ".join(sorted(unused))))
    return RegsyncFile(entries, settings)


def _numbered(node: Node, number: int) -> Node:
    return Node(node.value, "%s[%d]" % (node.where, number))


def _check_keys(parts: dict[str, Node], node: Node, known: t.Collection[str], unused: set[str]) -> None:
    """Raise ImageError for an unsupported key."""
    for key, value in parts.items():
        if key in known:
            continue
        if key in _UNUSED:
            unused.add(key)
        elif key not in _REFUSED:
            raise node.wrong("unknown key %r" % key, "Check the spelling of the key")
        elif value.value not in (False, "false", None, "", []):
            raise node.wrong("the key %r is not supported" % key, "Remove the key, or use regsync")


def _entry(node: Node, unused: set[str]) -> dict[str, t.Any]:
    parts = node.mapping()
    _check_keys(parts, node, ("source", "target", "type", "tags", "platforms", "platform"), unused)
    if "platform" in parts:
        raise parts["platform"].wrong(
            "the key 'platform' is not supported, because it extracts one image from an index",
            "Use platforms: [...], which keeps the index",
        )
    for key in ("source", "target", "type"):
        if key not in parts:
            raise node.wrong("the key %r is missing" % key, "Add the key")
    kinds = {"image": _image, "repository": _repository, "registry": _registry}
    kind = parts["type"].text()
    if kind not in kinds:
        raise parts["type"].wrong("the value must be one of: %s" % ", ".join(kinds))
    platforms = [_platform(item) for item in parts["platforms"].items()] if "platforms" in parts else []
    return {**kinds[kind](node, parts), **({"platforms": platforms} if platforms else {})}


def _platform(node: Node) -> str:
    try:
        return str(Platform.parse(node.text()))
    except ImageError as error:
        raise node.wrong(error.cause, error.hint) from None


def _image(node: Node, parts: dict[str, Node]) -> dict[str, t.Any]:
    source, target = _reference(parts["source"]), _reference(parts["target"])
    if target.digest and target.digest != source.digest:
        cause = "the target %s has a digest that the source %s does not have" % (target, source)
        raise node.wrong(cause, "Remove the digest from the target, or add it to the source")
    tag = target.tag or "latest"
    if not source.digest and (source.tag or "latest") != tag:
        hint = "Use image_copy for this image, because image_sync does not change tags"
        raise node.wrong("the entry copies %s to %s, which has a different tag" % (source, target), hint)
    if "tags" in parts:
        raise parts["tags"].wrong("the key 'tags' requires type: repository", "Remove the key, or set type: repository")
    entry = {"name": source.context, "dest": target.context}
    if target.digest and not target.tag:
        return {**entry, "tags": [target.digest]}
    return {**entry, "tags": [tag], **({"digest": source.digest} if source.digest else {})}


def _repository(node: Node, parts: dict[str, Node]) -> dict[str, t.Any]:
    source, target = _reference(parts["source"]), _reference(parts["target"])
    for side, reference in (("source", source), ("target", target)):
        if reference.name:
            raise parts[side].wrong(
                "a repository is required, but the reference has a tag or digest",
                "Remove the tag or digest, or set type: image",
            )
    return {"name": source.context, "dest": target.context, **_tags(parts)}


def _registry(node: Node, parts: dict[str, Node]) -> dict[str, t.Any]:
    source, target = parts["source"].text(), parts["target"].text()
    for side, text in (("source", source), ("target", target)):
        if _reference(Node("%s/any" % text, parts[side].where)).context != "%s/any" % text:
            raise parts[side].wrong("the value is not a valid registry", "Write host[:port]")
    return {"name": "%s/*" % source, "dest": target, **_tags(parts)}


def _reference(node: Node) -> RegistryReference:
    text = node.text()
    if "{{" in text:
        hint = "Write the value instead of the template"
        raise node.wrong("the value is a regsync template, which is not supported", hint)
    try:
        return references.parse_registry(text)
    except ImageError as error:
        raise node.wrong(error.cause, error.hint) from None


def _tags(parts: dict[str, Node]) -> dict[str, t.Any]:
    """Return the tag expressions, which match whole tags in regsync as well."""
    if "tags" not in parts:
        return {}
    tags = parts["tags"].mapping()
    _check_keys(tags, parts["tags"], ("allow", "deny"), set())
    rules = {
        ours: [item.text() for item in tags[key].items()]
        for key, ours in (("allow", "include"), ("deny", "exclude"))
        if key in tags
    }
    try:
        TagSelection.parse(rules.get("include", ()), rules.get("exclude", ()))
    except ImageError as error:
        raise parts["tags"].wrong(error.cause) from None
    return dict(rules)


def _settings(node: Node, has_credentials: t.Callable[[str], bool]) -> RegistrySettings:
    parts = node.mapping()
    for key in parts:
        if key not in _CREDENTIALS:
            hint = "Use one of the supported keys: %s. Set everything else in registries" % ", ".join(_CREDENTIALS)
            raise node.wrong("the key %r is not supported" % key, hint)
    if "registry" not in parts:
        raise node.wrong("the key 'registry' is missing", "Add the key")
    host = parts["registry"].text()
    found: dict[str, t.Any] = _credentials(node, parts, host, has_credentials)
    if "tls" in parts:
        tls = parts["tls"].text()
        if tls not in _TLS:
            raise parts["tls"].wrong("the value must be one of: %s" % ", ".join(_TLS))
        found.update(_TLS[tls])
    for key, ours in (("reqPerSec", "requests_per_second"), ("reqConcurrent", "max_connections")):
        if key in parts and _number(parts[key]):
            found[ours] = _number(parts[key])
    return RegistrySettings(host, **found)


def _credentials(
    node: Node, parts: dict[str, Node], host: str, has_credentials: t.Callable[[str], bool]
) -> dict[str, str]:
    """Return the credentials of an entry; none if they are templates, which the credentials of the task replace."""
    found = {ours: parts[key] for key, ours in (("user", "username"), ("pass", "password")) if key in parts}
    if len(found) == 1:
        raise node.wrong("the entry must have both user and pass", "Add the missing key")
    templates = [value for value in found.values() if "{{" in value.text()]
    if templates and has_credentials(host):
        return {}
    if templates:
        hint = "Set the credentials for this host in registries, or remove user and pass to use an auth file"
        raise templates[0].wrong("the value is a regsync template, which is not supported", hint)
    return {ours: value.text() for ours, value in found.items()}


def _number(node: Node) -> float:
    """Return a number; 0 means the default, as in regsync. Raises ImageError."""
    try:
        number = 0.0 if node.is_empty else float(node.value)
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number < 1_000_000:
        raise node.wrong("the value must be a number that is not negative")
    return int(number) if number == int(number) else number
