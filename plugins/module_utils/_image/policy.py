# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Signature policies, which decide which images are accepted: containers-policy.json(5).

Everything unknown is an error and never accepted: unknown members, types and transports, and unsupported features.
"""

from __future__ import annotations

import base64
import dataclasses
import os
import typing as t

from .._errors import ImageError
from . import document as documents
from . import reference as references
from .reference import LocalReference, Reference, RegistryReference
from .signed_identity import IdentityRule

# Their scopes are paths.
_PATHS = ("dir", "oci", "oci-archive")
_REKOR = ("rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData", "rekorPublicKeyDatas")
_KEY_SOURCES = {
    "signedBy": ("keyPath", "keyPaths", "keyData"),
    "sigstoreSigned": ("keyPath", "keyPaths", "keyData", "keyDatas", "fulcio", "pki"),
}
_KEYLESS = {"fulcio": "keyless signatures (fulcio)", "pki": "certificate-based signatures (pki)"}
_HINT = "Correct the policy as described in containers-policy.json(5)"
REQUIREMENT_HINT = "Use insecureAcceptAnything, reject, signedBy or sigstoreSigned"
_KEY_TYPES = ("GPGKeys", "signedByGPGKeys", "X509Certificates", "signedByX509CAs")


class InvalidPolicy(ImageError):
    """The policy does not follow containers-policy.json(5), or requires an unsupported feature."""


@dataclasses.dataclass(frozen=True)
class Requirement:
    """One requirement. Public keys are given as files (``paths``) or as content (``data``).

    ``unsupported`` describes a requirement that cannot be checked here, so that no image meets it.
    """

    type: str
    paths: tuple[str, ...] = ()
    data: tuple[bytes, ...] = ()
    identity: IdentityRule = dataclasses.field(default_factory=IdentityRule)
    unsupported: str = ""


@dataclasses.dataclass(frozen=True)
class Policy:
    """``scopes`` maps transports to their scopes. An empty scope is the default of a transport."""

    default: tuple[Requirement, ...]
    scopes: t.Mapping[str, t.Mapping[str, tuple[Requirement, ...]]]

    @classmethod
    def parse(cls, content: bytes | str) -> Policy:
        """Parse the JSON of a policy. Raises :class:`InvalidPolicy`."""
        try:
            document = documents.read(content, "the policy")
        except ImageError as error:
            raise InvalidPolicy(error.cause, hint=_HINT) from None
        _check_members(document, "the policy", ("default",), ("transports",))
        default = _requirements(document["default"], "default")
        transports = document.get("transports", {})
        if not isinstance(transports, dict):
            raise InvalidPolicy("the key 'transports' in the policy is not a JSON object", hint=_HINT)
        return cls(default, {name: _scopes(name, scopes) for name, scopes in transports.items()})

    def requirements(self, image: Reference) -> tuple[Requirement, ...]:
        """Return the requirements for this image, from the longest scope that contains it. All of them must be met.

        Raises :class:`InvalidPolicy` if they depend on scopes that are not supported.
        """
        transport, scopes = scopes_of(image)
        of_transport = self.scopes.get(transport)
        if of_transport is not None:
            if transport == "containers-storage" and set(of_transport) - {""}:
                raise InvalidPolicy("policy scopes for containers-storage are not supported", hint='Use the scope ""')
            for scope in (*scopes, ""):
                if scope in of_transport:
                    return of_transport[scope]
        return self.default


def scopes_of(image: Reference) -> tuple[str, list[str]]:
    """Return the transport of an image and the scopes that contain it, from the narrowest to the widest."""
    if isinstance(image, RegistryReference):
        return "docker", _registry_scopes(image)
    if isinstance(image, LocalReference):
        return image.transport, _path_scopes(os.path.realpath(image.path))
    if image.transport == "docker-daemon" and image.repository:
        named = references.parse_registry(image.repository)
        return image.transport, _registry_scopes(dataclasses.replace(named, tag=image.tag))
    return image.transport, []


def _registry_scopes(image: RegistryReference) -> list[str]:
    """Return the image itself, its repository, the namespaces above it, the host, and wildcards of the host's domains.

    If the reference has a tag and a digest, scopes for both apply. containers/image would ignore the tag, and with it
    the requirements for this tag.
    """
    exact = ["%s@%s" % (image.context, image.digest)] if image.digest else []
    if image.tag or not image.digest:
        exact.append("%s:%s" % (image.context, image.tag or "latest"))
    found, name = exact, image.context
    while True:
        found.append(name)
        name, slash, _last = name.rpartition("/")
        if not slash:
            break
    domain = image.host.partition(":")[0]
    while "." in domain:
        domain = domain.partition(".")[2]
        found.append("*." + domain)
    return found


def _path_scopes(path: str) -> list[str]:
    found = []
    while path.strip("/"):
        found.append(path)
        path = os.path.dirname(path)
    return found


def _scopes(transport: str, document: object) -> dict[str, tuple[Requirement, ...]]:
    if not isinstance(document, dict):
        cause = "the key 'transports.%s' in the policy is not a JSON object" % transport
        raise InvalidPolicy(cause, hint=_HINT)
    for scope in document:
        if scope and transport in _PATHS and (not scope.startswith("/") or os.path.normpath(scope) != scope):
            raise InvalidPolicy(
                "the scope %r for transport %s is not a normalized absolute path" % (scope, transport),
                hint="Use an absolute path without . or .. segments",
            )
        if scope == "/" and transport in _PATHS:
            raise InvalidPolicy('the scope "/" for transport %s is not valid' % transport, hint='Use "" for all images')
    return {scope: _requirements(value, scope or transport) for scope, value in document.items()}


def _requirements(document: object, scope: str) -> tuple[Requirement, ...]:
    if not isinstance(document, list) or not document:
        cause = "the policy must have a list with at least one requirement for %s" % scope
        raise InvalidPolicy(cause, hint=_HINT)
    try:
        return tuple(_requirement(item) for item in document)
    except ImageError as error:
        if isinstance(error, InvalidPolicy) and error.reference is not None:
            raise
        raise InvalidPolicy(error.cause, "the policy for %s" % scope, error.hint) from None


def _requirement(document: object) -> Requirement:
    kind = document.get("type") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(kind, str):
        raise InvalidPolicy("a requirement has no type", hint="Add the key 'type' to the requirement")
    if kind in ("insecureAcceptAnything", "reject"):
        _check_members(document, "the requirement %s" % kind, ("type",))
        return Requirement(kind)
    if kind == "signedBaseLayer":
        return Requirement(kind, unsupported="the requirement signedBaseLayer is not supported")
    if kind not in _KEY_SOURCES:
        raise InvalidPolicy("unknown requirement %r" % kind, hint=REQUIREMENT_HINT)
    sources = _KEY_SOURCES[kind]
    more = ("keyType",) if kind == "signedBy" else _REKOR
    _check_members(document, "the requirement %s" % kind, ("type",), (*sources, *more, "signedIdentity"))
    given = [name for name in sources if name in document]
    if len(given) != 1:
        cause = "a requirement must have exactly one of the keys %s, but has %d of them" % (
            ", ".join(sources),
            len(given),
        )
        raise InvalidPolicy(cause, hint=_HINT)
    unsupported = _unsupported(document)
    paths, data = ((), ()) if given[0] in _KEYLESS else _keys(given[0], document[given[0]])
    rule = IdentityRule.from_document(document["signedIdentity"]) if "signedIdentity" in document else IdentityRule()
    return Requirement(kind, paths, data, rule, unsupported)


def _unsupported(document: t.Mapping[str, t.Any]) -> str:
    """Return what a requirement needs in addition to keys; empty for nothing. Raises InvalidPolicy for an unknown type of key."""
    if document["type"] == "signedBy":
        key_type = document.get("keyType")
        if key_type not in _KEY_TYPES:
            raise InvalidPolicy("unknown keyType %r" % (key_type,), hint="Set keyType to GPGKeys")
        return "" if key_type == "GPGKeys" else "keyType %s is not supported" % key_type
    for name, what in _KEYLESS.items():
        if name in document:
            return "%s are not supported yet" % what
    given = [name for name in _REKOR if name in document]
    return "transparency log proofs (%s) are not supported yet" % given[0] if given else ""


def _keys(name: str, value: object) -> tuple[tuple[str, ...], tuple[bytes, ...]]:
    """Return the files and contents of keys."""
    values = value if name.endswith("s") else [value]
    if not isinstance(values, list) or not values or not all(isinstance(item, str) and item for item in values):
        cause = "%s must be a list of non-empty strings" if name.endswith("s") else "%s must be a non-empty string"
        raise InvalidPolicy(cause % name, hint=_HINT)
    if name.startswith("keyPath"):
        return tuple(values), ()
    try:
        return (), tuple(base64.b64decode("".join(item.split()), validate=True) for item in values)
    except ValueError:
        raise InvalidPolicy("%s is not valid base64" % name, hint=_HINT) from None


def _check_members(document: object, what: str, needed: t.Collection[str], possible: t.Collection[str] = ()) -> None:
    if not isinstance(document, dict):
        raise InvalidPolicy("%s is not a JSON object" % what, hint=_HINT)
    unknown = sorted(set(document) - set(needed) - set(possible))
    if unknown:
        cause = "%s has unknown keys: %s" % (what, ", ".join(map(repr, unknown)))
        raise InvalidPolicy(cause, hint="Remove the unknown keys")
    missing = sorted(set(needed) - set(document))
    if missing:
        cause = "%s does not have the required keys: %s" % (what, ", ".join(missing))
        raise InvalidPolicy(cause, hint="Add the missing keys")
