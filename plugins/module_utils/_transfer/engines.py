# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What is different where one side of a copy knows images by their configs: engines, and archives of them."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .._errors import InvalidContent, NotFound, naming
from .._image.descriptor import Descriptor
from .._image.manifest import Manifest
from .._stores.base import Store
from .._stores.by_config import ConfigStore
from .known import bare

if t.TYPE_CHECKING:
    from .plan import CopyRequest


def config_store(store: Store) -> ConfigStore | None:
    """The store itself, if it knows images by their configs."""
    found = bare(store)
    return found if isinstance(found, ConfigStore) else None


def known_by(store: Store, manifest: Manifest) -> Descriptor:
    """What a store knows an image by: the manifest itself, or the config."""
    return manifest.config if config_store(store) and manifest.config else manifest.descriptor


def nearest(request: CopyRequest) -> tuple[str, CopyRequest]:
    """The request as it is best carried out; before it the ID of the image at the source where it changed.

    A manifest that is made for the image may differ from the one that was made for it before, by another program or
    another zlib. So where the destination has a manifest with that config under one of its names, this is the image:
    it takes the place of the source.
    """
    source = config_store(request.source)
    if not source or config_store(request.destination):
        return "", request
    with naming(source.reference(request.name)):
        found = source.resolve(request.name)
    if not found:
        return "", request
    names = request.tags or ([request.digest] if request.digest else [])
    for name in [] if request.thorough else names:
        with contextlib.suppress(NotFound, InvalidContent), naming(request.destination.reference(name)):
            manifest = request.destination.manifest(name)
            is_it = manifest.config is not None and manifest.config.digest == found.digest
            if is_it and request.destination.is_complete(manifest.descriptor, None):
                nearer = bare(request.destination)
                return found.digest, dataclasses.replace(request, source=nearer, name=manifest.digest)
    return "", request
