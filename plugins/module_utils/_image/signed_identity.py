# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The name that a signature must contain to be valid for an image: ``signedIdentity`` of containers-policy.json(5).

Names are compared in their full form: ``busybox`` is ``docker.io/library/busybox``. A name that cannot be parsed
never matches.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import ImageError, InvalidReference
from . import reference as references
from .reference import Reference, RegistryReference

_HINT = "Correct signedIdentity as described in containers-policy.json(5)"
# What each type needs beside itself.
_MEMBERS = {
    "matchExact": (),
    "matchRepoDigestOrExact": (),
    "matchRepository": (),
    "exactReference": ("dockerReference",),
    "exactRepository": ("dockerRepository",),
    "remapIdentity": ("prefix", "signedPrefix"),
}


class InvalidIdentity(ImageError):
    """The rule does not follow containers-policy.json(5)."""


@dataclasses.dataclass(frozen=True)
class IdentityRule:
    """One rule; ``values`` are its members except for the type."""

    type: str = "matchRepoDigestOrExact"
    values: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_document(cls, document: object) -> IdentityRule:
        """Parse the JSON of a rule. Raises :class:`InvalidIdentity`."""
        if not isinstance(document, dict):
            raise InvalidIdentity("signedIdentity is not a JSON object", hint=_HINT)
        kind = document.get("type")
        if not isinstance(kind, str) or kind not in _MEMBERS:
            hint = "Use one of: %s" % ", ".join(_MEMBERS)
            raise InvalidIdentity("signedIdentity has the unknown type %r" % (kind,), hint=hint)
        members = _MEMBERS[kind]
        if set(document) != {"type", *members}:
            wanted = " and ".join(("type", *members))
            cause = "signedIdentity of type %s must have exactly the keys %s" % (kind, wanted)
            raise InvalidIdentity(cause, hint=_HINT)
        values = {name: document[name] for name in members}
        rule = cls(kind, values)
        rule._check()
        return rule

    def _check(self) -> None:
        for name, value in self.values.items():
            if not isinstance(value, str):
                raise InvalidIdentity("the key %s in signedIdentity is not a string" % name, hint=_HINT)
            if self.type == "remapIdentity":
                valid = references.is_prefix(value)
            else:
                found = _parsed(value)
                valid = found is not None and (name != "dockerReference" or not _is_bare(found))
            if not valid:
                cause = "the key %s in signedIdentity has the invalid value %r" % (name, value)
                raise InvalidIdentity(cause, hint=_HINT)

    def accepts(self, image: Reference, signed: str) -> bool:
        """Return whether a signature for the name ``signed`` is valid for this image.

        A registry reference without tag and digest means its tag ``latest``. With a tag and a digest, the tag counts,
        because the digest in the signature was already compared with the manifest. Images in other locations have no
        name, so only the exact rules can accept them.
        """
        found = _parsed(signed)
        if found is None:
            return False
        if self.type == "exactReference":
            wanted = _parsed(self.values["dockerReference"])
            return wanted is not None and not _is_bare(found) and str(found) == str(wanted)
        if self.type == "exactRepository":
            wanted = _parsed(self.values["dockerRepository"])
            return wanted is not None and found.context == wanted.context
        if not isinstance(image, RegistryReference):
            return False
        return self._accepts(_by_tag(image), found)

    def _accepts(self, image: RegistryReference, signed: RegistryReference) -> bool:
        if self.type == "matchRepository":
            return signed.context == image.context
        if self.type == "matchExact":
            return not _is_bare(signed) and str(signed) == str(image)
        if self.type == "remapIdentity":
            remapped = self._remapped(image)
            if remapped is None:
                return False
            image = remapped
        if _is_bare(signed):
            return False
        # Without a tag the digest decides, and that of the signature was compared to the manifest already.
        return str(signed) == str(image) if image.tag else signed.context == image.context

    def _remapped(self, image: RegistryReference) -> RegistryReference | None:
        """Return the name of the image that this mirrored image was copied from."""
        prefix, context = self.values["prefix"], image.context
        if context != prefix and not context.startswith(prefix + "/"):
            return image
        name = self.values["signedPrefix"] + str(image)[len(prefix) :]
        found = _parsed(name)
        # A short name would become another one.
        return found if found and str(found) == name else None

    def __str__(self) -> str:
        return " ".join([self.type, *self.values.values()])


def _parsed(text: str) -> RegistryReference | None:
    try:
        return references.parse_registry(text)
    except InvalidReference:
        return None


def _is_bare(reference: RegistryReference) -> bool:
    return not reference.tag and not reference.digest


def _by_tag(reference: RegistryReference) -> RegistryReference:
    if _is_bare(reference):
        return dataclasses.replace(reference, tag="latest")
    return dataclasses.replace(reference, digest="") if reference.tag else reference
