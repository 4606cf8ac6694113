# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Resolve any number of references to digests in parallel."""

from __future__ import annotations

import dataclasses
import types
import typing as t

from .. import _messages as messages
from .._errors import ImageError, InvalidReference, NotFound, naming
from .._image import reference as references
from .._image.graph import Content
from .._image.platform import Platform
from .._image.reference import RegistryReference, name_or_default
from .._transfer.parallel import for_each
from .._transfer.selection import select
from .stores import Stores

_Found = t.TypeVar("_Found")


def parse_image(text: str) -> RegistryReference:
    """Parse the reference of an image in a registry. The tag defaults to latest. Raises InvalidReference."""
    reference = references.parse(text)
    if not isinstance(reference, RegistryReference):
        raise InvalidReference("only images in a registry are supported here", text, "Write host[:port]/path[:tag]")
    return reference if reference.name else dataclasses.replace(reference, tag="latest")


def find_digest(reference: RegistryReference, stores: Stores) -> str:
    """Return the digest that a reference points to; empty if the image does not exist. Sends one HEAD. Raises ImageError."""
    with naming(reference):
        try:
            found = stores.open(reference).find(name_or_default(reference))
        except NotFound:
            return ""
    return found.digest if found else ""


def find_offering(reference: RegistryReference, platforms: t.Sequence[Platform], stores: Stores) -> str:
    """Return the digest like :func:`find_digest`, and check that an index has these platforms. Sends one GET, and one per nested index.

    If a platform is missing, raises ImageError that names it.
    """
    with naming(reference):
        store = stores.open(reference)
        try:
            manifest = store.manifest(name_or_default(reference), legacy=True)
        except NotFound:
            return ""
        if manifest.is_index:
            select(manifest, platforms, True, Content(store.manifest, store.open_blob))
        return manifest.digest


def find_each(images: t.Sequence[RegistryReference], stores: Stores) -> dict[RegistryReference, str | ImageError]:
    """Return the digest or the error for each reference. The digest is empty if the image does not exist."""

    def find(reference: RegistryReference) -> str | ImageError:
        try:
            return find_digest(reference, stores)
        except ImageError as error:
            return error

    return _each(images, find, stores)


def _each(
    images: t.Sequence[RegistryReference], find: t.Callable[[RegistryReference], _Found], stores: Stores
) -> dict[RegistryReference, _Found]:
    """Return the results for all references, without duplicates, in order. The first error ends the search."""
    found: dict[RegistryReference, _Found] = {}
    for batch in _batches(images):
        found.update(zip(batch, for_each(find, batch, stores.run.jobs)))
    return {reference: found[reference] for reference in dict.fromkeys(images)}


def _batches(images: t.Iterable[RegistryReference]) -> list[list[RegistryReference]]:
    """Return one reference for each registry, and then the others.

    The first response shows how to log in. Otherwise, all requests that are sent in parallel would lack a token.
    """
    first: dict[str, RegistryReference] = {}
    others = [each for each in dict.fromkeys(images) if first.setdefault(each.host, each) != each]
    return [batch for batch in (list(first.values()), others) if batch]


def require_digests(
    images: t.Sequence[RegistryReference],
    stores: Stores,
    platforms: t.Mapping[RegistryReference, t.Sequence[Platform]] = types.MappingProxyType({}),
) -> dict[RegistryReference, str]:
    """Return the digest of each reference. It is an error if one does not exist, or is an index without all of its ``platforms``.

    The first error ends the search, and no further requests are sent. Raises ImageError.
    """

    def find(reference: RegistryReference) -> str:
        needed = platforms.get(reference)
        return find_offering(reference, needed, stores) if needed else find_digest(reference, stores)

    found = _each(images, find, stores)
    absent = [str(reference) for reference, digest in found.items() if not digest]
    if absent:
        cause = "the image does not exist" if len(absent) == 1 else "these images do not exist"
        raise NotFound(cause, messages.listing(absent), "Check the name, the tag and the credentials")
    return found
