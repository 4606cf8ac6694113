# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Platforms, and which child of an index matches one.

The rules are those of the matchers in containerd and containers/image. An architecture runs its lower variants (arm
v8 > v7 > v6 > v5). arm means v7, and arm64 means v8. amd64 levels above v1 are selected only on request.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._errors import ImageError, InvalidReference
from . import document as documents

_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "i386": ("386", ""),
    "i686": ("386", ""),
}
_DEFAULT_VARIANT = {"arm": "v7", "arm64": "v8", "amd64": "v1"}
_GRAMMAR = re.compile(r"([a-z0-9_.-]+)(?:\(([^()]+)\))?/([a-z0-9_-]+)(?:/([a-z0-9_.-]+))?")
_FIELDS = frozenset(("os", "architecture", "variant", "os.version", "os.features"))
# No architecture has a level of three digits, and Python refuses to read a number of thousands.
_LEVEL = re.compile(r"v([0-9]{1,3})(?:\.[0-9]+)?")


@dataclasses.dataclass(frozen=True)
class Platform:
    """An operating system and a CPU (OCI image spec, image-index.md, "platform")."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Parse ``os/architecture[/variant]``. A Windows build is written as ``windows(10.0.17763)/amd64``.

        Raises :class:`InvalidReference`.
        """
        match = _GRAMMAR.fullmatch(text.strip().lower())
        if not match:
            raise InvalidReference(
                "%r is not a valid platform" % text, hint="Write os/architecture[/variant], for example linux/arm64"
            )
        return cls(match.group(1), match.group(3), match.group(4) or "", match.group(2) or "").normalized()

    @classmethod
    def from_document(cls, document: t.Mapping[str, t.Any]) -> Platform:
        """Read the platform in a descriptor, or the same fields in the config of an image."""
        documents.check_fields(document, _FIELDS, "a platform", lone=False)
        fields = [document.get(name) for name in ("os", "architecture", "variant", "os.version")]
        return cls(*(field if isinstance(field, str) else "" for field in fields)).normalized()

    def normalized(self) -> Platform:
        """Return the canonical form of the platform."""
        architecture, variant = _ARCHITECTURES.get(self.architecture, (self.architecture, self.variant))
        variant = self.variant or variant
        if variant == _DEFAULT_VARIANT.get(architecture) and architecture != "arm":
            variant = ""
        return Platform("darwin" if self.os == "macos" else self.os, architecture, variant, self.os_version)

    @property
    def is_known(self) -> bool:
        """False for ``unknown/unknown``, under which BuildKit stores attestations."""
        return self.os not in ("", "unknown") and self.architecture not in ("", "unknown")

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @staticmethod
    def variant_of(machine: str) -> str:
        """Return the variant of a 32-bit ARM machine as ``uname -m`` shows it, such as ``armv6l``; empty for others."""
        found = re.match("armv([567])", machine)
        return "v" + found.group(1) if found else ""

    def rank(self, candidate: Platform) -> int | None:
        """Return how well an image for ``candidate`` fits this platform: higher is better, and None does not fit."""
        if (self.os, self.architecture) != (candidate.os, candidate.architecture):
            return None
        if self.os_version and not (candidate.os_version + ".").startswith(self.os_version + "."):
            return None
        wanted, offered = self._level(), candidate._level()
        if wanted is None or offered is None:
            return 0 if self.variant in ("", candidate.variant) else None
        return offered if offered <= wanted else None

    def _level(self) -> int | None:
        variant = self.variant or _DEFAULT_VARIANT.get(self.architecture, "v0")
        match = _LEVEL.fullmatch(variant)
        return int(match.group(1)) if match else None


def best(wanted: Platform, offered: t.Iterable[Platform]) -> set[Platform]:
    """Return the platforms in ``offered`` that fit ``wanted`` best.

    The result has more than one only if they differ in the Windows build and none was requested. If none fits, raises
    :class:`ImageError` with the available platforms.
    """
    known = [platform for platform in offered if platform.is_known]
    ranks = {platform: wanted.rank(platform) for platform in known}
    usable = [rank for rank in ranks.values() if rank is not None]
    if not usable:
        if known:
            hint = "Choose one of the available platforms: %s" % ", ".join(
                sorted({str(platform) for platform in known})
            )
        else:
            hint = "Remove the platform from the task, because the image specifies none"
        raise ImageError("the image is not available for platform %s" % wanted, hint=hint)
    return {platform for platform, rank in ranks.items() if rank == max(usable)}
