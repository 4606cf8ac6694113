# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Private keys in the format of ``cosign generate-key-pair`` and ``skopeo generate-sigstore-key``.

The PEM block contains JSON (securesystemslib's format for encrypted keys). scrypt derives a key from the passphrase,
and the private key (PKCS #8, DER) is encrypted with it in NaCl's secretbox format.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import typing as t

from . import document as documents
from . import secretbox

KINDS = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")

_BLOCK = re.compile(b"-----BEGIN [A-Z ]+-----([A-Za-z0-9+/=\\s]+)-----END [A-Z ]+-----")
# cosign writes N = 65536 or 32768, r = 8: 64 MiB or less. A key that asks for more than this would only exhaust the node.
_MOST_MEMORY = 512 * 1024 * 1024
_MOST_PARALLEL = 16


def decrypt(pem: bytes, passphrase: bytes) -> bytes | None:
    """Return the private key (PKCS #8, DER); None if the passphrase is wrong. Raises ValueError for any other format."""
    block = _BLOCK.search(pem)
    if not block:
        raise ValueError("no PEM block")
    try:
        document = documents.decode(base64.b64decode(b"".join(block.group(1).split()), validate=True))
        kdf, cipher = document["kdf"], document["cipher"]
        if kdf["name"] != "scrypt" or cipher["name"] != "nacl/secretbox":
            raise ValueError("unknown algorithm")
        key = _scrypt(passphrase, _decoded(kdf["salt"]), kdf["params"])
        return secretbox.open_box(_decoded(document["ciphertext"]), _decoded(cipher["nonce"]), key)
    except (KeyError, TypeError, AttributeError, binascii.Error, OverflowError) as error:
        raise ValueError("another shape") from error


def _scrypt(passphrase: bytes, salt: bytes, params: dict[str, t.Any]) -> bytes:
    n, r, p = params["N"], params["r"], params["p"]
    if not all(isinstance(number, int) and number > 0 for number in (n, r, p)):
        raise ValueError("scrypt needs positive numbers")
    # RFC 7914, section 2: N blocks of 128 * r bytes. The rest is for OpenSSL's own bookkeeping.
    memory = 128 * n * r
    if memory > _MOST_MEMORY or p > _MOST_PARALLEL:
        raise ValueError("scrypt parameters out of range")
    most = memory + 128 * r * (p + 4) + 1024 * 1024
    return hashlib.scrypt(passphrase, salt=salt, n=n, r=r, p=p, maxmem=most, dklen=secretbox.KEY_BYTES)


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
