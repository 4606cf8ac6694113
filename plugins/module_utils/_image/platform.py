# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Platforms and which of an index's children answers to one.

The rules are those of containerd's and containers/image's matchers: an architecture runs what its lower variants
run (arm v8 > v7 > v6 > v5), arm means v7, arm64 means v8, and amd64 levels above v1 are taken only on request.
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
    """An operating system and CPU as in OCI image spec, image-index.md, "platform"."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """``os/architecture[/variant]``; a Windows build as ``windows(10.0.17763)/amd64``.

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
        """Read the platform of a descriptor, or the same fields of an image's configuration."""
        documents.check_fields(document, _FIELDS, "a platform", lone=False)
        fields = [document.get(name) for name in ("os", "architecture", "variant", "os.version")]
        return cls(*(field if isinstance(field, str) else "" for field in fields)).normalized()

    def normalized(self) -> Platform:
        """The one form that two spellings of the same platform share."""
        architecture, variant = _ARCHITECTURES.get(self.architecture, (self.architecture, self.variant))
        variant = self.variant or variant
        if variant == _DEFAULT_VARIANT.get(architecture) and architecture != "arm":
            variant = ""
        return Platform("darwin" if self.os == "macos" else self.os, architecture, variant, self.os_version)

    @property
    def is_known(self) -> bool:
        """False for the ``unknown/unknown`` under which buildkit stores attestations."""
        return self.os not in ("", "unknown") and self.architecture not in ("", "unknown")

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def rank(self, candidate: Platform) -> int | None:
        """How well an image for ``candidate`` serves this platform: higher is better, None is not at all."""
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
    """The platforms among ``offered`` that serve ``wanted`` best.

    More than one where only the Windows build differs and none was asked for. Raises :class:`ImageError` that lists
    what there is where nothing serves.
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
