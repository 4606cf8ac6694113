# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Keys from options: as a file, or as text."""

from __future__ import annotations

import dataclasses

from ..._errors import ImageError
from ..._files import read_named
from ..._image import signing_key as keys
from ..._image.signing_key import PublicKey, SigningKey

# Keys are some kilobytes.
_MAX_FILE = 1024 * 1024


def public_key(given: str) -> PublicKey:
    """Return a public key, given as PEM or as the path of a PEM file. Raises ImageError."""
    if "-----BEGIN" in given:
        key = keys.load_public(given, "the given key")
        return dataclasses.replace(key, name=key.short_name)
    return public_key_in_file(given)


def public_key_in_file(path: str) -> PublicKey:
    """Return the public key in a PEM file. Raises ImageError."""
    return keys.load_public(read_named(path, _MAX_FILE, "the public key"), path)


def signing_key(path: str | None, content: str | None, passphrase: str | None) -> SigningKey:
    """Return the private key from a file or from text. Messages about the text contain only the name of its option."""
    if path:
        return keys.load_private(read_named(path, _MAX_FILE, "the private key"), passphrase, path)
    if not content:
        raise ImageError("the private key is missing", hint="Set key or key_content")
    return keys.load_private(content, passphrase, "key_content")
