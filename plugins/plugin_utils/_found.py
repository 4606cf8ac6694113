# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A reference in a document, and the rules for which texts are references."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import RegistryReference, parse_registry

from ._spans import Path

_HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,}(?::[0-9]+)?|(?:[0-9]{1,3}\.){3}[0-9]{1,3}:[0-9]+|localhost(?::[0-9]+)?")
# Pictures, disks and data have paths that are valid names of repositories.
_FILE = re.compile(r".*\.(?:png|svg|jpe?g|gif|ico|webp|img|iso|qcow2|vmdk|tar|t?gz|zip|json|ya?ml|html?|js|css)", re.I)
# Of a reference, in characters.
LONGEST = 512


@dataclasses.dataclass(frozen=True)
class Found:
    """A reference in a document.

    ``parts`` maps its parts to the values that contain them:

    - ``image`` alone, which may be only a part of its value, as in ``--image=REFERENCE``
    - ``repository``, with ``registry``, ``tag``, and ``digest`` or ``sha`` (a digest without its algorithm) if such keys
      exist. A ``repository`` without a value yet is added after the value of ``sibling``.
    - ``url``, with ``chart``, ``tag`` and ``digest`` if such keys exist
    """

    reference: str
    kind: str
    path: Path
    certain: bool
    parts: t.Mapping[str, Path]


def parse(text: t.Any) -> RegistryReference | None:
    """Return the reference if a text is one, else None."""
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        return None
    try:
        return parse_registry(text.strip())
    except ImageError:
        return None


def is_likely(text: t.Any) -> bool:
    """Return whether the value of a key such as ``image`` is a reference. A single word may be anything."""
    reference = parse(text)
    if reference is None:
        return False
    if reference.tag or reference.digest:
        return True
    return "/" in text and not _FILE.fullmatch(text.strip())


def is_full(text: str) -> bool:
    """Return whether a word is a reference in any context: it has a registry, a path, and a tag or digest."""
    host, slash, _path = text.partition("/")
    reference = parse(text) if slash and _HOST.fullmatch(host) else None
    return bool(reference and (reference.tag or reference.digest))


def mappings(value: t.Any) -> list[t.Mapping[str, t.Any]]:
    """Return the mappings in a list. Other elements become empty mappings, so that positions do not change."""
    return [mapping(item) for item in value] if isinstance(value, (list, tuple)) else []


def mapping(value: t.Any) -> t.Mapping[str, t.Any]:
    """Return the value if it is a mapping, else an empty one."""
    return value if isinstance(value, t.Mapping) else {}
